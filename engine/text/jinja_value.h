// Values of the template language, with Python's semantics. A Value is 16 bytes: numbers inside, everything else
// behind a counted pointer. Reference counts are plain integers: a render and all its values stay on one thread.
// Constants of a compiled template are immortal (never counted), so that many threads may render it at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/json.h"
#include "engine/text/jinja_bigint.h"
#include "engine/text/jinja_error.h"

namespace seraph::jinja {

enum class Type : uint8_t {
  kMissing,  // an empty slot; never seen by a template
  kNone,
  kBool,
  kInt,
  kFloat,
  kUndefined,  // from here on behind a pointer
  kBig,
  kStr,
  kBytes,
  kList,
  kTuple,
  kDict,
  kView,
  kRange,
  kNamespace,
  kFunction,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
  kGenerator,
};

class Interpreter;
class Value;
struct Object;

/// Accounts for the objects of one render and frees them: a counted object goes when its last reference does
/// (iteratively: a chain of a million objects must not recurse), and cycles are broken at the end.
class Heap {
 public:
  explicit Heap(int64_t bytes_max) : bytes_max_(bytes_max) {}
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Fails the render when the limit is exceeded. Called before large allocations too.
  void charge(int64_t bytes);
  void discharge(int64_t bytes) { bytes_live_ -= bytes; }
  /// Fails when `bytes` more would exceed the limit, without charging.
  void check_room(int64_t bytes) const;
  void release(Object* object);
  /// Objects that can be part of a cycle are listed here, to be emptied at the end.
  void add_cyclic(Object* object);
  void remove_cyclic(Object* object);

 private:
  const int64_t bytes_max_;
  int64_t bytes_live_ = 0;
  bool draining_ = false;
  std::vector<Object*> pending_;
  std::vector<Object*> cyclic_;
};

struct Object {
  static constexpr int32_t kImmortal = -1;

  explicit Object(Heap* owner, int64_t size) : heap(owner), bytes(size) {
    if (heap != nullptr) heap->charge(bytes);
  }
  virtual ~Object() {
    if (heap != nullptr) heap->discharge(bytes);
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  /// Drops the references that can close a cycle.
  virtual void clear() {}

  int32_t refs = 0;
  int32_t cyclic_index = -1;  // place in Heap::cyclic_
  Heap* const heap;           // null: a constant of a compiled template
  int64_t bytes;              // what was charged
};

inline void add_ref(Object* object) {
  if (object->refs != Object::kImmortal) ++object->refs;
}
inline void drop_ref(Object* object) {
  if (object->refs != Object::kImmortal && --object->refs == 0) object->heap->release(object);
}

/// A new object without references: put it into a Value or a Ref at once.
template <typename T, typename... Members>
T* make_object(Members&&... members) {
  return std::make_unique<T>(std::forward<Members>(members)...).release();
}

/// A counted pointer to an object of a known kind.
template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) add_ref(object_);
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) drop_ref(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

class Value {
 public:
  Value() = default;
  Value(bool value) : type_(Type::kBool) { payload_.boolean = value; }    // NOLINT: implicit by design
  Value(int64_t value) : type_(Type::kInt) { payload_.integer = value; }  // NOLINT
  Value(double value) : type_(Type::kFloat) { payload_.number = value; }  // NOLINT
  Value(const void*) = delete;                                            // no pointer is a bool
  Value(Type type, Object* object) : type_(type) {
    payload_.object = object;
    add_ref(object);
  }
  Value(const Value& other) : type_(other.type_), payload_(other.payload_) {
    if (is_object()) add_ref(payload_.object);
  }
  Value(Value&& other) noexcept : type_(std::exchange(other.type_, Type::kMissing)), payload_(other.payload_) {}
  Value& operator=(Value other) noexcept {
    std::swap(type_, other.type_);
    std::swap(payload_, other.payload_);
    return *this;
  }
  ~Value() {
    if (is_object()) drop_ref(payload_.object);
  }
  static Value none() {
    Value value;
    value.type_ = Type::kNone;
    return value;
  }

  Type type() const { return type_; }
  bool is(Type type) const { return type_ == type; }
  bool is_missing() const { return type_ == Type::kMissing; }
  bool is_none() const { return type_ == Type::kNone; }
  bool is_undefined() const { return type_ == Type::kUndefined; }
  bool is_str() const { return type_ == Type::kStr; }
  bool is_object() const { return type_ >= Type::kUndefined; }
  bool is_sequence_object() const { return type_ == Type::kList || type_ == Type::kTuple; }
  /// int, bool or an int beyond 64 bits.
  bool is_integral() const { return type_ == Type::kInt || type_ == Type::kBool || type_ == Type::kBig; }

  bool as_bool() const { return payload_.boolean; }
  int64_t as_int() const { return type_ == Type::kBool ? payload_.boolean : payload_.integer; }
  double as_float() const { return payload_.number; }
  Object* object() const { return payload_.object; }
  template <typename T>
  T& as() const {
    return *static_cast<T*>(payload_.object);
  }

 private:
  Type type_ = Type::kMissing;
  union Payload {
    bool boolean;
    int64_t integer;
    double number;
    Object* object;
  } payload_ = {.integer = 0};
};

/// Arguments of a call, as evaluated.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

/// A filter, test, method or global: `self` is the filtered value or the method's object.
using Builtin = Value (*)(Interpreter& in, const Value& self, Args& args);

}  // namespace seraph::jinja
