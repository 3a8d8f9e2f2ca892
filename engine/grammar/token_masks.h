// What each state of one grammar says about each token of one vocabulary, as far as it can be said without knowing who
// called the state's rule: which tokens stay within the rule (allowed whatever lies below), and at which places of the
// token tree the rule may end, so that the caller decides about the rest. Computed on first use and kept, up to a limit
// of bytes. Shared by matchers on any number of threads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/grammar/grammar.h"
#include "engine/grammar/parser.h"
#include "engine/grammar/shared_verdicts.h"
#include "engine/grammar/token_table.h"

namespace seraph {

class TokenMasks {
 public:
  static constexpr size_t kBytesMaxDefault = size_t{64} << 20;

  /// `shared` (or null) keeps what other grammars over the same tokens can use too.
  TokenMasks(std::shared_ptr<const CompiledGrammar> grammar, std::shared_ptr<const TokenTable> tokens,
             size_t bytes_max = kBytesMaxDefault, std::shared_ptr<SharedVerdicts> shared = nullptr);
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
  struct SharedRule {
    CompiledGrammar::StateId start;
    std::string content;
  };

  StateVerdict compute(CompiledGrammar::StateId state) const;
  /// `holder` keeps a verdict alive that is not kept here, for want of room.
  const StateVerdict& find_or_compute(CompiledGrammar::StateId state, std::shared_ptr<const StateVerdict>& holder);
  const SharedRule* find_shared_rule(CompiledGrammar::StateId state) const;

  const std::shared_ptr<const CompiledGrammar> grammar_;
  const std::shared_ptr<const TokenTable> tokens_;
  const size_t bytes_max_;
  const std::shared_ptr<SharedVerdicts> shared_;
  std::vector<SharedRule> shared_rules_;  // by start; constant after construction
  std::atomic<size_t> bytes_{0};
  std::vector<std::atomic<const StateVerdict*>> verdicts_;  // by state; set once, to an element of owned_
  std::mutex mutex_;
  std::vector<std::shared_ptr<const StateVerdict>> owned_;  // guarded by mutex_
};

}  // namespace seraph
