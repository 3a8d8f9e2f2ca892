#include "engine/grammar/shared_verdicts.h"

namespace seraph {

std::string SharedVerdicts::content_of(const CompiledGrammar& grammar, CompiledGrammar::StateId start,
                                       size_t num_states) {
  std::string content;
  if (num_states > kStatesMax) return content;
  for (size_t i = 0; i < num_states; ++i) {
    const auto state = static_cast<CompiledGrammar::StateId>(start + i);
    if (grammar.has_calls(state)) return "";
    content.push_back(grammar.accepting(state) ? 'a' : '-');
    for (int byte = 0; byte < 256; ++byte) {
      const auto to = grammar.next(state, static_cast<uint8_t>(byte));
      content.push_back(to == CompiledGrammar::kNoState ? '\xFF' : static_cast<char>(to - start));
    }
  }
  return content;
}

std::shared_ptr<const StateVerdict> SharedVerdicts::find(const std::string& content, size_t state) const {
  const std::lock_guard lock(mutex_);
  const auto rule = rules_.find(content);
  return rule == rules_.end() ? nullptr : rule->second[state];
}

void SharedVerdicts::put(const std::string& content, size_t state, std::shared_ptr<const StateVerdict> verdict) {
  const std::lock_guard lock(mutex_);
  auto rule = rules_.find(content);
  if (rule == rules_.end()) {
    if (rules_.size() >= kRulesMax) rules_.clear();  // verdicts in use live on in their grammars
    rule = rules_.emplace(content, std::vector<std::shared_ptr<const StateVerdict>>(kStatesMax)).first;
  }
  rule->second[state] = std::move(verdict);
}

}  // namespace seraph
