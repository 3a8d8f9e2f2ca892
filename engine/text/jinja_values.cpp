// Python's protocols over values: truth, length, equality, order, hash and membership.
#include <cmath>

#include "engine/text/jinja_objects.h"

namespace seraph::jinja {
namespace {

constexpr int kNestingMax = 400;  // of containers in one comparison, hash or repr

void check_depth(int depth) {
  if (depth > kNestingMax) fail("RecursionError: values are nested more than 400 deep");
}

BigInt big_of(const Value& value) {
  return value.is(Type::kBig) ? value.as<BigObject>().value : BigInt(value.as_int());
}
bool is_number(const Value& value) { return value.is_integral() || value.is(Type::kFloat); }

/// Negative, zero, positive; 2 for unordered (NaN).
int compare_numbers(const Value& a, const Value& b) {
  if (!a.is(Type::kFloat) && !b.is(Type::kFloat)) {
    if (a.is(Type::kBig) || b.is(Type::kBig)) return BigInt::compare(big_of(a), big_of(b));
    return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
  }
  if (a.is(Type::kFloat) && b.is(Type::kFloat)) {
    const double x = a.as_float();
    const double y = b.as_float();
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (b.is(Type::kFloat)) {
    // An int against a float is exact in Python: the float's integer part decides first, then its fraction.
    const double y = b.as_float();
    if (std::isnan(y)) return 2;
    if (std::isinf(y)) return y > 0 ? -1 : 1;
    const int order = BigInt::compare(big_of(a), BigInt::from_double(y));
    const double fraction = y - std::trunc(y);
    return order != 0 ? order : fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
  }
  const int order = compare_numbers(b, a);
  return order == 2 ? 2 : -order;
}

bool equals_at(const Value& a, const Value& b, int depth);

bool dicts_equal(DictObject& a, DictObject& b, int depth) {
  if (a.entries().size() != b.entries().size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.find(key);
    if (other == nullptr || !equals_at(value, *other, depth)) return false;
  }
  return true;
}

bool ranges_equal(const RangeObject& a, const RangeObject& b) {
  if (a.size() != b.size()) return false;
  return a.size() == 0 || (a.start == b.start && (a.size() == 1 || a.step == b.step));
}

bool equals_at(const Value& a, const Value& b, int depth) {
  check_depth(depth);
  if (is_number(a) && is_number(b)) return compare_numbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  if (!a.is_object()) return true;  // None and None
  if (a.object() == b.object()) return true;
  switch (a.type()) {
    case Type::kUndefined:
      return true;
    case Type::kStr:
      return str_of(a) == str_of(b);
    case Type::kBytes:
      return a.as<BytesObject>().bytes_ == b.as<BytesObject>().bytes_;
    case Type::kList:
    case Type::kTuple: {
      const auto& x = a.as<ListObject>().items();
      const auto& y = b.as<ListObject>().items();
      if (x.size() != y.size()) return false;
      for (size_t i = 0; i < x.size(); ++i) {
        if (!equals_at(x[i], y[i], depth + 1)) return false;
      }
      return true;
    }
    case Type::kDict:
      return dicts_equal(a.as<DictObject>(), b.as<DictObject>(), depth + 1);
    case Type::kView: {
      const auto& x = a.as<ViewObject>();
      const auto& y = b.as<ViewObject>();
      if (x.kind != y.kind || x.kind == ViewKind::kValues) return false;
      if (x.kind == ViewKind::kItems) return dicts_equal(*x.dict, *y.dict, depth + 1);
      if (x.dict->entries().size() != y.dict->entries().size()) return false;
      for (const auto& [key, value] : x.dict->entries()) {
        if (y.dict->find(key) == nullptr) return false;
      }
      return true;
    }
    case Type::kRange:
      return ranges_equal(a.as<RangeObject>(), b.as<RangeObject>());
    case Type::kFunction: {
      const auto& x = a.as<FunctionObject>();
      const auto& y = b.as<FunctionObject>();
      return x.call == y.call && (x.self.is_missing() ? y.self.is_missing() : is_same(x.self, y.self));
    }
    default:
      return false;
  }
}

bool less_at(const Value& a, const Value& b, const char* op, int depth) {
  check_depth(depth);
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  const std::string_view sign(op);
  if (is_number(a) && is_number(b)) {
    const int order = compare_numbers(a, b);
    if (order == 2) return false;
    return sign == "<" ? order < 0 : sign == "<=" ? order <= 0 : sign == ">" ? order > 0 : order >= 0;
  }
  const bool ordered = a.type() == b.type() && (a.is_str() || a.is_sequence_object() || a.is(Type::kBytes));
  if (!ordered) {
    fail("TypeError: '" + std::string(op) + "' not supported between instances of '" + type_name(a) + "' and '" +
         type_name(b) + "'");
  }
  if (a.is_sequence_object()) {
    const auto& x = a.as<ListObject>().items();
    const auto& y = b.as<ListObject>().items();
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equals_at(x[i], y[i], depth + 1)) return less_at(x[i], y[i], op, depth + 1);
    }
    return less_at(static_cast<int64_t>(x.size()), static_cast<int64_t>(y.size()), op, depth);
  }
  // Bytes of UTF-8 sort as code points do.
  const int order =
      a.is_str() ? str_of(a).compare(str_of(b)) : a.as<BytesObject>().bytes_.compare(b.as<BytesObject>().bytes_);
  return sign == "<" ? order < 0 : sign == "<=" ? order <= 0 : sign == ">" ? order > 0 : order >= 0;
}

uint64_t mix(uint64_t seed, uint64_t value) {
  return (seed ^ value) * 0x9E3779B97F4A7C15ULL + (seed << 6) + (seed >> 2);
}

uint64_t hash_at(const Value& value, int depth) {
  check_depth(depth);
  switch (value.type()) {
    case Type::kBool:
    case Type::kInt:
      return mix(1, static_cast<uint64_t>(value.as_int()));
    case Type::kFloat: {
      const double number = value.as_float();
      if (number == std::trunc(number) && std::fabs(number) < 9e18) {
        return mix(1, static_cast<uint64_t>(static_cast<int64_t>(number)));
      }
      return mix(2, std::hash<double>{}(number));
    }
    case Type::kBig:
      return mix(2, std::hash<double>{}(value.as<BigObject>().value.to_double()));
    case Type::kStr:
      return std::hash<std::string_view>{}(str_of(value));
    case Type::kBytes:
      return std::hash<std::string>{}(value.as<BytesObject>().bytes_);
    case Type::kTuple: {
      uint64_t seed = 3;
      for (const Value& item : value.as<ListObject>().items()) seed = mix(seed, hash_at(item, depth + 1));
      return seed;
    }
    case Type::kView:
      if (value.as<ViewObject>().kind == ViewKind::kValues) return mix(7, reinterpret_cast<uintptr_t>(value.object()));
      [[fallthrough]];
    case Type::kList:
    case Type::kDict:
      fail("TypeError: unhashable type: '" + type_name(value) + "'");
    case Type::kUndefined:
    case Type::kMissing:
    case Type::kNone:
      return mix(4, static_cast<uint64_t>(value.type()));
    case Type::kRange:
      return mix(5, static_cast<uint64_t>(value.as<RangeObject>().size()));
    default:
      return mix(6, value.is(Type::kFunction) ? 0 : reinterpret_cast<uintptr_t>(value.object()));
  }
}

}  // namespace

