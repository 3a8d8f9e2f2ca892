// The normalizers of tokenizer.json: text to text, before anything is cut. Immutable after parsing; any thread.
#pragma once

#include <memory>
#include <string>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph::text {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// Rewrites `text` (valid UTF-8, stays so). Clears `at_start` when its first characters are dropped: what is left
  /// then no longer counts as the beginning of the user's text.
  virtual void apply(std::string& text, bool& at_start) const = 0;
};

/// Reads the value of the key "normalizer"; null for null. Errors name the key.
Result<std::unique_ptr<Normalizer>> parse_normalizer(const Json& spec);

}  // namespace seraph::text
