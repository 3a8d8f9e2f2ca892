#include "engine/engine_load.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/clock.h"
#include "engine/decoder_executor.h"
#include "engine/engine_config.h"
#include "engine/kv_plan.h"
#include "engine/pooling_config.h"
#include "engine/pooling_executor.h"
#include "engine/pooling_head.h"
#include "engine/text/tokenizer.h"
#include "kernels/cuda_access.h"

namespace seraph {
namespace {

Result<std::unique_ptr<Backend>> make_cpu(const EngineOptions& options) {
  std::string error;
  std::unique_ptr<Backend> backend =
      make_cpu_backend({.threads = options.threads, .pin_threads = options.pin_threads}, error);
  if (backend == nullptr) return Error{ErrorCode::kUnsupported, error, "", "device"};
  return backend;
}

/// The GPU, or null and why not.
std::unique_ptr<Backend> make_cuda(const EngineOptions& options, std::string& why_not) {
  if (options.cuda == nullptr) {
    why_not = "this seraph was built without CUDA";
    return nullptr;
  }
  return options.cuda->make_backend({}, why_not);
}

/// Why `auto` does not even try a GPU; "" when it does. A simulated one serves tests: it must be asked for.
std::string why_not_gpu(const EngineOptions& options) {
  if (options.cuda == nullptr) return "this seraph was built without CUDA";
  const CudaDevices devices = options.cuda->find_devices();
  if (devices.count == 0) return devices.reason;
  if (devices.simulated) return "the CUDA device of this seraph is simulated, use --device cuda to serve on it";
  if (options.dtype == "float32")
    return "a GPU computes in bfloat16 and float16, not in the float32 that was asked for";
  return "";
}

Result<std::unique_ptr<Backend>> make_backend(const EngineOptions& options) {
  if (options.device == "cpu") return make_cpu(options);
  std::string why_not;
  if (options.device == "cuda") {
    std::unique_ptr<Backend> backend = make_cuda(options, why_not);
    if (backend == nullptr) return Error{ErrorCode::kUnsupported, why_not, "use --device cpu or auto", "device"};
    return backend;
  }
  if (options.device != "auto") {
    return Error{ErrorCode::kUnsupported, "device \"" + options.device + "\" is not offered", "use auto, cuda or cpu",
                 "device"};
  }
  why_not = why_not_gpu(options);
  if (why_not.empty()) {
    std::unique_ptr<Backend> backend = make_cuda(options, why_not);
    if (backend != nullptr) return backend;
  }
  spdlog::info("device auto: cpu, because {}", why_not);
  return make_cpu(options);
}

/// What the device computes in: `compute`, or the nearest where nobody asked for it.
Result<DType> fit_dtype(const EngineOptions& options, const Backend& backend, DType compute) {
  if (backend.computes_in(compute)) return compute;
  const DType nearest = backend.computes_in(DType::kBf16) ? DType::kBf16 : DType::kF16;
  if (options.dtype != "auto") {
    return Error{ErrorCode::kUnsupported, backend.name() + " does not compute in " + dtype_name(compute),
                 std::string("use --dtype ") + dtype_name(nearest) + " or --device cpu", "dtype"};
  }
  spdlog::info("dtype auto: {}, because {} does not compute in {}", dtype_name(nearest), backend.name(),
               dtype_name(compute));
  return nearest;
}

Status check_block_tokens(int32_t block_tokens) {
  if (block_tokens >= 8 && block_tokens <= 256 && block_tokens % 8 == 0) return {};
  return Error{ErrorCode::kInvalidArgument, "block_size " + std::to_string(block_tokens) + " is not offered",
               "use a multiple of 8 from 8 to 256", "block_size"};
}

/// The KV cache in the memory that loading left.
Result<KvCache> make_cache(const EngineOptions& options, const LoadedModel& model) {
  const KvShape shape = model.decoder->kv_shape(options.block_tokens);
  const std::string unsupported = model.backend->supports(shape, model.decoder->spec().num_heads);
  if (!unsupported.empty()) return Error{ErrorCode::kUnsupported, unsupported};
  SERAPH_ASSIGN_OR_RETURN(
      const KvPlan plan,
      plan_kv({.block_bytes = model.backend->kv_block_bytes(shape),
               .block_tokens = options.block_tokens,
               .max_model_len = model.info.max_model_len,
               .max_num_seqs = model.info.max_num_seqs,
               .kv_cache_bytes = options.kv_cache_bytes,
               .num_blocks_override = options.num_kv_blocks_override,
               .memory_free_bytes = model.backend->memory_free_bytes(),
               .memory_budget_bytes = model.backend->memory_budget_bytes(options.gpu_memory_utilization)}));
  KvCache cache{.shape = shape, .num_blocks = plan.num_blocks, .storage = model.backend->allocate(plan.kv_bytes)};
  if (cache.storage.data() == nullptr) {
    return Error{ErrorCode::kOutOfMemory, "the system refused " + std::to_string(plan.kv_bytes) + " bytes of KV cache",
                 "lower --kv-cache-memory or --max-model-len", "kv_cache_memory"};
  }
  return cache;
}

/// The backend has memory of its own, and what is swapped leaves it. The CPU's blocks would only go from memory to
/// memory.
bool has_own_memory(const Backend& backend) { return backend.can_record(); }

Result<Preemption> choose_preemption(const EngineOptions& options) {
  if (options.preemption == "auto") return Preemption::kByCost;
  if (options.preemption == "swap") return Preemption::kSwap;
  if (options.preemption == "recompute") return Preemption::kRecompute;
  return Error{ErrorCode::kInvalidArgument, "preemption mode \"" + options.preemption + "\" is not offered",
               "use auto, swap or recompute", "preemption_mode"};
}

/// Host memory for the blocks of preempted sequences, no more than all sequences of full length could use. Empty: they
/// are computed again.
Result<Buffer> make_host_blocks(const EngineOptions& options, const LoadedModel& model, int64_t block_bytes) {
  constexpr int64_t kBytesBesideGpu = int64_t{1} << 30;
  const bool chosen = options.swap_bytes < 0;
  const bool wanted = !model.info.pooling.pools() && options.preemption != "recompute";
  const int64_t asked = !chosen ? options.swap_bytes : has_own_memory(*model.backend) ? kBytesBesideGpu : 0;
  const int64_t blocks_per_seq = (model.info.max_model_len + options.block_tokens - 1) / options.block_tokens;
  const int64_t blocks = std::min(asked / block_bytes, blocks_per_seq * model.info.max_num_seqs);
  if (!wanted || blocks == 0) return Buffer();
  Buffer memory = model.backend->allocate_host(blocks * block_bytes);
  if (memory.data() != nullptr) return memory;
  if (!chosen) {
    return Error{
        ErrorCode::kOutOfMemory,
        "the system refused " + std::to_string(blocks * block_bytes >> 20) + " MiB of host memory for swapping",
        "lower --swap-space", "swap_space"};
  }
  spdlog::warn("no host memory for swapping: preempted sequences are computed again");
  return Buffer();
}

/// Every byte of the device that stays taken, and what is pinned on the host.
std::vector<MemoryPart> list_memory(const LoadedModel& model, int64_t host_block_bytes) {
  std::vector<MemoryPart> parts = {{"weights", model.info.weight_bytes},
                                   {"kv_cache", model.info.kv_bytes},
                                   {"activations", model.info.activation_bytes}};
  if (model.info.adapter_bytes > 0) parts.push_back({"adapter_slots", model.info.adapter_bytes});
  for (const MemoryUse& use : model.backend->memory_uses()) {
    if (use.device_bytes > 0) parts.push_back({use.what, use.device_bytes});
    if (use.host_bytes > 0) parts.push_back({use.what, use.host_bytes, true});
  }
  if (host_block_bytes > 0) parts.push_back({"swap", host_block_bytes, true});
  return parts;
}

void fill_limits(const EngineOptions& options, const StepLimits& step, LoadedModel& model) {
  SchedulerLimits& limits = model.limits;
  limits.num_seqs_max = step.max_num_seqs;
  limits.step_tokens_max = step.max_num_batched_tokens;
  limits.prompt_logit_rows_max = step.prompt_logit_rows_max;
  limits.model_tokens_max = model.info.max_model_len;
  limits.vocab_size = model.info.vocab_size;
  limits.block_tokens = options.block_tokens;
  limits.num_blocks = model.info.num_kv_blocks;
  limits.prefix_caching = options.enable_prefix_caching;
  limits.num_adapter_slots = options.max_loras;
  limits.keys_depend_on_prompt = [spec = model.decoder->spec()](int32_t prompt_tokens) {
    return spec.keys_depend_on_prompt(prompt_tokens);
  };
}

/// The ids of the tokens that a generating head classifies by.
Result<std::vector<TokenId>> find_classifier_tokens(const EngineOptions& options, const PoolingHeadSpec& head,
                                                    int32_t vocab_size) {
  std::vector<TokenId> ids;
  if (head.tokens.empty()) return ids;
  SERAPH_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::load(options.model_dir));
  for (const std::string& token : head.tokens) {
    ids.push_back(tokenizer->find_piece(token));
    if (ids.back() >= 0 && ids.back() < vocab_size) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "classifier_from_token names \"" + token + "\", which is no token of the vocabulary",
                 "use the vocabulary's own spelling", "classifier_from_token"};
  }
  return ids;
}

