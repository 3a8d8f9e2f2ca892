// The algebra of alternatives: intersection, complement, and what can be seen to be impossible.
#include <algorithm>

#include "engine/grammar/schema_expander.h"

namespace seraph::grammar {
namespace {

constexpr size_t kAlternativesMax = 1500;  // of one expression
constexpr int32_t kEmptinessDepthMax = 6;

int64_t smaller_max(int64_t a, int64_t b) { return a < 0 ? b : (b < 0 ? a : std::min(a, b)); }

template <typename T>
void add_new(std::vector<T>& to, const std::vector<T>& from) {
  for (const T& value : from) {
    if (std::find(to.begin(), to.end(), value) == to.end()) to.push_back(value);
  }
}

/// `b` names a member that `a` does not know.
bool names_more(const ObjectSet& a, const ObjectSet& b) {
  const auto knows = [&](const std::string& name) {
    const auto is_it = [&](const ObjectSet::Rule& rule) { return rule.is_single && rule.name == name; };
    return std::any_of(a.rules.begin(), a.rules.end(), is_it) || std::any_of(a.exists.begin(), a.exists.end(), is_it);
  };
  const auto is_more = [&](const ObjectSet::Rule& rule) { return rule.is_single && !knows(rule.name); };
  return std::any_of(b.rules.begin(), b.rules.end(), is_more) || std::any_of(b.exists.begin(), b.exists.end(), is_more);
}

}  // namespace

Alternatives everything() {
  Alternatives set;
  for (const JsonType type :
       {JsonType::kObject, JsonType::kArray, JsonType::kString, JsonType::kNumber, JsonType::kBool, JsonType::kNull}) {
    set.emplace_back();
    set.back().type = type;
  }
  return set;
}

void SchemaExpander::add_unique(Alternatives& set, Alternative alternative) {
  budget_.spend(static_cast<int64_t>(set.size()) + 20);
  if (std::find(set.begin(), set.end(), alternative) != set.end()) return;
  if (set.size() >= kAlternativesMax) {
    fail_limit(fmt::format("the schema combines into more than {} alternatives", kAlternativesMax));
  }
  set.push_back(std::move(alternative));
}

Alternatives SchemaExpander::intersect(const Alternatives& a, const Alternatives& b) {
  Alternatives out;
  for (const Alternative& left : a) {
    for (const Alternative& right : b) {
      if (left.type != right.type) continue;
      Alternative both = left;
      if (intersect_into(both, right)) add_unique(out, std::move(both));
    }
  }
  return out;
}

bool SchemaExpander::intersect_into(Alternative& a, const Alternative& b) {
  budget_.spend(10);
  switch (a.type) {
    case JsonType::kNull:
      return true;
    case JsonType::kBool:
      a.allows_false &= b.allows_false;
      a.allows_true &= b.allows_true;
      return a.allows_false || a.allows_true;
    case JsonType::kNumber:
      return grammar::intersect_into(a.number, b.number);
    case JsonType::kString:
      a.string.min_chars = std::max(a.string.min_chars, b.string.min_chars);
      a.string.max_chars = smaller_max(a.string.max_chars, b.string.max_chars);
      a.string.language = languages_.intersection(a.string.language, b.string.language);
      a.string.one_spelling |= b.string.one_spelling;
      return is_possible(a, 0);
    case JsonType::kArray:
      return intersect_arrays(a, b);
    case JsonType::kObject:
      return intersect_objects(a, b);
  }
  return true;
}

bool SchemaExpander::intersect_arrays(Alternative& a, const Alternative& b) {
  ArraySet& array = a.array;
  const ArraySet& other = b.array;
  while (array.prefix.size() < other.prefix.size()) array.prefix.push_back(array.rest);
  budget_.spend(static_cast<int64_t>(array.prefix.size()));
  for (size_t i = 0; i < array.prefix.size(); ++i) array.prefix[i] = exprs_.both(array.prefix[i], other.item(i));
  array.rest = exprs_.both(array.rest, other.rest);
  array.min = std::max(array.min, other.min);
  array.max = smaller_max(array.max, other.max);
  add_new(array.contains, other.contains);
  array.unique |= other.unique;
  a.evaluated.all_items |= b.evaluated.all_items;
  a.evaluated.items = std::max(a.evaluated.items, b.evaluated.items);
  a.evaluated.contained = exprs_.either(a.evaluated.contained, b.evaluated.contained);
  return is_possible(a, 0);
}

bool SchemaExpander::intersect_objects(Alternative& a, const Alternative& b) {
  budget_.spend(static_cast<int64_t>(a.object.rules.size() * b.object.rules.size()));
  a.object.any_order |= b.object.any_order || (names_more(a.object, b.object) && names_more(b.object, a.object));
  add_new(a.object.rules, b.object.rules);
  add_new(a.object.exists, b.object.exists);
  a.object.min = std::max(a.object.min, b.object.min);
  a.object.max = smaller_max(a.object.max, b.object.max);
  a.evaluated.all_members |= b.evaluated.all_members;
  if (a.evaluated.names != b.evaluated.names && !a.evaluated.all_members) {
    a.evaluated.names = languages_.unite(a.evaluated.names, b.evaluated.names);
  }
  return is_possible(a, 0);
}

/// False when the alternative is seen to be empty; tightens what is easily tightened.
bool SchemaExpander::is_possible(Alternative& alternative, int32_t depth) {
  if (alternative.type == JsonType::kString) {
    const StringSet& string = alternative.string;
    if (string.max_chars >= 0 && string.min_chars > string.max_chars) return false;
    return !languages_.is_empty(string.language);
  }
  if (alternative.type == JsonType::kObject) return object_is_possible(alternative, depth);
  if (alternative.type != JsonType::kArray) return true;
  ArraySet& array = alternative.array;
  for (size_t i = 0; i <= array.prefix.size(); ++i) {
    if (array.item(i) != ExprPool::kFalse) continue;
    array.max = smaller_max(array.max, static_cast<int64_t>(i));
    array.prefix.resize(std::min(array.prefix.size(), i));
    break;
  }
  if (array.max >= 0 && array.min > array.max) return false;
  for (const ArraySet::Contains& contains : array.contains) {
    if (contains.max >= 0 && contains.min > contains.max) return false;
    if (contains.min > 0 &&
        (contains.item == ExprPool::kFalse || (array.max >= 0 && contains.start + contains.min > array.max))) {
      return false;
    }
  }
  if (depth == 0) return true;
  for (size_t i = 0; i < array.prefix.size() && static_cast<int64_t>(i) < array.min; ++i) {
    if (is_empty(array.prefix[i], depth)) return false;
  }
  return static_cast<int64_t>(array.prefix.size()) >= array.min || !is_empty(array.rest, depth);
}

bool SchemaExpander::object_is_possible(Alternative& alternative, int32_t depth) {
  ObjectSet& object = alternative.object;
  if (object.max >= 0 && object.min > object.max) return false;
  for (const ObjectSet::Rule& wanted : object.exists) {
    if (!wanted.is_single) continue;
    ExprId value = wanted.value;
    for (const ObjectSet::Rule& rule : object.rules) {
      budget_.spend(1);
      const bool applies = rule.is_single ? rule.name == wanted.name : languages_.dfa(rule.names).accepts(wanted.name);
      if (applies) value = exprs_.both(value, rule.value);
    }
    if (value == ExprPool::kFalse || (depth > 0 && is_empty(value, depth))) return false;
  }
  return true;
}

bool SchemaExpander::is_empty(ExprId expr, int32_t depth) {
  if (expr == ExprPool::kTrue) return false;
  if (expr == ExprPool::kFalse) return true;
  if (expanding_.contains(expr) || depth >= kEmptinessDepthMax) return false;
  const auto known = emptiness_.find(expr);
  if (known != emptiness_.end()) return known->second;
  const Alternatives set = expand(expr);
  bool empty = true;
  expanding_.insert(expr);
  for (Alternative alternative : set) empty &= !is_possible(alternative, depth + 1);
  expanding_.erase(expr);
  // A "no" that the depth limit gave may become a "yes" from nearer; only the top's answers are kept.
  if (depth == 0 || empty) emptiness_[expr] = empty;
  return empty;
}

Alternatives SchemaExpander::complement(const Alternatives& set) {
  Alternatives out = everything();
  for (const Alternative& alternative : set) out = intersect(out, complement_one(alternative));
  for (Alternative& alternative : out) alternative.evaluated = Evaluated{};
  return out;
}

/// Everything of other types, and of this type whatever breaks one of the alternative's constraints.
Alternatives SchemaExpander::complement_one(const Alternative& alternative) {
  Alternatives out;
  for (Alternative& other : everything()) {
    if (other.type != alternative.type) out.push_back(std::move(other));
  }
  const auto add = [&](auto change) {
    Alternative broken;
    broken.type = alternative.type;
    change(broken);
    if (is_possible(broken, 0)) out.push_back(std::move(broken));
  };
  if (alternative.type == JsonType::kBool && !(alternative.allows_false && alternative.allows_true)) {
    add([&](Alternative& a) { a.allows_false = !alternative.allows_false, a.allows_true = !alternative.allows_true; });
  }
  for (const NumberSet& part : grammar::complement(alternative.number)) add([&](Alternative& a) { a.number = part; });
  const StringSet& string = alternative.string;
  if (string.min_chars > 0) add([&](Alternative& a) { a.string.max_chars = string.min_chars - 1; });
  if (string.max_chars >= 0) add([&](Alternative& a) { a.string.min_chars = string.max_chars + 1; });
  if (string.language != LanguagePool::kAll)
    add([&](Alternative& a) { a.string.language = languages_.complement(string.language); });
  const ArraySet& array = alternative.array;
  if (array.unique) fail_unsupported("uniqueItems cannot be enforced below not, oneOf or if");
  for (size_t i = 0; i < array.prefix.size(); ++i) {
    if (array.prefix[i] == ExprPool::kTrue) continue;
    add([&](Alternative& a) {
      a.array.prefix.assign(i, ExprPool::kTrue);
      a.array.prefix.push_back(exprs_.negation(array.prefix[i]));
      a.array.min = static_cast<int64_t>(i) + 1;
    });
  }
  if (array.rest != ExprPool::kTrue) {
    add([&](Alternative& a) {
      a.array.contains.push_back({static_cast<int64_t>(array.prefix.size()), exprs_.negation(array.rest), 1, -1});
    });
  }
  if (array.min > 0) add([&](Alternative& a) { a.array.max = array.min - 1; });
  if (array.max >= 0) add([&](Alternative& a) { a.array.min = array.max + 1; });
  for (const ArraySet::Contains& c : array.contains) {
    if (c.min > 0) add([&](Alternative& a) { a.array.contains.push_back({c.start, c.item, 0, c.min - 1}); });
    if (c.max >= 0) add([&](Alternative& a) { a.array.contains.push_back({c.start, c.item, c.max + 1, -1}); });
  }
  const ObjectSet& object = alternative.object;
  const auto negated = [&](ObjectSet::Rule rule) {
    rule.value = exprs_.negation(rule.value);
    return rule;
  };
  for (const auto& rule : object.rules) {
    if (rule.value != ExprPool::kTrue) add([&](Alternative& a) { a.object.exists.push_back(negated(rule)); });
  }
  for (const auto& rule : object.exists) add([&](Alternative& a) { a.object.rules.push_back(negated(rule)); });
  if (object.min > 0) add([&](Alternative& a) { a.object.max = object.min - 1; });
  if (object.max >= 0) add([&](Alternative& a) { a.object.min = object.max + 1; });
  return out;
}

}  // namespace seraph::grammar
