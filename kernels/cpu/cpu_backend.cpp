#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/check.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/lora_bank.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/packed_weight.h"

namespace seraph::cpu {
namespace {

constexpr int32_t kHeadDimMax = 512;
/// Work is cut between groups of this many panels: whole register tiles, whole gate/up pairs.
constexpr int64_t kPanelUnit = 4;
/// Attention with fewer multiply-adds than this runs on the calling thread alone.
constexpr int64_t kAttendTogether = 65536;
/// Outputs of this size (logits of many rows) would only push the weights of the next step out of the caches.
constexpr int64_t kStreamBytes = int64_t{8} << 20;
/// Fewer logits than this are sampled by the calling thread alone.
constexpr int64_t kSampleTogether = 32768;

Element element_of(DType dtype) {
  if (dtype == DType::kF8E4m3) return Element::kF8;
  return dtype == DType::kF16 ? Element::kF16 : dtype == DType::kBf16 ? Element::kBf16 : Element::kF32;
}

const PackedWeight& packed(const Weight* weight) {
  SERAPH_CPU_CHECK(weight != nullptr, "an operation has its weight");
  return static_cast<const PackedWeight&>(*weight);
}

float* f32_data(const Tensor& tensor) {
  SERAPH_CPU_CHECK(tensor.dtype == DType::kF32, "this tensor is f32 on the CPU");
  return static_cast<float*>(tensor.data);
}

}  // namespace

CpuBackend::CpuBackend(const CpuBackendOptions& options, const Kernels& kernels)
    : kernels_(kernels), pool_(options.threads, options.pin_threads) {
  for (int32_t i = 0; i < pool_.num_threads(); ++i) {
    samplers_.emplace_back(kernels_);
    scratch_.push_back(allocate_memory(kernels_.attention_scratch_bytes(kHeadDimMax)));
  }
}

std::string CpuBackend::name() const {
  return std::string("cpu (") + kernels_.name + ", " + std::to_string(pool_.num_threads()) +
         (pool_.num_threads() == 1 ? " thread)" : " threads)");
}

ActivationTypes CpuBackend::activation_types(DType compute) const {
  ActivationTypes types;
  if (compute == DType::kBf16 && kernels_.bf16_inputs) types.input = DType::kBf16;
  types.kv = compute;
  return types;
}

std::string CpuBackend::supports(const KvShape& shape, int32_t num_heads) const {
  if (shape.head_dim <= 0 || shape.head_dim > kHeadDimMax) {
    return "the CPU backend has attention for head sizes up to " + std::to_string(kHeadDimMax) + ", not " +
           std::to_string(shape.head_dim);
  }
  if (shape.block_tokens <= 0 || shape.block_tokens % 8 != 0) {
    return "a KV block holds a multiple of 8 tokens, not " + std::to_string(shape.block_tokens);
  }
  if (shape.num_kv_heads <= 0 || num_heads % shape.num_kv_heads != 0) {
    return std::to_string(num_heads) + " attention heads are no multiple of " + std::to_string(shape.num_kv_heads) +
           " key/value heads";
  }
  if (num_heads / shape.num_kv_heads > kAttentionRowsMax) {
    return "the CPU backend has attention for up to " + std::to_string(kAttentionRowsMax) + " heads per key/value head";
  }
  return "";
}

int64_t CpuBackend::memory_free_bytes() const { return memory_available_bytes(); }

int64_t CpuBackend::memory_budget_bytes(double /*share*/) const {
  constexpr double kShareOfFreeMemory = 0.4;  // leaves room for the system's page cache
  return static_cast<int64_t>(static_cast<double>(memory_free_bytes()) * kShareOfFreeMemory);
}

Buffer CpuBackend::allocate(int64_t bytes) { return allocate_memory(bytes); }

int64_t CpuBackend::kv_block_bytes(const KvShape& shape) const { return shape.num_layers * kv_layer_bytes(shape); }

template <typename Range>
void CpuBackend::split(int64_t count, int64_t unit, int64_t cost, const Range& range) {
  // Waking a spinning worker costs about a microsecond; several pieces a thread even out a disturbed core.
  constexpr int64_t kPieceCost = 64 * 1024;
  constexpr int64_t kPiecesPerThread = 4;
  const int64_t units = (count + unit - 1) / unit;
  const int64_t pieces = std::min({units, cost / kPieceCost, kPiecesPerThread * pool_.num_threads()});
  if (pieces < 2 || pool_.num_threads() == 1) {
    if (count > 0) range(0, count);
    return;
  }
  pool_.run(pieces, [&](int64_t i, int32_t) {
    range(units * i / pieces * unit, std::min(count, units * (i + 1) / pieces * unit));
  });
}

void CpuBackend::fill(PackedWeight& weight, const HostMatrix& part, int64_t row_begin) {
  split(part.rows, 64, part.rows * part.cols * 16, [&](int64_t begin, int64_t end) {
    const int64_t row_bytes = part.cols * dtype_bytes(part.dtype);
    weight.fill({static_cast<const char*>(part.data) + begin * row_bytes, part.dtype, end - begin, part.cols},
                row_begin + begin);
  });
}

std::unique_ptr<Weight> CpuBackend::pack(const PackArgs& args) {
  SERAPH_CPU_CHECK(!args.parts.empty(), "a weight has parts");
  SERAPH_CPU_CHECK(!args.gate_up || (args.parts.size() == 2 && args.parts[0].rows == args.parts[1].rows),
                   "gate and up are two parts of one size");
  int64_t rows = 0;
  Element type = stored_element(args.compute, args.parts[0].dtype);
  for (const HostMatrix& part : args.parts) {
    rows += part.rows;
    // Parts of different file types meet in f32, which holds both exactly.
    if (stored_element(args.compute, part.dtype) != type) type = Element::kF32;
  }
  auto weight = std::make_unique<PackedWeight>(rows, args.parts[0].cols, type, args.gate_up);
  if (!weight->allocate()) return nullptr;
  int64_t row = 0;
  for (const HostMatrix& part : args.parts) {
    fill(*weight, part, row);
    row += part.rows;
  }
  return weight;
}

std::unique_ptr<Weight> CpuBackend::pack_random(int64_t rows, int64_t cols, DType compute, float scale, uint64_t seed) {
  auto weight = std::make_unique<PackedWeight>(rows, cols, element_of(compute), false);
  if (!weight->allocate()) return nullptr;
  split(rows, 64, rows * cols * 16, [&](int64_t begin, int64_t end) { weight->fill_random(begin, end, scale, seed); });
  return weight;
}

Buffer CpuBackend::pack_bias(std::span<const float> values, bool gate_up) {
  static_cast<void>(gate_up);  // kernels find gate's and up's by themselves
  const auto bytes = static_cast<int64_t>(values.size_bytes());
  Buffer bias = allocate(bytes);
  if (bias.data() != nullptr) std::memcpy(bias.data(), values.data(), values.size_bytes());
  return bias;
}

bool CpuBackend::plan_scratch(const ScratchPlan& plan) {
  for (Sampler& sampler : samplers_) sampler.reserve(plan.cols_max);
  tasks_.reserve(static_cast<size_t>(plan.rows_max) * 64);
  return true;
}

void CpuBackend::upload(void* device, const void* host, int64_t bytes) {
  std::memcpy(device, host, static_cast<size_t>(bytes));
}

void CpuBackend::download(void* host, const void* device, int64_t bytes) {
  std::memcpy(host, device, static_cast<size_t>(bytes));
}

void CpuBackend::embed(const EmbedArgs& args) {
  const PackedWeight& table = packed(args.table);
  SERAPH_CPU_CHECK(!table.gate_up() && args.out.cols == table.cols(), "an embedding row is as wide as the output");
  const EmbedJob job = {table.panels(),  table.type(),       table.panel_bytes(), table.cols(),
                        args.ids.data(), f32_data(args.out), args.out.stride};
  for (const int32_t id : args.ids) SERAPH_CPU_CHECK(id >= 0 && id < table.rows(), "token ids are in the vocabulary");
  const auto rows = static_cast<int64_t>(args.ids.size());
  split(rows, 1, rows * job.k * 16, [&](int64_t begin, int64_t end) { kernels_.embed(job, begin, end); });
}

void CpuBackend::rms_norm(const RmsNormArgs& args) {
  SERAPH_CPU_CHECK(args.group > 0 && args.x.cols % args.group == 0, "columns are whole groups");
  const NormJob job = {f32_data(args.x), args.x.stride,   args.x.cols,
                       args.group,       args.weight,     args.eps,
                       args.out.data,    args.out.stride, element_of(args.out.dtype)};
  split(args.x.rows, 1, args.x.rows * args.x.cols * 8,
        [&](int64_t begin, int64_t end) { kernels_.rms_norm(job, begin, end); });
}

std::unique_ptr<LoraBank> CpuBackend::make_lora_bank(const LoraBankArgs& args) {
  auto bank = std::make_unique<CpuLoraBank>(args);
  if (!bank->allocate()) return nullptr;
  return bank;
}

void CpuBackend::write_lora(LoraBank& bank, int32_t slot, std::span<const LoraPart> parts) {
  static_cast<CpuLoraBank&>(bank).write(slot, parts);
}

void CpuBackend::compute_deltas(const LinearArgs& args, int64_t n) {
  const auto& bank = static_cast<const CpuLoraBank&>(*args.lora);
  const auto rows = static_cast<size_t>(args.x.rows);
  SERAPH_CPU_CHECK(args.lora_slots.size() == rows, "every row names its adapter's slot");
  SERAPH_CPU_CHECK(bank.cols() == args.x.cols && bank.part_end().back() == n, "the bank is this linear's");
  lora_rows_.resize(rows);
  deltas_.resize(rows);
  lora_inner_.resize(rows * static_cast<size_t>(bank.num_parts() * bank.rank_max()));
  lora_deltas_.resize(rows * static_cast<size_t>(n));
  for (size_t r = 0; r < rows; ++r) {
    lora_rows_[r] = bank.slot(args.lora_slots[r]);
    deltas_[r] = lora_rows_[r] == nullptr ? nullptr : lora_deltas_.data() + r * static_cast<size_t>(n);
  }
  const LoraJob job = {.x = args.x.data,
                       .x_stride = args.x.stride,
                       .x_type = element_of(args.x.dtype),
                       .k = args.x.cols,
                       .parts = lora_rows_.data(),
                       .num_parts = bank.num_parts(),
                       .part_end = bank.part_end().data(),
                       .weight_type = bank.type(),
                       .inner = lora_inner_.data(),
                       .rank_max = bank.rank_max(),
                       .delta = lora_deltas_.data(),
                       .n = n};
  const int64_t cost = args.x.rows * bank.rank_max() * (job.k * job.num_parts + n) / 16;
  split(args.x.rows, 1, cost, [&](int64_t begin, int64_t end) { kernels_.lora_delta(job, begin, end); });
}

void CpuBackend::linear(const LinearArgs& args) {
  const PackedWeight& weight = packed(args.weight);
  const bool silu_mul = args.epilogue == LinearArgs::Epilogue::kSiluMul;
  SERAPH_CPU_CHECK(args.x.cols == weight.cols(), "inputs are as wide as the weight");
  SERAPH_CPU_CHECK(silu_mul == weight.gate_up(), "kSiluMul and gate_up go together");
  SERAPH_CPU_CHECK(args.out.cols == (silu_mul ? weight.rows() / 2 : weight.rows()),
                   "outputs are as wide as the weight");
  SERAPH_CPU_CHECK(args.out.rows == args.x.rows, "as many outputs as inputs");
  SERAPH_CPU_CHECK(silu_mul || args.out.dtype == DType::kF32, "linear() writes f32 on the CPU");
  LinearJob job;
  job.x = args.x.data;
  job.x_stride = args.x.stride;
  job.x_type = element_of(args.x.dtype);
  SERAPH_CPU_CHECK(job.x_type == Element::kF32 ||
                       (job.x_type == Element::kBf16 && kernels_.bf16_inputs && weight.type() == Element::kBf16),
                   "inputs have the type of activation_types()");
  job.rows = args.x.rows;
  job.k = weight.cols();
  job.n = weight.rows();
  job.panels = weight.panels();
  job.weight_type = weight.type();
  job.panel_bytes = weight.panel_bytes();
  job.bias = args.bias;
  if (args.lora != nullptr) {
    compute_deltas(args, job.n);
    job.deltas = deltas_.data();
  }
  job.epilogue = silu_mul                                             ? Epilogue::kSiluMul
                 : args.epilogue == LinearArgs::Epilogue::kAccumulate ? Epilogue::kAccumulate
                                                                      : Epilogue::kStore;
  job.out = args.out.data;
  job.out_stride = args.out.stride;
  job.out_type = element_of(args.out.dtype);
  job.stream = job.epilogue == Epilogue::kStore && job.rows * job.n * 4 >= kStreamBytes &&
               reinterpret_cast<uintptr_t>(job.out) % 64 == 0 && job.out_stride % 16 == 0;
  const int64_t cost = weight.num_panels() * job.panel_bytes + job.rows * job.k * job.n / 16;
  split(weight.num_panels(), kPanelUnit, cost, [&](int64_t begin, int64_t end) { kernels_.linear(job, begin, end); });
}

KvView CpuBackend::kv_view(const KvCache& cache, int32_t layer) const {
  const KvShape& shape = cache.shape;
  SERAPH_CPU_CHECK(layer >= 0 && layer < shape.num_layers, "the layer is one of the cache's");
  KvView kv;
  kv.storage = static_cast<char*>(cache.storage.data());
  kv.block_bytes = kv_block_bytes(shape);
  kv.head_bytes = int64_t{shape.block_tokens} * shape.head_dim * dtype_bytes(shape.dtype);
  kv.key_offset = layer * kv_layer_bytes(shape);
  kv.value_offset = kv.key_offset + shape.num_kv_heads * kv.head_bytes;
  kv.key_scale_offset = kv.value_offset + shape.num_kv_heads * kv.head_bytes;
  kv.value_scale_offset = kv.key_scale_offset + int64_t{2} * shape.num_kv_heads * shape.block_tokens;
  kv.block_tokens = shape.block_tokens;
  kv.group = shape.block_tokens % 16 == 0 ? 16 : 8;
  kv.num_kv_heads = shape.num_kv_heads;
  kv.head_dim = shape.head_dim;
  kv.type = element_of(shape.dtype);
  return kv;
}

void CpuBackend::rope_cache_write(const RopeCacheArgs& args) {
  SERAPH_CPU_CHECK(args.cache != nullptr, "keys and values have a cache");
  RopeJob job;
  job.qkv = f32_data(args.qkv);
  job.stride = args.qkv.stride;
  job.cos_sin = args.cos_sin;
  job.rotary_dim = args.rotary_dim;
  job.q_norm = args.q_norm;
  job.k_norm = args.k_norm;
  job.eps = args.norm_eps;
  job.num_heads = args.num_heads;
  job.slots = args.slots.data();
  job.kv = kv_view(*args.cache, args.layer);
  SERAPH_CPU_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= job.kv.head_dim, "rotation pairs lie inside a head");
  SERAPH_CPU_CHECK(static_cast<int64_t>(args.slots.size()) == args.qkv.rows, "every row has a slot");
  SERAPH_CPU_CHECK(args.qkv.cols == (args.num_heads + 2 * job.kv.num_kv_heads) * job.kv.head_dim, "qkv has q, k and v");
  const int64_t num_slots = int64_t{args.cache->num_blocks} * job.kv.block_tokens;
  for (const int32_t slot : args.slots) SERAPH_CPU_CHECK(slot >= 0 && slot < num_slots, "slots are in the cache");
  split(args.qkv.rows, 1, args.qkv.rows * args.qkv.cols * 16,
        [&](int64_t begin, int64_t end) { kernels_.rope_cache_write(job, begin, end); });
}

