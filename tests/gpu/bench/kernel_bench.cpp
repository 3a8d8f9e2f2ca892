// Single kernels and the roofs they are held against. Launches are recorded in a graph and replayed, over as many
// copies of their operands as keep the card's L2 cache from helping, so that what is timed is the kernel and its
// memory.
#include <algorithm>
#include <cstdio>
#include <map>

#include "kernels/cuda_access.h"
#include "tests/gpu/bench/bench.h"

namespace seraph::gpu {
namespace {

using cuda::Status;

/// A stream, two events, and the first thing that went wrong.
class Timer {
 public:
  Timer() {
    static_cast<void>(keep(cuda::create_stream(stream_)) && keep(cuda::create_event(begin_)) &&
                      keep(cuda::create_event(end_)));
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    static_cast<void>(cuda::destroy_event(end_).ok());
    static_cast<void>(cuda::destroy_event(begin_).ok());
    static_cast<void>(cuda::destroy_stream(stream_).ok());
  }

  /// Milliseconds of the second of two runs; 0 after a failure.
  template <typename Run>
  double ms_of(const Run& run) {
    float ms = 0.0F;
    const bool good = keep(cuda::synchronize_device()) && keep(run(stream_)) && keep(cuda::record(begin_, stream_)) &&
                      keep(run(stream_)) && keep(cuda::record(end_, stream_)) && keep(cuda::synchronize(end_)) &&
                      keep(cuda::elapsed_ms(begin_, end_, ms));
    return good ? static_cast<double>(ms) : 0.0;
  }

  /// Of one launch of the recorded ones.
  template <typename Record>
  double ms_of_recorded(const Record& record, int64_t count) {
    cuda::Graph graph = {};
    cuda::GraphExec exec = {};
    if (!keep(cuda::begin_capture(stream_))) return 0.0;
    for (int64_t i = 0; i < count; ++i) keep(record(i, stream_));
    if (!keep(cuda::end_capture(stream_, graph)) || !keep(cuda::instantiate(exec, graph))) return 0.0;
    const double ms = ms_of([&](cuda::Stream stream) { return cuda::launch_graph(exec, stream); });
    keep(cuda::destroy_graph_exec(exec));
    keep(cuda::destroy_graph(graph));
    return ms / static_cast<double>(count);
  }

  const std::string& error() const { return error_; }

 private:
  bool keep(const Status& status) {
    if (!status.ok() && error_.empty()) error_ = cuda::describe(status);
    return status.ok() && error_.empty();
  }

