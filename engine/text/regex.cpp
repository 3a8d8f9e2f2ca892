#include "engine/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr uint32_t kMatchStepsMax = 10'000'000;  // backtracking points of one match
constexpr uint32_t kHeapKibMax = 64 * 1024;      // of the interpreter, when the JIT's stack is too small
constexpr size_t kPatternBytesMax = 64 * 1024;

// White_Space; PCRE2's own \s would add U+180E and, inside classes, depends on the build's options.
constexpr std::string_view kSpaceClass =
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr std::string_view kWordClass = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}";
constexpr std::string_view kHexClass = "0-9A-Fa-f";

std::string_view class_of_escape(char escape) {
  switch (escape) {
    case 's':
    case 'S':
      return kSpaceClass;
    case 'w':
    case 'W':
      return kWordClass;
    case 'h':
    case 'H':
      return kHexClass;
    default:
      return {};
  }
}

}  // namespace

std::string translate_pattern(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escape = pattern[++i];
      const std::string_view members = class_of_escape(escape);
      const bool negated = escape == 'S' || escape == 'W' || escape == 'H';
      if (members.empty() || (in_class && negated)) {
        out += c;
        out += escape;
      } else if (in_class) {
        out += members;
      } else {
        out += negated ? "[^" : "[";
        out += members;
        out += ']';
      }
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
      out += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
      continue;
    }
    if (c == ']') in_class = false;
    if (c == '[' && in_class && !(i + 1 < pattern.size() && pattern[i + 1] == ':')) out += '\\';
    out += c;
  }
  return out;
}

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kPatternBytesMax || !is_valid_utf8(pattern)) {
    return Error{ErrorCode::kCorrupt,
                 "a regular expression of " + std::to_string(pattern.size()) + " bytes is beyond 64 KiB or no UTF-8"};
  }
  const std::string translated = translate_pattern(pattern);
  int code = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_unique<Code>();
  // Oniguruma's default syntax is Ruby's, where ^ and $ match at every line.
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &offset, nullptr);
  if (compiled->code == nullptr) {
    char message[256] = {};
    pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof(message));
    return Error{ErrorCode::kCorrupt, "a regular expression does not compile: " + std::string(message) + " near byte " +
                                          std::to_string(offset)};
  }
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);  // without JIT support matching falls back by itself
  return Regex(std::move(compiled));
}

struct Regex::Matches::State {
  const pcre2_code* code = nullptr;
  std::string_view text;
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  size_t position = 0;
  size_t last_end = std::string_view::npos;  // where an empty match may not come again

  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
  bool match(size_t& begin, size_t& end) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    int rc = pcre2_match(code, subject, text.size(), position, PCRE2_NO_UTF_CHECK, data, context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(code, subject, text.size(), position, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, context);
    }
    if (rc < 0) return false;
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data);
    begin = bounds[0];
    end = bounds[1];
    return begin <= end;  // \K could turn them around
  }
};

Regex::Matches::Matches(const Regex& regex, std::string_view text) : state_(std::make_unique<State>()) {
  state_->code = regex.code_->code;
  state_->text = text;
  state_->data = pcre2_match_data_create_from_pattern(regex.code_->code, nullptr);
  state_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(state_->context, kMatchStepsMax);
  pcre2_set_heap_limit(state_->context, kHeapKibMax);
}

Regex::Matches::~Matches() = default;

bool Regex::Matches::next(size_t& begin, size_t& end) {
  State& state = *state_;
  while (state.position <= state.text.size()) {
    if (!state.match(begin, end)) return false;
    const bool empty = begin == end;
    if (empty && begin == state.last_end) {
      if (begin >= state.text.size()) return false;
      state.position = begin + utf8_length(static_cast<unsigned char>(state.text[begin]));
      state.last_end = std::string_view::npos;
      continue;
    }
    state.position = end;
    state.last_end = end;
    return true;
  }
  return false;
}

}  // namespace seraph::text