/// What the checkpoint and the options come to, before anything large is touched.
struct LoadPlan {
  PoolingPlan pooling;
  DecoderSpec spec;
  std::vector<TokenId> eos_ids;
  DType compute = DType::kF32;
  std::optional<DType> kv;
  StepLimits step;
  int32_t logit_rows_max = 0;
};

Result<std::unique_ptr<StepExecutor>> make_pooling_executor(const EngineOptions& options, const LoadPlan& plan,
                                                            KvCache cache, LoadedModel& model) {
  SERAPH_ASSIGN_OR_RETURN(std::vector<TokenId> tokens,
                          find_classifier_tokens(options, plan.pooling.head, plan.spec.vocab_size));
  SERAPH_ASSIGN_OR_RETURN(PoolingHead head,
                          PoolingHead::load({.checkpoint = model.checkpoint.get(),
                                             .plan = &plan.pooling,
                                             .spec = &plan.spec,
                                             .tokens = std::move(tokens),
                                             .dummy_weights = options.load_format == LoadFormat::kDummy}));
  model.info.pooling = plan.pooling.info;
  model.info.pooling.width = head.width(plan.spec.hidden);
  model.limits.pooling = true;
  return std::unique_ptr<StepExecutor>(
      std::make_unique<PoolingExecutor>(PoolingExecutor::Args{.decoder = model.decoder.get(),
                                                              .backend = model.backend.get(),
                                                              .cache = std::move(cache),
                                                              .head = std::move(head),
                                                              .rows_max = model.info.max_num_batched_tokens,
                                                              .num_seqs_max = model.info.max_num_seqs}));
}

