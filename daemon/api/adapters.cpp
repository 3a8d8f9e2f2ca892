#include "daemon/api/adapters.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "engine/base/clock.h"

namespace seraph {
namespace {

constexpr size_t kNameBytesMax = 256;

ApiError invalid_input(std::string message) {
  return ApiError{.type = "InvalidUserInput", .message = std::move(message)};
}

/// The server's own folder changes; what is remembered must mean the same after a restart.
std::string absolute_path(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

std::optional<ApiError> check_name(const std::string& name) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.size() <= kNameBytesMax && printable) return std::nullopt;
  return invalid_input("A lora_name has at most " + std::to_string(kNameBytesMax) +
                       " bytes and no control characters.");
}

/// In the words of vLLM where it has them.
ApiError refusal(const AdapterModule& module, const Error& error) {
  if (error.code == ErrorCode::kNotFound) {
    return ApiError{.status = 404,
                    .type = "NotFoundError",
                    .message = "Loading lora " + module.name + " failed: No adapter found for " + module.path};
  }
  ApiError out = from_error(error);
  out.message = "Loading lora " + module.name + " failed: " + out.message;
  out.param.reset();
  return out;
}

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void log_loaded(const AdapterModule& module, const Adapter& adapter) {
  spdlog::info("adapter {} is loaded: rank {}, {:.1f} MiB, {}", module.name, adapter.rank, mib(adapter.bytes),
               module.path);
}

}  // namespace

std::shared_ptr<AdapterRegistry::Entry> AdapterRegistry::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry->module.name == name) return entry;
  }
  return nullptr;
}

/// Names a version as the latest used, and lets go of the least recently used beyond the limit. REQUIRES: mutex_.
void AdapterRegistry::keep(Entry& entry, std::shared_ptr<const Adapter> adapter) {
  entry.adapter = std::move(adapter);
  entry.used = ++uses_;
  int32_t resident = 0;
  Entry* oldest = nullptr;
  for (const auto& each : entries_) {
    if (each->adapter == nullptr) continue;
    ++resident;
    if (oldest == nullptr || each->used < oldest->used) oldest = each.get();
  }
  if (resident > args_.resident_max && oldest != &entry) oldest->adapter.reset();
}

void AdapterRegistry::put(AdapterModule module, std::shared_ptr<const Adapter> adapter) {
  auto entry = std::make_shared<Entry>();
  entry->module = std::move(module);
  entry->known = Adapter{.id = adapter->id, .version = adapter->version};
  const std::lock_guard lock(mutex_);
  const auto same = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const auto& each) { return each->module.name == entry->module.name; });
  if (same != entries_.end()) {
    *same = entry;
  } else {
    entries_.push_back(entry);
  }
  keep(*entry, std::move(adapter));
}

Status AdapterRegistry::load_initial(const std::vector<AdapterModule>& modules) {
  for (const AdapterModule& module : modules) {
    if (std::count(args_.base_names.begin(), args_.base_names.end(), module.name) > 0) {
      return Error{ErrorCode::kInvalidArgument, "the adapter " + module.name + " has the name of the base model",
                   "give it another name", "--lora-modules"};
    }
    auto adapter = args_.read(module.path, nullptr);
    if (!adapter.ok()) {
      adapter.error().message = "the adapter " + module.name + " cannot be loaded: " + adapter.error().message;
      return adapter.error();
    }
    log_loaded(module, **adapter);
    put(module, std::move(*adapter));
  }
  if (args_.store == nullptr) return {};
  for (const AdapterRow& row : args_.store->take_adapters()) {
    const AdapterModule module{.name = row.name, .path = row.path, .base_model_name = row.base_model_name};
    const bool taken =
        has(module.name) || std::count(args_.base_names.begin(), args_.base_names.end(), module.name) > 0;
    if (taken) {
      spdlog::warn("the remembered adapter {} ({}) is not served: its name is taken", module.name, module.path);
      continue;
    }
    auto adapter = args_.read(module.path, nullptr);
    if (!adapter.ok()) {
      spdlog::warn("the remembered adapter {} is not served: {}", module.name, adapter.error().text());
      continue;
    }
    log_loaded(module, **adapter);
    put(module, std::move(*adapter));
  }
  return {};
}

std::optional<ApiError> AdapterRegistry::load(const AdapterModule& module, bool in_place) {
  if (module.name.empty() || module.path.empty()) {
    return invalid_input("Both 'lora_name' and 'lora_path' must be provided.");
  }
  if (auto error = check_name(module.name)) return error;
  if (std::count(args_.base_names.begin(), args_.base_names.end(), module.name) > 0) {
    return invalid_input("The lora adapter '" + module.name + "' conflicts with a served base model.");
  }
  const std::shared_ptr<Entry> loaded = find(module.name);
  if (loaded != nullptr && !in_place) {
    return invalid_input("The lora adapter '" + module.name +
                         "' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to "
                         "True.");
  }
  auto adapter = args_.read(module.path, loaded != nullptr ? &loaded->known : nullptr);
  if (!adapter.ok()) return refusal(module, adapter.error());
  if (args_.store != nullptr) {
    const Status kept = args_.store->commit(AdapterRow{.time_us = unix_time_us(),
                                                       .name = module.name,
                                                       .path = absolute_path(module.path),
                                                       .base_model_name = module.base_model_name});
    if (!kept.ok()) return from_error(kept.error());
  }
  log_loaded(module, **adapter);
  put(module, std::move(*adapter));
  return std::nullopt;
}

std::optional<ApiError> AdapterRegistry::unload(const std::string& name) {
  if (name.empty()) return invalid_input("'lora_name' needs to be provided to unload a LoRA adapter.");
  if (!has(name)) {
    return ApiError{
        .status = 404, .type = "NotFoundError", .message = "The lora adapter '" + name + "' cannot be found."};
  }
  if (args_.store != nullptr) {
    const Status forgotten = args_.store->commit(AdapterKey{name});
    if (!forgotten.ok()) return from_error(forgotten.error());
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return entry->module.name == name; });
  spdlog::info("adapter {} is unloaded; requests that run keep it to their end", name);
  return std::nullopt;
}

Result<std::shared_ptr<const Adapter>> AdapterRegistry::acquire(std::string_view name) {
  const std::shared_ptr<Entry> entry = find(name);
  if (entry == nullptr) return std::shared_ptr<const Adapter>();
  const std::lock_guard reading(entry->reading);
  {
    const std::lock_guard lock(mutex_);
    if (entry->adapter != nullptr) {
      entry->used = ++uses_;
      return entry->adapter;
    }
  }
  SERAPH_ASSIGN_OR_RETURN(auto adapter, args_.read(entry->module.path, &entry->known));
  if (adapter->version != entry->known.version) {
    return Error{
        ErrorCode::kCorrupt,
        "the files of the adapter " + entry->module.name + " changed after it was loaded from " + entry->module.path,
        "load it again, with load_inplace"};
  }
  spdlog::info("adapter {} is read again from {}", entry->module.name, entry->module.path);
  const std::lock_guard lock(mutex_);
  keep(*entry, adapter);
  return adapter;
}

std::vector<AdapterModule> AdapterRegistry::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<AdapterModule> out;
  for (const auto& entry : entries_) out.push_back(entry->module);
  return out;
}

}  // namespace seraph
