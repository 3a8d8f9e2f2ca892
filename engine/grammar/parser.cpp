#include "engine/grammar/parser.h"

#include <algorithm>

#include "engine/grammar/unique_items.h"

namespace seraph::grammar {

void Parser::reset(const CompiledGrammar& grammar, StateId start) {
  grammar_ = &grammar;
  frames_.clear();
  items_.clear();
  nodes_.clear();
  edges_.clear();
  text_.clear();
  position_ = 0;
  nodes_.push_back({0, kNone, 0});
  frames_.push_back({0, 1, 0, 0, 0, grammar.accepting(start)});
  items_.push_back({start, kBase});
}

void Parser::open_frame() {
  frames_.push_back({static_cast<uint32_t>(items_.size()), static_cast<uint32_t>(nodes_.size()),
                     static_cast<uint32_t>(edges_.size()), static_cast<uint32_t>(text_.size()), position_, false});
}

bool Parser::push(uint8_t byte) {
  const uint32_t begin = frames_.back().first_item, end = static_cast<uint32_t>(items_.size());
  // Inside strings, numbers and literals there is one item and nothing to call or to end.
  if (end - begin == 1 && !grammar_->has_calls(items_[begin].state)) {
    const StateId to = grammar_->next(items_[begin].state, byte);
    if (to == CompiledGrammar::kNoState) return false;
    if (!grammar_->accepting(to) || items_[begin].node == kBase) {
      const uint32_t node = items_[begin].node;
      open_frame();
      frames_.back().complete = grammar_->accepting(to);
      items_.push_back({to, node});
      if (grammar_->has_unique_items()) text_.push_back(static_cast<char>(byte));
      ++position_;
      return true;
    }
  }
  work_.assign(items_.begin() + begin, items_.begin() + end);
  open_frame();
  if (grammar_->has_unique_items()) text_.push_back(static_cast<char>(byte));
  for (size_t i = 0; i < work_.size(); ++i) process(work_[i], byte);
  ++position_;
  return finish_frame();
}

bool Parser::push_return(uint32_t node) {
  open_frame();
  return_from(node);
  return finish_frame();
}

/// What the ends of rules lead to; drops the frame again when nothing is left.
bool Parser::finish_frame() {
  const size_t begin = frames_.back().first_item;
  for (size_t i = begin; i < items_.size(); ++i) {
    if (!grammar_->accepting(items_[i].state)) continue;
    if (items_[i].node == kBase) {
      frames_.back().complete = true;
    } else {
      return_from(items_[i].node);
    }
  }
  if (items_.size() > begin || frames_.back().complete) return true;
  pop();
  return false;
}

void Parser::pop() {
  const Frame& frame = frames_.back();
  items_.resize(frame.first_item);
  nodes_.resize(frame.num_nodes);
  edges_.resize(frame.num_edges);
  text_.resize(frame.text_size);
  position_ = frame.position;
  frames_.pop_back();
}

void Parser::merge_from(size_t depth) {
  if (frames_.size() <= depth + 2) return;
  Frame& kept = frames_[depth + 1];
  const Frame& last = frames_.back();
  kept.complete = last.complete;
  items_.erase(items_.begin() + kept.first_item, items_.begin() + last.first_item);
  frames_.resize(depth + 2);
}

void Parser::process(Item item, uint8_t byte) {
  const StateId to = grammar_->next(item.state, byte);
  if (to != CompiledGrammar::kNoState) add_item({to, item.node});
  for (const CompiledGrammar::Call& next : grammar_->calls(item.state)) {
    const CompiledGrammar::Rule& rule = grammar_->rule(next.rule);
    if (rule.first[byte]) call(next, item);
    if (!rule.nullable) continue;
    const Item skipped = {next.to, item.node};
    if (std::find(work_.begin(), work_.end(), skipped) == work_.end()) work_.push_back(skipped);
  }
}

void Parser::call(const CompiledGrammar::Call& call, Item caller) {
  const size_t known = nodes_.size();
  const uint32_t node = find_node(call.rule);
  const bool tail_call = grammar_->only_ends(call.to) && caller.node != kBase &&
                         nodes_[caller.node].position < position_ && !grammar_->has_unique_items();
  if (tail_call) {
    // Nothing can come between the callee's end and the caller's: return to the caller's callers at once, so that
    // right recursion does not pile up.
    for (uint32_t e = nodes_[caller.node].first_edge; e != kNone; e = edges_[e].next) {
      const Edge edge = edges_[e];
      add_edge(node, edge.state, edge.node);
    }
  } else {
    add_edge(node, call.to, caller.node);
  }
  if (nodes_.size() > known) work_.push_back({grammar_->rule(call.rule).start, node});
}

/// The node of a rule called at this position.
uint32_t Parser::find_node(uint32_t rule) {
  for (uint32_t node = frames_.back().num_nodes; node < nodes_.size(); ++node) {
    if (nodes_[node].rule == rule) return node;
  }
  nodes_.push_back({rule, kNone, position_});
  return static_cast<uint32_t>(nodes_.size()) - 1;
}

bool Parser::add_edge(uint32_t node, StateId state, uint32_t parent) {
  for (uint32_t e = nodes_[node].first_edge; e != kNone; e = edges_[e].next) {
    if (edges_[e].state == state && edges_[e].node == parent) return false;
  }
  edges_.push_back({state, parent, nodes_[node].first_edge});
  nodes_[node].first_edge = static_cast<uint32_t>(edges_.size()) - 1;
  return true;
}

void Parser::add_item(Item item) {
  for (size_t i = frames_.back().first_item; i < items_.size(); ++i) {
    if (items_[i] == item) return;
  }
  items_.push_back(item);
}

void Parser::return_from(uint32_t node) {
  for (uint32_t e = nodes_[node].first_edge; e != kNone; e = edges_[e].next) {
    const Edge& edge = edges_[e];
    if (grammar_->ends_unique_item(edge.state) && !is_new_unique_item(edge.node, nodes_[node].position)) continue;
    add_item({edge.state, edge.node});
  }
}

bool Parser::is_new_unique_item(uint32_t array_node, uint32_t item_position) const {
  const std::string_view text(text_);
  const uint32_t begin = nodes_[array_node].position, item = item_position;
  return last_item_is_unique(text.substr(begin, item - begin), text.substr(item));
}

}  // namespace seraph::grammar
