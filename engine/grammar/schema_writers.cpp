#include "engine/grammar/schema_writers.h"

#include <algorithm>

namespace seraph::grammar {
namespace {

constexpr int64_t kCountMax = 16'384;  // larger maxItems and maxProperties are enforced as this
constexpr size_t kAnyOrderMax = 5;     // members; more of them keep the order in which schemas name them
constexpr size_t kWantedMax = 6;       // "some member" and `contains` conditions of one object or array

int64_t capped_max(int64_t max, int64_t min) { return max > kCountMax && min <= kCountMax ? kCountMax : max; }

}  // namespace

ObjectWriter::ObjectWriter(SchemaEmitter& emitter, ByteNfa& nfa, SchemaEmitter::ObjectPlan plan)
    : emitter_(emitter),
      nfa_(nfa),
      plan_([&] {
        plan.max = capped_max(plan.max, plan.min);
        return std::move(plan);
      }()),
      any_order_(plan_.any_order && plan_.members.size() <= kAnyOrderMax) {
  if (plan_.wanted.size() > kWantedMax) fail_limit("the schema asks for too many kinds of members at once");
}

int64_t ObjectWriter::next_count(int64_t count) const {
  return plan_.max >= 0 ? count + 1 : std::min(count + 1, plan_.min);
}

int32_t ObjectWriter::state(const Key& key) {
  const auto [at, added] = states_.try_emplace(key, 0);
  if (added) {
    at->second = nfa_.add_state();
    work_.push_back(key);
  }
  return at->second;
}

int32_t ObjectWriter::write(int32_t from) {
  end_ = nfa_.add_state();
  const int32_t open = emitter_.add_space(nfa_, nfa_.add_literal(from, "{"), false);
  nfa_.add_epsilon(open, state({0, 0, 0, false}));
  while (!work_.empty()) {
    const Key key = work_.back();
    work_.pop_back();
    expand(key, states_[key]);
  }
  return end_;
}

void ObjectWriter::expand(const Key& key, int32_t from) {
  if (any_order_) return expand_any_order(key, from);
  if (key.index == plan_.members.size()) return expand_end(key, from, true);
  const auto& member = plan_.members[key.index];
  if (!member.required) {
    Key skipped = key;
    ++skipped.index;
    nfa_.add_epsilon(from, state(skipped));
  }
  if (plan_.max >= 0 && key.count >= plan_.max) return;
  add_member(key, from, 0, &member.name, member.value, {key.index + 1, next_count(key.count), key.met, true});
}

void ObjectWriter::expand_any_order(const Key& key, int32_t from) {
  const bool full = plan_.max >= 0 && key.count >= plan_.max;
  bool required_done = true;
  for (size_t i = 0; i < plan_.members.size(); ++i) {
    const auto& member = plan_.members[i];
    const size_t bit = size_t{1} << i;
    if ((key.index & bit) != 0) continue;
    required_done &= !member.required;
    if (!full)
      add_member(key, from, 0, &member.name, member.value, {key.index | bit, next_count(key.count), key.met, true});
  }
  expand_end(key, from, required_done);
}

/// The closing brace, or a member that the schema does not name.
void ObjectWriter::expand_end(const Key& key, int32_t from, bool required_done) {
  const uint32_t all_met = (1u << plan_.wanted.size()) - 1;
  if (required_done && key.count >= plan_.min && key.met == all_met)
    nfa_.add_epsilon(nfa_.add_literal(from, "}"), end_);
  if (plan_.max >= 0 && key.count >= plan_.max) return;
  for (const auto& part : plan_.others) {
    add_member(key, from, part.names, nullptr, part.value, {key.index, next_count(key.count), key.met, true});
  }
}

/// A member whose name is `name`, or any of `names`; once for each set of conditions that it may meet.
void ObjectWriter::add_member(const Key& key, int32_t from, LangId names, const std::string* name, ExprId value,
                              Key after) {
  LanguagePool& languages = emitter_.expander_.languages();
  ExprPool& exprs = emitter_.expander_.exprs();
  uint32_t meetable = 0;
  for (size_t i = 0; i < plan_.wanted.size(); ++i) {
    const bool fits = name != nullptr ? languages.dfa(plan_.wanted[i].names).accepts(*name)
                                      : !languages.is_empty(languages.intersection(names, plan_.wanted[i].names));
    if (fits && (key.met & (1u << i)) == 0) meetable |= 1u << i;
  }
  if (key.any) from = emitter_.add_space(nfa_, nfa_.add_literal(from, ","), true);
  if (name != nullptr) {
    std::string text;
    append_json_string(text, *name);
    from = nfa_.add_literal(from, text);
  } else if (names == LanguagePool::kAll) {
    const int32_t named = nfa_.add_state();
    nfa_.add_call(from, emitter_.free_string_rule(), named);
    from = named;
  } else {
    from = nfa_.add_language(nfa_.add_literal(from, "\""), languages.dfa(names), Spelling::kJsonAny, -1);
    from = nfa_.add_literal(from, "\"");
  }
  from = emitter_.add_space(nfa_, nfa_.add_literal(emitter_.add_space(nfa_, from, false), ":"), true);
  for (uint32_t met = meetable;; met = (met - 1) & meetable) {
    ExprId combined = value;
    for (size_t i = 0; i < plan_.wanted.size(); ++i) {
      if ((met & (1u << i)) != 0) combined = exprs.both(combined, plan_.wanted[i].value);
    }
    if (combined != ExprPool::kFalse) {
      const int32_t written = nfa_.add_state();
      nfa_.add_call(from, emitter_.rule_of(combined), written);
      Key next = after;
      next.met |= met;
      nfa_.add_epsilon(emitter_.add_space(nfa_, written, false), state(next));
    }
    if (met == 0) break;
  }
}

ArrayWriter::ArrayWriter(SchemaEmitter& emitter, ByteNfa& nfa, const ArraySet& array)
    : emitter_(emitter), nfa_(nfa), array_(array), max_(capped_max(array.max, array.min)) {
  if (array_.contains.size() > kWantedMax) fail_limit("the schema has too many contains conditions at once");
  index_cap_ = std::max(array_.min, static_cast<int64_t>(array_.prefix.size()));
  for (const auto& contains : array_.contains) index_cap_ = std::max(index_cap_, contains.start);
  if (max_ >= 0) index_cap_ = max_;
}

int32_t ArrayWriter::state(const Key& key) {
  const auto [at, added] = states_.try_emplace(key, 0);
  if (added) {
    at->second = nfa_.add_state();
    work_.push_back(key);
  }
  return at->second;
}

int32_t ArrayWriter::write(int32_t from) {
  end_ = nfa_.add_state();
  const int32_t open = emitter_.add_space(nfa_, nfa_.add_literal(from, "["), false);
  nfa_.add_epsilon(open, state({0, std::vector<int64_t>(array_.contains.size()), false}));
  while (!work_.empty()) {
    const Key key = work_.back();
    work_.pop_back();
    expand(key, states_[key]);
  }
  return end_;
}

void ArrayWriter::expand(const Key& key, int32_t from) {
  bool met = key.index >= array_.min;
  for (size_t i = 0; i < array_.contains.size(); ++i) met &= key.seen[i] >= array_.contains[i].min;
  if (met) nfa_.add_epsilon(nfa_.add_literal(from, "]"), end_);
  if (max_ >= 0 && key.index >= max_) return;
  if (key.any) from = emitter_.add_space(nfa_, nfa_.add_literal(from, ","), true);
  add_items(key, from);
}

/// The next item, once for each choice of `contains` conditions that it is counted for.
void ArrayWriter::add_items(const Key& key, int32_t from) {
  ExprPool& exprs = emitter_.expander_.exprs();
  const ExprId base = array_.item(static_cast<size_t>(key.index));
  const uint32_t choices = 1u << array_.contains.size();
  for (uint32_t counted = 0; counted < choices; ++counted) {
    ExprId item = base;
    Key next = {std::min(key.index + 1, index_cap_), key.seen, true};
    bool useful = true;
    for (size_t i = 0; i < array_.contains.size() && useful; ++i) {
      const ArraySet::Contains& contains = array_.contains[i];
      const bool is_counted = (counted & (1u << i)) != 0;
      if (key.index < contains.start) {
        useful = !is_counted;
        continue;
      }
      if (!is_counted) {
        // Without an upper limit nobody minds an item that is not counted although it could be.
        if (contains.max >= 0) item = exprs.both(item, exprs.negation(contains.item));
        continue;
      }
      item = exprs.both(item, contains.item);
      next.seen[i] = contains.max >= 0 ? key.seen[i] + 1 : std::min(key.seen[i] + 1, contains.min);
      useful = contains.max < 0 ? key.seen[i] < contains.min : next.seen[i] <= contains.max;
    }
    if (!useful || item == ExprPool::kFalse) continue;
    const RuleId rule = array_.unique && max_ != 1 ? emitter_.unique_item_rule(item) : emitter_.rule_of(item);
    const int32_t written = nfa_.add_state();
    nfa_.add_call(from, rule, written);
    nfa_.add_epsilon(emitter_.add_space(nfa_, written, false), state(next));
  }
}

}  // namespace seraph::grammar
