#include "engine/grammar/token_masks.h"

#include <algorithm>

namespace seraph {
namespace {

using grammar::Parser;

/// Tries the token tree's nodes first..end, which lie below a node of depth `base_depth`, on the parser. Calls
/// on_node(node) for each that the parser takes.
template <typename OnNode>
void walk_tokens(Parser& parser, const TokenTable& tokens, uint32_t first, uint32_t end, uint32_t base_depth,
                 const OnNode& on_node) {
  const size_t base = parser.depth();
  for (uint32_t node = first; node < end;) {
    const size_t above = base + tokens.depth(node) - base_depth - 1;
    while (parser.depth() > above) parser.pop();
    if (!parser.push(tokens.byte(node))) {
      node = tokens.end(node);
      continue;
    }
    on_node(node);
    ++node;
  }
  while (parser.depth() > base) parser.pop();
}

void set_bits(std::span<const int32_t> ids, std::span<uint32_t> words) {
  for (const int32_t id : ids) words[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
}

}  // namespace

TokenMasks::TokenMasks(std::shared_ptr<const CompiledGrammar> grammar, std::shared_ptr<const TokenTable> tokens,
                       size_t bytes_max, std::shared_ptr<SharedVerdicts> shared)
    : grammar_(std::move(grammar)),
      tokens_(std::move(tokens)),
      bytes_max_(bytes_max),
      shared_(std::move(shared)),
      verdicts_(grammar_->num_states()) {
  // The states of a rule follow each other, and so do the rules.
  for (uint32_t rule = 0; shared_ != nullptr && rule < grammar_->num_rules(); ++rule) {
    const auto start = grammar_->rule(rule).start;
    const size_t end = rule + 1 < grammar_->num_rules() ? grammar_->rule(rule + 1).start : grammar_->num_states();
    std::string content = SharedVerdicts::content_of(*grammar_, start, end - start);
    if (!content.empty()) shared_rules_.push_back({start, std::move(content)});
  }
}

const TokenMasks::SharedRule* TokenMasks::find_shared_rule(CompiledGrammar::StateId state) const {
  const auto after = std::upper_bound(shared_rules_.begin(), shared_rules_.end(), state,
                                      [](auto value, const SharedRule& rule) { return value < rule.start; });
  if (after == shared_rules_.begin()) return nullptr;
  const SharedRule& rule = *(after - 1);
  return state - rule.start < rule.content.size() / 257 ? &rule : nullptr;
}

void TokenMasks::add_allowed(Parser& parser, std::span<uint32_t> words) {
  if (grammar_->has_unique_items()) {
    // What is allowed depends on the text itself, so nothing can be kept.
    walk_tokens(parser, *tokens_, 0, tokens_->num_nodes(), 0,
                [&](uint32_t node) { set_bits(tokens_->tokens(node), words); });
    return;
  }
  const std::vector<Parser::Item> items(parser.items().begin(), parser.items().end());
  std::shared_ptr<const StateVerdict> holder;
  for (const Parser::Item& item : items) {
    const StateVerdict& verdict = find_or_compute(item.state, holder);
    for (size_t i = 0; i < verdict.words.size(); ++i) words[i] |= verdict.words[i];
    set_bits(verdict.ids, words);
    if (item.node == Parser::kBase || verdict.resume.empty() || !parser.push_return(item.node)) continue;
    for (const uint32_t node : verdict.resume) {
      walk_tokens(parser, *tokens_, node + 1, tokens_->end(node), tokens_->depth(node),
                  [&](uint32_t below) { set_bits(tokens_->tokens(below), words); });
    }
    parser.pop();
  }
}

StateVerdict TokenMasks::compute(CompiledGrammar::StateId state) const {
  StateVerdict verdict;
  Parser parser;
  parser.reset(*grammar_, state);
  walk_tokens(parser, *tokens_, 0, tokens_->num_nodes(), 0, [&](uint32_t node) {
    const auto ids = tokens_->tokens(node);
    verdict.ids.insert(verdict.ids.end(), ids.begin(), ids.end());
    if (parser.complete() && tokens_->end(node) > node + 1) verdict.resume.push_back(node);
  });
  if (verdict.ids.size() > tokens_->mask_words()) {
    verdict.words.resize(tokens_->mask_words());
    set_bits(verdict.ids, verdict.words);
    verdict.ids.clear();
  }
  verdict.ids.shrink_to_fit();
  verdict.resume.shrink_to_fit();
  return verdict;
}

const StateVerdict& TokenMasks::find_or_compute(CompiledGrammar::StateId state,
                                                std::shared_ptr<const StateVerdict>& holder) {
  std::atomic<const StateVerdict*>& slot = verdicts_[state];
  if (const StateVerdict* known = slot.load(std::memory_order_acquire)) return *known;
  const SharedRule* rule = find_shared_rule(state);
  if (rule != nullptr) holder = shared_->find(rule->content, state - rule->start);
  if (rule == nullptr || holder == nullptr) {
    holder = std::make_shared<const StateVerdict>(compute(state));
    if (rule != nullptr) shared_->put(rule->content, state - rule->start, holder);
  }
  const std::lock_guard lock(mutex_);
  if (const StateVerdict* known = slot.load(std::memory_order_relaxed)) return *known;  // another thread was faster
  const size_t cost = holder->bytes();
  if (bytes() + cost > bytes_max_) return *holder;
  bytes_.fetch_add(cost, std::memory_order_relaxed);
  owned_.push_back(holder);
  slot.store(holder.get(), std::memory_order_release);
  return *holder;
}

}  // namespace seraph
