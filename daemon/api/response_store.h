// Answers of /v1/responses that clients may come back to, by previous_response_id or GET: the newest ones in memory,
// bounded by count and bytes, with a copy in the database so that they survive a restart. An id is only known to the
// API key that it was made with, and when something must give way it is the oldest of the key that holds most. Any
// thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/store/store.h"

namespace seraph {

class ResponseStore {
 public:
  struct Limits {
    int64_t responses_max = 10'000;
    int64_t bytes_max = 64 << 20;  // texts of all responses; one of them may have a sixteenth
  };

  /// Takes what `store` (may be null) has kept from earlier runs.
  ResponseStore(Limits limits, Store* store);

  /// Keeps or replaces; one without messages is not finished, and stays out of the database. The oldest give way.
  /// False: it is too large to be kept.
  bool put(ResponseRow row);
  /// Null when there is none.
  std::shared_ptr<const ResponseRow> find(std::string_view owner, std::string_view id) const;
  /// False when there is none.
  bool erase(std::string_view owner, std::string_view id);
  int64_t bytes() const;

 private:
  using Entries = std::list<std::shared_ptr<const ResponseRow>>;  // oldest first
  struct Share {
    Entries entries;
    int64_t bytes = 0;
  };

  void insert(std::shared_ptr<const ResponseRow> row);
  void remove(Entries::iterator entry);
  void evict(bool by_bytes);

  const Limits limits_;
  Store* const store_;
  mutable std::mutex mutex_;                                   // guards what follows
  std::unordered_map<std::string, Share> shares_;              // by owner; none is empty
  std::unordered_map<std::string, Entries::iterator> by_key_;  // owner, line break, id
  int64_t bytes_ = 0;
};

}  // namespace seraph
