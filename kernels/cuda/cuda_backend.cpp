#include "kernels/cuda/cuda_backend.h"

#include <algorithm>

#include "kernels/cuda/fill_random.h"
#include "kernels/cuda/launchers.h"

namespace seraph::cuda {
namespace {

constexpr int64_t kStagingBytes = int64_t{8} << 20;
constexpr int64_t kListIntegersMin = int64_t{1} << 16;
/// Splits of decode attention keep their partial results here; steps that need more run in parts.
constexpr int64_t kAttentionWorkspaceBytes = int64_t{64} << 20;
constexpr int64_t kBlocksPerSm = 2;

const DeviceWeight& device_weight(const Weight* weight) { return static_cast<const DeviceWeight&>(*weight); }

}  // namespace

CudaBackend::CudaBackend(const DeviceProperties& device, const CudaBackendOptions& options)
    : device_(device), options_(options) {}

CudaBackend::~CudaBackend() { static_cast<void>(synchronize()); }

bool CudaBackend::open() {
  if (!work_.open() || !staging_.open(kStagingBytes) || !lists_.plan(kListIntegersMin)) return false;
  for (Step& step : steps_) {
    if (!work_.check(step.begin.make()) || !work_.check(step.end.make())) return false;
  }
  return !work_.failed();
}

std::string CudaBackend::name() const {
  return "cuda (" + device_.name + ", sm_" + std::to_string(device_.sm_version) + ")";
}

bool CudaBackend::computes_in(DType compute) const {
  constexpr int32_t kBf16FromSm = 80;
  return compute == DType::kF16 || (compute == DType::kBf16 && device_.sm_version >= kBf16FromSm);
}

ActivationTypes CudaBackend::activation_types(DType compute) const {
  return {.residual = DType::kF32, .input = compute, .output = compute, .kv = compute};
}

std::string CudaBackend::supports(const KvShape& shape, int32_t num_heads) const {
  if (shape.dtype != DType::kF8E4m3 && !computes_in(shape.dtype)) {
    return computes_in(DType::kBf16) ? "it keeps keys and values in bfloat16, float16 and fp8"
                                     : "it keeps keys and values in float16 and fp8";
  }
  if (attention_split_tokens(shape.head_dim) == 0) {
    return "the CUDA backend has attention for head sizes 64, 80, 96, 128 and 256, not " +
           std::to_string(shape.head_dim);
  }
  if (shape.block_tokens <= 0 || shape.block_tokens % 8 != 0) {
    return "a KV block holds a multiple of 8 tokens, not " + std::to_string(shape.block_tokens);
  }
  if (shape.num_kv_heads <= 0 || num_heads % shape.num_kv_heads != 0) {
    return std::to_string(num_heads) + " attention heads are no multiple of " + std::to_string(shape.num_kv_heads) +
           " key/value heads";
  }
  return "";
}

int64_t CudaBackend::memory_free_bytes() const {
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
  return memory_info(free_bytes, total_bytes).ok() ? free_bytes : 0;
}

int64_t CudaBackend::memory_budget_bytes(double share) const {
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
  if (!memory_info(free_bytes, total_bytes).ok()) return 0;
  const auto usable = static_cast<int64_t>(static_cast<double>(total_bytes) * share);
  return std::max<int64_t>(0, usable - (total_bytes - free_bytes));
}

int64_t CudaBackend::kv_block_bytes(const KvShape& shape) const { return shape.num_layers * kv_layer_bytes(shape); }

std::unique_ptr<Weight> CudaBackend::pack(const PackArgs& args) {
  std::unique_ptr<DeviceWeight> weight = packer_.pack(args);
  if (weight == nullptr || !reserve_linear_workspace(*weight)) return nullptr;
  return weight;
}

Buffer CudaBackend::pack_bias(std::span<const float> values, bool gate_up) {
  return packer_.pack_bias(values, gate_up);
}

std::unique_ptr<Weight> CudaBackend::pack_random(int64_t rows, int64_t cols, DType compute, float scale,
                                                 uint64_t seed) {
  auto weight = std::make_unique<DeviceWeight>(rows, cols, compute, false);
  if (!weight->allocate(work_) || !reserve_linear_workspace(*weight)) return nullptr;
  work_.check(fill_random({.weight = weight->layout(), .rows = rows, .scale = scale, .seed = seed}, work_.stream()));
  return weight;
}

/// One workspace for all products: the counters, which are zero between calls, lie before a line that no partial sum
/// of any weight crosses.
bool CudaBackend::reserve_linear_workspace(const DeviceWeight& weight) {
  wide_.expect(weight);
  const LinearWorkspace needed = linear_skinny_workspace(weight.product());
  linear_counters_bytes_ = std::max(linear_counters_bytes_, needed.counters_bytes);
  linear_partials_bytes_ = std::max(linear_partials_bytes_, needed.bytes - needed.counters_bytes);
  const int64_t bytes = linear_counters_bytes_ + linear_partials_bytes_;
  return bytes == 0 || work_.reserve(linear_workspace_, bytes);
}

bool CudaBackend::reserve_attention_workspace(const KvShape& shape, int32_t num_heads, int64_t sequences_max,
                                              int64_t context_max) {
  const auto context = static_cast<int32_t>(context_max);
  const int64_t one = attention_decode_workspace(shape, num_heads, 1, 1, context).bytes;
  const int64_t all =
      attention_decode_workspace(shape, num_heads, static_cast<int32_t>(sequences_max), 1, context).bytes;
  return work_.reserve(attention_workspace_, std::min(all, std::max(one, kAttentionWorkspaceBytes)));
}

bool CudaBackend::plan_scratch(const ScratchPlan& plan) {
  const int64_t logit_rows = std::max<int64_t>({plan.logit_rows_max, plan.sequences_max, 1});
  if (!sampler_.plan(logit_rows, plan.cols_max) || !wide_.plan(plan.rows_max, device_.sm_version)) return false;
  if (plan.num_heads == 0) return true;
  const int64_t blocks = (plan.context_max + plan.kv.block_tokens - 1) / plan.kv.block_tokens;
  constexpr int64_t kListsPerRow = 4;
  constexpr int64_t kListsPerSequence = 6;
  const int64_t integers = kListsPerRow * (plan.rows_max + 4) + kListsPerSequence * (plan.sequences_max + 4) +
                           plan.logit_rows_max + plan.sequences_max * (blocks + 1);
  return lists_.plan(std::max(integers, kListIntegersMin)) &&
         reserve_attention_workspace(plan.kv, plan.num_heads, plan.sequences_max, plan.context_max);
}

std::vector<MemoryUse> CudaBackend::memory_uses() const {
  return {{.what = "products", .device_bytes = linear_workspace_.bytes() + wide_.workspace_bytes()},
          {.what = "attention", .device_bytes = attention_workspace_.bytes()},
          {.what = "sampler", .device_bytes = sampler_.device_bytes(), .host_bytes = sampler_.host_bytes()},
          {.what = "step_lists", .device_bytes = lists_.bytes()},
          {.what = "staging", .device_bytes = packer_.bytes(), .host_bytes = staging_.bytes()}};
}

std::string CudaBackend::notice() const {
  if (wide_.why_not().empty()) return "";
  return "steps of more than 64 rows are slower than they could be: cuBLASLt is not used, because " + wide_.why_not();
}

void CudaBackend::upload(void* device, const void* host, int64_t bytes) { staging_.copy(device, host, bytes); }

void CudaBackend::download(void* host, const void* device, int64_t bytes) {
  work_.copy(host, device, bytes, CopyKind::kDeviceToHost);
  work_.wait();
}

void CudaBackend::begin_step() {
  if (step_open_) return;
  step_open_ = true;
  while (num_in_flight_ == kStepsInFlight) deliver_oldest();
  const int32_t slot = (oldest_ + num_in_flight_) % kStepsInFlight;
  if (!work_.failed()) work_.check(record(steps_[slot].begin.get(), work_.stream()));
}

bool CudaBackend::stage(std::span<const std::span<const int32_t>> lists, const SampleArgs* draws) {
  begin_step();
  lists_.stage(lists);
  return draws == nullptr || sampler_.stage(*draws);
}

void CudaBackend::submit() {
  begin_step();
  step_open_ = false;
  lists_.forget();
  const int32_t slot = (oldest_ + num_in_flight_) % kStepsInFlight;
  sampler_.fetch(slot);
  if (!work_.failed()) work_.check(record(steps_[slot].end.get(), work_.stream()));
  ++num_in_flight_;
}

void CudaBackend::deliver_oldest() {
  if (!work_.failed()) work_.check(cuda::synchronize(steps_[oldest_].end.get()));
  if (!work_.failed()) sampler_.deliver(oldest_);
  oldest_ = (oldest_ + 1) % kStepsInFlight;
  --num_in_flight_;
}

DeviceStatus CudaBackend::collect(int64_t& device_us) {
  if (num_in_flight_ == 0) return work_.status();
  const Step& step = steps_[oldest_];
  deliver_oldest();
  float ms = 0.0F;
  if (!work_.failed() && work_.check(elapsed_ms(step.begin.get(), step.end.get(), ms)) && ms > 0.0F) {
    device_us = static_cast<int64_t>(ms * 1000.0F);
  }
  return work_.status();
}

DeviceStatus CudaBackend::synchronize() {
  if (step_open_) submit();
  while (num_in_flight_ > 0) deliver_oldest();
  work_.wait();
  return work_.status();
}

void CudaBackend::embed(const EmbedArgs& args) {
  begin_step();
  lists_.begin_operation();
  int32_t* ids = lists_.find(args.ids);
  const bool fed = std::any_of(args.ids.begin(), args.ids.end(), [](int32_t id) { return id < 0; });
  if (work_.failed()) return;
  if ((fed || recording_) && sampler_.tokens() != nullptr) {
    work_.check(feed_tokens({.ids = ids,
                             .num_ids = static_cast<int64_t>(args.ids.size()),
                             .drawn = sampler_.tokens(),
                             .num_drawn = sampler_.rows_max()},
                            work_.stream()));
  }
  work_.check(
      cuda::gather_rows({.x = device_weight(args.table).table(), .rows = ids, .out = args.out}, work_.stream()));
}

void CudaBackend::rms_norm(const RmsNormArgs& args) {
  begin_step();
  if (work_.failed()) return;
  work_.check(cuda::rms_norm(
      {.x = args.x, .weight = args.weight, .group = args.group, .eps = args.eps, .out = args.out}, work_.stream()));
}

void CudaBackend::linear(const LinearArgs& args) {
  begin_step();
  const DeviceWeight& weight = device_weight(args.weight);
  LinearArgs whole = args;
  // Columns up to the next group are the tensors' padding, and zero on the weight's side.
  whole.x.cols = weight.product().cols;
  if (weight.gate_up()) whole.out.cols = weight.num_outputs() / 2;
  if (whole.x.stride < whole.x.cols || whole.out.stride < whole.out.cols) {
    work_.check({kErrorInvalidValue, "linear(): rows without room for whole groups of 8"});
    return;
  }
  if (work_.failed()) return;
  if (whole.x.rows > kSkinnyRowsMax && wide_.ready() && wide_.multiply(whole, weight)) return;
  for (int64_t begin = 0; begin < args.x.rows && !work_.failed(); begin += kSkinnyRowsMax) {
    const int64_t count = std::min(kSkinnyRowsMax, args.x.rows - begin);
    LinearArgs part = whole;
    part.x = whole.x.rows_from(begin, count);
    part.out = whole.out.rows_from(begin, count);
    multiply_few(part, weight);
  }
}

void CudaBackend::multiply_few(const LinearArgs& args, const DeviceWeight& weight) {
  const LinearWeight product = weight.product();
  const LinearWorkspace workspace = linear_skinny_workspace(product);
  const int64_t skipped = linear_counters_bytes_ - workspace.counters_bytes;
  work_.check(linear_skinny({.x = args.x,
                             .weight = product,
                             .num_outputs = weight.num_outputs(),
                             .bias = args.bias,
                             .epilogue = args.epilogue,
                             .out = args.out,
                             .workspace = static_cast<char*>(linear_workspace_.data()) + skipped,
                             .workspace_bytes = linear_workspace_.bytes() - skipped,
                             .shared_bytes_max = device_.shared_bytes_per_block_max},
                            work_.stream()));
}

void CudaBackend::rope_cache_write(const RopeCacheArgs& args) {
  begin_step();
  lists_.begin_operation();
  const int32_t* slots = lists_.find(args.slots);
  if (work_.failed()) return;
  work_.check(rope_cache({.qkv = args.qkv,
                          .cos_sin = args.cos_sin,
                          .rotary_dim = args.rotary_dim,
                          .q_norm = args.q_norm,
                          .k_norm = args.k_norm,
                          .norm_eps = args.norm_eps,
                          .num_heads = args.num_heads,
                          .slots = slots,
                          .shape = args.cache->shape,
                          .cache = args.cache->storage.data(),
                          .num_blocks = args.cache->num_blocks,
                          .layer = args.layer},
                         work_.stream()));
}

void CudaBackend::attention(const AttentionArgs& args) {
  begin_step();
  lists_.begin_operation();
  const int32_t* lists[3] = {lists_.find(args.row_begin), lists_.find(args.context_tokens),
                             lists_.find(args.block_tables)};
  const uint64_t* paths = find_paths(args);
  if (work_.failed()) return;
  if (args.generated || paths != nullptr) {
    attend_generated(args, lists, paths);
  } else {
    attend_prompts(args, lists);
  }
}

/// From parents to the rows that each row sees, as the kernel wants them; null where all rows are in a line.
const uint64_t* CudaBackend::find_paths(const AttentionArgs& args) {
  if (args.parents.empty()) return nullptr;
  paths_.assign(args.parents.size(), 0);
  for (size_t s = 0; s + 1 < args.row_begin.size(); ++s) {
    const auto begin = static_cast<size_t>(args.row_begin[s]);
    const auto end = static_cast<size_t>(args.row_begin[s + 1]);
    bool branches = false;
    for (size_t row = begin; row < end; ++row) {
      branches = branches || args.parents[row] != static_cast<int32_t>(row - begin) - 1;
    }
    if (!branches) continue;
    for (size_t row = begin; row < end; ++row) {
      const int32_t parent = args.parents[row];
      paths_[row] = uint64_t{1} << (row - begin) | (parent < 0 ? 0 : paths_[begin + static_cast<size_t>(parent)]);
    }
  }
  const std::span words(reinterpret_cast<const int32_t*>(paths_.data()), 2 * paths_.size());
  return reinterpret_cast<const uint64_t*>(lists_.find(words));
}

void CudaBackend::attend_prompts(const AttentionArgs& args, const int32_t* lists[3]) {
  work_.check(attention_prefill({.q = args.q,
                                 .out = args.out,
                                 .cache = args.cache->storage.data(),
                                 .shape = args.cache->shape,
                                 .num_blocks = args.cache->num_blocks,
                                 .layer = args.layer,
                                 .num_heads = args.num_heads,
                                 .scale = args.scale,
                                 .window = args.window,
                                 .row_begin = lists[0],
                                 .context_tokens = lists[1],
                                 .block_tables = lists[2],
                                 .blocks_stride = args.blocks_stride,
                                 .num_sequences = static_cast<int32_t>(args.context_tokens.size()),
                                 .num_blocks_grid = device_.num_sms},
                                work_.stream()));
}

/// Sequences whose pieces fit the workspace go together: nearly always all of them.
void CudaBackend::attend_generated(const AttentionArgs& args, const int32_t* lists[3], const uint64_t* paths) {
  const auto num_sequences = static_cast<int32_t>(args.context_tokens.size());
  const KvShape& shape = args.cache->shape;
  if (attention_workspace_.data() == nullptr &&
      !reserve_attention_workspace(shape, args.num_heads, num_sequences, args.blocks_stride * shape.block_tokens)) {
    work_.check({kErrorOutOfMemory, "attention(): no memory for its workspace"});
    return;
  }
  for (int32_t begin = 0; begin < num_sequences && !work_.failed();) {
    int64_t bytes = 0;
    int32_t count = 0;
    while (begin + count < num_sequences) {
      const auto s = static_cast<size_t>(begin + count);
      const int32_t rows = std::max(args.row_begin[s + 1] - args.row_begin[s], 1);
      // A recording must do for every context that its tables can hold.
      const int32_t context = recording_ ? args.blocks_stride * shape.block_tokens : args.context_tokens[s];
      bytes += attention_decode_workspace(shape, args.num_heads, 1, rows, context).bytes;
      if (count > 0 && bytes > attention_workspace_.bytes()) break;
      ++count;
    }
    work_.check(attention_decode({.q = args.q,
                                  .out = args.out,
                                  .cache = args.cache->storage.data(),
                                  .shape = shape,
                                  .num_blocks = args.cache->num_blocks,
                                  .layer = args.layer,
                                  .num_heads = args.num_heads,
                                  .scale = args.scale,
                                  .window = args.window,
                                  .row_begin = lists[0] + begin,
                                  .context_tokens = lists[1] + begin,
                                  .block_tables = lists[2] + int64_t{begin} * args.blocks_stride,
                                  .paths = paths,
                                  .blocks_stride = args.blocks_stride,
                                  .num_sequences = count,
                                  .num_blocks_grid = static_cast<int32_t>(kBlocksPerSm * device_.num_sms),
                                  .workspace = attention_workspace_.data(),
                                  .workspace_bytes = attention_workspace_.bytes()},
                                 work_.stream()));
    begin += count;
  }
}

void CudaBackend::gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) {
  begin_step();
  lists_.begin_operation();
  const int32_t* list = lists_.find(rows);
  if (!work_.failed()) work_.check(cuda::gather_rows({.x = x, .rows = list, .out = out}, work_.stream()));
}

