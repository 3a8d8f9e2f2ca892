// obj.name and obj[key]. Both look for an attribute and for an item, in different orders, and refuse what the
// immutable sandbox refuses: names with a leading underscore, and methods that change a list or dict.
#include <algorithm>
#include <array>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

/// Double-underscore names that every Python object, or the usual containers, have.
bool is_dunder_attribute(std::string_view name) {
  static constexpr std::array<std::string_view, 34> kNames = {
      "__add__",           "__bool__",    "__call__",     "__class__",       "__contains__",  "__delattr__",
      "__dict__",          "__dir__",     "__doc__",      "__eq__",          "__format__",    "__ge__",
      "__getattribute__",  "__getitem__", "__getstate__", "__gt__",          "__hash__",      "__init__",
      "__init_subclass__", "__iter__",    "__le__",       "__len__",         "__lt__",        "__module__",
      "__mul__",           "__ne__",      "__new__",      "__reduce__",      "__reduce_ex__", "__repr__",
      "__setattr__",       "__sizeof__",  "__str__",      "__subclasshook__"};
  return std::binary_search(kNames.begin(), kNames.end(), name);
}

bool is_hashable(const Value& value) {
  if (value.is(Type::kTuple)) {
    const auto& items = value.as<ListObject>().items();
    return std::all_of(items.begin(), items.end(), is_hashable);
  }
  if (value.is(Type::kView)) return value.as<ViewObject>().kind == ViewKind::kValues;
  return !value.is(Type::kList) && !value.is(Type::kDict);
}

Value number_attr(const Value& value, std::string_view name) {
  const bool is_float = value.is(Type::kFloat);
  if (name == "real") return value.is(Type::kBool) ? Value(value.as_int()) : value;
  if (name == "imag") return is_float ? Value(0.0) : Value(int64_t{0});
  if (!is_float && name == "numerator") return value.is(Type::kBool) ? Value(value.as_int()) : value;
  if (!is_float && name == "denominator") return int64_t{1};
  return {};
}

Value bound_method(Heap& heap, const BuiltinEntry& method, const Value& self) {
  return Value(Type::kFunction, make_object<FunctionObject>(&heap, method.name, method.call, self));
}

}  // namespace

Value Interpreter::loop_attr(const Value& value, std::string_view name) {
  auto& loop = value.as<LoopObject>();
  if (name == "index") return loop.index0 + 1;
  if (name == "index0") return loop.index0;
  if (name == "first") return loop.index0 == 0;
  if (name == "last") return loop.peek().is_missing();
  if (name == "length") return loop.length();
  if (name == "revindex") return loop.length() - loop.index0;
  if (name == "revindex0") return loop.length() - loop.index0 - 1;
  if (name == "depth") return loop.depth0 + 1;
  if (name == "depth0") return loop.depth0;
  if (name == "previtem") return loop.index0 == 0 ? make_undefined(heap_, "there is no previous item") : loop.before;
  if (name == "nextitem") {
    const Value next = loop.peek();
    return next.is_missing() ? make_undefined(heap_, "there is no next item") : next;
  }
  return {};
}

bool Interpreter::find_attr(const Value& object, std::string_view name, Value& out) {
  if (name.starts_with("__") && is_dunder_attribute(name)) {
    out = make_undefined(
        heap_, "access to attribute " + repr_str(name) + " of " + repr_str(type_name(object)) + " object is unsafe.");
    return true;
  }
  if (object.is_undefined()) fail_undefined(object);
  if (const BuiltinEntry* method = find_method(object, name)) {
    out = method->call != nullptr ? bound_method(heap_, *method, object)
                                  : make_undefined(heap_, "access to attribute " + repr_str(name) + " of " +
                                                              repr_str(type_name(object)) + " object is unsafe.");
    return true;
  }
  switch (object.type()) {
    case Type::kBool:
    case Type::kInt:
    case Type::kFloat:
    case Type::kBig:
      out = number_attr(object, name);
      break;
    case Type::kLoop:
      out = loop_attr(object, name);
      break;
    case Type::kNamespace:
      if (const Value* member = object.as<NamespaceObject>().dict->find(name)) out = *member;
      break;
    case Type::kMacro:
      out = macro_attr(*this, object.as<MacroObject>(), name);
      break;
    case Type::kCycler: {
      const auto& cycler = object.as<CyclerObject>();
      if (name == "current") out = cycler.items[cycler.at];
      if (name == "items") out = make_tuple(heap_, cycler.items);
      if (name == "pos") out = static_cast<int64_t>(cycler.at);
      break;
    }
    case Type::kJoiner:
      if (name == "sep") out = object.as<JoinerObject>().separator;
      if (name == "used") out = object.as<JoinerObject>().used;
      break;
    case Type::kRange: {
      const auto& range = object.as<RangeObject>();
      if (name == "start") out = range.start;
      if (name == "stop") out = range.stop;
      if (name == "step") out = range.step;
      break;
    }
    case Type::kTuple:
      if (object.as<ListObject>().is_group && (name == "grouper" || name == "list")) {
        out = object.as<ListObject>().items()[name == "list" ? 1 : 0];
      }
      break;
    default:
      break;
  }
  if (out.is_missing()) return false;
  if (name.starts_with('_')) {
    out = make_undefined(
        heap_, "access to attribute " + repr_str(name) + " of " + repr_str(type_name(object)) + " object is unsafe.");
  }
  return true;
}

bool Interpreter::find_item(const Value& object, const Value& key, Value& out) {
  switch (object.type()) {
    case Type::kUndefined:
      fail_undefined(object);
    case Type::kDict:
      if (!is_hashable(key)) return false;
      if (const Value* member = object.as<DictObject>().find(key)) {
        out = *member;
        return true;
      }
      return false;
    case Type::kStr:
    case Type::kList:
    case Type::kTuple:
    case Type::kRange:
    case Type::kBytes: {
      if (!key.is(Type::kInt) && !key.is(Type::kBool)) return false;
      const int64_t size = length_of(object);
      const int64_t index = key.as_int() < 0 ? key.as_int() + size : key.as_int();
      if (index < 0 || index >= size) return false;
      if (object.is_sequence_object()) {
        out = object.as<ListObject>().items()[static_cast<size_t>(index)];
      } else if (object.is(Type::kRange)) {
        out = object.as<RangeObject>().start + index * object.as<RangeObject>().step;
      } else if (object.is(Type::kBytes)) {
        out = static_cast<int64_t>(
            static_cast<unsigned char>(object.as<BytesObject>().bytes_[static_cast<size_t>(index)]));
      } else {
        const std::string_view text = str_of(object);
        const size_t start = is_ascii(object) ? static_cast<size_t>(index) : byte_offset(text, index);
        size_t end = start;
        next_code_point(text, end);
        out = str(std::string(text.substr(start, end - start)), is_markup(object));
      }
      return true;
    }
    default:
      return false;
  }
}

Value Interpreter::get_attr(const Value& object, const Value& name) {
  Value out;
  if (find_attr(object, str_of(name), out) || find_item(object, name, out)) return out;
  return make_undefined_member(heap_, object, name);
}

Value Interpreter::get_item(const Value& object, const Value& key) {
  Value out;
  if (find_item(object, key, out)) return out;
  if (key.is_str() && find_attr(object, str_of(key), out)) return out;
  return make_undefined_member(heap_, object, key);
}

}  // namespace seraph::jinja
