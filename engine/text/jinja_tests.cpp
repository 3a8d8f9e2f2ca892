// The tests of `is`. Each answers a bool.
#include <algorithm>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"

namespace seraph::jinja {
namespace {

template <bool (*kCheck)(const Value&)>
Value unary(Interpreter&, const Value& value, Args& args) {
  const Params params("test", args, {});
  return kCheck(value);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is(Type::kBool); }
bool is_true(const Value& value) { return value.is(Type::kBool) && value.as_bool(); }
bool is_false(const Value& value) { return value.is(Type::kBool) && !value.as_bool(); }
bool is_integer(const Value& value) { return value.is(Type::kInt) || value.is(Type::kBig); }
bool is_float(const Value& value) { return value.is(Type::kFloat); }
bool is_number(const Value& value) { return value.is_integral() || value.is(Type::kFloat); }
bool is_string(const Value& value) { return value.is_str(); }
bool is_mapping(const Value& value) { return value.is(Type::kDict); }
bool is_escaped(const Value& value) { return is_markup(value); }

bool is_sequence(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
    case Type::kStr:
    case Type::kBytes:
    case Type::kList:
    case Type::kTuple:
    case Type::kDict:
    case Type::kRange:
      return true;
    default:
      return false;
  }
}

bool is_callable(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:  // it has a __call__, which complains
    case Type::kFunction:
    case Type::kMacro:
    case Type::kLoop:
    case Type::kJoiner:
      return true;
    default:
      return false;
  }
}

template <bool kUpper>
Value is_case(Interpreter& in, const Value& value, Args& args) {
  const Params params("test", args, {});
  Args none;
  return find_str_method(kUpper ? "isupper" : "islower")->call(in, in.str(to_str(value)), none);
}

Value remainder_is(Interpreter& in, const Value& value, const Value& divisor, int64_t wanted) {
  return equals(binary_operator(in, '%', value, divisor), Value(wanted));
}

Value test_odd(Interpreter& in, const Value& value, Args& args) {
  const Params params("odd", args, {});
  return remainder_is(in, value, Value(int64_t{2}), 1);
}

Value test_even(Interpreter& in, const Value& value, Args& args) {
  const Params params("even", args, {});
  return remainder_is(in, value, Value(int64_t{2}), 0);
}

Value test_divisibleby(Interpreter& in, const Value& value, Args& args) {
  const Params params("divisibleby", args, {"num"}, 1);
  return remainder_is(in, value, params[0], 0);
}

/// Names are looked up in a dict, so they must be hashable.
Value test_filter(Interpreter&, const Value& value, Args&) {
  hash_of(value);
  return value.is_str() && find_filter(str_of(value)) != nullptr;
}

Value test_test(Interpreter&, const Value& value, Args&) {
  hash_of(value);
  return value.is_str() && find_test(str_of(value)) != nullptr;
}

template <CompareOp kOp>
Value compare(Interpreter& in, const Value& value, Args& args) {
  const Params params("test", args, {"other"}, 1);
  switch (kOp) {
    case CompareOp::kEq:
      return equals(value, params[0]);
    case CompareOp::kNe:
      return !equals(value, params[0]);
    case CompareOp::kLt:
      return less(value, params[0], "<");
    case CompareOp::kLe:
      return less(value, params[0], "<=");
    case CompareOp::kGt:
      return less(value, params[0], ">");
    case CompareOp::kGe:
      return less(value, params[0], ">=");
    default:
      return contains(in.heap(), params[0], value);
  }
}

Value test_sameas(Interpreter&, const Value& value, Args& args) {
  const Params params("sameas", args, {"other"}, 1);
  return is_same(value, params[0]);
}

constexpr BuiltinEntry kTests[] = {
    {"defined", unary<is_defined>},
    {"undefined", unary<is_undefined>},
    {"none", unary<is_none>},
    {"string", unary<is_string>},
    {"mapping", unary<is_mapping>},
    {"iterable", unary<is_iterable>},
    {"sequence", unary<is_sequence>},
    {"boolean", unary<is_boolean>},
    {"true", unary<is_true>},
    {"false", unary<is_false>},
    {"integer", unary<is_integer>},
    {"float", unary<is_float>},
    {"number", unary<is_number>},
    {"escaped", unary<is_escaped>},
    {"callable", unary<is_callable>},
    {"lower", is_case<false>},
    {"upper", is_case<true>},
    {"odd", test_odd},
    {"even", test_even},
    {"divisibleby", test_divisibleby},
    {"filter", test_filter},
    {"test", test_test},
    {"sameas", test_sameas},
    {"in", compare<CompareOp::kIn>},
    {"==", compare<CompareOp::kEq>},
    {"eq", compare<CompareOp::kEq>},
    {"equalto", compare<CompareOp::kEq>},
    {"!=", compare<CompareOp::kNe>},
    {"ne", compare<CompareOp::kNe>},
    {">", compare<CompareOp::kGt>},
    {"gt", compare<CompareOp::kGt>},
    {"greaterthan", compare<CompareOp::kGt>},
    {">=", compare<CompareOp::kGe>},
    {"ge", compare<CompareOp::kGe>},
    {"<", compare<CompareOp::kLt>},
    {"lt", compare<CompareOp::kLt>},
    {"lessthan", compare<CompareOp::kLt>},
    {"<=", compare<CompareOp::kLe>},
    {"le", compare<CompareOp::kLe>},
};

}  // namespace

Builtin find_test(std::string_view name) {
  const auto* it =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const BuiltinEntry& entry) { return entry.name == name; });
  return it == std::end(kTests) ? nullptr : it->call;
}

}  // namespace seraph::jinja
