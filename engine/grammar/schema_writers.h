// The automata of one object and of one array: which members or items may follow what has been written. A state knows
// the place in the list, how many there were (as far as limits ask) and which "some member", "contains" are met.
#pragma once

#include <map>
#include <vector>

#include "engine/grammar/schema_emitter.h"

namespace seraph::grammar {

class ObjectWriter {
 public:
  ObjectWriter(SchemaEmitter& emitter, ByteNfa& nfa, SchemaEmitter::ObjectPlan plan);
  int32_t write(int32_t from);

 private:
  struct Key {
    size_t index;   // next member of the plan's list; in any order: the bits of those that were written
    int64_t count;  // members so far, no further than limits need
    uint32_t met;   // bits of plan.wanted
    bool any;       // a comma is needed
    auto operator<=>(const Key&) const = default;
  };

  int32_t state(const Key& key);
  void expand(const Key& key, int32_t from);
  void expand_any_order(const Key& key, int32_t from);
  void expand_end(const Key& key, int32_t from, bool required_done);
  void add_member(const Key& key, int32_t from, LangId names, const std::string* name, ExprId value, Key after);
  int64_t next_count(int64_t count) const;

  SchemaEmitter& emitter_;
  ByteNfa& nfa_;
  const SchemaEmitter::ObjectPlan plan_;
  const bool any_order_;
  std::map<Key, int32_t> states_;
  std::vector<Key> work_;
  int32_t end_ = 0;
};

class ArrayWriter {
 public:
  ArrayWriter(SchemaEmitter& emitter, ByteNfa& nfa, const ArraySet& array);
  int32_t write(int32_t from);

 private:
  struct Key {
    int64_t index;              // items so far, no further than anything depends on it
    std::vector<int64_t> seen;  // for each `contains`, as far as its limits need
    bool any;
    auto operator<=>(const Key&) const = default;
  };

  int32_t state(const Key& key);
  void expand(const Key& key, int32_t from);
  void add_items(const Key& key, int32_t from);

  SchemaEmitter& emitter_;
  ByteNfa& nfa_;
  const ArraySet& array_;
  int64_t max_ = -1;
  int64_t index_cap_ = 0;
  std::map<Key, int32_t> states_;
  std::vector<Key> work_;
  int32_t end_ = 0;
};

}  // namespace seraph::grammar
