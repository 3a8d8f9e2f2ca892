#include "engine/grammar/schema_emitter.h"

#include <algorithm>

#include "engine/grammar/schema_writers.h"

namespace seraph::grammar {
namespace {

/// Larger limits are enforced as this one: no text that a model writes comes near it.
constexpr int64_t kCharsMax = 65'536;

/// Says the same for equal scalar constraints; "" when objects or arrays are among them.
std::string scalar_key(const Alternatives& set) {
  std::string key;
  const auto decimal = [](const Decimal& value) {
    return fmt::format("{}{}e{}", value.negative ? "-" : "", value.digits, value.exponent);
  };
  for (const Alternative& alternative : set) {
    key += fmt::format("{}:", static_cast<int>(alternative.type));
    switch (alternative.type) {
      case JsonType::kArray:
      case JsonType::kObject:
        return "";
      case JsonType::kNull:
        break;
      case JsonType::kBool:
        key += fmt::format("{}{}", alternative.allows_false, alternative.allows_true);
        break;
      case JsonType::kString:
        key += fmt::format("{},{},{},{}", alternative.string.min_chars, alternative.string.max_chars,
                           alternative.string.language, alternative.string.one_spelling);
        break;
      case JsonType::kNumber: {
        const NumberSet& number = alternative.number;
        key += fmt::format("{}{}", number.integer, number.not_integer);
        for (const auto* bound : {&number.lower, &number.upper}) {
          key += *bound ? fmt::format("[{}{}", decimal((*bound)->value), (*bound)->exclusive) : "[";
        }
        for (const auto* list : {&number.multiples, &number.not_multiples, &number.excluded}) {
          key += "/";
          for (const Decimal& value : *list) key += decimal(value) + ",";
        }
        if (number.only) {
          key += "=";
          for (const Decimal& value : *number.only) key += decimal(value) + ",";
        }
        break;
      }
    }
    key += ";";
  }
  return key;
}

}  // namespace

SchemaEmitter::SchemaEmitter(GrammarBuilder& builder, const Json& schema, JsonStyle style)
    : builder_(builder), budget_(builder.budget()), style_(style), expander_(schema, builder.budget()) {}

RuleId SchemaEmitter::emit() {
  const RuleId root = rule_of(expander_.root_expr());
  define_pending();
  return root;
}

void SchemaEmitter::define_pending() {
  while (!pending_.empty()) {
    const auto [rule, expr] = pending_.back();
    pending_.pop_back();
    define(rule, expr);
  }
}

RuleId SchemaEmitter::rule_of(ExprId expr) {
  const auto known = rules_.find(expr);
  if (known != rules_.end()) return known->second;
  budget_.check_states(rules_.size());
  const RuleId rule = builder_.declare_rule();
  rules_[expr] = rule;
  pending_.emplace_back(rule, expr);
  return rule;
}

void SchemaEmitter::define(RuleId rule, ExprId expr) {
  const Alternatives& set = expander_.expand(expr);
  ByteNfa nfa(budget_);
  const int32_t start = nfa.add_state(), end = nfa.add_state();
  const std::string key = scalar_key(set);
  if (!key.empty()) {
    const auto known = scalar_rules_.find(key);
    if (known != scalar_rules_.end()) {
      nfa.add_call(start, known->second, end);
      builder_.define_rule(rule, nfa, start, end);
      return;
    }
    scalar_rules_[key] = rule;
  }
  const auto is_nested = [](const Alternative& alternative) {
    return alternative.type == JsonType::kObject || alternative.type == JsonType::kArray;
  };
  const auto num_nested = std::count_if(set.begin(), set.end(), is_nested);
  for (const Alternative& alternative : set) {
    // Several objects side by side would multiply when they are made deterministic; as rules they are tried in
    // parallel. An array of different items needs a rule of its own, because the rule's beginning is where its items
    // are looked up.
    if (is_nested(alternative) && (num_nested > 2 || alternative.array.unique)) {
      const RuleId part = builder_.declare_rule();
      ByteNfa body(budget_);
      const int32_t begin = body.add_state();
      const int32_t accept = add_alternative(body, begin, alternative);
      builder_.define_rule(part, body, begin, accept);
      nfa.add_call(start, part, end);
    } else {
      nfa.add_epsilon(add_alternative(nfa, start, alternative), end);
    }
  }
  builder_.define_rule(rule, nfa, start, end);
}

int32_t SchemaEmitter::add_space(ByteNfa& nfa, int32_t from, bool after_separator) const {
  if (style_.any_space) return nfa.add_space(from);
  return after_separator ? nfa.add_literal(from, " ") : from;
}

int32_t SchemaEmitter::add_alternative(ByteNfa& nfa, int32_t from, const Alternative& alternative) {
  const int32_t end = nfa.add_state();
  switch (alternative.type) {
    case JsonType::kNull:
      nfa.add_epsilon(nfa.add_literal(from, "null"), end);
      break;
    case JsonType::kBool:
      if (alternative.allows_true) nfa.add_epsilon(nfa.add_literal(from, "true"), end);
      if (alternative.allows_false) nfa.add_epsilon(nfa.add_literal(from, "false"), end);
      break;
    case JsonType::kNumber:
      return nfa.add_language(from, number_texts(alternative.number, budget_), Spelling::kRaw, -1);
    case JsonType::kString:
      return add_string(nfa, from, alternative.string);
    case JsonType::kArray:
      return add_array(nfa, from, alternative.array);
    case JsonType::kObject:
      return add_object(nfa, from, alternative.object);
  }
  return end;
}

int32_t SchemaEmitter::add_string(ByteNfa& nfa, int32_t from, const StringSet& string) {
  LanguagePool& languages = expander_.languages();
  LangId language = string.language;
  int64_t max = string.max_chars;
  if (max > kCharsMax && string.min_chars <= kCharsMax) max = kCharsMax;
  if (string.min_chars > 0 || max >= 0) {
    language = languages.intersection(language, languages.add(length_between(string.min_chars, max, budget_)));
  }
  const int32_t open = nfa.add_literal(from, "\"");
  const Spelling spelling = string.one_spelling ? Spelling::kJson : Spelling::kJsonAny;
  return nfa.add_literal(
      nfa.add_language(open, languages.dfa(language), spelling, string.one_spelling ? -1 : any_char_rule()), "\"");
}

RuleId SchemaEmitter::any_char_rule() {
  if (any_char_ >= 0) return any_char_;
  any_char_ = builder_.declare_rule();
  ByteNfa nfa(budget_);
  const int32_t start = nfa.add_state();
  // Everything but the characters that callers take themselves: plain ASCII. Escapes may spell those too.
  const int32_t any = nfa.add_chars(start, {{0, kCharMax}}, Spelling::kJsonAny);
  const int32_t end = nfa.add_state();
  std::erase_if(nfa.ranges,
                [&](const auto& range) { return range.from == start && range.to == any && range.hi < 0x80; });
  nfa.add_epsilon(any, end);
  builder_.define_rule(any_char_, nfa, start, end);
  return any_char_;
}

/// Any JSON string, quotes included; the same rule as that of {"type": "string"}.
RuleId SchemaEmitter::free_string_rule() {
  Alternative string;
  string.type = JsonType::kString;
  const std::string key = scalar_key({string});
  const auto known = scalar_rules_.find(key);
  if (known != scalar_rules_.end()) return known->second;
  const RuleId rule = builder_.declare_rule();
  ByteNfa nfa(budget_);
  const int32_t start = nfa.add_state();
  const int32_t end = add_string(nfa, start, string.string);
  builder_.define_rule(rule, nfa, start, end);
  return scalar_rules_[key] = rule;
}

RuleId SchemaEmitter::unique_item_rule(ExprId item) {
  const auto known = unique_rules_.find(item);
  if (known != unique_rules_.end()) return known->second;
  const RuleId rule = builder_.declare_rule();
  ByteNfa nfa(budget_);
  const int32_t start = nfa.add_state(), end = nfa.add_state();
  nfa.add_call(start, rule_of(item), end);
  builder_.define_rule(rule, nfa, start, end);
  builder_.mark_unique_item(rule);
  return unique_rules_[item] = rule;
}

SchemaEmitter::ObjectPlan SchemaEmitter::plan_object(const ObjectSet& object) {
  LanguagePool& languages = expander_.languages();
  ExprPool& exprs = expander_.exprs();
  ObjectPlan plan;
  plan.min = object.min;
  plan.max = object.max;
  plan.any_order = object.any_order;
  const auto find_member = [&](const std::string& name) -> Member& {
    for (Member& member : plan.members) {
      if (member.name == name) return member;
    }
    plan.members.push_back({name, ExprPool::kTrue, false});
    return plan.members.back();
  };
  for (const auto& rule : object.rules) {
    if (rule.is_single) {
      Member& member = find_member(rule.name);
      member.value = exprs.both(member.value, rule.value);
    }
  }
  for (const auto& rule : object.exists) {
    if (!rule.is_single) {
      plan.wanted.push_back(rule);
      continue;
    }
    Member& member = find_member(rule.name);
    member.required = true;
    member.value = exprs.both(member.value, rule.value);
  }
  std::vector<std::string_view> names;
  for (Member& member : plan.members) {
    names.push_back(member.name);
    for (const auto& rule : object.rules) {
      budget_.spend(1 + static_cast<int64_t>(member.name.size()));
      if (!rule.is_single && languages.dfa(rule.names).accepts(member.name))
        member.value = exprs.both(member.value, rule.value);
    }
  }
  const LangId known = names.empty() ? LanguagePool::kNothing : languages.add(one_of(names, budget_));
  plan.others.push_back({languages.complement(known), ExprPool::kTrue});
  // Each rule splits the other names into those it is about and the rest; `wanted` rules only split.
  const auto split = [&](LangId names_of_rule, ExprId value) {
    std::vector<NameClass> parts;
    for (const NameClass& part : plan.others) {
      const LangId in = languages.intersection(part.names, names_of_rule),
                   out = languages.difference(part.names, names_of_rule);
      const ExprId both = exprs.both(part.value, value);
      if (!languages.is_empty(in) && both != ExprPool::kFalse) parts.push_back({in, both});
      if (!languages.is_empty(out)) parts.push_back({out, part.value});
    }
    if (parts.size() > 64) fail_limit("patternProperties overlap in more than 64 ways");
    plan.others = std::move(parts);
  };
  for (const auto& rule : object.rules) {
    if (!rule.is_single && rule.value != ExprPool::kTrue) split(rule.names, rule.value);
  }
  for (const auto& rule : plan.wanted) split(rule.names, ExprPool::kTrue);
  std::erase_if(plan.members,
                [](const Member& member) { return member.value == ExprPool::kFalse && !member.required; });
  return plan;
}

int32_t SchemaEmitter::add_object(ByteNfa& nfa, int32_t from, const ObjectSet& object) {
  return ObjectWriter(*this, nfa, plan_object(object)).write(from);
}

int32_t SchemaEmitter::add_array(ByteNfa& nfa, int32_t from, const ArraySet& array) {
  return ArrayWriter(*this, nfa, array).write(from);
}

}  // namespace seraph::grammar
