// What the CUDA kernels cost at the shapes of Qwen2-7B, counted exactly on the simulated device: bytes read and written
// over the fewest that the operation needs, sectors over the fewest, bank conflicts, instructions. Prints a table;
// exit status 1 when a row moves more bytes than kBytesRatioMax allows. Registers and spills: registers.py.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/copy_kv_blocks.h"
#include "kernels/cuda/gather_rows.h"
#include "kernels/cuda/rms_norm.h"
#include "kernels/cuda/silu_mul.h"
#include "kernels/sim/device.h"

namespace seraph {
namespace {

using cuda::Status;

constexpr double kBytesRatioMax = 1.05;
constexpr int64_t kHidden = 3584;
constexpr int64_t kIntermediate = 18944;

struct CostCase {
  std::string name;
  int64_t read_min_bytes;
  int64_t written_min_bytes;
  std::function<Status()> launch;
};

/// Device memory of zeros for as long as the device lives; the program ends with it.
void* zeros(int64_t bytes) {
  void* data = nullptr;
  if (!cuda::allocate(&data, bytes).ok() || !cuda::fill_async(data, 0, bytes, nullptr).ok()) std::abort();
  return data;
}

Tensor matrix(int64_t rows, int64_t cols) { return Tensor{zeros(rows * cols * 2), DType::kBf16, rows, cols, cols}; }

CostCase rms_norm_case(int64_t rows, bool adds) {
  cuda::RmsNormLaunch args;
  args.x = matrix(rows, kHidden);
  if (adds) args.addend = matrix(rows, kHidden);
  args.weight = static_cast<const float*>(zeros(kHidden * 4));
  args.group = kHidden;
  args.out = matrix(rows, kHidden);
  const int64_t row_bytes = rows * kHidden * 2;
  return {std::string(adds ? "add + " : "") + "rms_norm, rows " + std::to_string(rows),
          row_bytes * (adds ? 2 : 1) + kHidden * 4, row_bytes * (adds ? 2 : 1),
          [args] { return cuda::rms_norm(args, nullptr); }};
}

CostCase gather_case(int64_t rows) {
  const auto* ids = static_cast<const int32_t*>(zeros(rows * 4));
  const cuda::GatherRowsLaunch args = {matrix(8, kHidden), ids, matrix(rows, kHidden)};
  return {"gather_rows of one row, rows " + std::to_string(rows), kHidden * 2 + rows * 4, rows * kHidden * 2,
          [args] { return cuda::gather_rows(args, nullptr); }};
}

CostCase silu_mul_case(int64_t rows) {
  const cuda::SiluMulLaunch args = {matrix(rows, kIntermediate), matrix(rows, kIntermediate),
                                    matrix(rows, kIntermediate)};
  const int64_t bytes = rows * kIntermediate * 2;
  return {"silu_mul, rows " + std::to_string(rows), 2 * bytes, bytes, [args] { return cuda::silu_mul(args, nullptr); }};
}

CostCase copy_case() {
  constexpr int64_t kBlockBytes = int64_t{57344} * 16 / 28;  // one layer's share of 16 tokens
  const int32_t to_host = 1;
  cuda::CopyKvBlocksLaunch args;
  args.storage = zeros(2 * kBlockBytes);
  args.block_bytes = kBlockBytes;
  args.num_blocks = 2;
  args.from = static_cast<const int32_t*>(zeros(4));
  void* to = zeros(4);
  if (!cuda::copy_async(to, &to_host, 4, cuda::CopyKind::kHostToDevice, nullptr).ok()) std::abort();
  if (!cuda::synchronize_device().ok()) std::abort();
  args.to = static_cast<const int32_t*>(to);
  args.num_copies = 1;
  return {"copy_kv_blocks, one of 32 KiB", kBlockBytes + 8, kBlockBytes,
          [args] { return cuda::copy_kv_blocks(args, nullptr); }};
}

double ratio(int64_t counted, int64_t fewest) {
  return fewest == 0 ? 1.0 : static_cast<double>(counted) / static_cast<double>(fewest);
}

/// False when the case moves too many bytes or fails.
bool print_row(sim::Device& device, const CostCase& row) {
  const Status launched = row.launch();
  const Status done = cuda::synchronize_device();
  if (!launched.ok() || !done.ok()) {
    std::printf("%-36s %s\n", row.name.c_str(), cuda::describe(launched.ok() ? done : launched).c_str());
    return false;
  }
  const sim::LaunchStats& stats = device.last_launch();
  const double read = ratio(stats.global_bytes_read, row.read_min_bytes);
  const double written = ratio(stats.global_bytes_written, row.written_min_bytes);
  std::printf("%-36s %10lld %6.3f %10lld %6.3f %8.3f %9lld %6lld %8lld %8lld\n", row.name.c_str(),
              static_cast<long long>(stats.global_bytes_read), read, static_cast<long long>(stats.global_bytes_written),
              written, stats.sectors_ratio(), static_cast<long long>(stats.bank_conflicts),
              static_cast<long long>(stats.mma_instructions), static_cast<long long>(stats.block_barriers),
              static_cast<long long>(stats.shared_bytes));
  return read <= kBytesRatioMax && written <= kBytesRatioMax;
}

int run() {
  sim::Device device;
  std::vector<CostCase> rows;
  for (const int64_t count : {1, 16}) {
    rows.push_back(rms_norm_case(count, false));
    rows.push_back(rms_norm_case(count, true));
    rows.push_back(gather_case(count));
    rows.push_back(silu_mul_case(count));
  }
  rows.push_back(copy_case());
  std::printf("%-36s %10s %6s %10s %6s %8s %9s %6s %8s %8s\n", "kernel", "read B", "/min", "written B", "/min",
              "sectors", "conflicts", "mma", "barriers", "shared B");
  bool good = true;
  for (const CostCase& row : rows) good = print_row(device, row) && good;
  return good ? 0 : 1;
}

}  // namespace
}  // namespace seraph

int main() { return seraph::run(); }
