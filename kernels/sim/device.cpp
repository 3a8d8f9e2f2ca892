#include "kernels/sim/device.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/sim/signal_report.h"

namespace seraph::sim {
namespace {

// CUDA has a current device per process, and kernels/cuda is written against that; so there is one here.
Device* current_device = nullptr;

}  // namespace

Device::Device(const DeviceOptions& options)
    : options_(options),
      previous_(current_device),
      heap_(options.memory_bytes),
      block_(heap_, options.count_accesses),
      random_state_(options.seed) {
  current_device = this;
}

Device::~Device() { current_device = previous_; }

Device& Device::current() {
  if (current_device == nullptr) {
    static Device default_device;
    current_device = &default_device;
  }
  return *current_device;
}

int64_t Device::num_living() const {
  return heap_.num_living() + static_cast<int64_t>(streams_.size() + events_.size() + graphs_.size() +
                                                   graph_execs_.size() + library_handles_.size());
}

int32_t Device::shared_bytes_per_block_max() const {
  constexpr int32_t kKib = 1024;
  if (options_.sm_version >= 90) return 227 * kKib;
  if (options_.sm_version >= 86) return 99 * kKib;
  return (options_.sm_version >= 80 ? 163 : 64) * kKib;
}

void Device::fail_at_call(int64_t n, int32_t code) {
  options_.fail_at_call = n > 0 ? num_calls_ + n : 0;
  options_.fail_code = code;
}

// SplitMix64: Steele, Lea, Flood 2014.
uint64_t Device::random() {
  uint64_t x = random_state_ += 0x9E3779B97F4A7C15U;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9U;
  x = (x ^ x >> 27) * 0x94D049BB133111EBU;
  return x ^ x >> 31;
}

cuda::Status Device::begin_call(const char* call) {
  ++num_calls_;
  if (sticky_code_ != 0) return {sticky_code_, call};
  if (options_.fail_at_call == 0 || num_calls_ != options_.fail_at_call) return {0, call};
  if (cuda::is_sticky(options_.fail_code)) set_fault(options_.fail_code, "an injected error");
  return {options_.fail_code, call};
}

void Device::set_fault(int32_t code, const std::string& fault) {
  if (sticky_code_ != 0) return;
  sticky_code_ = code;
  fault_ = fault;
}

cuda::Status Device::enqueue(StreamState* stream, std::function<void()> work, const char* call) {
  StreamState* target = stream_or_default(stream);
  if (target->capture != nullptr) {
    target->capture->nodes.push_back(std::move(work));
  } else {
    target->queue.push_back({.kind = Operation::Kind::kWork, .work = std::move(work)});
  }
  return {0, call};
}

/// A stream whose next operation may run now; null when there is none.
StreamState* Device::pick_stream() {
  std::vector<StreamState*> able;
  const auto consider = [&](StreamState& stream) {
    if (stream.queue.empty()) return;
    const Operation& next = stream.queue.front();
    if (next.kind == Operation::Kind::kWait && next.event->completed < next.ticket) return;
    able.push_back(&stream);
  };
  consider(default_stream_);
  for (const auto& stream : streams_) consider(*stream);
  return able.empty() ? nullptr : able[random() % able.size()];
}

bool Device::run_one() {
  StreamState* stream = pick_stream();
  if (stream == nullptr) return false;
  const Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  if (operation.kind == Operation::Kind::kRecord) {
    operation.event->completed = std::max(operation.event->completed, operation.ticket);
  } else if (operation.kind == Operation::Kind::kWork && sticky_code_ == 0) {
    operation.work();
  }
  return true;
}

void Device::run_until_empty(const StreamState* stream) {
  while (!stream->queue.empty() && run_one()) continue;
}

void Device::run_until_complete(const EventState* event, uint64_t ticket) {
  while (event->completed < ticket && run_one()) continue;
}

void Device::run_everything() {
  while (run_one()) continue;
}

void Device::run_launch(const cuda::LaunchConfig& config, const std::function<void()>& body) {
  LaunchRun launch;
  launch.name = config.name;
  launch.body = body;
  launch.grid = {config.grid.x, config.grid.y, config.grid.z};
  launch.block = {config.block.x, config.block.y, config.block.z};
  launch.shared_bytes = static_cast<uint32_t>(config.shared_bytes);
  launch.shared_bytes_max = static_cast<uint32_t>(shared_bytes_per_block_max());
  launch.first_serial = next_serial_;
  launch.stats.kernel = config.name;
  launch.stats.grid = launch.grid;
  launch.stats.block = launch.block;
  const uint32_t num_blocks = launch.grid.x * launch.grid.y * launch.grid.z;
  launch.releases.resize(num_blocks);
  std::vector<uint32_t> order(num_blocks);
  std::iota(order.begin(), order.end(), 0U);
  for (uint32_t i = num_blocks; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  const SignalReport signals(config.name);
  for (const uint32_t number : order) {
    const Index3 index = {number % launch.grid.x, number / launch.grid.x % launch.grid.y,
                          number / launch.grid.x / launch.grid.y};
    if (!block_.run(launch, index, launch.first_serial + number, random())) {
      set_fault(cuda::kErrorLaunchFailure, block_.fault());
      break;
    }
  }
  next_serial_ += num_blocks;
  ++num_launches_;
  last_launch_ = launch.stats;
  LaunchStats& total = totals_[launch.name];
  total.kernel = launch.name;
  total.grid = launch.grid;
  total.block = launch.block;
  total.add(launch.stats);
  if (options_.enforce_budgets && options_.count_accesses && fault_.empty()) check_budget(launch, config.budget);
}

void Device::check_budget(const LaunchRun& launch, const cuda::KernelBudget& budget) {
  const LaunchStats& stats = launch.stats;
  const bool conflicts = stats.bank_conflicts > budget.bank_conflicts_max;
  // The slack of one sector per instruction kind keeps tiny launches from failing on one ragged row.
  const double sectors = static_cast<double>(stats.sectors_read + stats.sectors_written);
  const bool uncoalesced = sectors > static_cast<double>(stats.sectors_min) * budget.sectors_ratio_max;
  if (!conflicts && !uncoalesced) return;
  const auto worst =
      std::max_element(launch.costs.begin(), launch.costs.end(), [&](const SiteCost& a, const SiteCost& b) {
        return conflicts ? a.bank_conflicts < b.bank_conflicts : a.excess_sectors < b.excess_sectors;
      });
  const std::string place = worst == launch.costs.end() ? "" : ", most at " + to_string(worst->site);
  std::string what = "kernel " + launch.name + ", all blocks: over budget: ";
  if (conflicts) {
    what +=
        std::to_string(stats.bank_conflicts) + " bank conflicts, at most " + std::to_string(budget.bank_conflicts_max);
  } else {
    what += "uncoalesced: " + std::to_string(stats.sectors_read + stats.sectors_written) + " sectors for " +
            std::to_string(stats.sectors_min) + " needed, at most " + std::to_string(budget.sectors_ratio_max) +
            " times that";
  }
  set_fault(cuda::kErrorLaunchFailure, what + place);
}

void Device::run_copy(void* to, const void* from, int64_t bytes, cuda::CopyKind kind) {
  const auto target = reinterpret_cast<uintptr_t>(to);
  const auto source = reinterpret_cast<uintptr_t>(from);
  const bool to_device = kind != cuda::CopyKind::kDeviceToHost;
  const bool from_device = kind != cuda::CopyKind::kHostToDevice;
  for (const auto& [device_side, address] : {std::pair{to_device, target}, std::pair{from_device, source}}) {
    // Pinned memory is checked as host memory too: it has the same neighbours.
    if (!device_side && !heap_.contains(address)) continue;
    const std::string breach = heap_.describe_breach(address, bytes);
    if (!breach.empty()) {
      set_fault(cuda::kErrorIllegalAddress, "a copy of " + std::to_string(bytes) + " bytes touches memory " + breach);
      return;
    }
  }
  std::memcpy(to, from, static_cast<size_t>(bytes));
  if (!heap_.contains(target)) return;
  const Allocation* origin = heap_.find(source);
  if (origin != nullptr && !origin->pinned) {
    heap_.shadow().copy_written(target, source, static_cast<size_t>(bytes));
  } else {
    heap_.shadow().set_written(target, static_cast<size_t>(bytes), true);
  }
}

void Device::run_fill(void* data, uint8_t byte, int64_t bytes) {
  const auto target = reinterpret_cast<uintptr_t>(data);
  const std::string breach = heap_.describe_breach(target, bytes);
  if (!breach.empty()) {
    set_fault(cuda::kErrorIllegalAddress, "a fill of " + std::to_string(bytes) + " bytes touches memory " + breach);
    return;
  }
  std::memset(data, byte, static_cast<size_t>(bytes));
  heap_.shadow().set_written(target, static_cast<size_t>(bytes), true);
}

}  // namespace seraph::sim
