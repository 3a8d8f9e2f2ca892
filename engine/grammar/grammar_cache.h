// Compiled grammars by their source, with the verdicts on a vocabulary's tokens that have been found so far: the same
// schema is compiled once. Bounded by bytes, the least recently used go first. Any thread; compiling happens outside.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/grammar/compiler.h"
#include "engine/grammar/token_masks.h"

namespace seraph {

class GrammarCache {
 public:
  /// `bytes_max` bounds what is kept, not what running sequences still hold.
  GrammarCache(std::shared_ptr<const TokenTable> tokens, size_t bytes_max);

  /// The masks of the grammar with this key (kind and source of the constraint), compiled by `compile` when it is not
  /// there. Errors are those of `compile`; they are not kept.
  Result<std::shared_ptr<TokenMasks>> find_or_compile(std::string_view key,
                                                      const std::function<Result<GrammarPtr>()>& compile);
  /// Finds out what any JSON text asks of the tokens, so that the first request does not. Takes some milliseconds.
  void warm_up();
  size_t bytes() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<TokenMasks> masks;
    size_t cost() const { return key.size() + masks->grammar().bytes() + masks->bytes(); }
  };

  const std::shared_ptr<const TokenTable> tokens_;
  const size_t bytes_max_;
  const std::shared_ptr<SharedVerdicts> shared_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;                                              // guarded by mutex_; most recent first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> ids_;  // guarded by mutex_; keys live in entries_
};

}  // namespace seraph
