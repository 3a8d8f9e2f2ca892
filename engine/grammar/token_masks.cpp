#include "engine/grammar/token_masks.h"

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
                       size_t bytes_max)
    : grammar_(std::move(grammar)),
      tokens_(std::move(tokens)),
      bytes_max_(bytes_max),
      verdicts_(grammar_->num_states()) {}

TokenMasks::~TokenMasks() {
  for (const auto& verdict : verdicts_) delete verdict.load(std::memory_order_relaxed);
}

void TokenMasks::add_allowed(Parser& parser, std::span<uint32_t> words) {
  if (grammar_->has_unique_items()) {
    // What is allowed depends on the text itself, so nothing can be kept.
    walk_tokens(parser, *tokens_, 0, tokens_->num_nodes(), 0,
                [&](uint32_t node) { set_bits(tokens_->tokens(node), words); });
    return;
  }
  const std::vector<Parser::Item> items(parser.items().begin(), parser.items().end());
  StateVerdict scratch;
  for (const Parser::Item& item : items) {
    const StateVerdict& verdict = *find_or_compute(item.state, scratch);
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

TokenMasks::StateVerdict TokenMasks::compute(CompiledGrammar::StateId state) const {
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

const TokenMasks::StateVerdict* TokenMasks::find_or_compute(CompiledGrammar::StateId state, StateVerdict& scratch) {
  std::atomic<const StateVerdict*>& slot = verdicts_[state];
  if (const StateVerdict* known = slot.load(std::memory_order_acquire)) return known;
  scratch = compute(state);
  const size_t cost =
      sizeof(StateVerdict) + (scratch.words.size() + scratch.ids.size() + scratch.resume.size()) * sizeof(uint32_t);
  if (bytes_.fetch_add(cost, std::memory_order_relaxed) + cost > bytes_max_) {
    bytes_.fetch_sub(cost, std::memory_order_relaxed);
    return &scratch;
  }
  auto* kept = new StateVerdict(std::move(scratch));
  const StateVerdict* expected = nullptr;
  if (slot.compare_exchange_strong(expected, kept, std::memory_order_acq_rel)) return kept;
  delete kept;  // another thread was faster
  bytes_.fetch_sub(cost, std::memory_order_relaxed);
  return expected;
}

}  // namespace seraph
