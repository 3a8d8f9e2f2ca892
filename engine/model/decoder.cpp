#include "engine/model/decoder.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "engine/base/check.h"
#include "engine/model/lora_banks.h"
#include "engine/model/rope.h"
#include "engine/model/weights.h"
#include "kernels/experts.h"

namespace seraph {
namespace {

const float* floats(const Buffer& buffer) { return static_cast<const float*>(buffer.data()); }

/// The block of Llama and its relatives:
///   x += o_proj(attention(rope(qkv(norm(x)))))
///   x += down(silu(gate(norm(x))) * up(norm(x)))
/// Activations live in a handful of buffers that every layer writes anew.
class PlainDecoder final : public Decoder {
 public:
  explicit PlainDecoder(const LoadArgs& args)
      : spec_(args.spec),
        backend_(*args.backend),
        experts_backend_(dynamic_cast<ExpertsBackend*>(args.backend)),
        types_(args.backend->activation_types(args.compute)),
        kv_(args.kv.value_or(types_.kv)),
        rows_max_(args.rows_max),
        logit_rows_max_(args.logit_rows_max),
        output_(args.output),
        rope_(args.spec.rope) {}

  Status load(const LoadArgs& args);

  const DecoderSpec& spec() const override { return spec_; }
  KvShape kv_shape(int32_t block_tokens) const override {
    return KvShape{.num_layers = spec_.num_layers,
                   .num_kv_heads = spec_.num_kv_heads,
                   .head_dim = spec_.head_dim,
                   .block_tokens = block_tokens,
                   .dtype = kv_};
  }
  int64_t weight_bytes() const override { return weights_.bytes; }
  int64_t activation_bytes() const override { return activation_bytes_; }
  int64_t num_parameters() const override { return weights_.num_parameters; }
  int64_t adapter_bytes() const override { return banks_.bytes(); }
  void write_adapter(int32_t slot, const AdapterWeights& weights) override { banks_.write(backend_, slot, weights); }
  bool stage(const Batch& batch, const SampleArgs* draws) override;
  Tensor run(const Batch& batch, KvCache& cache) override;
  Tensor logits(int64_t count) const override { return rows(kLogits, count); }

 private:
  Status allocate_activations(const LoadArgs& args);
  Status allocate(Buffer& buffer, Tensor& tensor, int64_t rows, int64_t cols, DType dtype);
  void write_kv(const LayerWeights& layer, int32_t index, const Batch& batch, KvCache& cache);
  void attend(int32_t index, const Batch& batch, const KvCache& cache);
  void attend_some(int32_t index, const Batch& batch, const KvCache& cache, std::span<const int32_t> context_tokens,
                   bool generated);
  void finish_layer(int32_t index, const Tensor& attended, const Tensor& x, std::span<const int32_t> adapter_slots);
  void compute_mlp(int32_t index, const Tensor& normed, const Tensor& x, std::span<const int32_t> adapter_slots);
  void compute_experts(int32_t index, const Tensor& normed, const Tensor& x, std::span<const int32_t> adapter_slots);
  void list_experts();
  void keep_logit_rows(const Batch& batch);

  int64_t q_cols() const { return int64_t{spec_.num_heads} * spec_.head_dim; }
  int64_t qkv_cols() const { return q_cols() + 2 * int64_t{spec_.num_kv_heads} * spec_.head_dim; }

  const DecoderSpec spec_;
  Backend& backend_;
  ExpertsBackend* const experts_backend_;  // null: the device has no mixtures
  const ActivationTypes types_;
  const DType kv_;
  const int32_t rows_max_;
  const int32_t logit_rows_max_;
  const DecoderOutput output_;
  DecoderWeights weights_;  // constant after load()
  LoraBanks banks_;
  std::vector<std::vector<Expert>> experts_;  // by layer; empty where it has none
  RopeTable rope_;
  int64_t activation_bytes_ = 0;

