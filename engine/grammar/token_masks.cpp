#include "engine/grammar/token_masks.h"

#include <algorithm>
#include <bit>
#include <bitset>

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

/// A list instead of a bit set when that is smaller.
void make_sparse(StateVerdict& verdict, size_t num_tokens) {
  verdict.resume.shrink_to_fit();
  if (num_tokens >= verdict.words.size()) return;
  for (size_t word = 0; word < verdict.words.size(); ++word) {
    for (uint32_t bits = verdict.words[word]; bits != 0; bits &= bits - 1) {
      verdict.ids.push_back(static_cast<int32_t>(word * 32) + std::countr_zero(bits));
    }
  }
  verdict.words = {};
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
    // Most places at which the rule may end go on with bytes that no caller takes; one look each settles that.
    std::bitset<256> first;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (!parser.push(static_cast<uint8_t>(byte))) continue;
      first.set(byte);
      parser.pop();
    }
    for (const uint32_t node : verdict.resume) {
      for (uint32_t child = node + 1; child < tokens_->end(node); child = tokens_->end(child)) {
        if (!first[tokens_->byte(child)]) continue;
        walk_tokens(parser, *tokens_, child, tokens_->end(child), tokens_->depth(node),
                    [&](uint32_t below) { set_bits(tokens_->tokens(below), words); });
      }
    }
    parser.pop();
  }
}

StateVerdict TokenMasks::compute(CompiledGrammar::StateId state) const {
  StateVerdict verdict;
  verdict.words.resize(tokens_->mask_words());
  size_t num_tokens = 0;
  const auto allow = [&](uint32_t node, bool rule_ends) {
    set_bits(tokens_->tokens(node), verdict.words);
    num_tokens += tokens_->tokens(node).size();
    if (rule_ends && tokens_->end(node) > node + 1) verdict.resume.push_back(node);
  };
  Parser parser;
  const auto walk_below = [&](CompiledGrammar::StateId from, uint32_t first, uint32_t end, uint32_t depth) {
    parser.reset(*grammar_, from);
    walk_tokens(parser, *tokens_, first, end, depth, [&](uint32_t node) { allow(node, parser.complete()); });
  };
  // As long as no state on the way calls a rule, the rule's own automaton is all there is: no parser is needed, which
  // is some times faster and what most of the tree sees.
  std::vector<CompiledGrammar::StateId> path = {state};  // by depth
  if (grammar_->has_calls(state)) walk_below(state, 0, tokens_->num_nodes(), 0);
  for (uint32_t node = grammar_->has_calls(state) ? tokens_->num_nodes() : 0; node < tokens_->num_nodes();) {
    const uint32_t depth = tokens_->depth(node);
    const auto to = grammar_->next(path[depth - 1], tokens_->byte(node));
    if (to == CompiledGrammar::kNoState) {
      node = tokens_->end(node);
      continue;
    }
    allow(node, grammar_->accepting(to));
    if (grammar_->has_calls(to)) {
      walk_below(to, node + 1, tokens_->end(node), depth);
      node = tokens_->end(node);
      continue;
    }
    if (path.size() <= depth) path.resize(depth + 1);
    path[depth] = to;
    ++node;
  }
  make_sparse(verdict, num_tokens);
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