void CpuBackend::add_tasks(const AttentionArgs& args, size_t sequence) {
  const KvShape& shape = args.cache->shape;
  const int32_t first_row = args.row_begin[sequence];
  const int32_t rows = args.row_begin[sequence + 1] - first_row;
  const int32_t before = args.context_tokens[sequence] - rows;
  SERAPH_CPU_CHECK(rows >= 0 && before >= 0, "a step's rows are the last of their context");
  SERAPH_CPU_CHECK(args.context_tokens[sequence] <= int64_t{args.blocks_stride} * shape.block_tokens,
                   "blocks cover the context");
  bool branches = false;
  for (int32_t i = 0; i < rows && !args.parents.empty(); ++i) {
    const int32_t parent = args.parents[static_cast<size_t>(first_row + i)];
    SERAPH_CPU_CHECK(parent >= -1 && parent < i, "parents come before their children");
    branches = branches || parent != i - 1;
  }
  uint64_t* paths = branches ? paths_.data() + first_row : nullptr;
  SERAPH_CPU_CHECK(!branches || rows <= kTreeRowsMax, "a tree has at most kTreeRowsMax rows");
  for (int32_t i = 0; i < rows && branches; ++i) {
    const int32_t parent = args.parents[static_cast<size_t>(first_row + i)];
    paths[i] = (parent < 0 ? 0 : paths[parent]) | uint64_t{1} << i;
  }
  const int32_t queries_max = kAttentionRowsMax / (args.num_heads / shape.num_kv_heads);
  for (int32_t q = 0; q < rows; q += queries_max) {
    for (int32_t h = 0; h < shape.num_kv_heads; ++h) {
      tasks_.push_back({.row = first_row + q,
                        .num_queries = std::min(queries_max, rows - q),
                        .position = branches ? before : before + q,
                        .paths = branches ? paths + q : nullptr,
                        .kv_head = h,
                        .blocks = args.block_tables.data() + static_cast<int64_t>(sequence) * args.blocks_stride});
    }
  }
}

