#include "engine/grammar/grammar_cache.h"

#include "engine/grammar/matcher.h"

namespace seraph {

GrammarCache::GrammarCache(std::shared_ptr<const TokenTable> tokens, size_t bytes_max)
    : tokens_(std::move(tokens)), bytes_max_(bytes_max), shared_(std::make_shared<SharedVerdicts>()) {}

Result<std::shared_ptr<TokenMasks>> GrammarCache::find_or_compile(std::string_view key,
                                                                  const std::function<Result<GrammarPtr>()>& compile) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = ids_.find(key);
    if (known != ids_.end()) {
      entries_.splice(entries_.begin(), entries_, known->second);
      return known->second->masks;
    }
  }
  SERAPH_ASSIGN_OR_RETURN(GrammarPtr grammar, compile());
  auto masks = std::make_shared<TokenMasks>(std::move(grammar), tokens_, bytes_max_ / 4, shared_);
  const std::lock_guard lock(mutex_);
  const auto known = ids_.find(key);
  if (known != ids_.end()) return known->second->masks;  // another thread compiled it meanwhile
  entries_.push_front({std::string(key), masks});
  ids_[entries_.front().key] = entries_.begin();
  // Verdicts grow after a grammar has come in, so all costs are counted anew.
  size_t bytes = 0;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    bytes += entry->cost();
    if (bytes <= bytes_max_) {
      ++entry;
      continue;
    }
    bytes -= entry->cost();
    ids_.erase(entry->key);
    entry = entries_.erase(entry);
  }
  return masks;
}

void GrammarCache::warm_up() {
  const auto masks = find_or_compile("json_object", [] { return compile_json_object(); });
  if (!masks.ok()) return;
  std::vector<uint32_t> words(tokens_->mask_words());
  Matcher matcher(*masks);
  for (const char byte : std::string_view("{\"a\\u00e9\": [1.5e3, \"b\", true, {}]}")) {
    matcher.fill_mask(words, {});
    if (!matcher.accept_bytes(std::string_view(&byte, 1))) return;
  }
}

size_t GrammarCache::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.cost();
  return bytes;
}

}  // namespace seraph
