#include "daemon/api/response_store.h"

#include <algorithm>
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

/// Of bytes_max: the share that one response may have.
constexpr int64_t kLargestShare = 16;

int64_t bytes_of(const ResponseRow& row) {
  return static_cast<int64_t>(row.owner.size() + row.id.size() + row.body.size() + row.messages.size());
}

}  // namespace

ResponseStore::ResponseStore(Limits limits, Store* store) : limits_(limits), store_(store) {
  if (store_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  for (ResponseRow& row : store_->take_responses()) insert(std::make_shared<const ResponseRow>(std::move(row)));
}

bool ResponseStore::put(ResponseRow row) {
  const std::lock_guard lock(mutex_);
  const auto shared = std::make_shared<const ResponseRow>(std::move(row));
  if (bytes_of(*shared) > limits_.bytes_max / kLargestShare) return false;
  if (store_ != nullptr && !shared->messages.empty()) store_->save_response(*shared);
  insert(shared);
  return true;
}

void ResponseStore::insert(std::shared_ptr<const ResponseRow> row) {
  std::string key = key_of(row->owner, row->id);
  if (const auto same = by_key_.find(key); same != by_key_.end()) remove(same->second);
  const int64_t bytes = bytes_of(*row);
  Share& share = shares_[row->owner];
  bytes_ += bytes;
  share.bytes += bytes;
  share.entries.push_back(std::move(row));
  by_key_.emplace(std::move(key), std::prev(share.entries.end()));
  while (bytes_ > limits_.bytes_max) evict(true);
  while (static_cast<int64_t>(by_key_.size()) > limits_.responses_max) evict(false);
}

/// Drops the oldest response of the owner that has most bytes, or most responses: nobody's share is taken by others.
void ResponseStore::evict(bool by_bytes) {
  const auto largest = std::max_element(shares_.begin(), shares_.end(), [by_bytes](const auto& a, const auto& b) {
    return by_bytes ? a.second.bytes < b.second.bytes : a.second.entries.size() < b.second.entries.size();
  });
  const std::shared_ptr<const ResponseRow> oldest = largest->second.entries.front();
  remove(largest->second.entries.begin());
  if (store_ != nullptr) store_->delete_response(oldest->owner, oldest->id);
}

void ResponseStore::remove(Entries::iterator entry) {
  const std::shared_ptr<const ResponseRow> row = *entry;
  const auto share = shares_.find(row->owner);
  bytes_ -= bytes_of(*row);
  share->second.bytes -= bytes_of(*row);
  by_key_.erase(key_of(row->owner, row->id));
  share->second.entries.erase(entry);
  if (share->second.entries.empty()) shares_.erase(share);
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