void CpuBackend::attention(const AttentionArgs& args) {
  AttentionJob job;
  job.q = f32_data(args.q);
  job.q_stride = args.q.stride;
  job.out = args.out.data;
  job.out_stride = args.out.stride;
  job.out_type = element_of(args.out.dtype);
  job.kv = kv_view(*args.cache, args.layer);
  job.num_heads = args.num_heads;
  job.scale = args.scale;
  job.window = args.window;
  const int32_t group = args.num_heads / job.kv.num_kv_heads;
  SERAPH_CPU_CHECK(group * job.kv.num_kv_heads == args.num_heads && group <= kAttentionRowsMax, "supports() was asked");
  SERAPH_CPU_CHECK(args.parents.empty() || args.parents.size() == static_cast<size_t>(args.q.rows),
                   "every row has a parent, or none has");
  tasks_.clear();
  paths_.resize(args.parents.size());
  int64_t work = 0;
  for (size_t s = 0; s < args.context_tokens.size(); ++s) {
    if (args.context_tokens[s] == 0) continue;
    add_tasks(args, s);
    work += int64_t{args.row_begin[s + 1] - args.row_begin[s]} * args.context_tokens[s] * args.q.cols;
  }
  const auto run_task = [&](int64_t i, int32_t thread) {
    kernels_.attention(job, tasks_[static_cast<size_t>(i)], scratch_[static_cast<size_t>(thread)].data());
  };
  const auto count = static_cast<int64_t>(tasks_.size());
  if (work < kAttendTogether) {
    for (int64_t i = 0; i < count; ++i) run_task(i, 0);
  } else {
    pool_.run(count, run_task);
  }
}

