#include "tests/bench/cuda_cost/cost_cases.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/copy_kv_blocks.h"
#include "kernels/cuda/gather_rows.h"
#include "kernels/cuda/linear_skinny.h"
#include "kernels/cuda/rms_norm.h"
#include "kernels/cuda/rope_cache.h"
#include "kernels/cuda/sample.h"
#include "kernels/cuda/silu_mul.h"

namespace seraph::cost {

CostMemory::~CostMemory() {
  for (void* data : allocations_) static_cast<void>(cuda::release(data).ok());
}

void* CostMemory::zeros(int64_t bytes) {
  void* data = nullptr;
  bytes = std::max<int64_t>(bytes, 16);  // there is no empty allocation
  if (!cuda::allocate(&data, bytes).ok() || !cuda::fill_async(data, 0, bytes, nullptr).ok()) std::abort();
  allocations_.push_back(data);
  return data;
}

void* CostMemory::copied(const void* host, int64_t bytes) {
  void* data = zeros(bytes);
  if (!cuda::copy_async(data, host, bytes, cuda::CopyKind::kHostToDevice, nullptr).ok()) std::abort();
  if (!cuda::synchronize_device().ok()) std::abort();
  return data;
}

Tensor CostMemory::matrix(int64_t rows, int64_t cols, DType dtype) {
  return Tensor{zeros(rows * cols * dtype_bytes(dtype)), dtype, rows, cols, cols};
}

CostCase rms_norm_case(CostMemory& memory, int64_t rows, int64_t hidden, bool adds) {
  cuda::RmsNormLaunch args;
  args.x = memory.matrix(rows, hidden);
  if (adds) args.addend = memory.matrix(rows, hidden);
  args.weight = static_cast<const float*>(memory.zeros(hidden * 4));
  args.group = hidden;
  args.out = memory.matrix(rows, hidden);
  const int64_t row_bytes = rows * hidden * 2;
  return {std::string(adds ? "add + " : "") + "rms_norm, rows " + std::to_string(rows),
          row_bytes * (adds ? 2 : 1) + hidden * 4, row_bytes * (adds ? 2 : 1),
          [args](cuda::Stream stream) { return cuda::rms_norm(args, stream); }};
}

CostCase gather_case(CostMemory& memory, int64_t rows, int64_t hidden) {
  const auto* ids = static_cast<const int32_t*>(memory.zeros(rows * 4));
  const cuda::GatherRowsLaunch args = {memory.matrix(8, hidden), ids, memory.matrix(rows, hidden)};
  return {"gather_rows of one row, rows " + std::to_string(rows), hidden * 2 + rows * 4, rows * hidden * 2,
          [args](cuda::Stream stream) { return cuda::gather_rows(args, stream); }};
}

CostCase silu_mul_case(CostMemory& memory, int64_t rows, int64_t intermediate) {
  const cuda::SiluMulLaunch args = {memory.matrix(rows, 2 * intermediate), memory.matrix(rows, intermediate)};
  const int64_t bytes = rows * intermediate * 2;
  return {"silu_mul, rows " + std::to_string(rows), 2 * bytes, bytes,
          [args](cuda::Stream stream) { return cuda::silu_mul(args, stream); }};
}

CostCase copy_case(CostMemory& memory) {
  constexpr int64_t kBlockBytes = int64_t{57344} * 16 / 28;  // one layer's share of 16 tokens
  cuda::CopyKvBlocksLaunch args;
  args.storage = memory.zeros(2 * kBlockBytes);
  args.block_bytes = kBlockBytes;
  args.num_blocks = 2;
  args.from = static_cast<const int32_t*>(memory.zeros(4));
  args.to = memory.list(std::vector<int32_t>{1});
  args.num_copies = 1;
  return {"copy_kv_blocks, one of 32 KiB", kBlockBytes + 8, kBlockBytes,
          [args](cuda::Stream stream) { return cuda::copy_kv_blocks(args, stream); }};
}

CostCase linear_case(CostMemory& memory, const std::string& name, int64_t rows, int64_t k, int64_t n,
                     LinearArgs::Epilogue epilogue, DType out) {
  cuda::LinearSkinnyLaunch args;
  args.x = memory.matrix(rows, k);
  args.weight = cuda::plan_linear_weight(n, k, DType::kBf16);
  args.weight.data = memory.zeros(cuda::linear_weight_bytes(args.weight));
  args.num_outputs = n;
  args.epilogue = epilogue;
  const int64_t out_cols = epilogue == LinearArgs::Epilogue::kSiluMul ? n / 2 : n;
  args.out = memory.matrix(rows, out_cols, out);
  args.workspace_bytes = cuda::linear_skinny_workspace(args.weight).bytes;
  args.workspace = memory.zeros(args.workspace_bytes);
  const int64_t out_bytes = rows * out_cols * dtype_bytes(out);
  const bool reads_out = epilogue == LinearArgs::Epilogue::kAccumulate;
  return {.name = name + ", rows " + std::to_string(rows),
          .read_min_bytes = n * k * 2 + rows * k * 2 + (reads_out ? out_bytes : 0),
          .written_min_bytes = out_bytes,
          .launch = [args](cuda::Stream stream) { return cuda::linear_skinny(args, stream); },
          .multiply_adds_min = (rows + 7) / 8 * 8 * n * k};
}

namespace {

/// A cache of one layer, and tables of `sequences` sequences of `context` tokens in it.
struct CostCache {
  CostCache(CostMemory& memory, const LayerShape& layer, DType dtype, int32_t sequences, int32_t context_tokens)
      : context(context_tokens) {
    shape = {1, layer.kv_heads, layer.head_dim, layer.block_tokens, dtype};
    stride = (context + layer.block_tokens - 1) / layer.block_tokens;
    num_blocks = stride * sequences;
    storage = memory.zeros(kv_layer_bytes(shape) * num_blocks);
    std::vector<int32_t> blocks;
    for (int32_t i = 0; i < num_blocks; ++i) blocks.push_back(i);
    tables = memory.list(blocks);
  }
  KvShape shape;
  int32_t context;
  int32_t stride = 0;
  int32_t num_blocks = 0;
  void* storage = nullptr;
  const int32_t* tables = nullptr;
};

}  // namespace

CostCase rope_case(CostMemory& memory, const LayerShape& layer, int64_t rows, DType dtype) {
  const CostCache cache(memory, layer, dtype, static_cast<int32_t>(rows), layer.block_tokens);
  cuda::RopeCacheLaunch args;
  const int64_t cols = int64_t{layer.heads + 2 * layer.kv_heads} * layer.head_dim;
  args.qkv = memory.matrix(rows, cols);
  args.cos_sin = static_cast<const float*>(memory.zeros(rows * layer.head_dim * 4));
  args.rotary_dim = layer.head_dim;
  args.num_heads = layer.heads;
  std::vector<int32_t> slots;
  for (int32_t i = 0; i < rows; ++i) slots.push_back(i * layer.block_tokens);
  args.slots = memory.list(slots);
  args.shape = cache.shape;
  args.cache = cache.storage;
  args.num_blocks = cache.num_blocks;
  const int64_t kv_bytes = kv_layer_bytes(cache.shape) / layer.block_tokens;
  return {"rope_cache, rows " + std::to_string(rows), rows * (cols * 2 + layer.head_dim * 4 + 4),
          rows * (int64_t{layer.heads} * layer.head_dim * 2 + kv_bytes),
          [args](cuda::Stream stream) { return cuda::rope_cache(args, stream); }};
}

CostCase decode_case(CostMemory& memory, const LayerShape& layer, int32_t sequences, int32_t context, DType dtype,
                     int32_t num_blocks_grid) {
  const CostCache cache(memory, layer, dtype, sequences, context);
  cuda::AttentionDecodeLaunch args;
  args.q = memory.matrix(sequences, int64_t{layer.heads} * layer.head_dim);
  args.out = memory.matrix(sequences, args.q.cols);
  args.cache = cache.storage;
  args.shape = cache.shape;
  args.num_blocks = cache.num_blocks;
  args.num_heads = layer.heads;
  std::vector<int32_t> row_begin;
  for (int32_t i = 0; i <= sequences; ++i) row_begin.push_back(i);
  args.row_begin = memory.list(row_begin);
  args.context_tokens = memory.list(std::vector<int32_t>(static_cast<size_t>(sequences), context));
  args.block_tables = cache.tables;
  args.blocks_stride = cache.stride;
  args.num_sequences = sequences;
  args.num_blocks_grid = num_blocks_grid;
  args.workspace_bytes = cuda::attention_decode_workspace(cache.shape, layer.heads, sequences, 1, context).bytes;
  args.workspace = memory.zeros(args.workspace_bytes);
  const int64_t kv_bytes = int64_t{sequences} * context * kv_layer_bytes(cache.shape) / layer.block_tokens;
  const int64_t row_bytes = int64_t{sequences} * args.q.cols * 2;
  const bool fp8 = dtype == DType::kF8E4m3;
  return {.name = std::string("attention_decode") + (fp8 ? " e4m3" : "") + ", " + std::to_string(sequences) + " x " +
                  std::to_string(context),
          .read_min_bytes = kv_bytes + row_bytes,
          .written_min_bytes = row_bytes,
          .launch = [args](cuda::Stream stream) { return cuda::attention_decode(args, stream); },
          // The pieces of rows that are split weigh twice as much beside keys and values of half the size.
          .bytes_ratio_max = fp8 ? 1.06 : kBytesRatioMax,
          .multiply_adds_min = int64_t{sequences} * context * layer.kv_heads * 16 * layer.head_dim * 2};
}

CostCase prefill_case(CostMemory& memory, const LayerShape& layer, int32_t tokens, DType dtype,
                      int32_t num_blocks_grid) {
  const CostCache cache(memory, layer, dtype, 1, tokens);
  cuda::AttentionPrefillLaunch args;
  args.q = memory.matrix(tokens, int64_t{layer.heads} * layer.head_dim);
  args.out = memory.matrix(tokens, args.q.cols);
  args.cache = cache.storage;
  args.shape = cache.shape;
  args.num_blocks = cache.num_blocks;
  args.num_heads = layer.heads;
  args.row_begin = memory.list(std::vector<int32_t>{0, tokens});
  args.context_tokens = memory.list(std::vector<int32_t>{tokens});
  args.block_tables = cache.tables;
  args.blocks_stride = cache.stride;
  args.num_sequences = 1;
  args.num_blocks_grid = num_blocks_grid;
  const int64_t row_bytes = int64_t{tokens} * args.q.cols * 2;
  return {.name = std::string("attention_prefill") + (dtype == DType::kF8E4m3 ? " e4m3" : "") + ", " +
                  std::to_string(tokens) + " tokens",
          .read_min_bytes = row_bytes + int64_t{tokens} * kv_layer_bytes(cache.shape) / layer.block_tokens,
          .written_min_bytes = row_bytes,
          .launch = [args](cuda::Stream stream) { return cuda::attention_prefill(args, stream); },
          .bytes_ratio_max = kPrefillBytesRatioMax,
          .multiply_adds_min = int64_t{tokens} * (tokens + 1) / 2 * layer.heads * layer.head_dim * 2};
}

CostCase sample_case(CostMemory& memory, int32_t rows, int32_t vocab) {
  cuda::SampleLaunch args;
  args.logits = memory.matrix(rows, vocab, DType::kF32);
  args.vocab_size = vocab;
  std::vector<cuda::DeviceSampleRow> asked(static_cast<size_t>(rows));
  for (int32_t i = 0; i < rows; ++i) asked[static_cast<size_t>(i)].logit_row = i;
  args.rows = memory.list(asked);
  args.num_rows = rows;
  args.counts = static_cast<const cuda::DeviceTokenCount*>(memory.zeros(16));
  args.bias = static_cast<const cuda::DeviceTokenBias*>(memory.zeros(16));
  args.banned = static_cast<const int32_t*>(memory.zeros(16));
  args.allowed = static_cast<const uint32_t*>(memory.zeros(16));
  args.saved = static_cast<float*>(memory.zeros(16));
  args.tokens = static_cast<int32_t*>(memory.zeros(int64_t{rows} * 4));
  args.logprob_ids = static_cast<int32_t*>(memory.zeros(int64_t{rows} * 4));
  args.logprobs = static_cast<float*>(memory.zeros(int64_t{rows} * 4));
  args.logprob_ranks = static_cast<int32_t*>(memory.zeros(int64_t{rows} * 4));
  args.num_logprobs = static_cast<int32_t*>(memory.zeros(int64_t{rows} * 4));
  args.logprobs_stride = 1;
  return {.name = "sample, rows " + std::to_string(rows),
          .read_min_bytes = int64_t{rows} * (int64_t{vocab} * 4 + static_cast<int64_t>(sizeof(cuda::DeviceSampleRow))),
          .written_min_bytes = int64_t{rows} * 8,
          .launch = [args](cuda::Stream stream) { return cuda::sample(args, stream); }};
}

std::vector<CostCase> layer_cases(CostMemory& memory, const LayerShape& layer, int32_t rows, int32_t context, DType kv,
                                  int32_t num_blocks_grid) {
  using Epilogue = LinearArgs::Epilogue;
  const int64_t q_cols = int64_t{layer.heads} * layer.head_dim;
  const int64_t qkv_cols = q_cols + int64_t{2} * layer.kv_heads * layer.head_dim;
  return {rms_norm_case(memory, rows, layer.hidden, false),
          linear_case(memory, "qkv", rows, layer.hidden, qkv_cols, Epilogue::kStore),
          rope_case(memory, layer, rows, kv),
          decode_case(memory, layer, rows, context, kv, num_blocks_grid),
          linear_case(memory, "attention output", rows, q_cols, layer.hidden, Epilogue::kAccumulate),
          rms_norm_case(memory, rows, layer.hidden, false),
          linear_case(memory, "gate, up", rows, layer.hidden, int64_t{2} * layer.intermediate, Epilogue::kSiluMul),
          linear_case(memory, "down", rows, layer.intermediate, layer.hidden, Epilogue::kAccumulate)};
}

}  // namespace seraph::cost
