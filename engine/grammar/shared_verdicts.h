// Verdicts on tokens that are the same in many grammars: those of the states of small rules that call no others, above
// all the JSON string. Known by the rule's content. Any thread; bounded by the number of rules and states.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/grammar/grammar.h"

namespace seraph {

/// What one state says about the tokens, whoever called its rule.
struct StateVerdict {
  std::vector<uint32_t> words;   // the allowed tokens as a bit set, or empty
  std::vector<int32_t> ids;      // or as a list, when there are few
  std::vector<uint32_t> resume;  // nodes of the token tree at which the rule ends, those with nodes below them

  size_t bytes() const { return sizeof(*this) + (words.size() + ids.size() + resume.size()) * sizeof(uint32_t); }
};

class SharedVerdicts {
 public:
  static constexpr size_t kStatesMax = 32;  // of a rule that is shared
  static constexpr size_t kRulesMax = 256;

  /// The content of a rule, "" when it is too large or calls others. The rule has `num_states` states.
  static std::string content_of(const CompiledGrammar& grammar, CompiledGrammar::StateId start, size_t num_states);

  /// Null when it is not known. `state` counts from the rule's start.
  std::shared_ptr<const StateVerdict> find(const std::string& content, size_t state) const;
  void put(const std::string& content, size_t state, std::shared_ptr<const StateVerdict> verdict);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<const StateVerdict>>> rules_;  // guarded by mutex_
};

}  // namespace seraph
