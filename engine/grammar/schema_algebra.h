// What a JSON Schema allows, as a union of alternatives of one JSON type each. `allOf` and its kin intersect such
// unions, `not` complements them; what lies below an object or an array stays an unexpanded expression (ExprId) until
// the grammar needs it, so that recursion ends by itself. One compilation, one thread.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/grammar/char_dfa.h"
#include "engine/grammar/number_set.h"
#include "engine/grammar/schema_document.h"

namespace seraph::grammar {

using LangId = int32_t;
using ExprId = int32_t;

/// Languages of characters, each kept once; their algebra is remembered.
class LanguagePool {
 public:
  static constexpr LangId kAll = 0, kNothing = 1;

  explicit LanguagePool(Budget& budget);
  LangId add(CharDfa dfa);
  LangId literal(std::string_view text);
  LangId intersection(LangId a, LangId b);
  LangId complement(LangId a);
  LangId difference(LangId a, LangId b) { return intersection(a, complement(b)); }
  LangId unite(LangId a, LangId b) { return complement(intersection(complement(a), complement(b))); }
  bool is_empty(LangId a) const { return dfas_[a].empty(); }
  const CharDfa& dfa(LangId a) const { return dfas_[a]; }

 private:
  Budget& budget_;
  std::vector<CharDfa> dfas_;
  std::unordered_multimap<uint64_t, LangId> by_hash_;
  std::map<std::pair<LangId, LangId>, LangId> intersections_;
  std::map<LangId, LangId> complements_;
};

/// A schema in a place of the document (with the resources that were entered on the way, for $dynamicRef), a constant,
/// or a combination of such. Equal expressions have equal ids.
struct Expr {
  enum class Kind { kTrue, kFalse, kSchema, kValue, kAnd, kOr, kNot };
  Kind kind = Kind::kTrue;
  std::vector<ExprId> children;
  SchemaDocument::Place place;
  std::vector<int32_t> scope;
  const Json* value = nullptr;
};

class ExprPool {
 public:
  static constexpr ExprId kTrue = 0, kFalse = 1;

  ExprPool();
  ExprId schema(const SchemaDocument::Place& place, const std::vector<int32_t>& scope);
  ExprId value(const Json& value);
  ExprId both(ExprId a, ExprId b);
  ExprId either(ExprId a, ExprId b);
  ExprId negation(ExprId a);
  const Expr& operator[](ExprId id) const { return exprs_[id]; }
  size_t size() const { return exprs_.size(); }

 private:
  ExprId intern(std::string key, Expr expr);
  ExprId combine(Expr::Kind kind, ExprId a, ExprId b, ExprId neutral, ExprId absorbing);

  std::vector<Expr> exprs_;
  std::unordered_map<std::string, ExprId> ids_;
};

enum class JsonType { kNull, kBool, kNumber, kString, kArray, kObject };

struct StringSet {
  int64_t min_chars = 0, max_chars = -1;  // -1: no limit
  LangId language = LanguagePool::kAll;
  bool one_spelling = false;  // from a pattern, a format or an enum: only the necessary escapes
  friend bool operator==(const StringSet&, const StringSet&) = default;
};

struct ArraySet {
  /// Between min and max items from index `start` on satisfy `item`.
  struct Contains {
    int64_t start = 0;
    ExprId item = ExprPool::kTrue;
    int64_t min = 1, max = -1;
    friend bool operator==(const Contains&, const Contains&) = default;
  };
  std::vector<ExprId> prefix;
  ExprId rest = ExprPool::kTrue;
  int64_t min = 0, max = -1;
  std::vector<Contains> contains;
  bool unique = false;

  ExprId item(size_t index) const { return index < prefix.size() ? prefix[index] : rest; }
  friend bool operator==(const ArraySet&, const ArraySet&) = default;
};

struct ObjectSet {
  /// Every member (or, in `exists`, some member) whose name is in `names` has a value in `value`.
  struct Rule {
    LangId names = LanguagePool::kAll;
    ExprId value = ExprPool::kTrue;
    bool is_single = false;  // `names` is exactly `name`
    std::string name;
    friend bool operator==(const Rule&, const Rule&) = default;
  };
  std::vector<Rule> rules, exists;
  int64_t min = 0, max = -1;
  bool any_order = false;  // names come from several schemas, so that no order is the natural one
  friend bool operator==(const ObjectSet&, const ObjectSet&) = default;
};

/// What the schemas that succeeded have looked at: unevaluatedProperties and unevaluatedItems apply to the rest.
struct Evaluated {
  bool all_members = false, all_items = false;
  LangId names = LanguagePool::kNothing;
  int64_t items = 0;
  ExprId contained = ExprPool::kFalse;
  friend bool operator==(const Evaluated&, const Evaluated&) = default;
};

/// Values of one type; only the part of that type says anything.
struct Alternative {
  JsonType type = JsonType::kNull;
  bool allows_false = true, allows_true = true;
  NumberSet number;
  StringSet string;
  ArraySet array;
  ObjectSet object;
  Evaluated evaluated;
  friend bool operator==(const Alternative&, const Alternative&) = default;
};
using Alternatives = std::vector<Alternative>;

}  // namespace seraph::grammar
