// Chat templates: a Jinja program compiled once, rendered per request. The dialect is the one that
// transformers' ImmutableSandboxedEnvironment accepts (trim_blocks, lstrip_blocks, loop controls, `generation`
// blocks, strftime_now, raise_exception, tojson), byte for byte. Rendering is bounded. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

struct TemplateLimits {
  int64_t steps_max = 20'000'000;  // evaluated nodes
  int64_t output_bytes_max = 64LL << 20;
  int32_t depth_max = 200;  // of macros and nested expressions
  int64_t time_max_ms = 5000;
};

/// The clock that strftime_now reads: broken-down local time, injected by tests and `check prompt`.
struct TemplateClock {
  bool fixed = false;  // false: the system's local time
  int32_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, microsecond = 0;
  /// ISO 8601 without zone ("2024-07-26T10:20:30[.ffffff]"), as `check prompt` takes it.
  static Result<TemplateClock> parse(std::string_view iso);
  /// The system's local time.
  static TemplateClock system();
};

/// A compiled template. Errors say "line L, column C: ...".
class Template {
 public:
  static Result<std::unique_ptr<Template>> compile(std::string_view source);
  ~Template();
  /// Renders with the members of `context` (an object) as variables. kInvalidArgument with line and column:
  /// undefined values, type errors, raise_exception, refused attributes, limits.
  Result<std::string> render(const Json& context, const TemplateLimits& limits, const TemplateClock& clock) const;
  /// True when the template loops over a message's content parts: content is then handed over as a list
  /// ("openai" format), else joined to a string.
  bool wants_content_parts() const;

 private:
  class Impl;
  explicit Template(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

/// A conversation on its way into a template, as transformers' apply_chat_template(tokenize=False) takes it.
struct ChatInput {
  Json messages;   // array of objects; null members are removed before rendering
  Json tools;      // null or array
  Json documents;  // null or array
  bool add_generation_prompt = false;
  bool continue_final_message = false;  // cut right after the last message's content
  Json kwargs;                          // null or object; these win over everything else
  Json special_tokens;                  // object: bos_token, eos_token, ...
};

/// Renders a conversation. Errors as Template::render, and those of continue_final_message.
Result<std::string> render_chat(const Template& chat_template, const ChatInput& input, const TemplateLimits& limits,
                                const TemplateClock& clock);

}  // namespace seraph
