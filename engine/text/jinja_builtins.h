// The language's filters, tests, methods and globals, by name. All tables are constant.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/text/jinja_objects.h"

namespace seraph::jinja {

struct BuiltinEntry {
  const char* name;
  Builtin call;
};

/// Null when there is none of that name.
Builtin find_filter(std::string_view name);
Builtin find_test(std::string_view name);
/// The global function of that name as a table entry; null when there is none.
const BuiltinEntry* find_global(std::string_view name);
/// The method `name` of self's type; null when the type has none. Mutating methods are entries without code.
const BuiltinEntry* find_method(const Value& self, std::string_view name);
const BuiltinEntry* find_str_method(std::string_view name);

/// Binds arguments to parameters as Python does.
class Params {
 public:
  /// `required` leading parameters must be given. Fails with a TypeError that names `function`.
  Params(const char* function, Args& args, std::initializer_list<const char*> names, size_t required = 0);
  bool has(size_t index) const { return !values_[index].is_missing(); }
  /// Missing when not given.
  const Value& operator[](size_t index) const { return values_[index]; }
  bool flag(size_t index, bool fallback = false) const { return has(index) ? truthy(values_[index]) : fallback; }
  /// An int; fails for other types.
  int64_t integer(size_t index, int64_t fallback) const;
  /// str() of the argument.
  std::string text(size_t index, std::string_view fallback) const;

 private:
  std::vector<Value> values_;
};

/// An int (or bool) argument as int64; fails with Python's TypeError, or when it is beyond 64 bits.
int64_t to_index(const Value& value);
/// The number in a text of decimal digits. REQUIRES: fewer than 19 of them.
Value digits_value(std::string_view digits);

// Shared by filters, tests and operators (each is in the file named after its subject).
Value add(Interpreter& in, const Value& a, const Value& b);  // jinja_arithmetic.cpp
Value binary_operator(Interpreter& in, char op, const Value& a,
                      const Value& b);  // '-', '*', '/', '%', 'f' (//), 'p' (**)
Value negate(Interpreter& in, const Value& value, bool minus);
/// float(value); false when Python would raise TypeError or ValueError.
bool to_float(const Value& value, double& out);
Value format_percent(Interpreter& in, const Value& format, const Value& args);  // jinja_format.cpp
std::string format_value(Interpreter& in, const Value& value, std::string_view spec);
Value str_format(Interpreter& in, const Value& self, Args& args);
std::string format_double(double value, char kind, int precision, bool alternate);  // jinja_format.cpp
std::string dump_json(Interpreter& in, const Value& value, Args& args);             // jinja_json.cpp
std::string escape_html(std::string_view text);                                     // jinja_html.cpp
/// markupsafe.escape: Markup stays as it is.
Value escape(Interpreter& in, const Value& value);
std::string strip_tags(std::string_view text);
std::string url_quote(std::string_view text, bool for_query);
std::string pretty_print(const Value& value);  // jinja_pprint.cpp
std::string word_wrap(std::string_view line, int64_t width, std::string_view joint, bool break_long, bool on_hyphens);
std::string replace_text(Interpreter& in, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);
/// s[start:stop:step] for text, lists, tuples and ranges; members may be missing or none.
Value slice(Interpreter& in, const Value& value, const Value& start, const Value& stop, const Value& step);

}  // namespace seraph::jinja
