#include "engine/text/jinja_objects.h"

#include <algorithm>

#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr size_t kLinearEntriesMax = 8;  // dicts up to this size are searched without an index

}  // namespace

Heap::~Heap() {
  // Every cyclic object is held while all are emptied, so that none goes while another still points at it.
  std::vector<Ref<Object>> held;
  held.reserve(cyclic_.size());
  for (Object* object : cyclic_) held.emplace_back(object);
  for (const auto& object : held) object->clear();
}

void Heap::charge(int64_t bytes) {
  check_room(bytes);
  bytes_live_ += bytes;
}

void Heap::check_room(int64_t bytes) const {
  if (bytes > bytes_max_ - bytes_live_) {
    fail("the template uses more than " + std::to_string(bytes_max_ >> 20) + " MiB of memory");
  }
}

void Heap::release(Object* object) {
  pending_.push_back(object);
  if (draining_) return;
  draining_ = true;
  while (!pending_.empty()) {
    Object* next = pending_.back();
    pending_.pop_back();
    const std::unique_ptr<Object> last(next);
  }
  draining_ = false;
}

void Heap::add_cyclic(Object* object) {
  object->cyclic_index = static_cast<int32_t>(cyclic_.size());
  cyclic_.push_back(object);
}

void Heap::remove_cyclic(Object* object) {
  cyclic_.back()->cyclic_index = object->cyclic_index;
  cyclic_[static_cast<size_t>(object->cyclic_index)] = cyclic_.back();
  cyclic_.pop_back();
}

void ListObject::materialise() {
  const Json::Array& array = source_->as_array();
  heap->charge(static_cast<int64_t>(array.size() * sizeof(Value)));
  bytes += static_cast<int64_t>(array.size() * sizeof(Value));
  source_ = nullptr;
  items_.reserve(array.size());
  for (const Json& item : array) items_.push_back(make_json(*heap, item));
}

void DictObject::materialise() {
  const Json::Object& members = source_->as_object();
  source_ = nullptr;
  entries_.reserve(members.size());
  for (const auto& [name, value] : members) {
    set(Value(Type::kStr, make_object<StrObject>(heap, std::string_view(name))), make_json(*heap, value));
  }
}

int64_t DictObject::find_index(const Value& key) {
  if (source_ != nullptr) materialise();
  const bool small = entries_.size() <= kLinearEntriesMax;
  const uint64_t hash = small && key.is_str() ? 0 : hash_of(key);  // which also refuses keys that cannot be hashed
  if (small) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (equals(entries_[i].first, key)) return static_cast<int64_t>(i);
    }
    return -1;
  }
  if (index_.empty()) {
    for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(hash_of(entries_[i].first), static_cast<uint32_t>(i));
  }
  for (auto [it, end] = index_.equal_range(hash); it != end; ++it) {
    if (equals(entries_[it->second].first, key)) return it->second;
  }
  return -1;
}

const Value* DictObject::find(const Value& key) {
  const int64_t index = find_index(key);
  return index < 0 ? nullptr : &entries_[static_cast<size_t>(index)].second;
}

const Value* DictObject::find(std::string_view key) {
  if (source_ != nullptr) materialise();
  if (entries_.size() > kLinearEntriesMax) {
    StrObject text(nullptr, key);
    text.refs = Object::kImmortal;
    return find(Value(Type::kStr, &text));
  }
  for (const auto& [name, value] : entries_) {
    if (name.is_str() && str_of(name) == key) return &value;
  }
  return nullptr;
}

void DictObject::set(const Value& key, Value value) {
  if (const int64_t index = find_index(key); index >= 0) {
    entries_[static_cast<size_t>(index)].second = std::move(value);
    return;
  }
  constexpr int64_t kEntryBytes = sizeof(Entry) + 16;
  heap->charge(kEntryBytes);
  bytes += kEntryBytes;
  if (!index_.empty()) index_.emplace(hash_of(key), static_cast<uint32_t>(entries_.size()));
  entries_.emplace_back(key, std::move(value));
}

int64_t RangeObject::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

Iterator::Iterator(Heap& heap, Value value) : heap_(&heap), value_(std::move(value)) {
  if (!is_iterable(value_)) fail("TypeError: '" + type_name(value_) + "' object is not iterable");
}

