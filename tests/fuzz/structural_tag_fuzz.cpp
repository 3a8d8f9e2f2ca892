// Arbitrary structural tags: each compiles or is refused within its limits, and what compiles can be matched, masked
// bytewise and rolled back without a fault. The part after the first NUL is the text that is tried.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/grammar/compiler.h"
#include "engine/grammar/matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(input.find('\0'), input.size());
  const std::string_view source = input.substr(0, cut), text = input.substr(std::min(cut + 1, size));
  seraph::CompileLimits limits;
  limits.work_max = 2'000'000;
  const auto tag = seraph::Json::parse(source);
  if (!tag.ok()) return 0;
  const auto compiled = seraph::compile_structural_tag(*tag, limits);
  if (!compiled.ok()) return 0;
  seraph::Matcher matcher(*compiled);
  const size_t accepted = matcher.accepted_prefix(text);
  if (!matcher.accept_bytes(text.substr(0, accepted))) __builtin_trap();
  if (accepted < text.size() && matcher.accept_bytes(text.substr(accepted))) __builtin_trap();
  const std::string forced = matcher.jump_forward(64);
  if (!forced.empty() && !matcher.accept_bytes(forced)) __builtin_trap();
  matcher.rollback(matcher.num_steps());
  if (matcher.accepted_prefix(text) != accepted) __builtin_trap();
  return 0;
}