Result<std::unique_ptr<StepExecutor>> make_executor(const EngineOptions& options, const LoadPlan& plan, KvCache cache,
                                                    LoadedModel& model) {
  if (plan.pooling.info.pools()) return make_pooling_executor(options, plan, std::move(cache), model);
  const int64_t block_bytes = model.backend->kv_block_bytes(cache.shape);
  SERAPH_ASSIGN_OR_RETURN(Buffer host_blocks, make_host_blocks(options, model, block_bytes));
  SERAPH_ASSIGN_OR_RETURN(model.limits.preemption, choose_preemption(options));
  model.limits.host_blocks = static_cast<int32_t>(host_blocks.bytes() / block_bytes);
  // There and back, at what a slow slot or a core's copy gives.
  constexpr int64_t kSwapBytesPerNs = 10;
  model.limits.swap_block_ns = 2 * block_bytes / kSwapBytesPerNs;
  model.info.host_block_bytes = host_blocks.bytes();
  return std::unique_ptr<StepExecutor>(std::make_unique<DecoderExecutor>(
      DecoderExecutor::Args{.decoder = model.decoder.get(),
                            .backend = model.backend.get(),
                            .cache = std::move(cache),
                            .host_blocks = std::move(host_blocks),
                            .sample_model = {.vocab_size = plan.spec.vocab_size, .eos_ids = model.info.eos_ids},
                            .rows_max = model.info.max_num_batched_tokens,
                            .num_seqs_max = model.info.max_num_seqs,
                            .logit_rows_max = plan.logit_rows_max,
                            .context_max = model.info.max_model_len,
                            .eager = options.enforce_eager}));
}

std::string model_type_of(const Checkpoint& checkpoint, const DecoderSpec& spec) {
  const Json* type = checkpoint.config().find("model_type");
  return type != nullptr && type->is_string() ? type->as_string() : spec.family;
}

