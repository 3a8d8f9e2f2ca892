// Compiling and rendering: the border between the interpreter's exceptions and the rest of the program's Results.
#include <charconv>
#include <cstdio>
#include <ctime>
#include <new>

#include "engine/text/chat_template.h"
#include "engine/text/jinja_content_format.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_parser.h"
#include "engine/text/jinja_resolver.h"

namespace seraph {
namespace {

constexpr size_t kSourceBytesMax = 4 << 20;

Error template_error(const std::string& message, jinja::Position at) {
  return Error{ErrorCode::kInvalidArgument,
               "line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": " + message};
}

}  // namespace

class Template::Impl {
 public:
  jinja::Program program;
};

Template::Template(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Template::~Template() = default;

Result<std::unique_ptr<Template>> Template::compile(std::string_view source) {
  if (source.size() > kSourceBytesMax) {
    return Error{ErrorCode::kInvalidArgument, "the chat template has " + std::to_string(source.size()) +
                                                  " bytes; the limit is " + std::to_string(kSourceBytesMax)};
  }
  auto impl = std::make_unique<Impl>();
  try {
    jinja::parse(source, impl->program);
    jinja::resolve(impl->program);
    impl->program.uses_content_parts = jinja::loops_over_content(impl->program);
  } catch (const jinja::TemplateError& error) {
    return template_error(error.what(), error.at);
  }
  return std::unique_ptr<Template>(new Template(std::move(impl)));
}

Result<std::string> Template::render(const Json& context, const TemplateLimits& limits,
                                     const TemplateClock& clock) const {
  jinja::Interpreter interpreter(impl_->program, context, limits, clock);
  try {
    return interpreter.run();
  } catch (const jinja::TemplateError& error) {
    return template_error(error.what(), error.at.line != 0 ? error.at : interpreter.position());
  } catch (const std::bad_alloc&) {
    return template_error("the template uses more memory than there is", interpreter.position());
  }
}

bool Template::wants_content_parts() const { return impl_->program.uses_content_parts; }

Result<TemplateClock> TemplateClock::parse(std::string_view iso) {
  TemplateClock clock{.fixed = true};
  const std::string text(iso);
  int read = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &clock.year, &clock.month, &clock.day,
                                 &clock.hour, &clock.minute, &clock.second, &read);
  bool good = fields == 6 && clock.year >= 1 && clock.month >= 1 && clock.month <= 12 && clock.day >= 1 &&
              clock.day <= 31 && clock.hour >= 0 && clock.hour < 24 && clock.minute >= 0 && clock.minute < 60 &&
              clock.second >= 0 && clock.second < 60;
  if (good && read < static_cast<int>(text.size())) {
    const std::string fraction = text.substr(static_cast<size_t>(read));
    good = fraction.size() >= 2 && fraction.size() <= 7 && fraction[0] == '.' &&
           fraction.find_first_not_of("0123456789", 1) == std::string::npos;
    if (good) {
      const std::string digits = (fraction.substr(1) + "00000").substr(0, 6);
      std::from_chars(digits.data(), digits.data() + 6, clock.microsecond);
    }
  }
  if (!good) {
    return Error{ErrorCode::kInvalidArgument, "\"" + text + "\" is not a time like 2024-07-26T10:20:30", "", "now"};
  }
  return clock;
}

TemplateClock TemplateClock::system() {
  const int64_t now = unix_time_us();
  const std::time_t seconds = now / 1'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return {.fixed = true,
          .year = local.tm_year + 1900,
          .month = local.tm_mon + 1,
          .day = local.tm_mday,
          .hour = local.tm_hour,
          .minute = local.tm_min,
          .second = local.tm_sec,
          .microsecond = static_cast<int32_t>(now % 1'000'000)};
}

}  // namespace seraph
