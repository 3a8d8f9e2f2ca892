// From the alternatives of a schema to grammar rules: JSON texts with white space between tokens. Members that the
// schema names come in its order, all others after them. Rules are written from a work list, so that recursive schemas
// become recursive rules.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/grammar/grammar.h"
#include "engine/grammar/schema_expander.h"

namespace seraph::grammar {

struct JsonStyle {
  bool any_space = true;  // white space between tokens; else compact text: one space after ':' and ','
};

class SchemaEmitter {
 public:
  /// `schema` must outlive the emitter.
  SchemaEmitter(GrammarBuilder& builder, const Json& schema, JsonStyle style);

  /// The rule of the whole schema. All rules that it needs are defined.
  RuleId emit();

  // For formats that spell objects differently:
  SchemaExpander& expander() { return expander_; }
  RuleId rule_of(ExprId expr);
  void define_pending();

 private:
  struct Member {  // of an object, in its place
    std::string name;
    ExprId value = ExprPool::kTrue;
    bool required = false;
  };
  struct NameClass {  // of the other members
    LangId names;
    ExprId value;
  };
  struct ObjectPlan {
    std::vector<Member> members;
    std::vector<NameClass> others;
    std::vector<ObjectSet::Rule> wanted;  // some member must be one of these
    int64_t min = 0, max = -1;
    bool any_order = false;
  };
  friend class ObjectWriter;
  friend class ArrayWriter;

  void define(RuleId rule, ExprId expr);
  int32_t add_alternative(ByteNfa& nfa, int32_t from, const Alternative& alternative);
  int32_t add_string(ByteNfa& nfa, int32_t from, const StringSet& string);
  int32_t add_object(ByteNfa& nfa, int32_t from, const ObjectSet& object);
  int32_t add_array(ByteNfa& nfa, int32_t from, const ArraySet& array);
  RuleId unique_item_rule(ExprId item);
  RuleId any_char_rule();
  RuleId free_string_rule();
  ObjectPlan plan_object(const ObjectSet& object);
  int32_t add_space(ByteNfa& nfa, int32_t from, bool after_separator) const;

  GrammarBuilder& builder_;
  Budget& budget_;
  const JsonStyle style_;
  SchemaExpander expander_;
  std::map<ExprId, RuleId> rules_;
  std::map<std::string, RuleId> scalar_rules_;  // by what they allow
  std::map<ExprId, RuleId> unique_rules_;
  std::vector<std::pair<RuleId, ExprId>> pending_;
  RuleId any_char_ = -1;
};

}  // namespace seraph::grammar
