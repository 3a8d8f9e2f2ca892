#include "engine/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/text/oniguruma.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

constexpr uint32_t kMatchStepsMax = 10'000'000;  // backtracking points of one match
constexpr uint32_t kHeapKibMax = 64 * 1024;      // of the interpreter, when the JIT's stack is too small
constexpr size_t kPatternBytesMax = 64 * 1024;

}  // namespace

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
  SERAPH_ASSIGN_OR_RETURN(const std::string translated, translate_oniguruma(pattern));
  int code = 0;
  PCRE2_SIZE offset = 0;
  auto compiled = std::make_unique<Code>();
  // What ends a line is Oniguruma's choice, not that of PCRE2's build.
  pcre2_compile_context* context = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
  // Oniguruma's default syntax is Ruby's, where ^ and $ match at every line.
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &offset, context);
  pcre2_compile_context_free(context);
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
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) throw PatternLimit();
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
