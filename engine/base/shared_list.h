// A list that is shared instead of copied: the choices of one request have the same prompt and the same sampling lists,
// and there may be thousands of them. What is shared does not change; edit() is for the one who builds it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace seraph {

/// Reads like a vector, from any thread.
template <typename T>
class SharedList {
 public:
  using value_type = T;
  using iterator = const T*;
  using const_iterator = const T*;

  SharedList() = default;
  SharedList(std::vector<T> items) : items_(std::make_shared<std::vector<T>>(std::move(items))) {}
  SharedList(std::initializer_list<T> items) : SharedList(std::vector<T>(items)) {}

  const T* data() const { return items_ == nullptr ? nullptr : items_->data(); }
  size_t size() const { return items_ == nullptr ? 0 : items_->size(); }
  bool empty() const { return size() == 0; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }
  const T& operator[](size_t i) const { return (*items_)[i]; }
  const T& front() const { return items_->front(); }
  const T& back() const { return items_->back(); }
  std::vector<T> copy() const { return std::vector<T>(begin(), end()); }

  /// The list to change, valid until this object is copied; a copy of it when others share it.
  std::vector<T>& edit() {
    if (items_ == nullptr || items_.use_count() > 1) items_ = std::make_shared<std::vector<T>>(copy());
    return *items_;
  }

  friend bool operator==(const SharedList& a, const std::vector<T>& b) { return a.copy() == b; }

 private:
  std::shared_ptr<std::vector<T>> items_;  // null: empty
};

}  // namespace seraph
