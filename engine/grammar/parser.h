// The running state of a pushdown automaton: all derivations of the text so far at once, in time linear for ordinary
// grammars and never worse than cubic, left recursion included. Bytes go in one at a time and can be taken back, which
// serves both rollback and the walk over the token trie. One thread; the grammar is borrowed.
//
// A node stands for "rule R, called at position P"; all callers at P share it, each as an edge (state after the call,
// caller's node). An item is (state, node). Calls are made lazily, when the next byte can begin the rule, so the items
// of a position are few: usually one. Source: Scott and Johnstone 2010 (GLL), over automata instead of rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/grammar/grammar.h"

namespace seraph::grammar {

class Parser {
 public:
  using StateId = CompiledGrammar::StateId;
  static constexpr uint32_t kBase = 0;  // the node below everything: its end is not known here, or is the text's end

  struct Item {
    StateId state;
    uint32_t node;
    friend bool operator==(const Item&, const Item&) = default;
  };

  /// Starts in one state with nothing known below it.
  void reset(const CompiledGrammar& grammar, StateId start);

  /// Takes a byte; false, and nothing changed, when no derivation goes on.
  bool push(uint8_t byte);
  /// Adds a position without a byte where the rule of `node` (not kBase) has just ended; false when nothing follows.
  bool push_return(uint32_t node);
  /// Takes the last push back.
  void pop();
  /// Forgets how to take back the pushes after the first `depth`, but keeps where they led.
  void merge_from(size_t depth);

  size_t depth() const { return frames_.size() - 1; }  // pushes that can be taken back
  std::span<const Item> items() const {
    return {items_.data() + frames_.back().first_item, items_.data() + items_.size()};
  }
  /// The text may end here (kBase's rule is complete).
  bool complete() const { return frames_.back().complete; }

 private:
  struct Frame {
    uint32_t first_item, num_nodes, num_edges, text_size, position;
    bool complete;
  };
  struct Node {
    uint32_t rule, first_edge, position;
  };
  struct Edge {
    StateId state;
    uint32_t node, next;
  };
  static constexpr uint32_t kNone = 0xFFFFFFFFu;

  void open_frame();
  void process(Item item, uint8_t byte);
  uint32_t find_node(uint32_t rule);
  bool add_edge(uint32_t node, StateId state, uint32_t parent);
  void call(const CompiledGrammar::Call& call, Item caller);
  void add_item(Item item);
  void return_from(uint32_t node);
  bool finish_frame();
  bool is_new_unique_item(uint32_t array_node, uint32_t item_position) const;

  const CompiledGrammar* grammar_ = nullptr;
  std::vector<Frame> frames_;
  std::vector<Item> items_;  // of all frames
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<Item> work_;  // of the position that is left: items to process, each once
  uint32_t position_ = 0;   // counts pushes, merged or not
  std::string text_;        // only kept for grammars with unique items
};

}  // namespace seraph::grammar
