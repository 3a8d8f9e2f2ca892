// The filters on sequences. Those that Jinja writes as generators are lazy here too.
#include <algorithm>
#include <memory>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_filters.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

/// "a.b.0" and "a,b": one path of getitem keys per part.
class AttrGetter {
 public:
  AttrGetter(Interpreter& in, const Value& attribute, bool case_sensitive, bool multiple, Value fallback = {})
      : in_(in), case_sensitive_(case_sensitive), multiple_(multiple), fallback_(std::move(fallback)) {
    if (!attribute.is_str()) {
      paths_.emplace_back();
      if (!attribute.is_missing() && !attribute.is_none()) paths_.back().push_back(attribute);
      return;
    }
    std::string_view text = str_of(attribute);
    while (true) {
      const size_t comma = multiple ? text.find(',') : std::string_view::npos;
      paths_.push_back(split_path(text.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
    }
  }

  Value operator()(const Value& item) const {
    in_.step();
    if (!multiple_) return one(item, paths_.front());
    std::vector<Value> parts;
    for (const auto& path : paths_) parts.push_back(one(item, path));
    return in_.list(std::move(parts));
  }

 private:
  std::vector<Value> split_path(std::string_view text) const {
    std::vector<Value> out;
    while (true) {
      const size_t dot = text.find('.');
      const std::string_view part = text.substr(0, dot);
      const bool number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
      out.push_back(number ? digits_value(part) : in_.str(std::string(part)));
      if (dot == std::string_view::npos) return out;
      text.remove_prefix(dot + 1);
    }
  }

  Value one(Value item, const std::vector<Value>& path) const {
    for (const Value& key : path) {
      item = in_.get_item(item, key);
      if (!fallback_.is_missing() && !fallback_.is_none() && item.is_undefined()) item = fallback_;
    }
    if (!case_sensitive_ && item.is_str()) return in_.str(to_lower(str_of(item)));
    return item;
  }

  Interpreter& in_;
  const bool case_sensitive_;
  const bool multiple_;
  const Value fallback_;
  std::vector<std::vector<Value>> paths_;
};

Value generator(Interpreter& in, GeneratorObject::Next next) {
  return Value(Type::kGenerator, make_object<GeneratorObject>(&in.heap(), std::move(next), "generator"));
}

/// Sorts by keys that are computed once; stable, also in reverse, as Python's sort.
template <typename Key>
void sort_by(Interpreter& in, std::vector<Value>& items, bool reverse, Key key) {
  std::vector<std::pair<Value, Value>> keyed;
  keyed.reserve(items.size());
  for (Value& item : items) keyed.emplace_back(key(item), std::move(item));
  const auto before = [&](const auto& a, const auto& b) {
    in.step();
    return reverse ? less(b.first, a.first) : less(a.first, b.first);
  };
  std::stable_sort(keyed.begin(), keyed.end(), before);
  for (size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].second);
}

Value filter_batch(Interpreter& in, const Value& value, Args& args) {
  const Params params("batch", args, {"linecount", "fill_with"}, 1);
  const int64_t size = params.integer(0, 1);
  const Value fill = params[1];
  auto source = std::make_shared<Iterator>(in.heap(), value);
  auto pending = std::make_shared<std::vector<Value>>();
  auto done = std::make_shared<bool>(false);
  return generator(in, [&in, source, pending, done, size, fill](Value& out) {
    if (*done) return false;
    for (Value item; source->next(item);) {
      in.step();
      std::vector<Value> full;
      if (static_cast<int64_t>(pending->size()) == size) full.swap(*pending);
      const bool yields = static_cast<int64_t>(full.size()) == size;
      pending->push_back(std::move(item));
      if (!yields) continue;
      out = in.list(std::move(full));
      return true;
    }
    *done = true;
    if (pending->empty()) return false;
    if (!fill.is_missing() && !fill.is_none()) {
      in.check_text((size - static_cast<int64_t>(pending->size())) * static_cast<int64_t>(sizeof(Value)));
      while (static_cast<int64_t>(pending->size()) < size) pending->push_back(fill);
    }
    out = in.list(std::move(*pending));
    return true;
  });
}

Value filter_slice(Interpreter& in, const Value& value, Args& args) {
  const Params params("slice", args, {"slices", "fill_with"}, 1);
  const std::vector<Value> items = to_vector(in.heap(), value);
  const int64_t slices = params.integer(0, 1);
  if (slices == 0) fail("ZeroDivisionError: integer division or modulo by zero");
  const int64_t size = static_cast<int64_t>(items.size());
  const int64_t each = slices > 0 ? size / slices : 0;
  const int64_t extra = slices > 0 ? size % slices : 0;
  auto number = std::make_shared<int64_t>(0);
  return generator(in, [&in, items, number, slices, each, extra, fill = params[1]](Value& out) {
    if (*number >= slices) return false;
    in.step();
    const int64_t index = (*number)++;
    const int64_t begin = index * each + std::min(index, extra);
    const int64_t end = begin + each + (index < extra ? 1 : 0);
    std::vector<Value> part(items.begin() + begin, items.begin() + end);
    if (!fill.is_missing() && !fill.is_none() && index >= extra) part.push_back(fill);
    out = in.list(std::move(part));
    return true;
  });
}

Value filter_dictsort(Interpreter& in, const Value& value, Args& args) {
  const Params params("dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string by = params.text(1, "key");
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (!value.is(Type::kDict)) {
    if (value.is_undefined()) fail_undefined(value);
    fail("AttributeError: '" + type_name(value) + "' object has no attribute 'items'");
  }
  std::vector<Value> items;
  for (const auto& [key, item] : value.as<DictObject>().entries()) items.push_back(make_tuple(in.heap(), {key, item}));
  sort_by(in, items, params.flag(2), [&](const Value& pair) {
    const Value& part = pair.as<ListObject>().items()[by == "key" ? 0 : 1];
    return !params.flag(0) && part.is_str() ? in.str(to_lower(str_of(part))) : part;
  });
  return in.list(std::move(items));
}

Value filter_first(Interpreter& in, const Value& value, Args& args) {
  const Params params("first", args, {});
  Iterator iterator(in.heap(), value);
  Value out;
  return iterator.next(out) ? out : make_undefined(in.heap(), "No first item, sequence was empty.");
}

bool is_reversible(const Value& value) {
  return value.is_str() || value.is_sequence_object() || value.is(Type::kDict) || value.is(Type::kView) ||
         value.is(Type::kRange) || value.is(Type::kBytes);
}

Value filter_last(Interpreter& in, const Value& value, Args& args) {
  const Params params("last", args, {});
  if (!is_reversible(value) && !value.is_undefined())
    fail("TypeError: '" + type_name(value) + "' object is not reversible");
  if (length_of(value) <= 0) return make_undefined(in.heap(), "No last item, sequence was empty.");
  if (value.is(Type::kDict) || value.is(Type::kView)) return to_vector(in.heap(), value).back();
  return in.get_item(value, Value(int64_t{-1}));
}

Value filter_random(Interpreter& in, const Value& value, Args& args) {
  const Params params("random", args, {});
  const int64_t size = length_of(value);
  if (size < 0) fail("TypeError: object of type '" + type_name(value) + "' has no len()");
  if (size == 0) return make_undefined(in.heap(), "No random item, sequence was empty.");
  if (value.is(Type::kDict) || value.is(Type::kView)) fail("KeyError: random needs a sequence");
  return in.get_item(value, static_cast<int64_t>(in.next_random() % static_cast<uint64_t>(size)));
}

Value filter_groupby(Interpreter& in, const Value& value, Args& args) {
  const Params params("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const AttrGetter key(in, params[0], params.flag(2), false, params[1]);
  const AttrGetter shown(in, params[0], true, false, params[1]);
  std::vector<Value> items = to_vector(in.heap(), value);
  sort_by(in, items, false, key);
  std::vector<Value> out;
  for (size_t begin = 0; begin < items.size();) {
    const Value group = key(items[begin]);
    size_t end = begin + 1;
    while (end < items.size() && equals(key(items[end]), group)) ++end;
    std::vector<Value> members(items.begin() + static_cast<std::ptrdiff_t>(begin),
                               items.begin() + static_cast<std::ptrdiff_t>(end));
    const Value grouper = shown(members.front());
    Value tuple = make_tuple(in.heap(), {grouper, in.list(std::move(members))});
    tuple.as<ListObject>().is_group = true;
    out.push_back(std::move(tuple));
    begin = end;
  }
  return in.list(std::move(out));
}

Value filter_items(Interpreter& in, const Value& value, Args& args) {
  const Params params("items", args, {});
  if (!value.is_undefined() && !value.is(Type::kDict)) {
    return generator(in, [](Value&) -> bool { fail("TypeError: Can only get item pairs from a mapping."); });
  }
  if (value.is_undefined()) return generator(in, [](Value&) { return false; });
  const Value view(Type::kView,
                   make_object<ViewObject>(&in.heap(), Ref<DictObject>(&value.as<DictObject>()), ViewKind::kItems));
  auto source = std::make_shared<Iterator>(in.heap(), view);
  return generator(in, [source](Value& out) { return source->next(out); });
}

Value filter_join(Interpreter& in, const Value& value, Args& args) {
  const Params params("join", args, {"d", "attribute"});
  std::vector<Value> items = to_vector(in.heap(), value);
  if (params.has(1) && !params[1].is_none()) {
    const AttrGetter getter(in, params[1], true, false);
    for (Value& item : items) item = getter(item);
  }
  const Value separator = params.has(0) ? params[0] : in.str("");
  const bool markup =
      in.autoescape() && (is_markup(separator) ||
                          std::any_of(items.begin(), items.end(), [](const Value& item) { return is_markup(item); }));
  const auto text_of = [&](const Value& part) {
    return markup && !is_markup(part) ? escape_html(to_str(part)) : to_str(part);
  };
  const std::string between = text_of(separator);
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    in.step();
    if (i != 0) out += between;
    out += text_of(items[i]);
    in.check_text(static_cast<int64_t>(out.size()));
  }
  return in.str(std::move(out), markup);
}

Value filter_length(Interpreter&, const Value& value, Args& args) {
  const Params params("length", args, {});
  const int64_t size = length_of(value);
  if (size < 0) fail("TypeError: object of type '" + type_name(value) + "' has no len()");
  return size;
}

Value filter_list(Interpreter& in, const Value& value, Args& args) {
  const Params params("list", args, {});
  return in.list(to_vector(in.heap(), value));
}

/// What map applies to each item.
std::function<Value(const Value&)> prepare_map(Interpreter& in, Args args) {
  if (args.positional.empty()) {
    Value attribute;
    Value fallback;
    for (const auto& [name, value] : args.keyword) {
      if (name == "attribute") attribute = value;
      if (name == "default") fallback = value;
    }
    if (attribute.is_missing()) fail("map requires a filter argument");
    for (const auto& [name, value] : args.keyword) {
      if (name != "attribute" && name != "default") fail("Unexpected keyword argument " + repr_str(name));
    }
    return [getter = AttrGetter(in, attribute, true, false, fallback)](const Value& item) { return getter(item); };
  }
  const Value name = args.positional.front();
  args.positional.erase(args.positional.begin());
  return [&in, name, args](const Value& item) {
    Args copy = args;
    return in.call_filter(name, item, copy);
  };
}

Value filter_map(Interpreter& in, const Value& value, Args& args) {
  // Jinja's map is a generator: nothing is checked before the first item is asked for.
  using Step = std::function<Value(const Value&)>;
  struct State {
    Args args;
    Step apply;
    std::unique_ptr<Iterator> source;
    bool started = false;
  };
  auto state = std::make_shared<State>();
  state->args = std::move(args);
  return generator(in, [&in, state, value](Value& out) {
    if (!state->started) {
      state->started = true;
      if (truthy(value)) {
        state->apply = prepare_map(in, state->args);
        state->source = std::make_unique<Iterator>(in.heap(), value);
      }
    }
    Value item;
    if (!state->source || !state->source->next(item)) return false;
    out = state->apply(item);
    return true;
  });
}

template <bool kWanted, bool kByAttribute>
Value filter_select(Interpreter& in, const Value& value, Args& args) {
  struct State {
    Args args;
    std::unique_ptr<AttrGetter> getter;
    Value test;
    std::unique_ptr<Iterator> source;
    bool started = false;
  };
  auto state = std::make_shared<State>();
  state->args = std::move(args);
  return generator(in, [&in, state, value](Value& out) {
    if (!state->started) {
      state->started = true;
      if (truthy(value)) {
        auto& positional = state->args.positional;
        const auto take = [&] {
          Value first = positional.front();
          positional.erase(positional.begin());
          return first;
        };
        if (kByAttribute && positional.empty()) fail("Missing parameter for attribute name");
        if (kByAttribute) state->getter = std::make_unique<AttrGetter>(in, take(), true, false);
        if (!positional.empty()) state->test = take();
        state->source = std::make_unique<Iterator>(in.heap(), value);
      }
    }
    if (!state->source) return false;
    for (Value item; state->source->next(item);) {
      in.step();
      const Value tested = state->getter ? (*state->getter)(item) : item;
      Args copy = state->args;
      const bool passes = state->test.is_missing() ? truthy(tested) : in.call_test(state->test, tested, copy);
      if (passes != kWanted) continue;
      out = std::move(item);
      return true;
    }
    return false;
  });
}

template <bool kMax>
Value filter_extreme(Interpreter& in, const Value& value, Args& args) {
  const Params params("min", args, {"case_sensitive", "attribute"});
  const AttrGetter key(in, params[1], params.flag(0), false);
  Iterator iterator(in.heap(), value);
  Value best;
  if (!iterator.next(best)) return make_undefined(in.heap(), "No aggregated item, sequence was empty.");
  Value best_key = key(best);
  for (Value item; iterator.next(item);) {
    Value item_key = key(item);
    if (kMax ? less(item_key, best_key, ">") : less(item_key, best_key)) {
      best = std::move(item);
      best_key = std::move(item_key);
    }
  }
  return best;
}

Value filter_reverse(Interpreter& in, const Value& value, Args& args) {
  const Params params("reverse", args, {});
  if (value.is_str()) return slice(in, value, Value(), Value(), Value(int64_t{-1}));
  if (!is_iterable(value)) fail("argument must be iterable");
  auto items = std::make_shared<std::vector<Value>>(to_vector(in.heap(), value));
  if (!is_reversible(value)) {
    std::reverse(items->begin(), items->end());
    return in.list(std::move(*items));
  }
  const auto next = [items](Value& out) {
    if (items->empty()) return false;
    out = std::move(items->back());
    items->pop_back();
    return true;
  };
  const char* const name = value.is(Type::kList) ? "list_reverseiterator" : "reversed";
  return Value(Type::kGenerator, make_object<GeneratorObject>(&in.heap(), next, name));
}

Value filter_sort(Interpreter& in, const Value& value, Args& args) {
  const Params params("sort", args, {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> items = to_vector(in.heap(), value);
  sort_by(in, items, params.flag(0), AttrGetter(in, params[2], params.flag(1), true));
  return in.list(std::move(items));
}

Value filter_sum(Interpreter& in, const Value& value, Args& args) {
  const Params params("sum", args, {"attribute", "start"});
  const bool has_attribute = params.has(0) && !params[0].is_none();
  const AttrGetter getter(in, params[0], true, false);
  Value total = params.has(1) ? params[1] : Value(int64_t{0});
  if (total.is_str()) fail("TypeError: sum() can't sum strings [use ''.join(seq) instead]");
  Iterator iterator(in.heap(), value);
  for (Value item; iterator.next(item);) {
    in.step();
    total = add(in, total, has_attribute ? getter(item) : item);
  }
  return total;
}

Value filter_unique(Interpreter& in, const Value& value, Args& args) {
  const Params params("unique", args, {"case_sensitive", "attribute"});
  auto key = std::make_shared<AttrGetter>(in, params[1], params.flag(0), false);
  auto source = std::make_shared<Iterator>(in.heap(), value);
  const Value seen(Type::kDict, make_object<DictObject>(&in.heap()));
  return generator(in, [key, source, seen](Value& out) {
    for (Value item; source->next(item);) {
      const Value k = (*key)(item);
      if (seen.as<DictObject>().find(k) != nullptr) continue;
      seen.as<DictObject>().set(k, Value::none());
      out = std::move(item);
      return true;
    }
    return false;
  });
}

constexpr BuiltinEntry kSequenceFilters[] = {
    {"batch", filter_batch},
    {"count", filter_length},
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"groupby", filter_groupby},
    {"items", filter_items},
    {"join", filter_join},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"map", filter_map},
    {"max", filter_extreme<true>},
    {"min", filter_extreme<false>},
    {"random", filter_random},
    {"reject", filter_select<false, false>},
    {"rejectattr", filter_select<false, true>},
    {"reverse", filter_reverse},
    {"select", filter_select<true, false>},
    {"selectattr", filter_select<true, true>},
    {"slice", filter_slice},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

Builtin find_sequence_filter(std::string_view name) {
  const auto* it = std::find_if(std::begin(kSequenceFilters), std::end(kSequenceFilters),
                                [&](const BuiltinEntry& entry) { return entry.name == name; });
  return it == std::end(kSequenceFilters) ? nullptr : it->call;
}

}  // namespace seraph::jinja