void CpuBackend::gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) {
  SERAPH_CPU_CHECK(x.dtype == out.dtype && x.cols == out.cols, "rows are copied as they are");
  const int64_t bytes = dtype_bytes(x.dtype);
  for (size_t i = 0; i < rows.size(); ++i) {
    SERAPH_CPU_CHECK(rows[i] >= 0 && rows[i] < x.rows, "gathered rows exist");
    std::memcpy(static_cast<char*>(out.data) + static_cast<int64_t>(i) * out.stride * bytes,
                static_cast<const char*>(x.data) + rows[i] * x.stride * bytes, static_cast<size_t>(x.cols * bytes));
  }
}

void CpuBackend::sample(const SampleArgs& args) {
  SERAPH_CPU_CHECK(args.rows.size() == args.results.size(), "every row has a result");
  float* logits = f32_data(args.logits);
  SERAPH_CPU_CHECK(args.vocab_size > 0 && args.vocab_size <= args.logits.cols, "the vocabulary is within the logits");
  for (const SampleRow& row : args.rows) {
    SERAPH_CPU_CHECK(row.logit_row >= 0 && row.logit_row < args.logits.rows, "a sampled row has logits");
  }
  const auto sample_row = [&](int64_t i, int32_t thread) {
    const SampleRow& row = args.rows[static_cast<size_t>(i)];
    samplers_[static_cast<size_t>(thread)].sample(row, logits + row.logit_row * args.logits.stride, args.logits.cols,
                                                  args.vocab_size, args.results[static_cast<size_t>(i)]);
  };
  const auto rows = static_cast<int64_t>(args.rows.size());
  if (rows * args.vocab_size < kSampleTogether) {
    for (int64_t i = 0; i < rows; ++i) sample_row(i, 0);
  } else {
    pool_.run(rows, sample_row);
  }
}

