// How template code reports that a template cannot go on: an exception that never leaves this folder's jinja_*
// files. An interpreter of nested expressions, lazy generators and callbacks would need a check after nearly every
// call otherwise; Template::compile and Template::render catch it and return an Error.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace seraph::jinja {

/// Where a token begins; both count from 1, columns in bytes.
struct Position {
  int32_t line = 0;
  int32_t column = 0;
};

class TemplateError : public std::runtime_error {
 public:
  explicit TemplateError(const std::string& message) : std::runtime_error(message) {}
  TemplateError(const std::string& message, Position place) : std::runtime_error(message), at(place) {}

  Position at;  // line 0: the interpreter's current position
};

[[noreturn]] inline void fail(const std::string& message) { throw TemplateError(message); }
[[noreturn]] inline void fail_at(const std::string& message, Position at) { throw TemplateError(message, at); }

}  // namespace seraph::jinja