void CudaBackend::sample(const SampleArgs& args) {
  begin_step();
  if (!work_.failed()) sampler_.launch(args);
}

void CudaBackend::copy_kv_blocks(KvCache& cache, std::span<const int32_t> from, std::span<const int32_t> to) {
  begin_step();
  lists_.begin_operation();
  const int32_t* sources = lists_.find(from);
  const int32_t* targets = lists_.find(to);
  if (work_.failed()) return;
  work_.check(cuda::copy_kv_blocks({.storage = cache.storage.data(),
                                    .block_bytes = kv_block_bytes(cache.shape),
                                    .num_blocks = cache.num_blocks,
                                    .from = sources,
                                    .to = targets,
                                    .num_copies = static_cast<int32_t>(from.size())},
                                   work_.stream()));
}

void CudaBackend::swap_kv_blocks(const SwapKvArgs& args) {
  begin_step();
  if (work_.failed()) return;
  const int64_t block_bytes = kv_block_bytes(args.cache->shape);
  work_.check(cuda::swap_kv_blocks({.storage = args.cache->storage.data(),
                                    .num_blocks = args.cache->num_blocks,
                                    .host = args.host->data(),
                                    .num_host_blocks = args.host->bytes() / block_bytes,
                                    .block_bytes = block_bytes,
                                    .device_blocks = args.device_blocks,
                                    .host_blocks = args.host_blocks,
                                    .to_host = args.to_host},
                                   work_.stream()));
}

}  // namespace seraph::cuda
