// What the CUDA kernels cost, counted exactly on the simulated device: bytes read and written over the fewest that the
// operation needs, sectors over the fewest, bank conflicts, mma instructions over the fewest; of single kernels at the
// shapes of Qwen2-7B, and of a whole layer of a decode step at those of Qwen2.5-0.5B. Prints a table; exit status 1
// when a row moves more bytes than its limit or meets a bank conflict. Registers and spills: registers.py.
#include <cstdio>

#include "kernels/sim/device.h"
#include "tests/bench/cuda_cost/cost_cases.h"

namespace seraph {
namespace {

using cost::CostCase;
using cost::CostMemory;
using cuda::Status;

double ratio(int64_t counted, int64_t fewest) {
  return fewest == 0 ? 1.0 : static_cast<double>(counted) / static_cast<double>(fewest);
}

/// Bytes of several kernels, and of the fewest.
struct Total {
  int64_t bytes = 0;
  int64_t bytes_min = 0;
};

/// False when the case moves too many bytes, meets bank conflicts or fails.
bool print_row(sim::Device& device, const CostCase& row, Total* total = nullptr) {
  const Status launched = row.launch(nullptr);
  const Status done = cuda::synchronize_device();
  if (!launched.ok() || !done.ok()) {
    std::printf("%-36s %s\n", row.name.c_str(), cuda::describe(launched.ok() ? done : launched).c_str());
    return false;
  }
  const sim::LaunchStats& stats = device.last_launch();
  const double read = ratio(stats.global_bytes_read, row.read_min_bytes);
  const double written = ratio(stats.global_bytes_written, row.written_min_bytes);
  const int64_t bytes = stats.global_bytes_read + stats.global_bytes_written;
  const int64_t bytes_min = row.read_min_bytes + row.written_min_bytes;
  if (total != nullptr) *total = {total->bytes + bytes, total->bytes_min + bytes_min};
  const double multiply_adds = ratio(stats.mma_multiply_adds, row.multiply_adds_min);
  std::printf("%-36s %10lld %6.3f %10lld %6.3f %8.3f %9lld %8lld %6.3f %8lld %8lld\n", row.name.c_str(),
              static_cast<long long>(stats.global_bytes_read), read, static_cast<long long>(stats.global_bytes_written),
              written, stats.sectors_ratio(), static_cast<long long>(stats.bank_conflicts),
              static_cast<long long>(stats.mma_instructions), multiply_adds,
              static_cast<long long>(stats.block_barriers), static_cast<long long>(stats.shared_bytes));
  return ratio(bytes, bytes_min) <= row.bytes_ratio_max && stats.bank_conflicts == 0;
}

void print_heads() {
  std::printf("%-36s %10s %6s %10s %6s %8s %9s %8s %6s %8s %8s\n", "kernel", "read B", "/min", "written B", "/min",
              "sectors", "conflicts", "mma", "/min", "barriers", "shared B");
}

bool print_single_kernels(sim::Device& device) {
  bool good = true;
  CostMemory memory;
  const auto print = [&](const CostCase& row) { good = print_row(device, row) && good; };
  for (const int64_t count : {1, 16}) {
    print(cost::rms_norm_case(memory, count, cost::kQwen7B.hidden, false));
    print(cost::rms_norm_case(memory, count, cost::kQwen7B.hidden, true));
    print(cost::gather_case(memory, count, cost::kQwen7B.hidden));
    print(cost::silu_mul_case(memory, count, cost::kQwen7B.intermediate));
  }
  print(cost::copy_case(memory));
  for (const DType kv : {DType::kBf16, DType::kF8E4m3}) print(cost::prefill_case(memory, cost::kQwen05B, 256, kv, 16));
  // The head of a vocabulary of 16384, and draws from it: what they cost grows with the vocabulary alone.
  for (const int32_t count : {1, 10}) {
    print(cost::linear_case(memory, "lm head", count, cost::kQwen05B.hidden, 16384, LinearArgs::Epilogue::kStore,
                            DType::kF32));
    print(cost::sample_case(memory, count, 16384));
  }
  return good;
}

bool print_layer(sim::Device& device, DType kv, int32_t count) {
  std::printf("\na layer of a decode step of %s%s, %d sequences of 1024 tokens:\n", cost::kQwen05B.name,
              kv == DType::kF8E4m3 ? ", keys and values in e4m3" : "", count);
  bool good = true;
  Total total;
  CostMemory memory;
  const std::vector<CostCase> cases = cost::layer_cases(memory, cost::kQwen05B, count, 1024, kv, 32);
  for (const CostCase& row : cases) good = print_row(device, row, &total) && good;
  const double step = ratio(total.bytes, total.bytes_min);
  std::printf("%zu kernels, %lld bytes, %.3f of the fewest\n", cases.size(), static_cast<long long>(total.bytes), step);
  return good && step <= cost::kBytesRatioMax;
}

int run() {
  sim::Device device;
  print_heads();
  bool good = print_single_kernels(device);
  for (const DType kv : {DType::kBf16, DType::kF8E4m3}) {
    for (const int32_t count : {1, 10}) good = print_layer(device, kv, count) && good;
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace seraph

int main() { return seraph::run(); }
