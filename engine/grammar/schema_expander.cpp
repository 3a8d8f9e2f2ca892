#include "engine/grammar/schema_expander.h"

#include <algorithm>

namespace seraph::grammar {
namespace {

/// Counts nesting for as long as it lives.
class DepthGuard {
 public:
  DepthGuard(int32_t& depth, const Budget& budget) : depth_(depth) { budget.check_depth(++depth_); }
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  int32_t& depth_;
};

}  // namespace

SchemaExpander::SchemaExpander(const Json& root, Budget& budget)
    : budget_(budget), document_(root, budget), languages_(budget) {
  if (!root.is_bool() && !root.is_object()) fail_invalid("a JSON Schema must be an object, true or false");
}

ExprId SchemaExpander::root_expr() {
  const Place place = document_.root();
  Scope scope;
  document_.add_to_scope(place.resource, scope);
  return exprs_.schema(place, scope);
}

ExprId SchemaExpander::child_expr(const Node& node, const Json& schema) {
  if (!schema.is_object() && !schema.is_bool()) fail_invalid("a subschema must be an object, true or false");
  const Place place = document_.child(node.place, schema);
  Scope scope = node.scope;
  document_.add_to_scope(place.resource, scope);
  return exprs_.schema(place, scope);
}

const Alternatives& SchemaExpander::expand(ExprId expr) {
  const auto known = expanded_.find(expr);
  if (known != expanded_.end()) return known->second;
  const DepthGuard guard(depth_, budget_);
  if (!expanding_.insert(expr).second) fail_invalid("a $ref leads back to itself without anything in between");
  Alternatives set = expand_uncached(expr);
  expanding_.erase(expr);
  return expanded_[expr] = std::move(set);
}

Alternatives SchemaExpander::expand_uncached(ExprId id) {
  const Expr expr = exprs_[id];  // a copy: the pool may grow
  switch (expr.kind) {
    case Expr::Kind::kTrue:
      return everything();
    case Expr::Kind::kFalse:
      return {};
    case Expr::Kind::kSchema:
      return expand_schema({expr.place, expr.scope, false});
    case Expr::Kind::kValue:
      return expand_value(*expr.value);
    case Expr::Kind::kNot:
      return complement(expand(expr.children[0]));
    case Expr::Kind::kAnd: {
      Alternatives set = everything();
      for (const ExprId child : expr.children) set = intersect(set, expand(child));
      return set;
    }
    case Expr::Kind::kOr: {
      Alternatives set;
      for (const ExprId child : expr.children) {
        for (const Alternative& alternative : expand(child)) add_unique(set, alternative);
      }
      return set;
    }
  }
  return {};
}

Alternatives SchemaExpander::expand_value(const Json& value) {
  Alternative one;
  if (value.is_null()) {
    one.type = JsonType::kNull;
  } else if (value.is_bool()) {
    one.type = JsonType::kBool;
    one.allows_false = !value.as_bool();
    one.allows_true = value.as_bool();
  } else if (value.is_number()) {
    one.type = JsonType::kNumber;
    one.number.only = std::vector<Decimal>{decimal_of(value)};
  } else if (value.is_string()) {
    one.type = JsonType::kString;
    one.string.language = languages_.literal(value.as_string());
    one.string.one_spelling = true;
  } else if (value.is_array()) {
    one.type = JsonType::kArray;
    for (const Json& item : value.as_array()) one.array.prefix.push_back(exprs_.value(item));
    one.array.rest = ExprPool::kFalse;
    one.array.min = one.array.max = static_cast<int64_t>(value.as_array().size());
  } else {
    one.type = JsonType::kObject;
    LangId others = LanguagePool::kAll;
    for (const auto& [name, member] : value.as_object()) {
      const LangId names = languages_.literal(name);
      one.object.rules.push_back({names, exprs_.value(member), true, name});
      one.object.exists.push_back({names, ExprPool::kTrue, true, name});
      others = languages_.difference(others, names);
    }
    one.object.rules.push_back({others, ExprPool::kFalse, false, ""});
  }
  return {one};
}

Alternatives SchemaExpander::expand_child(const Node& node, const Json& schema) {
  if (!schema.is_object() && !schema.is_bool()) fail_invalid("a subschema must be an object, true or false");
  Node child = {document_.child(node.place, schema), node.scope, node.track};
  document_.add_to_scope(child.place.resource, child.scope);
  return expand_schema(child);
}

Alternatives SchemaExpander::expand_schema(const Node& node) {
  if (node.place.schema->is_bool()) return node.place.schema->as_bool() ? everything() : Alternatives{};
  if (!node.place.schema->is_object()) fail_invalid("a subschema must be an object, true or false");
  std::string key = fmt::format("{}/{}/{}", fmt::ptr(node.place.schema), node.place.resource, node.track);
  for (const int32_t resource : node.scope) key += fmt::format(",{}", resource);
  const auto known = schemas_.find(key);
  if (known != schemas_.end()) return known->second;
  const DepthGuard guard(depth_, budget_);
  if (!expanding_schemas_.insert(key).second) fail_invalid("a $ref leads back to itself without anything in between");
  Alternatives set = expand_object_keywords(node);
  expanding_schemas_.erase(key);
  return schemas_[key] = std::move(set);
}

Alternatives SchemaExpander::expand_object_keywords(const Node& given) {
  Node node = given;
  const Json& schema = *node.place.schema;
  node.track |= schema.find("unevaluatedProperties") != nullptr || schema.find("unevaluatedItems") != nullptr;
  Alternatives set = everything();
  apply_type(node, set);
  apply_values(node, set);
  apply_number(node, set);
  apply_string(node, set);
  apply_array(node, set);
  apply_object(node, set);
  apply_combiners(node, set);
  apply_condition(node, set);
  apply_dependencies(node, set);
  for (const char* reference : {"$ref", "$dynamicRef"}) {
    const Json* value = schema.find(reference);
    if (value == nullptr) continue;
    if (!value->is_string()) fail_invalid(fmt::format("{} must be a string", reference));
    Node target = node;
    target.place = reference[1] == 'r' ? document_.resolve(node.place, value->as_string())
                                       : document_.resolve_dynamic(node.place, value->as_string(), node.scope);
    document_.add_to_scope(target.place.resource, target.scope);
    if (!set.empty()) set = intersect(set, expand_schema(target));
  }
  if (schema.find("$recursiveRef") != nullptr) fail_unsupported("$recursiveRef is not supported");
  apply_unevaluated(node, set);
  return set;
}

}  // namespace seraph::grammar
