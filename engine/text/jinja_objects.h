// What lies behind a Value's pointer, and how such objects are made. Lists and dicts of the caller's Json are
// wrapped, not copied: their members become values when they are first touched. A render's objects belong to its
// Heap; the Json must outlive it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/text/jinja_value.h"

namespace seraph::jinja {

struct Node;

/// Text is UTF-8; lengths and indexes of the language count code points.
struct StrObject : Object {
  StrObject(Heap* owner, std::string text, bool markup_text)
      : Object(owner, static_cast<int64_t>(sizeof(StrObject) + text.size())),
        owned(std::move(text)),
        view(owned),
        markup(markup_text) {}
  /// Borrows: `text` must outlive the heap.
  StrObject(Heap* owner, std::string_view text) : Object(owner, sizeof(StrObject)), view(text) {}

  std::string owned;
  std::string_view view;
  bool markup = false;       // Markup: already escaped for HTML
  int64_t code_points = -1;  // counted when first asked for; equal to view.size() for ASCII
};

struct BigObject : Object {
  BigObject(Heap* owner, BigInt number)
      : Object(owner, static_cast<int64_t>(64 + number.bits() / 8)), value(std::move(number)) {}
  BigInt value;
};

struct BytesObject : Object {
  BytesObject(Heap* owner, std::string data)
      : Object(owner, static_cast<int64_t>(64 + data.size())), bytes_(std::move(data)) {}
  std::string bytes_;
};

/// An undefined value remembers how it came to be, for the error it gives when it is used.
struct UndefinedObject : Object {
  explicit UndefinedObject(Heap* owner) : Object(owner, 96) {}
  std::string hint;  // the whole message, when there is one
  Value holder;      // the object that lacked `name`; missing for a plain variable
  Value name;
};

/// list and tuple.
struct ListObject : Object {
  ListObject(Heap* owner, std::vector<Value> values)
      : Object(owner, static_cast<int64_t>(sizeof(ListObject) + values.size() * sizeof(Value))),
        items_(std::move(values)) {}
  ListObject(Heap* owner, const Json* json) : Object(owner, sizeof(ListObject)), source_(json) {}

  const std::vector<Value>& items() {
    if (source_ != nullptr) materialise();
    return items_;
  }
  bool is_group = false;  // a groupby tuple: has .grouper and .list

 private:
  void materialise();
  std::vector<Value> items_;
  const Json* source_ = nullptr;  // not yet turned into items
};

class DictObject : public Object {
 public:
  using Entry = std::pair<Value, Value>;
  explicit DictObject(Heap* owner) : Object(owner, sizeof(DictObject)) {}
  DictObject(Heap* owner, const Json* json) : Object(owner, sizeof(DictObject)), source_(json) {}

  const std::vector<Entry>& entries() {
    if (source_ != nullptr) materialise();
    return entries_;
  }
  /// Null when absent. Fails for keys that cannot be hashed.
  const Value* find(const Value& key);
  const Value* find(std::string_view key);
  void set(const Value& key, Value value);

 private:
  void materialise();
  int64_t find_index(const Value& key);

  std::vector<Entry> entries_;
  std::unordered_multimap<uint64_t, uint32_t> index_;  // by hash, once there are more than a few entries
  const Json* source_ = nullptr;
};

enum class ViewKind : uint8_t { kKeys, kValues, kItems };
struct ViewObject : Object {
  ViewObject(Heap* owner, Ref<DictObject> of, ViewKind what) : Object(owner, 64), dict(std::move(of)), kind(what) {}
  Ref<DictObject> dict;
  ViewKind kind;
};

struct RangeObject : Object {
  RangeObject(Heap* owner, int64_t from, int64_t to, int64_t by) : Object(owner, 64), start(from), stop(to), step(by) {}
  int64_t size() const;
  int64_t start, stop, step;
};

struct NamespaceObject : Object {
  explicit NamespaceObject(Heap* owner) : Object(owner, 64), dict(make_object<DictObject>(owner)) {
    heap->add_cyclic(this);
  }
  ~NamespaceObject() override { heap->remove_cyclic(this); }
  void clear() override { dict = {}; }
  Ref<DictObject> dict;
};

/// A builtin function, or a method bound to its object.
struct FunctionObject : Object {
  FunctionObject(Heap* owner, const char* function_name, Builtin code, Value bound)
      : Object(owner, 64), name(function_name), call(code), self(std::move(bound)) {}
  const char* name;
  Builtin call;
  Value self;
};

/// The variables of one activation of a function (the template, a macro, a recursive loop).
struct Frame : Object {
  Frame(Heap* owner, Ref<Frame> outer, size_t num_slots)
      : Object(owner, static_cast<int64_t>(64 + num_slots * sizeof(Value))),
        parent(std::move(outer)),
        slots(num_slots) {
    heap->add_cyclic(this);
  }
  ~Frame() override { heap->remove_cyclic(this); }
  void clear() override {
    slots.clear();
    parent = {};
  }
  Ref<Frame> parent;  // where the function was defined
  std::vector<Value> slots;
};

struct MacroObject : Object {
  MacroObject(Heap* owner, const Node& definition, Ref<Frame> frame)
      : Object(owner, 64), node(definition), outer(std::move(frame)) {}
  const Node& node;
  Ref<Frame> outer;
};

struct GeneratorObject : Object {
  using Next = std::function<bool(Value&)>;
  GeneratorObject(Heap* owner, Next step, const char* type)
      : Object(owner, 160), next(std::move(step)), type_name(type) {}
  Next next;              // false: exhausted
  const char* type_name;  // "generator", "list_reverseiterator", ...
};

/// Steps through anything iterable. Holds what it iterates over.
class Iterator {
 public:
  /// Fails with Python's TypeError when `value` cannot be iterated.
  Iterator(Heap& heap, Value value);
  bool next(Value& out);

