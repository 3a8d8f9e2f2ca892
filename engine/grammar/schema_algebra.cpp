#include "engine/grammar/schema_algebra.h"

#include <algorithm>

namespace seraph::grammar {
namespace {

uint64_t hash_of(const CharDfa& dfa) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3u; };
  for (const CharDfa::State& state : dfa.states) {
    mix(state.accepting);
    for (const CharDfa::Edge& edge : state.edges) {
      mix(edge.lo);
      mix(edge.hi);
      mix(static_cast<uint64_t>(edge.to));
    }
  }
  return hash;
}

}  // namespace

LanguagePool::LanguagePool(Budget& budget) : budget_(budget) {
  add(all_strings());
  add(CharDfa{});
}

LangId LanguagePool::add(CharDfa dfa) {
  const uint64_t hash = hash_of(dfa);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (dfas_[at->second] == dfa) return at->second;
  }
  budget_.spend(static_cast<int64_t>(dfa.states.size()));
  const LangId id = static_cast<LangId>(dfas_.size());
  dfas_.push_back(std::move(dfa));
  by_hash_.emplace(hash, id);
  return id;
}

LangId LanguagePool::literal(std::string_view text) { return add(one_of({text}, budget_)); }

LangId LanguagePool::intersection(LangId a, LangId b) {
  if (a == b || b == kAll) return a;
  if (a == kAll) return b;
  if (a > b) std::swap(a, b);
  const auto known = intersections_.find({a, b});
  if (known != intersections_.end()) return known->second;
  const LangId id = add(intersect(dfas_[a], dfas_[b], budget_));
  intersections_[{a, b}] = id;
  return id;
}

LangId LanguagePool::complement(LangId a) {
  const auto known = complements_.find(a);
  if (known != complements_.end()) return known->second;
  const LangId id = add(grammar::complement(dfas_[a], budget_));
  complements_[a] = id;
  complements_[id] = a;
  return id;
}

ExprPool::ExprPool() {
  intern("t", {Expr::Kind::kTrue, {}, {}, {}, nullptr});
  intern("f", {Expr::Kind::kFalse, {}, {}, {}, nullptr});
}

ExprId ExprPool::intern(std::string key, Expr expr) {
  const auto [at, added] = ids_.emplace(std::move(key), static_cast<ExprId>(exprs_.size()));
  if (added) exprs_.push_back(std::move(expr));
  return at->second;
}

ExprId ExprPool::schema(const SchemaDocument::Place& place, const std::vector<int32_t>& scope) {
  if (place.schema->is_bool()) return place.schema->as_bool() ? kTrue : kFalse;
  if (place.schema->is_object() && place.schema->as_object().empty()) return kTrue;
  std::string key = fmt::format("s{}/{}", fmt::ptr(place.schema), place.resource);
  for (const int32_t resource : scope) key += fmt::format(",{}", resource);
  return intern(std::move(key), {Expr::Kind::kSchema, {}, place, scope, nullptr});
}

ExprId ExprPool::value(const Json& value) {
  return intern("v" + value.dump(), {Expr::Kind::kValue, {}, {}, {}, &value});
}

ExprId ExprPool::combine(Expr::Kind kind, ExprId a, ExprId b, ExprId neutral, ExprId absorbing) {
  std::vector<ExprId> parts;
  for (const ExprId id : {a, b}) {
    if (exprs_[id].kind == kind) {
      parts.insert(parts.end(), exprs_[id].children.begin(), exprs_[id].children.end());
    } else {
      parts.push_back(id);
    }
  }
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  std::erase(parts, neutral);
  std::string key = kind == Expr::Kind::kAnd ? "&" : "|";
  for (const ExprId part : parts) {
    if (part == absorbing) return absorbing;
    const Expr& expr = exprs_[part];
    if (expr.kind == Expr::Kind::kNot && std::binary_search(parts.begin(), parts.end(), expr.children[0]))
      return absorbing;
    key += fmt::format("{},", part);
  }
  if (parts.empty()) return neutral;
  if (parts.size() == 1) return parts[0];
  return intern(std::move(key), {kind, std::move(parts), {}, {}, nullptr});
}

ExprId ExprPool::both(ExprId a, ExprId b) { return combine(Expr::Kind::kAnd, a, b, kTrue, kFalse); }
ExprId ExprPool::either(ExprId a, ExprId b) { return combine(Expr::Kind::kOr, a, b, kFalse, kTrue); }

ExprId ExprPool::negation(ExprId a) {
  if (a == kTrue) return kFalse;
  if (a == kFalse) return kTrue;
  if (exprs_[a].kind == Expr::Kind::kNot) return exprs_[a].children[0];
  return intern(fmt::format("!{}", a), {Expr::Kind::kNot, {a}, {}, {}, nullptr});
}

}  // namespace seraph::grammar