/// Chat fine-tunes of base models often name their end in the tokenizer only: its eos ends an answer as the files' do.
std::vector<TokenId> join_eos_ids(std::vector<TokenId> ids, const EngineOptions& options) {
  const TokenId own = options.tokenizer_eos ? options.tokenizer_eos() : -1;
  if (own >= 0) ids.push_back(own);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

/// Also fills what it decides of model.info.
Result<LoadPlan> plan_load(const EngineOptions& options, LoadedModel& model) {
  LoadPlan plan;
  EngineInfo& info = model.info;
  SERAPH_ASSIGN_OR_RETURN(
      plan.pooling, plan_pooling(*model.checkpoint,
                                 {.runner = options.runner, .convert = options.convert, .pooler = options.pooler}));
  SERAPH_ASSIGN_OR_RETURN(plan.spec, read_decoder_spec(*model.checkpoint));
  const std::string& generation_dir = options.generation_config_dir;
  SERAPH_ASSIGN_OR_RETURN(plan.eos_ids,
                          read_end_ids(options.model_dir, generation_dir.empty() ? options.model_dir : generation_dir));
  const DecoderSpec& spec = plan.spec;

  SERAPH_ASSIGN_OR_RETURN(plan.compute, choose_dtype(options, spec.stored_dtype));
  SERAPH_ASSIGN_OR_RETURN(plan.kv, choose_kv_dtype(options));
  SERAPH_ASSIGN_OR_RETURN(info.max_model_len, choose_max_model_len(options, spec.max_positions,
                                                                   spec.rope.scaling != RopeSpec::Scaling::kNone));
  if (info.max_model_len > spec.max_positions) {
    spdlog::warn("max_model_len {} is more than the {} positions that the checkpoint was made for", info.max_model_len,
                 spec.max_positions);
  }
  SERAPH_ASSIGN_OR_RETURN(plan.step, choose_step_limits(options, spec.vocab_size));
  const int32_t step_tokens = plan.step.max_num_batched_tokens;
  // The mean needs the hidden state of every row.
  plan.logit_rows_max = plan.pooling.info.pools()
                            ? step_tokens
                            : std::min(plan.step.max_num_seqs + plan.step.prompt_logit_rows_max, step_tokens);
  info.model_type = model_type_of(*model.checkpoint, spec);
  info.dtype = dtype_name(plan.compute);
  info.vocab_size = spec.vocab_size;
  info.max_num_seqs = plan.step.max_num_seqs;
  info.max_num_batched_tokens = step_tokens;
  info.block_tokens = options.block_tokens;
  info.prefix_caching = options.enable_prefix_caching;
  return plan;
}

}  // namespace

Result<LoadedModel> load_model(const EngineOptions& options) {
  const MonotonicUs begin = now_us();
  LoadedModel model;
  EngineInfo& info = model.info;
  const bool dummy = options.load_format == LoadFormat::kDummy;
  SERAPH_RETURN_IF_ERROR(check_block_tokens(options.block_tokens));
  SERAPH_ASSIGN_OR_RETURN(
      model.checkpoint,
      Checkpoint::open(options.model_dir, dummy ? Checkpoint::Weights::kIgnored : Checkpoint::Weights::kRequired,
                       options.read_ahead, options.config_overrides));
  SERAPH_ASSIGN_OR_RETURN(const LoadPlan plan, plan_load(options, model));
  SERAPH_ASSIGN_OR_RETURN(model.backend, make_backend(options));
  info.device = model.backend->name();
  SERAPH_ASSIGN_OR_RETURN(const DType compute, fit_dtype(options, *model.backend, plan.compute));
  info.dtype = dtype_name(compute);
  const bool pools = plan.pooling.info.pools();
  if (pools && options.max_loras > 0) {
    return Error{ErrorCode::kUnsupported, "adapters change models that generate text, not pooling models",
                 "leave out --enable-lora", "enable_lora"};
  }
  SERAPH_ASSIGN_OR_RETURN(model.decoder,
                          Decoder::load({.checkpoint = model.checkpoint.get(),
                                         .spec = plan.spec,
                                         .backend = model.backend.get(),
                                         .compute = compute,
                                         .kv = plan.kv,
                                         .dummy_weights = dummy,
                                         .seed = options.seed,
                                         .rows_max = plan.step.max_num_batched_tokens,
                                         .logit_rows_max = plan.logit_rows_max,
                                         .output = pools ? DecoderOutput::kHidden : DecoderOutput::kLogits,
                                         .sequences_max = plan.step.max_num_seqs,
                                         .context_max = info.max_model_len,
                                         .block_tokens = options.block_tokens,
                                         .adapter_slots = options.max_loras,
                                         .adapter_rank_max = options.max_lora_rank}));
  if (const std::string notice = model.backend->notice(); !notice.empty()) spdlog::warn("{}", notice);
  info.num_parameters = model.decoder->num_parameters();
  info.weight_bytes = model.decoder->weight_bytes();
  info.activation_bytes = model.decoder->activation_bytes();
  info.adapter_bytes = model.decoder->adapter_bytes();
  info.max_loras = options.max_loras;

  SERAPH_ASSIGN_OR_RETURN(KvCache cache, make_cache(options, model));
  info.num_kv_blocks = cache.num_blocks;
  info.kv_cache_dtype = dtype_name(cache.shape.dtype);
  info.kv_bytes = cache.storage.bytes();
  fill_limits(options, plan.step, model);
  model.limits.eos_ids = info.eos_ids = join_eos_ids(plan.eos_ids, options);
  SERAPH_ASSIGN_OR_RETURN(model.executor, make_executor(options, plan, std::move(cache), model));
  info.memory = list_memory(model, info.host_block_bytes);
  info.load_seconds = static_cast<double>(now_us() - begin) / 1e6;
  return model;
}

}  // namespace seraph