bool truthy(const Value& value) {
  switch (value.type()) {
    case Type::kBool:
      return value.as_bool();
    case Type::kInt:
      return value.as_int() != 0;
    case Type::kFloat:
      return value.as_float() != 0;
    case Type::kStr:
      return !str_of(value).empty();
    case Type::kMissing:
    case Type::kNone:
    case Type::kUndefined:
      return false;
    case Type::kList:
    case Type::kTuple:
    case Type::kDict:
    case Type::kView:
    case Type::kRange:
    case Type::kBytes:
      return length_of(value) != 0;
    case Type::kLoop:
      return value.as<LoopObject>().length() != 0;
    default:
      return true;
  }
}

std::string type_name(const Value& value) {
  switch (value.type()) {
    case Type::kMissing:
    case Type::kNone:
      return "NoneType";
    case Type::kBool:
      return "bool";
    case Type::kInt:
    case Type::kBig:
      return "int";
    case Type::kFloat:
      return "float";
    case Type::kUndefined:
      return "Undefined";
    case Type::kStr:
      return is_markup(value) ? "Markup" : "str";
    case Type::kBytes:
      return "bytes";
    case Type::kList:
      return "list";
    case Type::kTuple:
      return value.as<ListObject>().is_group ? "_GroupTuple" : "tuple";
    case Type::kDict:
      return "dict";
    case Type::kView: {
      const ViewKind kind = value.as<ViewObject>().kind;
      return kind == ViewKind::kKeys ? "dict_keys" : kind == ViewKind::kValues ? "dict_values" : "dict_items";
    }
    case Type::kRange:
      return "range";
    case Type::kNamespace:
      return "TemplateNamespace";
    case Type::kFunction:
      return value.as<FunctionObject>().self.is_missing() ? "function" : "builtin_function_or_method";
    case Type::kMacro:
      return "Macro";
    case Type::kLoop:
      return "LoopContext";
    case Type::kCycler:
      return "Cycler";
    case Type::kJoiner:
      return "Joiner";
    case Type::kGenerator:
      return value.as<GeneratorObject>().type_name;
  }
  return "object";
}