  cuda::Stream stream_ = {};
  cuda::Event begin_ = {};
  cuda::Event end_ = {};
  std::string error_;
};

double rate(double amount, double ms, double unit) { return ms > 0.0 ? amount / (ms * 1e-3) / unit : 0.0; }

/// Of every product a server makes, a large square one comes closest to the card's peak.
double product_tflops(const BenchPlan& plan, std::string& error) {
  const std::unique_ptr<Backend> backend = cuda_access()->make_backend({}, error);
  if (backend == nullptr) return 0.0;
  const int64_t rows = plan.product_rows;
  const int64_t width = 2 * rows;
  const auto weight = backend->pack_random(width, width, DType::kBf16, 0.02F, 1);
  const Buffer x = backend->allocate(rows * width * 2);
  const Buffer out = backend->allocate(rows * width * 2);
  if (weight == nullptr || x.data() == nullptr || out.data() == nullptr) {
    error = "no memory for the product that measures the peak";
    return 0.0;
  }
  constexpr int kProducts = 8;
  int64_t device_us = 0;
  for (int round = 0; round < 2; ++round) {
    const int count = round == 0 ? 1 : kProducts;
    for (int i = 0; i < count; ++i) {
      backend->linear({.x = {x.data(), DType::kBf16, rows, width, width},
                       .weight = weight.get(),
                       .out = {out.data(), DType::kBf16, rows, width, width}});
    }
    backend->submit();
    const DeviceStatus status = backend->collect(device_us);
    if (!status.ok) error = status.message;
  }
  const double flops = 2.0 * static_cast<double>(rows) * static_cast<double>(width * width) * kProducts;
  return rate(flops, static_cast<double>(device_us) * 1e-3, 1e12);
}

/// The same launch on operands of its own, often enough.
struct TimedCase {
  std::vector<std::unique_ptr<cost::CostMemory>> memory;
  std::vector<std::vector<cost::CostCase>> copies;  // of all kernels of a layer
};

TimedCase make_copies(const cost::LayerShape& model, int32_t batch, const BenchPlan& plan, const Card& card) {
  TimedCase timed;
  const int64_t wanted_bytes = 4 * card.properties.l2_bytes;
  int64_t bytes = 0;
  do {
    timed.memory.push_back(std::make_unique<cost::CostMemory>());
    timed.copies.push_back(cost::layer_cases(*timed.memory.back(), model, batch, plan.context_tokens, DType::kBf16,
                                             2 * card.properties.num_sms));
    // The smallest product must not stay in the cache, the norms and rotations always do.
    int64_t smallest = INT64_MAX;
    for (const cost::CostCase& each : timed.copies.back()) {
      if (each.multiply_adds_min > 0) smallest = std::min(smallest, each.bytes_min());
    }
    bytes += smallest;
  } while (bytes < wanted_bytes && plan.kernel_ms > 0 && timed.copies.size() < 64);
  return timed;
}

std::string print_kernels(const cost::LayerShape& model, int32_t batch, const BenchPlan& plan, const Card& card,
                          const Roofs& roofs) {
  const TimedCase timed = make_copies(model, batch, plan, card);
  const auto num_copies = static_cast<int64_t>(timed.copies.size());
  for (size_t kernel = 0; kernel < timed.copies[0].size(); ++kernel) {
    Timer timer;
    const cost::CostCase& first = timed.copies[0][kernel];
    const double bytes = static_cast<double>(first.bytes_min());
    const double least_ms = roofs.copy_gbs > 0 ? bytes / (roofs.copy_gbs * 1e6) + 0.002 : plan.kernel_ms;
    const auto wanted = static_cast<int64_t>(plan.kernel_ms / std::max(least_ms, 1e-6));
    const int64_t count = std::clamp<int64_t>(wanted, num_copies, 2000);
    const double ms = timer.ms_of_recorded(
        [&](int64_t i, cuda::Stream stream) {
          return timed.copies[static_cast<size_t>(i % num_copies)][kernel].launch(stream);
        },
        count);
    if (!timer.error().empty()) return first.name + ": " + timer.error();
    const double gbs = rate(bytes, ms, 1e9);
    std::printf("| %s | %d | %s | %.2f | %.0f | %.1f %% |\n", model.name, batch, first.name.c_str(), ms * 1e3, gbs,
                roofs.copy_gbs > 0 ? 100.0 * gbs / roofs.copy_gbs : 0.0);
    std::fflush(stdout);
  }
  return "";
}

}  // namespace

std::string measure_roofs(const BenchPlan& plan, Roofs& roofs) {
  std::string error;
  {
    cost::CostMemory memory;
    void* from = memory.zeros(plan.copy_bytes);
    void* to = memory.zeros(plan.copy_bytes);
    Timer timer;
    const double ms = timer.ms_of([&](cuda::Stream stream) {
      return cuda::copy_async(to, from, plan.copy_bytes, cuda::CopyKind::kDeviceToDevice, stream);
    });
    if (!timer.error().empty()) return timer.error();
    roofs.copy_gbs = rate(2.0 * static_cast<double>(plan.copy_bytes), ms, 1e9);
  }
  roofs.product_tflops = product_tflops(plan, error);
  std::printf("| roof, measured | |\n| --- | --- |\n| copy within the card | %.0f GB/s |\n", roofs.copy_gbs);
  std::printf("| product of %lld x %lld x %lld in bfloat16 | %.1f TFLOP/s |\n\n",
              static_cast<long long>(plan.product_rows), static_cast<long long>(2 * plan.product_rows),
              static_cast<long long>(2 * plan.product_rows), roofs.product_tflops);
  return error;
}

std::string bench_kernels(const BenchPlan& plan, const Card& card, const Roofs& roofs) {
  constexpr int32_t kSkinnyBatchMax = 64;
  std::printf("| model | batch | kernel | us | GB/s | of copy |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const cost::LayerShape& model : plan.models) {
    for (const int32_t batch : plan.batches) {
      if (batch > kSkinnyBatchMax) continue;
      const std::string error = print_kernels(model, batch, plan, card, roofs);
      if (!error.empty()) return error;
    }
  }
  std::printf("\n");
  return "";
}

}  // namespace seraph::gpu