 private:
  Heap* heap_;
  Value value_;
  size_t at_ = 0;
};

struct LoopObject : Object {
  LoopObject(Heap* owner, Value over) : Object(owner, 256), iterable(over), iterator(*owner, std::move(over)) {
    heap->add_cyclic(this);
  }
  ~LoopObject() override { heap->remove_cyclic(this); }
  void clear() override {
    iterable = current = before = after = last_changed = Value();
    outer = {};
  }
  bool step(Value& out);
  int64_t length();
  const Value& peek();

  Value iterable;
  Iterator iterator;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  int64_t known_length = -1;
  Value current, before, after, last_changed;
  const Node* recursive_node = nullptr;  // null: the loop is not recursive
  Ref<Frame> outer;
};

struct CyclerObject : Object {
  CyclerObject(Heap* owner, std::vector<Value> values) : Object(owner, 128), items(std::move(values)) {}
  std::vector<Value> items;
  size_t at = 0;
};

struct JoinerObject : Object {
  JoinerObject(Heap* owner, Value text) : Object(owner, 64), separator(std::move(text)) {}
  Value separator;
  bool used = false;
};

// How values are made. Sizes are checked against the heap's limit before memory is taken.
Value make_str(Heap& heap, std::string text, bool markup = false);
Value make_int(Heap& heap, BigInt value);  // an int64 where it fits
Value make_list(Heap& heap, std::vector<Value> items);
Value make_tuple(Heap& heap, std::vector<Value> items);
Value make_json(Heap& heap, const Json& json);
Value make_undefined(Heap& heap, std::string hint);
Value make_undefined_name(Heap& heap, Value name);
Value make_undefined_member(Heap& heap, Value holder, Value name);

inline std::string_view str_of(const Value& value) { return value.as<StrObject>().view; }
inline bool is_markup(const Value& value) { return value.is_str() && value.as<StrObject>().markup; }
/// Number of code points.
int64_t str_length(const Value& value);
inline bool is_ascii(const Value& value) { return str_length(value) == static_cast<int64_t>(str_of(value).size()); }

// Python's protocols.
bool truthy(const Value& value);
std::string type_name(const Value& value);
/// len(); -1 when the type has none.
int64_t length_of(const Value& value);
bool is_iterable(const Value& value);
/// All items, in order. Fails when it cannot be iterated.
std::vector<Value> to_vector(Heap& heap, const Value& value);
bool equals(const Value& a, const Value& b);
bool is_same(const Value& a, const Value& b);
/// a < b; fails for types that have no order. `op` names the operator in the message.
bool less(const Value& a, const Value& b, const char* op = "<");
uint64_t hash_of(const Value& value);
bool contains(Heap& heap, const Value& container, const Value& item);
[[noreturn]] void fail_undefined(const Value& undefined);

/// str(); appends.
void append_str(std::string& out, const Value& value);
std::string to_str(const Value& value);
std::string repr(const Value& value);
std::string repr_str(std::string_view text);
std::string repr_float(double value);
/// ascii(): code points beyond ASCII as escapes.
std::string ascii_only(std::string_view text);

}  // namespace seraph::jinja
