// Methods of everything but str, and the global functions.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <span>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"

namespace seraph::jinja {
namespace {

constexpr int64_t kRangeMax = 100000;  // items, as Jinja's sandbox allows

const BuiltinEntry* find_in(std::span<const BuiltinEntry> table, std::string_view name) {
  const auto it =
      std::find_if(table.begin(), table.end(), [&](const BuiltinEntry& entry) { return entry.name == name; });
  return it == table.end() ? nullptr : &*it;
}

template <ViewKind kKind>
Value dict_view(Interpreter& in, const Value& self, Args& args) {
  const Params params("dict view", args, {});
  return Value(Type::kView, make_object<ViewObject>(&in.heap(), Ref<DictObject>(&self.as<DictObject>()), kKind));
}

Value dict_get(Interpreter&, const Value& self, Args& args) {
  const Params params("get", args, {"key", "default"}, 1);
  const Value* found = self.as<DictObject>().find(params[0]);
  return found != nullptr ? *found : params.has(1) ? params[1] : Value::none();
}

Value copy_dict(Interpreter& in, DictObject& source) {
  auto* dict = make_object<DictObject>(&in.heap());
  Value out(Type::kDict, dict);
  in.count_steps(static_cast<int64_t>(source.entries().size() / 8));
  for (const auto& [key, value] : source.entries()) dict->set(key, value);
  return out;
}

Value dict_copy(Interpreter& in, const Value& self, Args& args) {
  const Params params("copy", args, {});
  return copy_dict(in, self.as<DictObject>());
}

Value dict_fromkeys(Interpreter& in, const Value&, Args& args) {
  const Params params("fromkeys", args, {"iterable", "value"}, 1);
  auto* dict = make_object<DictObject>(&in.heap());
  Value out(Type::kDict, dict);
  Iterator iterator(in.heap(), params[0]);
  for (Value key; iterator.next(key);) {
    in.step();
    dict->set(key, params.has(1) ? params[1] : Value::none());
  }
  return out;
}

constexpr BuiltinEntry kDictMethods[] = {
    {"items", dict_view<ViewKind::kItems>},
    {"get", dict_get},
    {"keys", dict_view<ViewKind::kKeys>},
    {"values", dict_view<ViewKind::kValues>},
    {"copy", dict_copy},
    {"fromkeys", dict_fromkeys},
    {"clear", nullptr},
    {"pop", nullptr},
    {"popitem", nullptr},
    {"setdefault", nullptr},
    {"update", nullptr},
};

Value list_index(Interpreter& in, const Value& self, Args& args) {
  const Params params("index", args, {"value", "start", "stop"}, 1);
  const auto& items = self.as<ListObject>().items();
  const auto size = static_cast<int64_t>(items.size());
  const auto bound = [&](size_t at, int64_t fallback) {
    const int64_t index = params.integer(at, fallback);
    return index < 0 ? std::max<int64_t>(index + size, 0) : std::min(index, size);
  };
  const int64_t stop = bound(2, size);
  for (int64_t i = bound(1, 0); i < stop; ++i) {
    in.step();
    if (equals(items[static_cast<size_t>(i)], params[0])) return i;
  }
  fail(self.is(Type::kList) ? "ValueError: " + repr(params[0]) + " is not in list"
                            : "ValueError: tuple.index(x): x not in tuple");
}

Value list_count(Interpreter& in, const Value& self, Args& args) {
  const Params params("count", args, {"value"}, 1);
  int64_t count = 0;
  Iterator iterator(in.heap(), self);
  for (Value item; iterator.next(item);) {
    in.step();
    count += equals(item, params[0]) ? 1 : 0;
  }
  return count;
}

Value list_copy(Interpreter& in, const Value& self, Args& args) {
  const Params params("copy", args, {});
  return in.list(self.as<ListObject>().items());
}

Value range_index(Interpreter& in, const Value& self, Args& args) {
  const Params params("index", args, {"value"}, 1);
  Iterator iterator(in.heap(), self);
  int64_t index = 0;
  for (Value item; iterator.next(item); ++index) {
    if (equals(item, params[0])) return index;
  }
  fail("ValueError: " + repr(params[0]) + " is not in range");
}

constexpr BuiltinEntry kListMethods[] = {
    {"index", list_index}, {"count", list_count}, {"copy", list_copy}, {"append", nullptr},
    {"clear", nullptr},    {"extend", nullptr},   {"insert", nullptr}, {"pop", nullptr},
    {"remove", nullptr},   {"reverse", nullptr},  {"sort", nullptr},
};
constexpr BuiltinEntry kTupleMethods[] = {{"index", list_index}, {"count", list_count}};
constexpr BuiltinEntry kRangeMethods[] = {{"index", range_index}, {"count", list_count}};

BigInt big_of(const Value& value) {
  return value.is(Type::kBig) ? value.as<BigObject>().value : BigInt(value.as_int());
}

Value int_bit_length(Interpreter&, const Value& self, Args&) { return static_cast<int64_t>(big_of(self).bits()); }

Value int_bit_count(Interpreter&, const Value& self, Args&) {
  const std::string digits = big_of(self).to_string(2);
  return static_cast<int64_t>(std::count(digits.begin(), digits.end(), '1'));
}

Value number_conjugate(Interpreter&, const Value& self, Args&) {
  return self.is(Type::kBool) ? Value(self.as_int()) : self;
}

Value float_is_integer(Interpreter&, const Value& self, Args&) {
  return std::isfinite(self.as_float()) && self.as_float() == std::floor(self.as_float());
}

Value not_offered(Interpreter&, const Value&, Args&) { fail("this method is not offered in templates"); }

Value as_integer_ratio(Interpreter& in, const Value& self, Args&) {
  if (!self.is(Type::kFloat))
    return make_tuple(in.heap(), {self.is(Type::kBool) ? Value(self.as_int()) : self, Value(int64_t{1})});
  double value = self.as_float();
  if (!std::isfinite(value)) fail("OverflowError: cannot convert this float to an integer ratio");
  uint64_t halvings = 0;
  for (; value != std::floor(value); ++halvings) value *= 2;
  return make_tuple(in.heap(), {make_int(in.heap(), BigInt::from_double(value)),
                                make_int(in.heap(), BigInt::pow(BigInt(2), halvings))});
}

constexpr BuiltinEntry kIntMethods[] = {{"bit_length", int_bit_length},  {"bit_count", int_bit_count},
                                        {"conjugate", number_conjugate}, {"as_integer_ratio", as_integer_ratio},
                                        {"to_bytes", not_offered},       {"from_bytes", not_offered}};
constexpr BuiltinEntry kFloatMethods[] = {{"is_integer", float_is_integer},
                                          {"conjugate", number_conjugate},
                                          {"as_integer_ratio", as_integer_ratio},
                                          {"hex", not_offered},
                                          {"fromhex", not_offered}};

Value bytes_decode(Interpreter& in, const Value& self, Args&) { return in.str(self.as<BytesObject>().bytes_); }
constexpr BuiltinEntry kBytesMethods[] = {{"decode", bytes_decode}};

Value loop_cycle(Interpreter&, const Value& self, Args& args) {
  if (args.positional.empty()) fail("TypeError: no items for cycling given");
  return args.positional[static_cast<size_t>(self.as<LoopObject>().index0) % args.positional.size()];
}

Value loop_changed(Interpreter& in, const Value& self, Args& args) {
  auto& loop = self.as<LoopObject>();
  const Value now = make_tuple(in.heap(), std::move(args.positional));
  if (!loop.last_changed.is_missing() && equals(loop.last_changed, now)) return false;
  loop.last_changed = now;
  return true;
}

constexpr BuiltinEntry kLoopMethods[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};

Value cycler_next(Interpreter&, const Value& self, Args&) {
  auto& cycler = self.as<CyclerObject>();
  const Value out = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return out;
}

Value cycler_reset(Interpreter&, const Value& self, Args&) {
  self.as<CyclerObject>().at = 0;
  return Value::none();
}

constexpr BuiltinEntry kCyclerMethods[] = {{"next", cycler_next}, {"reset", cycler_reset}};

Value global_range(Interpreter& in, const Value&, Args& args) {
  const Params params("range", args, {"start", "stop", "step"}, 1);
  const bool one = !params.has(1);
  const int64_t step = params.integer(2, 1);
  if (step == 0) fail("ValueError: range() arg 3 must not be zero");
  const int64_t start = one ? 0 : params.integer(0, 0);
  const int64_t stop = one ? params.integer(0, 0) : params.integer(1, 0);
  constexpr int64_t kFarthest = int64_t{1} << 40;  // keeps the arithmetic on ranges far from overflow
  if (std::llabs(start) > kFarthest || std::llabs(stop) > kFarthest || std::llabs(step) > kFarthest) {
    fail("OverflowError: range() bounds are limited to 2**40");
  }
  auto* range = make_object<RangeObject>(&in.heap(), start, stop, step);
  Value out(Type::kRange, range);
  if (range->size() > kRangeMax) {
    fail("OverflowError: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  }
  return out;
}

Value global_dict(Interpreter& in, const Value&, Args& args) {
  auto* dict = make_object<DictObject>(&in.heap());
  Value out(Type::kDict, dict);
  if (args.positional.size() > 1)
    fail("TypeError: dict expected at most 1 argument, got " + std::to_string(args.positional.size()));
  if (!args.positional.empty()) {
    const Value& source = args.positional.front();
    if (source.is(Type::kDict)) {
      for (const auto& [key, value] : source.as<DictObject>().entries()) dict->set(key, value);
    } else {
      Iterator iterator(in.heap(), source);
      for (Value pair; iterator.next(pair);) {
        in.step();
        const std::vector<Value> parts = to_vector(in.heap(), pair);
        if (parts.size() != 2) fail("ValueError: dictionary update sequence elements must have length 2");
        dict->set(parts[0], parts[1]);
      }
    }
  }
  for (auto& [name, value] : args.keyword) dict->set(in.str(name), std::move(value));
  return out;
}

Value global_namespace(Interpreter& in, const Value& self, Args& args) {
  const Value members = global_dict(in, self, args);
  auto* space = make_object<NamespaceObject>(&in.heap());
  Value out(Type::kNamespace, space);
  for (const auto& [key, value] : members.as<DictObject>().entries()) {
    if (key.is_str() && str_of(key).starts_with('_')) {
      fail("Chat templates cannot store underscore-prefixed attributes on a namespace, but got " + repr(key) +
           ". Please rename the attribute.");
    }
    space->dict->set(key, value);
  }
  return out;
}

Value global_raise_exception(Interpreter&, const Value&, Args& args) {
  const Params params("raise_exception", args, {"message"}, 1);
  fail(to_str(params[0]));
}

Value global_strftime_now(Interpreter& in, const Value&, Args& args) {
  const Params params("strftime_now", args, {"format"}, 1);
  if (!params[0].is_str()) fail("TypeError: strftime() argument 1 must be str, not " + type_name(params[0]));
  TemplateClock now = in.clock();
  if (!now.fixed) now = TemplateClock::system();
  std::tm time{};
  time.tm_year = now.year - 1900;
  time.tm_mon = now.month - 1;
  time.tm_mday = now.day;
  time.tm_hour = now.hour;
  time.tm_min = now.minute;
  time.tm_sec = now.second;
  std::tm normal = time;
  normal.tm_isdst = 0;
  timegm(&normal);  // fills the day of the week and of the year
  time.tm_wday = normal.tm_wday;
  time.tm_yday = normal.tm_yday;
  time.tm_isdst = -1;
  // A naive time has no zone: %z and %Z are empty; %f is Python's own. NUL ends C's format, so parts between are
  // copied.
  std::string out;
  const std::string_view format = str_of(params[0]);
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 >= format.size()) {
      out += format[at];
      continue;
    }
    std::string part = "%";
    while (at + 2 < format.size() && std::strchr("-_0^#EO", format[at + 1]) != nullptr && format[at + 1] != '\0')
      part += format[++at];
    part += format[++at];
    const char kind = part.back();
    if (kind == 'z' || kind == 'Z') continue;
    char text[256];
    if (kind == 'f') {
      std::snprintf(text, sizeof text, "%06d", now.microsecond);
      out += text;
    } else if (const size_t size = std::strftime(text, sizeof text, part.c_str(), &time); size != 0) {
      out.append(text, size);
    }
  }
  return in.str(std::move(out));
}

Value global_cycler(Interpreter& in, const Value&, Args& args) {
  if (args.positional.empty()) fail("RuntimeError: at least one item has to be provided");
  return Value(Type::kCycler, make_object<CyclerObject>(&in.heap(), std::move(args.positional)));
}

Value global_joiner(Interpreter& in, const Value&, Args& args) {
  const Params params("joiner", args, {"sep"});
  return Value(Type::kJoiner, make_object<JoinerObject>(&in.heap(), params.has(0) ? params[0] : in.str(", ")));
}

Value global_lipsum(Interpreter&, const Value&, Args&) { fail("lipsum() makes random text and is not offered"); }

constexpr BuiltinEntry kGlobals[] = {
    {"range", global_range},
    {"dict", global_dict},
    {"namespace", global_namespace},
    {"raise_exception", global_raise_exception},
    {"strftime_now", global_strftime_now},
    {"cycler", global_cycler},
    {"joiner", global_joiner},
    {"lipsum", global_lipsum},
};
constexpr BuiltinEntry kDictTypeMethods[] = {{"fromkeys", dict_fromkeys}};

}  // namespace

const BuiltinEntry* find_global(std::string_view name) { return find_in(kGlobals, name); }

const BuiltinEntry* find_method(const Value& self, std::string_view name) {
  switch (self.type()) {
    case Type::kStr:
      return find_str_method(name);
    case Type::kDict:
      return find_in(kDictMethods, name);
    case Type::kList:
      return find_in(kListMethods, name);
    case Type::kTuple:
      return find_in(kTupleMethods, name);
    case Type::kRange:
      return find_in(kRangeMethods, name);
    case Type::kBool:
    case Type::kInt:
    case Type::kBig:
      return find_in(kIntMethods, name);
    case Type::kFloat:
      return find_in(kFloatMethods, name);
    case Type::kBytes:
      return find_in(kBytesMethods, name);
    case Type::kLoop:
      return find_in(kLoopMethods, name);
    case Type::kCycler:
      return find_in(kCyclerMethods, name);
    case Type::kFunction:
      return self.as<FunctionObject>().call == global_dict ? find_in(kDictTypeMethods, name) : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace seraph::jinja
