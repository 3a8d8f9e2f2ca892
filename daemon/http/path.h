// The request target, normalised once: what is routed is what is authorised. Pure functions, no thread rules.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace seraph {

struct HttpTarget {
  std::string path;   // begins with '/', or is "*"
  std::string query;  // without '?', as sent
};

/// Splits and normalises a request target in origin form ("/a?b") or absolute form ("http://host/a?b"); "*" is
/// left as it is. The path is percent-decoded once, runs of '/' become one, `root_path` is taken off the front and
/// one '/' off the end. Errors (kInvalidArgument): what could mean different paths to different readers, that is
/// dot segments, encoded slashes, backslashes, control characters, '#', broken escapes.
Result<HttpTarget> parse_target(std::string_view target, std::string_view root_path);

}  // namespace seraph
