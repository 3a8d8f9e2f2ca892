#include "daemon/http/cors.h"

#include <algorithm>

namespace seraph {
namespace {

constexpr std::string_view kVary =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
    "Access-Control-Request-Private-Network";
constexpr std::string_view kMaxAge = "600";  // seconds

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) {
    if (!out.empty()) out += ", ";
    out += item;
  }
  return out;
}

}  // namespace

CorsPolicy::CorsPolicy(const HttpOptions& options)
    : all_origins_(contains(options.allowed_origins, "*")),
      all_headers_(contains(options.allowed_headers, "*")),
      credentials_(options.allow_credentials),
      origins_(options.allowed_origins),
      methods_(options.allowed_methods) {
  if (contains(methods_, "*")) {
    methods_ = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"};
  }
  // The headers that browsers may send without asking are allowed always.
  std::vector<std::string> names = {"Accept", "Accept-Language", "Content-Language", "Content-Type"};
  for (const std::string& name : options.allowed_headers) {
    if (name != "*" && !contains(names, name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  headers_text_ = joined(names);
  for (const std::string& name : names) headers_.push_back(lower(name));
}

bool CorsPolicy::is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && !request.header("origin").empty() &&
         !request.header("access-control-request-method").empty();
}

bool CorsPolicy::origin_allowed(std::string_view origin) const { return all_origins_ || contains(origins_, origin); }

bool CorsPolicy::headers_allowed(std::string_view requested) const {
  while (!requested.empty()) {
    const size_t comma = requested.find(',');
    std::string_view name = requested.substr(0, comma);
    requested = comma == std::string_view::npos ? std::string_view() : requested.substr(comma + 1);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (!name.empty() && !contains(headers_, lower(name))) return false;
  }
  return true;
}

PreflightAnswer CorsPolicy::preflight(const HttpRequest& request) const {
  const std::string_view origin = request.header("origin");
  const std::string_view requested = request.header("access-control-request-headers");
  PreflightAnswer answer;
  std::vector<std::string> failures;
  answer.headers.push_back({"vary", std::string(kVary)});
  if (origin_allowed(origin)) {
    const bool any = all_origins_ && !credentials_;
    answer.headers.push_back({"access-control-allow-origin", any ? "*" : std::string(origin)});
  } else {
    failures.push_back("origin");
  }
  answer.headers.push_back({"access-control-allow-methods", joined(methods_)});
  answer.headers.push_back({"access-control-max-age", std::string(kMaxAge)});
  if (all_headers_ && !requested.empty()) {
    answer.headers.push_back({"access-control-allow-headers", std::string(requested)});
  } else if (!all_headers_) {
    answer.headers.push_back({"access-control-allow-headers", headers_text_});
    if (!headers_allowed(requested)) failures.push_back("headers");
  }
  if (credentials_) {
    answer.headers.push_back({"access-control-allow-credentials", "true"});
  }
  if (!contains(methods_, request.header("access-control-request-method"))) {
    failures.insert(failures.begin() + (failures.empty() || failures[0] != "origin" ? 0 : 1), "method");
  }
  answer.status = failures.empty() ? 200 : 400;
  answer.body = failures.empty() ? "OK" : "Disallowed CORS " + joined(failures);
  return answer;
}

std::string CorsPolicy::answer_headers(std::string_view origin, bool has_cookie) const {
  std::string out;
  if (!origin.empty() && origin_allowed(origin)) {
    // A browser refuses "*" together with cookies, so the origin is named then.
    const bool any = all_origins_ && !has_cookie;
    out += "access-control-allow-origin: ";
    out += any ? std::string_view("*") : origin;
    out += "\r\n";
    if (credentials_) out += "access-control-allow-credentials: true\r\n";
  }
  out += "vary: Origin\r\n";
  return out;
}

}  // namespace seraph