int64_t length_of(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
      return 0;
    case Type::kStr:
      return str_length(value);
    case Type::kBytes:
      return static_cast<int64_t>(value.as<BytesObject>().bytes_.size());
    case Type::kList:
    case Type::kTuple:
      return static_cast<int64_t>(value.as<ListObject>().items().size());
    case Type::kDict:
      return static_cast<int64_t>(value.as<DictObject>().entries().size());
    case Type::kView:
      return static_cast<int64_t>(value.as<ViewObject>().dict->entries().size());
    case Type::kRange:
      return value.as<RangeObject>().size();
    case Type::kLoop:
      return value.as<LoopObject>().length();
    default:
      return -1;
  }
}

bool is_iterable(const Value& value) {
  switch (value.type()) {
    case Type::kUndefined:
    case Type::kStr:
    case Type::kBytes:
    case Type::kList:
    case Type::kTuple:
    case Type::kDict:
    case Type::kView:
    case Type::kRange:
    case Type::kLoop:
    case Type::kGenerator:
      return true;
    default:
      return false;
  }
}

std::vector<Value> to_vector(Heap& heap, const Value& value) {
  if (value.is_sequence_object()) return value.as<ListObject>().items();
  std::vector<Value> out;
  Iterator iterator(heap, value);
  for (Value item; iterator.next(item);) {
    // The list is charged when it is made; this bounds it while it grows.
    if (out.size() == out.capacity()) heap.check_room(static_cast<int64_t>(out.size() * 2 * sizeof(Value)));
    out.push_back(std::move(item));
  }
  return out;
}

bool equals(const Value& a, const Value& b) { return equals_at(a, b, 0); }

bool is_same(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  if (a.is(Type::kBool) || a.is(Type::kInt)) return a.as_int() == b.as_int();
  if (a.is(Type::kFloat)) return a.as_float() == b.as_float();
  if (!a.is_object()) return true;
  if (a.object() == b.object()) return true;
  // CPython shares literals and one-character strings; other equal strings are mostly different objects.
  return a.is_str() && str_of(a).size() <= 1 && str_of(a) == str_of(b);
}

bool less(const Value& a, const Value& b, const char* op) { return less_at(a, b, op, 0); }

uint64_t hash_of(const Value& value) { return hash_at(value, 0); }

bool contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.type()) {
    case Type::kStr:
      if (!item.is_str()) {
        fail("TypeError: 'in <string>' requires string as left operand, not " + type_name(item));
      }
      return str_of(container).find(str_of(item)) != std::string_view::npos;
    case Type::kDict:
      return container.as<DictObject>().find(item) != nullptr;
    case Type::kView:
      if (container.as<ViewObject>().kind == ViewKind::kKeys)
        return container.as<ViewObject>().dict->find(item) != nullptr;
      break;
    case Type::kUndefined:
      return false;
    case Type::kList:
    case Type::kTuple:
      for (const Value& member : container.as<ListObject>().items()) {
        if (equals(member, item)) return true;
      }
      return false;
    default:
      break;
  }
  if (!is_iterable(container)) fail("TypeError: argument of type '" + type_name(container) + "' is not iterable");
  Iterator iterator(heap, container);
  for (Value member; iterator.next(member);) {
    if (equals(member, item)) return true;
  }
  return false;
}

void fail_undefined(const Value& value) {
  const auto& undefined = value.as<UndefinedObject>();
  if (!undefined.hint.empty()) fail(undefined.hint);
  if (undefined.holder.is_missing()) fail(repr(undefined.name) + " is undefined");
  const Value& holder = undefined.holder;
  const std::string kind = holder.is_none() ? "None" : type_name(holder) + " object";
  if (!undefined.name.is_str()) fail(kind + " has no element " + repr(undefined.name));
  fail(repr_str(kind) + " has no attribute " + repr(undefined.name));
}

}  // namespace seraph::jinja