bool Iterator::next(Value& out) {
  switch (value_.type()) {
    case Type::kList:
    case Type::kTuple: {
      const auto& items = value_.as<ListObject>().items();
      if (at_ >= items.size()) return false;
      out = items[at_++];
      return true;
    }
    case Type::kStr: {
      const std::string_view text = str_of(value_);
      if (at_ >= text.size()) return false;
      const size_t start = at_;
      next_code_point(text, at_);
      out = make_str(*heap_, std::string(text.substr(start, at_ - start)), is_markup(value_));
      return true;
    }
    case Type::kBytes: {
      const std::string& data = value_.as<BytesObject>().bytes_;
      if (at_ >= data.size()) return false;
      out = static_cast<int64_t>(static_cast<unsigned char>(data[at_++]));
      return true;
    }
    case Type::kDict:
    case Type::kView: {
      const bool is_view = value_.is(Type::kView);
      DictObject& dict = is_view ? *value_.as<ViewObject>().dict : value_.as<DictObject>();
      const auto& entries = dict.entries();
      if (at_ >= entries.size()) return false;
      const auto& [key, value] = entries[at_++];
      const ViewKind kind = is_view ? value_.as<ViewObject>().kind : ViewKind::kKeys;
      out = kind == ViewKind::kKeys ? key : kind == ViewKind::kValues ? value : make_tuple(*heap_, {key, value});
      return true;
    }
    case Type::kRange: {
      const auto& range = value_.as<RangeObject>();
      if (static_cast<int64_t>(at_) >= range.size()) return false;
      out = range.start + range.step * static_cast<int64_t>(at_++);
      return true;
    }
    case Type::kGenerator:
      return value_.as<GeneratorObject>().next(out);
    case Type::kLoop: {
      // Iterating the loop variable itself advances the loop, item by item with the loop, as in Jinja.
      Value item;
      if (!value_.as<LoopObject>().step(item)) return false;
      out = make_tuple(*heap_, {item, value_});
      return true;
    }
    default:
      return false;  // undefined: empty
  }
}

bool LoopObject::step(Value& out) {
  if (!after.is_missing()) {
    out = std::exchange(after, Value());
  } else if (!iterator.next(out)) {
    return false;
  }
  ++index0;
  before = std::move(current);
  current = out;
  return true;
}

const Value& LoopObject::peek() {
  if (after.is_missing()) {
    Value next;
    if (iterator.next(next)) after = std::move(next);
  }
  return after;
}

int64_t LoopObject::length() {
  if (known_length >= 0) return known_length;
  known_length = length_of(iterable);
  if (known_length < 0) {
    std::vector<Value> rest;
    for (Value item; iterator.next(item);) rest.push_back(item);
    known_length = static_cast<int64_t>(rest.size()) + index0 + 1 + (after.is_missing() ? 0 : 1);
    iterator = Iterator(*heap, make_list(*heap, std::move(rest)));
  }
  return known_length;
}

Value make_str(Heap& heap, std::string text, bool markup) {
  return Value(Type::kStr, make_object<StrObject>(&heap, std::move(text), markup));
}

Value make_int(Heap& heap, BigInt value) {
  if (value.fits_int64()) return value.to_int64();
  return Value(Type::kBig, make_object<BigObject>(&heap, std::move(value)));
}

Value make_list(Heap& heap, std::vector<Value> items) {
  return Value(Type::kList, make_object<ListObject>(&heap, std::move(items)));
}

Value make_tuple(Heap& heap, std::vector<Value> items) {
  return Value(Type::kTuple, make_object<ListObject>(&heap, std::move(items)));
}

Value make_json(Heap& heap, const Json& json) {
  switch (json.kind()) {
    case Json::Kind::kNull:
      return Value::none();
    case Json::Kind::kBool:
      return json.as_bool();
    case Json::Kind::kInt:
      return json.as_int();
    case Json::Kind::kDouble:
      if (const std::string_view digits = json.integer_digits(); !digits.empty()) {
        const bool negative = digits.front() == '-';
        const BigInt magnitude = BigInt::from_digits(digits.substr(negative ? 1 : 0), 10);
        return make_int(heap, negative ? -magnitude : magnitude);
      }
      return json.as_double();
    case Json::Kind::kString:
      return Value(Type::kStr, make_object<StrObject>(&heap, std::string_view(json.as_string())));
    case Json::Kind::kArray:
      return Value(Type::kList, make_object<ListObject>(&heap, &json));
    case Json::Kind::kObject:
      return Value(Type::kDict, make_object<DictObject>(&heap, &json));
  }
  return Value::none();
}

Value make_undefined(Heap& heap, std::string hint) {
  auto* undefined = make_object<UndefinedObject>(&heap);
  undefined->hint = std::move(hint);
  return Value(Type::kUndefined, undefined);
}

Value make_undefined_name(Heap& heap, Value name) { return make_undefined_member(heap, Value(), std::move(name)); }

Value make_undefined_member(Heap& heap, Value holder, Value name) {
  auto* undefined = make_object<UndefinedObject>(&heap);
  undefined->holder = std::move(holder);
  undefined->name = std::move(name);
  return Value(Type::kUndefined, undefined);
}

int64_t str_length(const Value& value) {
  auto& text = value.as<StrObject>();
  // Constants are counted when they are made: they are shared between threads.
  if (text.code_points < 0) text.code_points = count_code_points(text.view);
  return text.code_points;
}

}  // namespace seraph::jinja
