#include "daemon/http/server.h"

namespace seraph {

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

void Router::add(std::string method, std::string path, Access access, HttpHandler handler) {
  Route route;
  route.method = std::move(method);
  route.prefix = !path.empty() && path.back() == '*';
  if (route.prefix) path.pop_back();
  route.path = std::move(path);
  route.access = access;
  route.handler = std::move(handler);
  routes_.push_back(std::move(route));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  // Exact paths win over prefixes, and a longer prefix over a shorter one, whatever the order of registration.
  size_t best = 0;
  bool best_exact = false;
  bool known = false;
  for (const Route& route : routes_) {
    const bool exact = !route.prefix && route.path == path;
    const bool prefix = route.prefix && path.substr(0, route.path.size()) == route.path;
    if (!exact && !prefix) continue;
    const bool better = !known || (exact && !best_exact) || (exact == best_exact && route.path.size() > best);
    const bool same = known && exact == best_exact && route.path.size() == best;
    if (!better && !same) continue;
    if (better) {
      match = Match{};
      match.access = route.access;
      best = route.path.size();
      best_exact = exact;
      known = true;
    }
    // One guarded method guards the path: a 405 tells no more to a stranger than a 401.
    if (route.access != Access::kOpen && !match.handler) match.access = route.access;
    if (route.method == method) {
      match.handler = &route.handler;
      match.access = route.access;
      match.path_tail = prefix ? path.substr(best) : std::string_view();
    }
    if (!match.allowed_methods.empty()) match.allowed_methods += ", ";
    match.allowed_methods += route.method;
  }
  return match;
}

std::vector<Router::Listed> Router::routes() const {
  std::vector<Listed> out;
  for (const Route& route : routes_) {
    out.push_back({route.method, route.prefix ? route.path + '*' : route.path, route.access});
  }
  return out;
}

}  // namespace seraph