void CpuBackend::copy_kv_blocks(KvCache& cache, std::span<const int32_t> from, std::span<const int32_t> to) {
  SERAPH_CPU_CHECK(from.size() == to.size(), "every copied block has a target");
  const int64_t bytes = kv_block_bytes(cache.shape);
  char* storage = static_cast<char*>(cache.storage.data());
  for (size_t i = 0; i < from.size(); ++i) {
    SERAPH_CPU_CHECK(from[i] >= 0 && from[i] < cache.num_blocks && to[i] >= 0 && to[i] < cache.num_blocks,
                     "copied blocks are in the cache");
    std::memcpy(storage + to[i] * bytes, storage + from[i] * bytes, static_cast<size_t>(bytes));
  }
}

Buffer CpuBackend::allocate_host(int64_t bytes) { return allocate_memory(bytes); }

void CpuBackend::swap_kv_blocks(const SwapKvArgs& args) {
  SERAPH_CPU_CHECK(args.device_blocks.size() == args.host_blocks.size(), "every swapped block has a target");
  const int64_t bytes = kv_block_bytes(args.cache->shape);
  for (size_t i = 0; i < args.device_blocks.size(); ++i) {
    SERAPH_CPU_CHECK(args.device_blocks[i] >= 0 && args.device_blocks[i] < args.cache->num_blocks &&
                         args.host_blocks[i] >= 0 && (args.host_blocks[i] + 1) * bytes <= args.host->bytes(),
                     "swapped blocks are in the cache and in the pool");
    char* device = static_cast<char*>(args.cache->storage.data()) + args.device_blocks[i] * bytes;
    char* host = static_cast<char*>(args.host->data()) + args.host_blocks[i] * bytes;
    std::memcpy(args.to_host ? host : device, args.to_host ? device : host, static_cast<size_t>(bytes));
  }
}

}  // namespace seraph::cpu

namespace seraph {

std::unique_ptr<Backend> make_cpu_backend(const CpuBackendOptions& options, std::string& error) {
  const cpu::Kernels* kernels = cpu::find_kernels(options.isa_max, error);
  if (kernels == nullptr) return nullptr;
  return std::make_unique<cpu::CpuBackend>(options, *kernels);
}

}  // namespace seraph
