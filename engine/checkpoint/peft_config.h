// adapter_config.json of a PEFT folder: what kind of adapter it is, and the rank and scale of each of its modules.
// Kinds that the decoder does not compute are refused with the member's name. Source: Hu et al. 2021,
// arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732 (rsLoRA).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/regex.h"

namespace seraph {

/// Longest file and most patterns that are read.
inline constexpr int64_t kPeftConfigBytesMax = 16 << 20;
inline constexpr size_t kPeftPatternsMax = 1024;
inline constexpr int64_t kPeftRankMax = 1 << 16;

/// A number by module name: PEFT's rank_pattern and alpha_pattern. The first key that fits the end of a name, from one
/// of its dots or its beginning on, wins. Keys are foreign regexes: matching them has limits.
class ModulePattern {
 public:
  /// Errors: kCorrupt, with the key that is no regex.
  Status add(const std::string& key, double value);
  double find(std::string_view module, double fallback) const;
  size_t size() const { return rules_.size(); }

 private:
  std::vector<std::pair<text::Regex, double>> rules_;
};

struct PeftConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;  // scale by the root of the rank
  ModulePattern ranks, alphas;

  int64_t rank_of(std::string_view module) const;
  float scale_of(std::string_view module) const;
};

/// `file` names the object in messages. Errors: kCorrupt, kUnsupported.
Result<PeftConfig> read_peft_config(const Json& object, const std::string& file);

}  // namespace seraph
