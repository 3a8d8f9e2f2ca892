// The keywords that combine schemas of the same value: allOf, anyOf, oneOf, not, if, dependencies, unevaluated.
#include <algorithm>

#include "engine/grammar/schema_expander.h"

namespace seraph::grammar {
namespace {

const Json::Array* list_keyword(const Json& schema, const char* name) {
  const Json* value = schema.find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) fail_invalid(fmt::format("{} must be a list of schemas", name));
  return &value->as_array();
}

}  // namespace

void SchemaExpander::apply_combiners(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  if (const auto* list = list_keyword(schema, "allOf")) {
    for (const Json& part : *list) set = intersect(set, expand_child(node, part));
  }
  if (const auto* list = list_keyword(schema, "anyOf")) set = intersect(set, any_of(node, *list));
  if (const auto* list = list_keyword(schema, "oneOf")) apply_one_of(node, *list, set);
  if (const Json* negated = schema.find("not")) {
    Node untracked = node;
    untracked.track = false;
    set = intersect(set, complement(expand_child(untracked, *negated)));
  }
}

Alternatives SchemaExpander::any_of(const Node& node, const Json::Array& list) {
  Alternatives out;
  if (!node.track) {
    for (const Json& part : list) {
      for (const Alternative& alternative : expand_child(node, part)) add_unique(out, alternative);
    }
    return out;
  }
  // What is evaluated depends on which parts succeed, so every combination is an alternative of its own.
  Node untracked = node;
  untracked.track = false;
  Alternatives none = everything();  // no part succeeded so far
  for (const Json& part : list) {
    const Alternatives yes = expand_child(node, part), no = complement(expand_child(untracked, part));
    Alternatives next = intersect(none, yes);
    for (const Alternative& alternative : intersect(out, yes)) add_unique(next, alternative);
    for (const Alternative& alternative : intersect(out, no)) add_unique(next, alternative);
    none = intersect(none, no);
    out = std::move(next);
  }
  return out;
}

void SchemaExpander::apply_one_of(const Node& node, const Json::Array& list, Alternatives& set) {
  Node untracked = node;
  untracked.track = false;
  // Complements are costly; parts that cannot both hold (here, with the schema's other keywords) need none.
  std::vector<Alternatives> parts, plain;
  for (const Json& part : list) {
    parts.push_back(intersect(set, expand_child(node, part)));
    plain.push_back(expand_child(untracked, part));
  }
  Alternatives out;
  for (size_t i = 0; i < parts.size(); ++i) {
    Alternatives only = parts[i];
    for (size_t k = 0; k < parts.size() && !only.empty(); ++k) {
      if (k == i) continue;
      // Alternatives that cannot meet the other part stay as they are.
      Alternatives kept, meeting;
      for (const Alternative& alternative : only) {
        Alternatives common = intersect({alternative}, plain[k]);
        const bool disjoint =
            std::none_of(common.begin(), common.end(), [&](Alternative& a) { return is_possible(a, 1); });
        (disjoint ? kept : meeting).push_back(alternative);
      }
      if (meeting.empty()) continue;
      for (const Alternative& alternative : intersect(meeting, complement(plain[k]))) add_unique(kept, alternative);
      only = std::move(kept);
    }
    for (const Alternative& alternative : only) add_unique(out, alternative);
  }
  set = std::move(out);
}

void SchemaExpander::apply_condition(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  const Json* condition = schema.find("if");
  if (condition == nullptr) return;
  const Json* then_schema = schema.find("then");
  const Json* else_schema = schema.find("else");
  if (then_schema == nullptr && else_schema == nullptr && !node.track) return;
  Node untracked = node;
  untracked.track = false;
  Alternatives yes = intersect(set, expand_child(node, *condition));
  Alternatives no = intersect(set, complement(expand_child(untracked, *condition)));
  if (then_schema != nullptr) yes = intersect(yes, expand_child(node, *then_schema));
  if (else_schema != nullptr) no = intersect(no, expand_child(node, *else_schema));
  for (const Alternative& alternative : no) add_unique(yes, alternative);
  set = std::move(yes);
}

void SchemaExpander::apply_dependencies(const Node& node, Alternatives& set) {
  for (const char* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    const Json* dependencies = node.place.schema->find(keyword);
    if (dependencies == nullptr) continue;
    if (!dependencies->is_object()) fail_invalid(fmt::format("{} must be an object", keyword));
    for (const auto& [name, needed] : dependencies->as_object()) {
      Alternative present, absent;
      present.type = absent.type = JsonType::kObject;
      const LangId names = languages_.literal(name);
      present.object.exists.push_back({names, ExprPool::kTrue, true, name});
      absent.object.rules.push_back({names, ExprPool::kFalse, true, name});
      Alternatives with = {present};
      if (needed.is_array()) {
        for (const Json& other : needed.as_array()) {
          if (!other.is_string()) fail_invalid(fmt::format("{} must list strings", keyword));
          Alternative also;
          also.type = JsonType::kObject;
          also.object.exists.push_back(
              {languages_.literal(other.as_string()), ExprPool::kTrue, true, other.as_string()});
          with = intersect(with, {also});
        }
      } else {
        with = intersect(with, expand_child(node, needed));
      }
      Alternatives either = with;
      either.push_back(absent);
      for (Alternative& other : everything()) {
        if (other.type != JsonType::kObject) either.push_back(std::move(other));
      }
      set = intersect(set, either);
    }
  }
}

void SchemaExpander::apply_unevaluated(const Node& node, Alternatives& set) {
  const Json& schema = *node.place.schema;
  const Json* members = schema.find("unevaluatedProperties");
  const Json* items = schema.find("unevaluatedItems");
  if (members == nullptr && items == nullptr) return;
  Alternatives out;
  for (Alternative alternative : set) {
    Evaluated& evaluated = alternative.evaluated;
    if (members != nullptr && alternative.type == JsonType::kObject) {
      if (!evaluated.all_members) {
        alternative.object.rules.push_back(
            {languages_.complement(evaluated.names), child_expr(node, *members), false, ""});
      }
      evaluated.all_members = true;
    }
    if (items != nullptr && alternative.type == JsonType::kArray) {
      if (!evaluated.all_items) {
        ArraySet& array = alternative.array;
        while (static_cast<int64_t>(array.prefix.size()) < evaluated.items) array.prefix.push_back(array.rest);
        const ExprId allowed = exprs_.either(child_expr(node, *items), evaluated.contained);
        for (size_t i = static_cast<size_t>(evaluated.items); i < array.prefix.size(); ++i) {
          array.prefix[i] = exprs_.both(array.prefix[i], allowed);
        }
        array.rest = exprs_.both(array.rest, allowed);
      }
      evaluated.all_items = true;
    }
    if (is_possible(alternative, 0)) add_unique(out, std::move(alternative));
  }
  set = std::move(out);
}

}  // namespace seraph::grammar
