#include "daemon/http/path.h"

namespace seraph {
namespace {

Error bad_target(const char* why) {
  return Error{ErrorCode::kInvalidArgument, std::string("Invalid request target: ") + why};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Cuts "scheme://authority" off an absolute-form target.
std::string_view without_authority(std::string_view target) {
  const size_t colon = target.find("://");
  if (target.empty() || target.front() == '/' || colon == std::string_view::npos) {
    return target;
  }
  const size_t path = target.find_first_of("/?", colon + 3);
  return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

/// Appends the decoded path with single slashes. False: an escape or byte that is refused; `why` says which.
bool decode_path(std::string_view raw, std::string& out, const char** why) {
  for (size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '/') {
      if (out.empty() || out.back() != '/') out += '/';
      continue;
    }
    if (c == '%') {
      const int high = i + 2 < raw.size() ? hex_value(raw[i + 1]) : -1;
      const int low = i + 2 < raw.size() ? hex_value(raw[i + 2]) : -1;
      if (high < 0 || low < 0) {
        *why = "'%' must be followed by two hexadecimal digits";
        return false;
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (c == '/') {
        *why = "an encoded '/' is refused";
        return false;
      }
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '\\') {
      *why = "control characters and backslashes are refused";
      return false;
    }
    out += c;
  }
  return true;
}

bool has_dot_segment(std::string_view path) {
  size_t begin = 0;
  while (begin < path.size()) {
    size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Result<HttpTarget> parse_target(std::string_view target, std::string_view root_path) {
  if (target == "*") {
    return HttpTarget{"*", ""};
  }
  target = without_authority(target);
  if (target.find('#') != std::string_view::npos) {
    return bad_target("a fragment is refused");
  }
  HttpTarget result;
  const size_t question = target.find('?');
  if (question != std::string_view::npos) {
    result.query = target.substr(question + 1);
    target = target.substr(0, question);
  }
  if (target.empty()) {
    target = "/";
  }
  if (target.front() != '/') {
    return bad_target("it must begin with '/'");
  }
  const char* why = "";
  result.path.reserve(target.size());
  if (!decode_path(target, result.path, &why)) {
    return bad_target(why);
  }
  if (has_dot_segment(result.path)) {
    return bad_target("dot segments are refused");
  }
  while (root_path.size() > 1 && root_path.back() == '/') root_path.remove_suffix(1);
  if (root_path.size() > 1 && result.path.compare(0, root_path.size(), root_path) == 0 &&
      (result.path.size() == root_path.size() || result.path[root_path.size()] == '/')) {
    result.path.erase(0, root_path.size());
    if (result.path.empty()) result.path = "/";
  }
  if (result.path.size() > 1 && result.path.back() == '/') {
    result.path.pop_back();
  }
  return result;
}

}  // namespace seraph
