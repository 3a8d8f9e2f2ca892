#include "daemon/api/response_store.h"

#include <utility>
#include <vector>

namespace seraph {
namespace {

std::string key_of(std::string_view owner, std::string_view id) {
  std::string key(owner);
  key += '\n';
  key += id;
  return key;
}

int64_t bytes_of(const ResponseRow& row) {
  return static_cast<int64_t>(row.owner.size() + row.id.size() + row.body.size() + row.messages.size());
}

}  // namespace

ResponseStore::ResponseStore(Limits limits, Store* store) : limits_(limits), store_(store) {
  if (store_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  for (ResponseRow& row : store_->take_responses()) insert(std::make_shared<const ResponseRow>(std::move(row)));
}

void ResponseStore::put(ResponseRow row) {
  const std::lock_guard lock(mutex_);
  const auto shared = std::make_shared<const ResponseRow>(std::move(row));
  if (bytes_of(*shared) > limits_.bytes_max) return;
  if (store_ != nullptr && !shared->messages.empty()) store_->save_response(*shared);
  insert(shared);
}

void ResponseStore::insert(std::shared_ptr<const ResponseRow> row) {
  std::string key = key_of(row->owner, row->id);
  if (const auto same = by_key_.find(key); same != by_key_.end()) remove(same->second);
  bytes_ += bytes_of(*row);
  entries_.push_back(std::move(row));
  by_key_.emplace(std::move(key), std::prev(entries_.end()));
  while (static_cast<int64_t>(entries_.size()) > limits_.responses_max || bytes_ > limits_.bytes_max) {
    const std::shared_ptr<const ResponseRow> oldest = entries_.front();
    remove(entries_.begin());
    if (store_ != nullptr) store_->delete_response(oldest->owner, oldest->id);
  }
}

void ResponseStore::remove(Entries::iterator entry) {
  bytes_ -= bytes_of(**entry);
  by_key_.erase(key_of((*entry)->owner, (*entry)->id));
  entries_.erase(entry);
}

std::shared_ptr<const ResponseRow> ResponseStore::find(std::string_view owner, std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key_of(owner, id));
  return found == by_key_.end() ? nullptr : *found->second;
}

bool ResponseStore::erase(std::string_view owner, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key_of(owner, id));
  if (found == by_key_.end()) return false;
  remove(found->second);
  if (store_ != nullptr) store_->delete_response(owner, id);
  return true;
}

int64_t ResponseStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace seraph
