// Turns expressions into alternatives: every keyword of JSON Schema becomes an intersection, a union or a complement.
// A keyword that is not understood is an annotation, as the specification says; one that is understood but cannot be
// enforced is refused by name.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/grammar/schema_algebra.h"

namespace seraph::grammar {

class SchemaExpander {
 public:
  SchemaExpander(const Json& root, Budget& budget);

  ExprId root_expr();
  /// The alternatives of a value that satisfies the expression; none: nothing satisfies it.
  const Alternatives& expand(ExprId expr);
  /// True when nothing satisfies the expression. May say false for what is empty only by endless recursion.
  bool is_empty(ExprId expr, int32_t depth = 0);

  LanguagePool& languages() { return languages_; }
  ExprPool& exprs() { return exprs_; }
  Budget& budget() { return budget_; }

 private:
  using Place = SchemaDocument::Place;
  using Scope = std::vector<int32_t>;
  struct Node {  // a schema on its way into alternatives
    Place place;
    Scope scope;
    bool track;  // keep what is evaluated exactly, for an unevaluated... keyword here or above
  };

  Alternatives expand_uncached(ExprId expr);
  Alternatives expand_value(const Json& value);
  Alternatives expand_schema(const Node& node);
  Alternatives expand_child(const Node& node, const Json& schema);
  Alternatives expand_object_keywords(const Node& node);
  ExprId child_expr(const Node& node, const Json& schema);

  void apply_type(const Node& node, Alternatives& set);
  void apply_values(const Node& node, Alternatives& set);
  void apply_number(const Node& node, Alternatives& set);
  void apply_string(const Node& node, Alternatives& set);
  void apply_format(const Json& schema, StringSet& string);
  void apply_content(const Json& schema, StringSet& string);
  void apply_array(const Node& node, Alternatives& set);
  void apply_items(const Node& node, Alternative& alternative);
  void apply_contains(const Node& node, Alternative& alternative);
  void apply_object(const Node& node, Alternatives& set);
  void apply_properties(const Node& node, Alternative& alternative);
  void apply_names(const Node& node, Alternative& alternative);
  void apply_combiners(const Node& node, Alternatives& set);
  void apply_one_of(const Node& node, const Json::Array& list, Alternatives& set);
  Alternatives any_of(const Node& node, const Json::Array& list);
  void apply_condition(const Node& node, Alternatives& set);
  void apply_dependencies(const Node& node, Alternatives& set);
  void apply_unevaluated(const Node& node, Alternatives& set);

  Alternatives intersect(const Alternatives& a, const Alternatives& b);
  bool intersect_into(Alternative& a, const Alternative& b);
  bool intersect_arrays(Alternative& a, const Alternative& b);
  bool intersect_objects(Alternative& a, const Alternative& b);
  Alternatives complement(const Alternatives& set);
  Alternatives complement_one(const Alternative& alternative);
  bool is_possible(Alternative& alternative, int32_t depth);
  bool object_is_possible(Alternative& alternative, int32_t depth);
  void add_unique(Alternatives& set, Alternative alternative);

  Budget& budget_;
  SchemaDocument document_;
  LanguagePool languages_;
  ExprPool exprs_;
  std::map<ExprId, Alternatives> expanded_;
  std::set<ExprId> expanding_;
  std::map<ExprId, bool> emptiness_;
  std::map<std::string, Alternatives> schemas_;  // expand_schema by place, scope and tracking
  std::set<std::string> expanding_schemas_;
  int32_t depth_ = 0;
};

/// One alternative of each type, without constraints.
Alternatives everything();
// Names under which find_format knows what old drafts assert by contentEncoding and contentMediaType.
inline constexpr std::string_view kBase64Content = " base64", kJsonContent = " json",
                                  kBase64JsonContent = " base64 json";
/// The language of a named `format`; false for unknown names, which are annotations.
bool find_format(std::string_view name, LanguagePool& languages, Budget& budget, LangId& language);

}  // namespace seraph::grammar
