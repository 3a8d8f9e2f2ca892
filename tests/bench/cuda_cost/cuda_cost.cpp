// What the CUDA kernels cost, counted exactly on the simulated device: bytes read and written over the fewest that the
// operation needs, sectors over the fewest, bank conflicts, mma instructions over the fewest; of single kernels at the
// shapes of Qwen2-7B, and of a whole layer of a decode step at those of Qwen2.5-0.5B. Prints a table; exit status 1
// when a row moves more bytes than its limit or meets a bank conflict. Registers and spills: registers.py.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/copy_kv_blocks.h"
#include "kernels/cuda/gather_rows.h"
#include "kernels/cuda/linear_skinny.h"
#include "kernels/cuda/rms_norm.h"
#include "kernels/cuda/rope_cache.h"
#include "kernels/cuda/silu_mul.h"
#include "kernels/sim/device.h"

namespace seraph {
namespace {

using cuda::Status;

constexpr double kBytesRatioMax = 1.05;
constexpr double kPrefillBytesRatioMax = 1.10;
constexpr int64_t kHidden = 3584;
constexpr int64_t kIntermediate = 18944;

struct CostCase {
  std::string name;
  int64_t read_min_bytes;
  int64_t written_min_bytes;
  std::function<Status()> launch;
  double bytes_ratio_max = kBytesRatioMax;
  int64_t multiply_adds_min = 0;  // that the operation needs, of mma
};

/// Device memory of zeros for as long as the device lives; the program ends with it.
void* zeros(int64_t bytes) {
  void* data = nullptr;
  bytes = std::max<int64_t>(bytes, 16);  // there is no empty allocation
  if (!cuda::allocate(&data, bytes).ok() || !cuda::fill_async(data, 0, bytes, nullptr).ok()) std::abort();
  return data;
}

Tensor matrix(int64_t rows, int64_t cols) { return Tensor{zeros(rows * cols * 2), DType::kBf16, rows, cols, cols}; }

CostCase rms_norm_case(int64_t rows, int64_t hidden, bool adds) {
  cuda::RmsNormLaunch args;
  args.x = matrix(rows, hidden);
  if (adds) args.addend = matrix(rows, hidden);
  args.weight = static_cast<const float*>(zeros(hidden * 4));
  args.group = hidden;
  args.out = matrix(rows, hidden);
  const int64_t row_bytes = rows * hidden * 2;
  return {std::string(adds ? "add + " : "") + "rms_norm, rows " + std::to_string(rows),
          row_bytes * (adds ? 2 : 1) + hidden * 4, row_bytes * (adds ? 2 : 1),
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

template <typename T>
const T* list(const std::vector<T>& values) {
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
  void* data = zeros(bytes);
  if (!cuda::copy_async(data, values.data(), bytes, cuda::CopyKind::kHostToDevice, nullptr).ok()) std::abort();
  if (!cuda::synchronize_device().ok()) std::abort();
  return static_cast<const T*>(data);
}

CostCase linear_case(const std::string& name, int64_t rows, int64_t k, int64_t n, LinearArgs::Epilogue epilogue) {
  cuda::LinearSkinnyLaunch args;
  args.x = matrix(rows, k);
  args.weight = cuda::plan_linear_weight(n, k, DType::kBf16);
  args.weight.data = zeros(cuda::linear_weight_bytes(args.weight));
  args.num_outputs = n;
  args.epilogue = epilogue;
  const int64_t out_cols = epilogue == LinearArgs::Epilogue::kSiluMul ? n / 2 : n;
  args.out = matrix(rows, out_cols);
  args.workspace_bytes = cuda::linear_skinny_workspace(args.weight).bytes;
  args.workspace = zeros(args.workspace_bytes);
  const int64_t out_bytes = rows * out_cols * 2;
  const bool reads_out = epilogue == LinearArgs::Epilogue::kAccumulate;
  return {.name = name + ", rows " + std::to_string(rows),
          .read_min_bytes = n * k * 2 + rows * k * 2 + (reads_out ? out_bytes : 0),
          .written_min_bytes = out_bytes,
          .launch = [args] { return cuda::linear_skinny(args, nullptr); },
          .multiply_adds_min = (rows + 7) / 8 * 8 * n * k};
}

/// The shape of one layer.
struct LayerShape {
  int32_t hidden = 896;
  int32_t heads = 14;
  int32_t kv_heads = 2;
  int32_t head_dim = 64;
  int32_t intermediate = 4864;
  int32_t block_tokens = 16;
};

/// A cache of one layer, and tables of `sequences` sequences of `context` tokens in it.
struct CostCache {
  CostCache(const LayerShape& layer, DType dtype, int32_t sequences, int32_t context_tokens) : context(context_tokens) {
    shape = {1, layer.kv_heads, layer.head_dim, layer.block_tokens, dtype};
    stride = (context + layer.block_tokens - 1) / layer.block_tokens;
    num_blocks = stride * sequences;
    storage = zeros(kv_layer_bytes(shape) * num_blocks);
    std::vector<int32_t> blocks;
    for (int32_t i = 0; i < num_blocks; ++i) blocks.push_back(i);
    tables = list(blocks);
  }
  KvShape shape;
  int32_t context;
  int32_t stride = 0;
  int32_t num_blocks = 0;
  void* storage = nullptr;
  const int32_t* tables = nullptr;
};

CostCase rope_case(const LayerShape& layer, int64_t rows, DType dtype) {
  const CostCache cache(layer, dtype, static_cast<int32_t>(rows), layer.block_tokens);
  cuda::RopeCacheLaunch args;
  const int64_t cols = int64_t{layer.heads + 2 * layer.kv_heads} * layer.head_dim;
  args.qkv = matrix(rows, cols);
  args.cos_sin = static_cast<const float*>(zeros(rows * layer.head_dim * 4));
  args.rotary_dim = layer.head_dim;
  args.num_heads = layer.heads;
  std::vector<int32_t> slots;
  for (int32_t i = 0; i < rows; ++i) slots.push_back(i * layer.block_tokens);
  args.slots = list(slots);
  args.shape = cache.shape;
  args.cache = cache.storage;
  args.num_blocks = cache.num_blocks;
  const int64_t kv_bytes = kv_layer_bytes(cache.shape) / layer.block_tokens;
  return {"rope_cache, rows " + std::to_string(rows), rows * (cols * 2 + layer.head_dim * 4 + 4),
          rows * (int64_t{layer.heads} * layer.head_dim * 2 + kv_bytes),
          [args] { return cuda::rope_cache(args, nullptr); }};
}

CostCase decode_case(const LayerShape& layer, int32_t sequences, int32_t context, DType dtype) {
  const CostCache cache(layer, dtype, sequences, context);
  cuda::AttentionDecodeLaunch args;
  args.q = matrix(sequences, int64_t{layer.heads} * layer.head_dim);
  args.out = matrix(sequences, args.q.cols);
  args.cache = cache.storage;
  args.shape = cache.shape;
  args.num_blocks = cache.num_blocks;
  args.num_heads = layer.heads;
  std::vector<int32_t> row_begin;
  for (int32_t i = 0; i <= sequences; ++i) row_begin.push_back(i);
  args.row_begin = list(row_begin);
  args.context_tokens = list(std::vector<int32_t>(static_cast<size_t>(sequences), context));
  args.block_tables = cache.tables;
  args.blocks_stride = cache.stride;
  args.num_sequences = sequences;
  args.num_blocks_grid = 32;
  args.workspace_bytes = cuda::attention_decode_workspace(cache.shape, layer.heads, sequences, 1, context).bytes;
  args.workspace = zeros(args.workspace_bytes);
  const int64_t kv_bytes = int64_t{sequences} * context * kv_layer_bytes(cache.shape) / layer.block_tokens;
  const int64_t row_bytes = int64_t{sequences} * args.q.cols * 2;
  const bool fp8 = dtype == DType::kF8E4m3;
  return {.name = std::string("attention_decode") + (fp8 ? " e4m3" : "") + ", " + std::to_string(sequences) + " x " +
                  std::to_string(context),
          .read_min_bytes = kv_bytes + row_bytes,
          .written_min_bytes = row_bytes,
          .launch = [args] { return cuda::attention_decode(args, nullptr); },
          // The pieces of rows that are split weigh twice as much beside keys and values of half the size.
          .bytes_ratio_max = fp8 ? 1.06 : kBytesRatioMax,
          .multiply_adds_min = int64_t{sequences} * context * layer.kv_heads * 16 * layer.head_dim * 2};
}

CostCase prefill_case(const LayerShape& layer, int32_t tokens, DType dtype) {
  const CostCache cache(layer, dtype, 1, tokens);
  cuda::AttentionPrefillLaunch args;
  args.q = matrix(tokens, int64_t{layer.heads} * layer.head_dim);
  args.out = matrix(tokens, args.q.cols);
  args.cache = cache.storage;
  args.shape = cache.shape;
  args.num_blocks = cache.num_blocks;
  args.num_heads = layer.heads;
  args.row_begin = list(std::vector<int32_t>{0, tokens});
  args.context_tokens = list(std::vector<int32_t>{tokens});
  args.block_tables = cache.tables;
  args.blocks_stride = cache.stride;
  args.num_sequences = 1;
  args.num_blocks_grid = 16;
  const int64_t row_bytes = int64_t{tokens} * args.q.cols * 2;
  return {.name = std::string("attention_prefill") + (dtype == DType::kF8E4m3 ? " e4m3" : "") + ", " +
                  std::to_string(tokens) + " tokens",
          .read_min_bytes = row_bytes + int64_t{tokens} * kv_layer_bytes(cache.shape) / layer.block_tokens,
          .written_min_bytes = row_bytes,
          .launch = [args] { return cuda::attention_prefill(args, nullptr); },
          .bytes_ratio_max = kPrefillBytesRatioMax,
          .multiply_adds_min = int64_t{tokens} * (tokens + 1) / 2 * layer.heads * layer.head_dim * 2};
}

/// The kernels of one layer of a decode step, in their order.
std::vector<CostCase> layer_cases(int32_t rows, DType kv) {
  using Epilogue = LinearArgs::Epilogue;
  const LayerShape layer;
  const int64_t q_cols = int64_t{layer.heads} * layer.head_dim;
  const int64_t qkv_cols = q_cols + int64_t{2} * layer.kv_heads * layer.head_dim;
  return {rms_norm_case(rows, layer.hidden, false),
          linear_case("qkv", rows, layer.hidden, qkv_cols, Epilogue::kStore),
          rope_case(layer, rows, kv),
          decode_case(layer, rows, 1024, kv),
          linear_case("attention output", rows, q_cols, layer.hidden, Epilogue::kAccumulate),
          rms_norm_case(rows, layer.hidden, false),
          linear_case("gate, up", rows, layer.hidden, int64_t{2} * layer.intermediate, Epilogue::kSiluMul),
          linear_case("down", rows, layer.intermediate, layer.hidden, Epilogue::kAccumulate)};
}

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
  const Status launched = row.launch();
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

int run() {
  sim::Device device;
  std::vector<CostCase> rows;
  for (const int64_t count : {1, 16}) {
    rows.push_back(rms_norm_case(count, kHidden, false));
    rows.push_back(rms_norm_case(count, kHidden, true));
    rows.push_back(gather_case(count));
    rows.push_back(silu_mul_case(count));
  }
  rows.push_back(copy_case());
  std::printf("%-36s %10s %6s %10s %6s %8s %9s %8s %6s %8s %8s\n", "kernel", "read B", "/min", "written B", "/min",
              "sectors", "conflicts", "mma", "/min", "barriers", "shared B");
  bool good = true;
  for (const CostCase& row : rows) good = print_row(device, row) && good;
  const LayerShape layer;
  for (const DType kv : {DType::kBf16, DType::kF8E4m3}) good = print_row(device, prefill_case(layer, 256, kv)) && good;
  for (const DType kv : {DType::kBf16, DType::kF8E4m3}) {
    for (const int32_t count : {1, 10}) {
      std::printf("\na layer of a decode step of Qwen2.5-0.5B%s, %d sequences of 1024 tokens:\n",
                  kv == DType::kF8E4m3 ? ", keys and values in e4m3" : "", count);
      Total total;
      const std::vector<CostCase> cases = layer_cases(count, kv);
      for (const CostCase& row : cases) good = print_row(device, row, &total) && good;
      const double step = ratio(total.bytes, total.bytes_min);
      std::printf("%zu kernels, %lld bytes, %.3f of the fewest\n", cases.size(), static_cast<long long>(total.bytes),
                  step);
      good = step <= kBytesRatioMax && good;
    }
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace seraph

int main() { return seraph::run(); }