  // Rows are the tokens of the batch; the tensors have room for rows_max_ (those of logits: logit_rows_max_).
  enum Activation {
    kX,
    kNormed,
    kQkv,
    kAttended,
    kInner,
    kCosSin,
    kLastX,
    kLastAttended,
    kScores,
    kLogits,
    kNumActivations
  };
  std::vector<float> cos_sin_;  // on its way to kCosSin
  Buffer buffers_[kNumActivations];
  Tensor tensors_[kNumActivations];

  struct Shape {
    Activation which;
    int64_t rows, cols;
    DType dtype;
  };
  Status check_fits(std::span<const Shape> shapes) const;

  Tensor rows(Activation which, int64_t count) const { return tensors_[which].first_rows(count); }
};

Status PlainDecoder::allocate(Buffer& buffer, Tensor& tensor, int64_t rows, int64_t cols, DType dtype) {
  constexpr int64_t kGroup = 8;  // columns are read in groups of so many: rows end on whole ones, filled up with zeros
  const int64_t stride = (cols + kGroup - 1) / kGroup * kGroup;
  const int64_t bytes = rows * stride * dtype_bytes(dtype);
  if (bytes > 0) buffer = backend_.allocate(bytes);
  if (bytes > 0 && buffer.data() == nullptr) {
    return Error{ErrorCode::kOutOfMemory, fmt::format("no memory for {} MiB of activations", bytes >> 20),
                 "lower --max-num-batched-tokens"};
  }
  tensor = Tensor{.data = buffer.data(), .dtype = dtype, .rows = rows, .cols = cols, .stride = stride};
  activation_bytes_ += bytes;
  return {};
}

/// Names the number of rows that would fit.
Status PlainDecoder::check_fits(std::span<const Shape> shapes) const {
  int64_t row_bytes = 0;
  int64_t other_bytes = 0;
  for (const Shape& s : shapes) {
    const int64_t bytes = s.cols * dtype_bytes(s.dtype);
    (s.rows == rows_max_ ? row_bytes : other_bytes) += s.rows == rows_max_ ? bytes : s.rows * bytes;
  }
  const int64_t free = backend_.memory_free_bytes();
  if (rows_max_ * row_bytes + other_bytes <= free) return {};
  const int64_t fits = std::max<int64_t>(0, free - other_bytes) / row_bytes;
  return Error{ErrorCode::kOutOfMemory,
               fmt::format("{} tokens a step need {} MiB of activations, {} MiB of memory are free", rows_max_,
                           (rows_max_ * row_bytes + other_bytes) >> 20, free >> 20),
               fits > 0 ? fmt::format("lower --max-num-batched-tokens to {}", fits) : "use a smaller model",
               "max_num_batched_tokens"};
}

Status PlainDecoder::allocate_activations(const LoadArgs& args) {
  const int64_t all = rows_max_;
  const int64_t last = logit_rows_max_;
  const Shape shapes[] = {
      {kX, all, spec_.hidden, types_.residual},
      {kNormed, all, spec_.hidden, types_.input},
      {kQkv, all, qkv_cols(), types_.output},
      {kAttended, all, q_cols(), types_.input},
      {kInner, all, spec_.intermediate, types_.input},
      {kCosSin, all, spec_.rope.rotary_dim, DType::kF32},
      {kLastX, last, spec_.hidden, types_.residual},
      {kLastAttended, last, q_cols(), types_.input},
      {kScores, spec_.experts.count > 0 ? all : 0, spec_.experts.count, types_.output},
      {kLogits, output_ == DecoderOutput::kLogits ? last : 0, spec_.vocab_size, DType::kF32},
  };
  SERAPH_RETURN_IF_ERROR(check_fits(shapes));
  for (const Shape& s : shapes) {
    SERAPH_RETURN_IF_ERROR(allocate(buffers_[s.which], tensors_[s.which], s.rows, s.cols, s.dtype));
  }
  const int64_t inner = int64_t{2} * spec_.intermediate;
  const ScratchPlan plan = {
      .rows_max = all,
      .cols_max = std::max({qkv_cols(), inner, int64_t{spec_.hidden}, int64_t{spec_.vocab_size}}),
      .logit_rows_max = output_ == DecoderOutput::kLogits ? last : 0,
      .sequences_max = args.sequences_max > 0 ? args.sequences_max : last,
      .context_max = args.context_max > 0 ? args.context_max : spec_.max_positions,
      .kv = kv_shape(args.block_tokens),
      .num_heads = spec_.num_heads,
  };
  if (!backend_.plan_scratch(plan)) {
    return Error{ErrorCode::kOutOfMemory, "no memory for the workspaces of a step", "lower --max-num-seqs"};
  }
  return {};
}

Status PlainDecoder::load(const LoadArgs& args) {
  if (const std::string reason = backend_.supports(kv_shape(16), spec_.num_heads); !reason.empty()) {
    return Error{ErrorCode::kUnsupported, fmt::format("{} cannot run this model: {}", backend_.name(), reason),
                 "use another model or device"};
  }
  if (spec_.experts.count > 0 && experts_backend_ == nullptr) {
    return Error{ErrorCode::kUnsupported, fmt::format("{} has no mixtures of experts", backend_.name()),
                 "use --device cpu", "device"};
  }
  SERAPH_ASSIGN_OR_RETURN(weights_, load_weights(args));
  SERAPH_ASSIGN_OR_RETURN(banks_, LoraBanks::make({.backend = &backend_,
                                                   .spec = &spec_,
                                                   .compute = args.compute,
                                                   .num_slots = args.adapter_slots,
                                                   .rank_max = args.adapter_rank_max}));
  list_experts();
  return allocate_activations(args);
}

/// Norm, q, k, v and their rotation; k and v go to the cache, q stays in kQkv.
void PlainDecoder::write_kv(const LayerWeights& layer, int32_t index, const Batch& batch, KvCache& cache) {
  const auto count = static_cast<int64_t>(batch.token_ids.size());
  const Tensor normed = rows(kNormed, count);
  const Tensor qkv = rows(kQkv, count);
  backend_.rms_norm({.x = rows(kX, count),
                     .weight = floats(layer.input_norm),
                     .group = spec_.hidden,
                     .eps = spec_.norm_eps,
                     .out = normed});
  backend_.linear({.x = normed,
                   .weight = layer.qkv.get(),
                   .bias = floats(layer.qkv_bias),
                   .out = qkv,
                   .lora = banks_.layer(index, !batch.adapter_slots.empty()).qkv.get(),
                   .lora_slots = batch.adapter_slots});
  backend_.rope_cache_write({.qkv = qkv,
                             .cos_sin = floats(buffers_[kCosSin]),
                             .rotary_dim = spec_.rope.rotary_dim,
                             .q_norm = floats(layer.q_norm),
                             .k_norm = floats(layer.k_norm),
                             .norm_eps = spec_.norm_eps,
                             .num_heads = spec_.num_heads,
                             .slots = batch.slots,
                             .cache = &cache,
                             .layer = index});
}

/// Prompts and what was generated after them are cut otherwise by some devices, and apart: then a sequence's bits do
/// not depend on what else is in the step.
void PlainDecoder::attend(int32_t index, const Batch& batch, const KvCache& cache) {
  const auto num_sequences = static_cast<int32_t>(batch.context_tokens.size());
  if (batch.num_generated == 0 || batch.num_generated == num_sequences) {
    attend_some(index, batch, cache, batch.context_tokens, batch.num_generated > 0);
    return;
  }
  attend_some(index, batch, cache, batch.prompt_context, false);
  attend_some(index, batch, cache, batch.generated_context, true);
}

void PlainDecoder::attend_some(int32_t index, const Batch& batch, const KvCache& cache,
                               std::span<const int32_t> context_tokens, bool generated) {
  const auto count = static_cast<int64_t>(batch.token_ids.size());
  backend_.attention({.q = rows(kQkv, count).columns(0, q_cols()),
                      .out = rows(kAttended, count),
                      .cache = &cache,
                      .layer = index,
                      .num_heads = spec_.num_heads,
                      .scale = 1.0F / std::sqrt(static_cast<float>(spec_.head_dim)),
                      .window = spec_.window[static_cast<size_t>(index)],
                      .row_begin = batch.row_begin,
                      .context_tokens = context_tokens,
                      .block_tables = batch.block_tables,
                      .blocks_stride = batch.blocks_stride,
                      .generated = generated});
}

/// o_proj and the MLP, added to the residual rows `x` (the rows that `attended` belongs to).
void PlainDecoder::finish_layer(int32_t index, const Tensor& attended, const Tensor& x,
                                std::span<const int32_t> adapter_slots) {
  const LayerWeights& layer = weights_.layers[static_cast<size_t>(index)];
  const Tensor normed = rows(kNormed, x.rows);
  backend_.linear({.x = attended,
                   .weight = layer.attention_output.get(),
                   .bias = floats(layer.output_bias),
                   .epilogue = LinearArgs::Epilogue::kAccumulate,
                   .out = x,
                   .lora = banks_.layer(index, !adapter_slots.empty()).attention_output.get(),
                   .lora_slots = adapter_slots});
  backend_.rms_norm(
      {.x = x, .weight = floats(layer.mlp_norm), .group = spec_.hidden, .eps = spec_.norm_eps, .out = normed});
  if (spec_.has_experts(index)) {
    compute_experts(index, normed, x, adapter_slots);
  } else {
    compute_mlp(index, normed, x, adapter_slots);
  }
}

void PlainDecoder::compute_mlp(int32_t index, const Tensor& normed, const Tensor& x,
                               std::span<const int32_t> adapter_slots) {
  using Epilogue = LinearArgs::Epilogue;
  const LayerWeights& layer = weights_.layers[static_cast<size_t>(index)];
  const MlpBanks& banks = banks_.layer(index, !adapter_slots.empty()).mlp;
  const Tensor inner = rows(kInner, x.rows);
  backend_.linear({.x = normed,
                   .weight = layer.gate_up.get(),
                   .bias = floats(layer.gate_up_bias),
                   .epilogue = Epilogue::kSiluMul,
                   .out = inner,
                   .lora = banks.gate_up.get(),
                   .lora_slots = adapter_slots});
  backend_.linear({.x = inner,
                   .weight = layer.down.get(),
                   .bias = floats(layer.down_bias),
                   .epilogue = Epilogue::kAccumulate,
                   .out = x,
                   .lora = banks.down.get(),
                   .lora_slots = adapter_slots});
}

void PlainDecoder::compute_experts(int32_t index, const Tensor& normed, const Tensor& x,
                                   std::span<const int32_t> adapter_slots) {
  const Tensor scores = rows(kScores, x.rows);
  backend_.linear({.x = normed, .weight = weights_.layers[static_cast<size_t>(index)].router.get(), .out = scores});
  experts_backend_->experts({.x = normed,
                             .scores = scores,
                             .experts = experts_[static_cast<size_t>(index)],
                             .top_k = spec_.experts.top_k,
                             .normalise = spec_.experts.normalise,
                             .lora_slots = adapter_slots,
                             .out = x});
}

/// What steps hand to the device.
void PlainDecoder::list_experts() {
  experts_.resize(weights_.layers.size());
  for (int32_t i = 0; i < spec_.num_layers; ++i) {
    const std::vector<ExpertWeights>& weights = weights_.layers[static_cast<size_t>(i)].experts;
    for (size_t e = 0; e < weights.size(); ++e) {
      Expert expert{.gate_up = weights[e].gate_up.get(), .down = weights[e].down.get()};
      if (banks_.bytes() > 0) {
        const MlpBanks& banks = banks_.layer(i, true).experts[e];
        expert.gate_up_lora = banks.gate_up.get();
        expert.down_lora = banks.down.get();
      }
      experts_[static_cast<size_t>(i)].push_back(expert);
    }
  }
}

/// Nobody reads the last layer's output but the head, so from its attention on only the rows that need
/// logits go on: a prefill chunk skips its o_proj and MLP.
void PlainDecoder::keep_logit_rows(const Batch& batch) {
  const auto count = static_cast<int64_t>(batch.token_ids.size());
  const auto num_logits = static_cast<int64_t>(batch.logit_rows.size());
  backend_.gather_rows(rows(kX, count), batch.logit_rows, rows(kLastX, num_logits));
  backend_.gather_rows(rows(kAttended, count), batch.logit_rows, rows(kLastAttended, num_logits));
}

bool PlainDecoder::stage(const Batch& batch, const SampleArgs* draws) {
  const std::span<const int32_t> lists[] = {
      batch.token_ids,         batch.slots,        batch.row_begin,  batch.context_tokens, batch.prompt_context,
      batch.generated_context, batch.block_tables, batch.logit_rows, batch.adapter_slots,  batch.logit_adapter_slots};
  const bool together = backend_.stage(lists, draws);
  const size_t count = batch.token_ids.size();
  SERAPH_CHECK(count >= 1 && count <= static_cast<size_t>(rows_max_), "the batch builder keeps to the token budget");
  cos_sin_.resize(count * static_cast<size_t>(spec_.rope.rotary_dim));
  rope_.gather(batch, cos_sin_.data());
  backend_.upload(buffers_[kCosSin].data(), cos_sin_.data(), static_cast<int64_t>(cos_sin_.size() * sizeof(float)));
  return together;
}

Tensor PlainDecoder::run(const Batch& batch, KvCache& cache) {
  const auto count = static_cast<int64_t>(batch.token_ids.size());
  const auto num_logits = static_cast<int64_t>(batch.logit_rows.size());
  SERAPH_CHECK(num_logits <= logit_rows_max_, "the batch builder keeps to the limit on logits");
  backend_.embed({.ids = batch.token_ids, .table = weights_.embed.get(), .out = rows(kX, count)});

  const int32_t last = spec_.num_layers - 1;
  for (int32_t i = 0; i < last; ++i) {
    const LayerWeights& layer = weights_.layers[static_cast<size_t>(i)];
    write_kv(layer, i, batch, cache);
    attend(i, batch, cache);
    finish_layer(i, rows(kAttended, count), rows(kX, count), batch.adapter_slots);
  }
  write_kv(weights_.layers.back(), last, batch, cache);
  const bool wants_logits = output_ == DecoderOutput::kLogits;
  const Tensor normed = rows(kNormed, num_logits);
  const Tensor out = wants_logits ? logits(num_logits) : normed;
  if (num_logits == 0) return out;
  attend(last, batch, cache);
  keep_logit_rows(batch);
  const Tensor x = rows(kLastX, num_logits);
  finish_layer(last, rows(kLastAttended, num_logits), x, batch.logit_adapter_slots);

  backend_.rms_norm(
      {.x = x, .weight = floats(weights_.final_norm), .group = spec_.hidden, .eps = spec_.norm_eps, .out = normed});
  if (!wants_logits) return out;
  backend_.linear({.x = normed, .weight = weights_.head_or_embed(), .out = out});
  return out;
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::load(const LoadArgs& args) {
  SERAPH_CHECK(args.backend != nullptr, "a decoder runs on a backend");
  SERAPH_CHECK(args.rows_max >= 1 && args.logit_rows_max >= 1 && args.logit_rows_max <= args.rows_max,
               "activations have a size");
  auto decoder = std::make_unique<PlainDecoder>(args);
  SERAPH_RETURN_IF_ERROR(decoder->load(args));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace seraph
