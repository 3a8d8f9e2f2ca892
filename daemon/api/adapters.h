// The adapters that requests may name: name -> folder -> version in memory. Versions are immutable: loading a name
// anew, or unloading it, changes what later requests get, while those that run keep theirs. So many versions stay in
// memory; the least recently named of the others is read again from its folder when a request names it. Any thread;
// what reads files is for workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/api/errors.h"
#include "daemon/store/store.h"
#include "engine/base/result.h"
#include "engine/request.h"

namespace seraph {

class AdapterRegistry {
 public:
  struct Args {
    /// Engine::load_adapter().
    std::function<Result<std::shared_ptr<const Adapter>>(const std::string& dir, const Adapter* known)> read;
    std::vector<std::string> base_names;
    int32_t resident_max = 1;
    Store* store = nullptr;  // where what was loaded while running is remembered; null: nowhere
  };
  explicit AdapterRegistry(Args args) : args_(std::move(args)) {}

  /// At the start, before there are other threads: those of the command line, then those that the store remembers. An
  /// error of the former ends the start, a folder of the latter that is no longer right is only logged.
  Status load_initial(const std::vector<AdapterModule>& modules);

  /// Worker, one at a time; remembered (or forgotten) for good when it returns. Errors: what the client reads.
  std::optional<ApiError> load(const AdapterModule& module, bool in_place);
  std::optional<ApiError> unload(const std::string& name);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The version of that name, null when there is none. Reads it when it is not in memory. Worker.
  /// Errors: the folder is gone, or what is in it is not what was loaded.
  Result<std::shared_ptr<const Adapter>> acquire(std::string_view name);

  /// In the order of loading.
  std::vector<AdapterModule> list() const;

 private:
  struct Entry {
    AdapterModule module;
    std::mutex reading;                      // one reader at a time; locked before mutex_
    Adapter known;                           // without weights: what `adapter` was, when it is not in memory
    std::shared_ptr<const Adapter> adapter;  // guarded by mutex_
    uint64_t used = 0;                       // guarded by mutex_; order of use
  };

  std::shared_ptr<Entry> find(std::string_view name) const;
  void put(AdapterModule module, std::shared_ptr<const Adapter> adapter);
  void keep(Entry& entry, std::shared_ptr<const Adapter> adapter);

  const Args args_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  uint64_t uses_ = 0;                            // guarded by mutex_
};

}  // namespace seraph
