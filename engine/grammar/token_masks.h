// What each state of one grammar says about each token of one vocabulary, as far as it can be said without knowing who
// called the state's rule: which tokens stay within the rule (allowed whatever lies below), and at which places of the
// token tree the rule may end, so that the caller decides about the rest. Computed on first use and kept, up to a limit
// of bytes. Shared by matchers on any number of threads.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "engine/grammar/grammar.h"
#include "engine/grammar/parser.h"
#include "engine/grammar/token_table.h"

namespace seraph {

class TokenMasks {
 public:
  static constexpr size_t kBytesMaxDefault = size_t{64} << 20;

  TokenMasks(std::shared_ptr<const CompiledGrammar> grammar, std::shared_ptr<const TokenTable> tokens,
             size_t bytes_max = kBytesMaxDefault);
  ~TokenMasks();
  TokenMasks(const TokenMasks&) = delete;
  TokenMasks& operator=(const TokenMasks&) = delete;

  const CompiledGrammar& grammar() const { return *grammar_; }
  std::shared_ptr<const CompiledGrammar> shared_grammar() const { return grammar_; }
  const TokenTable& tokens() const { return *tokens_; }
  /// Memory of the verdicts kept so far.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  /// Sets the bits of all tokens that the parser's items allow; `words` has tokens().mask_words() zeroed entries. The
  /// parser is the same afterwards.
  void add_allowed(grammar::Parser& parser, std::span<uint32_t> words);

 private:
  struct StateVerdict {
    std::vector<uint32_t> words;   // dense, or empty
    std::vector<int32_t> ids;      // the allowed tokens when there are few
    std::vector<uint32_t> resume;  // nodes of the token tree at which the rule ends, those with nodes below them
  };

  StateVerdict compute(CompiledGrammar::StateId state) const;
  const StateVerdict* find_or_compute(CompiledGrammar::StateId state, StateVerdict& scratch);

  const std::shared_ptr<const CompiledGrammar> grammar_;
  const std::shared_ptr<const TokenTable> tokens_;
  const size_t bytes_max_;
  std::atomic<size_t> bytes_{0};
  std::vector<std::atomic<const StateVerdict*>> verdicts_;  // by state; owned, set once
};

}  // namespace seraph
