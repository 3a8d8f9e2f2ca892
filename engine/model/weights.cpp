#include "engine/model/weights.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <string>

#include "engine/base/check.h"
#include "engine/model/host_floats.h"

namespace seraph {
namespace {

/// One tensor of a fused matrix or vector: its name without ".weight" and its rows.
struct Part {
  std::string name;
  int64_t rows = 0;
};

/// Hands out weights one after the other and counts them; the first error ends the load.
class Loader {
 public:
  explicit Loader(const Decoder::LoadArgs& args) : args_(args), spec_(args.spec), names_(args.spec.names) {}

  Result<DecoderWeights> load();

 private:
  enum class Fuse { kStack, kGateUp };

  Status check_fits() const;
  Status check_head() const;
  Status load_layer(int32_t index, LayerWeights& out);
  Status load_mlp(const std::string& at, LayerWeights& out);
  Status load_experts(const std::string& at, LayerWeights& out);
  Status matrix(std::unique_ptr<Weight>& out, std::initializer_list<Part> parts, int64_t cols,
                Fuse fuse = Fuse::kStack);
  void random_matrix(std::unique_ptr<Weight>& out, int64_t rows, int64_t cols, Fuse fuse);
  Status vector(Buffer& out, std::initializer_list<Part> parts, float dummy, Fuse fuse = Fuse::kStack);
  Status norm(Buffer& out, const std::string& name, int64_t size) {
    return vector(out, {{name + ".weight", size}}, 1.0F);
  }
  Status bias(Buffer& out, bool present, std::initializer_list<Part> parts, Fuse fuse = Fuse::kStack);
  Error out_of_memory(const std::string& what) const;

  const Decoder::LoadArgs& args_;
  const DecoderSpec& spec_;
  const TensorNames& names_;
  DecoderWeights weights_;
  uint64_t num_random_ = 0;
  std::vector<uint16_t> random_gate_up_;  // bf16; filled when first needed
};

Error Loader::out_of_memory(const std::string& what) const {
  return Error{ErrorCode::kOutOfMemory,
               fmt::format("memory ran out while loading {}: {} MiB of weights are loaded, {} MiB are free", what,
                           weights_.bytes >> 20, args_.backend->memory_free_bytes() >> 20),
               "use a smaller model, --dtype bfloat16, or a machine with more memory"};
}

Status Loader::matrix(std::unique_ptr<Weight>& out, std::initializer_list<Part> parts, int64_t cols, Fuse fuse) {
  int64_t rows = 0;
  for (const Part& part : parts) rows += part.rows;
  weights_.num_parameters += rows * cols;
  if (args_.dummy_weights) {
    random_matrix(out, rows, cols, fuse);
  } else {
    std::vector<HostMatrix> matrices;
    for (const Part& part : parts) {
      SERAPH_ASSIGN_OR_RETURN(const HostMatrix matrix, args_.checkpoint->tensor(part.name, part.rows, cols));
      matrices.push_back(matrix);
    }
    out = args_.backend->pack({.parts = matrices, .compute = args_.compute, .gate_up = fuse == Fuse::kGateUp});
    for (const HostMatrix& matrix : matrices) args_.checkpoint->release(matrix);
  }
  if (out == nullptr) return out_of_memory(parts.begin()->name);
  weights_.bytes += out->bytes();
  return {};
}

/// Uniform with variance 1 / cols: an input of unit variance leaves with unit variance, so that activations
/// neither vanish nor blow up over any number of layers. A fused gate and up has a layout of its own, so it
/// is packed like a file's; every layer takes the same one, which a load test cannot tell.
void Loader::random_matrix(std::unique_ptr<Weight>& out, int64_t rows, int64_t cols, Fuse fuse) {
  const float scale = std::sqrt(3.0F / static_cast<float>(cols));
  if (fuse == Fuse::kStack) {
    const uint64_t seed = args_.seed * 0x9E3779B97F4A7C15U + ++num_random_;
    out = args_.backend->pack_random(rows, cols, args_.compute, scale, seed);
    return;
  }
  if (random_gate_up_.size() != static_cast<size_t>(rows * cols)) {
    std::mt19937_64 random(args_.seed);
    random_gate_up_.resize(static_cast<size_t>(rows * cols));
    for (uint16_t& value : random_gate_up_) {
      const float unit = static_cast<float>(random() >> 40) * 0x1p-23F - 1.0F;
      value = static_cast<uint16_t>(std::bit_cast<uint32_t>(scale * unit) >> 16);  // bf16, rounded towards zero
    }
  }
  const HostMatrix gate = {random_gate_up_.data(), DType::kBf16, rows / 2, cols};
  const HostMatrix up = {random_gate_up_.data() + rows / 2 * cols, DType::kBf16, rows / 2, cols};
  out = args_.backend->pack({.parts = std::array{gate, up}, .compute = args_.compute, .gate_up = true});
}

Status Loader::vector(Buffer& out, std::initializer_list<Part> parts, float dummy, Fuse fuse) {
  std::vector<float> values;
  for (const Part& part : parts) {
    if (args_.dummy_weights) {
      values.resize(values.size() + static_cast<size_t>(part.rows), dummy);
      continue;
    }
    SERAPH_ASSIGN_OR_RETURN(const HostMatrix matrix, args_.checkpoint->tensor(part.name, 1, part.rows));
    append_floats(matrix, values);
    args_.checkpoint->release(matrix);
  }
  weights_.num_parameters += static_cast<int64_t>(values.size());
  out = args_.backend->pack_bias(values, fuse == Fuse::kGateUp);
  if (out.data() == nullptr) return out_of_memory(parts.begin()->name);
  weights_.bytes += out.bytes();
  return {};
}

Status Loader::bias(Buffer& out, bool present, std::initializer_list<Part> parts, Fuse fuse) {
  constexpr float kDummyBias = 0.01F;
  return present ? vector(out, parts, kDummyBias, fuse) : Status();
}

Status Loader::load_layer(int32_t index, LayerWeights& out) {
  const std::string at = fmt::format(fmt::runtime(names_.layer), index);
  const int64_t hidden = spec_.hidden;
  const int64_t q_rows = int64_t{spec_.num_heads} * spec_.head_dim;
  const int64_t kv_rows = int64_t{spec_.num_kv_heads} * spec_.head_dim;
  const auto weight = [&](const std::string& name) { return at + name + ".weight"; };
  const auto offset = [&](const std::string& name) { return at + name + ".bias"; };

  SERAPH_RETURN_IF_ERROR(norm(out.input_norm, at + names_.input_norm, hidden));
  SERAPH_RETURN_IF_ERROR(
      matrix(out.qkv, {{weight(names_.q), q_rows}, {weight(names_.k), kv_rows}, {weight(names_.v), kv_rows}}, hidden));
  SERAPH_RETURN_IF_ERROR(bias(out.qkv_bias, spec_.qkv_bias,
                              {{offset(names_.q), q_rows}, {offset(names_.k), kv_rows}, {offset(names_.v), kv_rows}}));
  if (spec_.qk_norm) {
    SERAPH_RETURN_IF_ERROR(norm(out.q_norm, at + names_.q_norm, spec_.head_dim));
    SERAPH_RETURN_IF_ERROR(norm(out.k_norm, at + names_.k_norm, spec_.head_dim));
  }
  SERAPH_RETURN_IF_ERROR(matrix(out.attention_output, {{weight(names_.attention_output), hidden}}, q_rows));
  SERAPH_RETURN_IF_ERROR(bias(out.output_bias, spec_.output_bias, {{offset(names_.attention_output), hidden}}));
  SERAPH_RETURN_IF_ERROR(norm(out.mlp_norm, at + names_.mlp_norm, hidden));
  return spec_.has_experts(index) ? load_experts(at, out) : load_mlp(at, out);
}

Status Loader::load_mlp(const std::string& at, LayerWeights& out) {
  const int64_t hidden = spec_.hidden;
  const int64_t inner = spec_.intermediate;
  const auto weight = [&](const std::string& name) { return at + name + ".weight"; };
  const auto offset = [&](const std::string& name) { return at + name + ".bias"; };
  SERAPH_RETURN_IF_ERROR(
      matrix(out.gate_up, {{weight(names_.gate), inner}, {weight(names_.up), inner}}, hidden, Fuse::kGateUp));
  SERAPH_RETURN_IF_ERROR(bias(out.gate_up_bias, spec_.mlp_bias,
                              {{offset(names_.gate), inner}, {offset(names_.up), inner}}, Fuse::kGateUp));
  SERAPH_RETURN_IF_ERROR(matrix(out.down, {{weight(names_.down), hidden}}, inner));
  return bias(out.down_bias, spec_.mlp_bias, {{offset(names_.down), hidden}});
}

Status Loader::load_experts(const std::string& at, LayerWeights& out) {
  const int64_t hidden = spec_.hidden;
  const int64_t inner = spec_.experts.intermediate;
  SERAPH_RETURN_IF_ERROR(matrix(out.router, {{at + names_.router + ".weight", spec_.experts.count}}, hidden));
  out.experts.resize(static_cast<size_t>(spec_.experts.count));
  for (int32_t e = 0; e < spec_.experts.count; ++e) {
    ExpertWeights& expert = out.experts[static_cast<size_t>(e)];
    const std::string name = at + fmt::format(fmt::runtime(names_.expert), e);
    SERAPH_RETURN_IF_ERROR(matrix(
        expert.gate_up, {{name + names_.expert_gate + ".weight", inner}, {name + names_.expert_up + ".weight", inner}},
        hidden, Fuse::kGateUp));
    SERAPH_RETURN_IF_ERROR(matrix(expert.down, {{name + names_.expert_down + ".weight", hidden}}, inner));
  }
  return {};
}

/// A first estimate from shapes alone, so that a model that cannot fit is refused before minutes of loading
/// and before the operating system starts to kill.
Status Loader::check_fits() const {
  const double heads = 2.0 * spec_.num_heads + 2.0 * spec_.num_kv_heads;
  double layers = heads * spec_.head_dim * spec_.hidden * spec_.num_layers;
  for (int32_t i = 0; i < spec_.num_layers; ++i) {
    layers += 3.0 * spec_.hidden * static_cast<double>(spec_.mlp_width(i));
  }
  const double tables = (spec_.tied_head ? 1.0 : 2.0) * spec_.vocab_size * spec_.hidden;
  // At least two bytes a weight: float32 may keep what the file has in 16 bits.
  const double bytes = 2.0 * (layers + tables);
  const auto free = static_cast<double>(args_.backend->memory_free_bytes());
  if (bytes <= free) return {};
  return Error{
      ErrorCode::kOutOfMemory,
      fmt::format("the weights need at least {:.0f} MiB, {:.0f} MiB of memory are free", bytes / 0x1p20, free / 0x1p20),
      "use a smaller model or a machine with more memory"};
}

Status Loader::check_head() const {
  if (args_.output == DecoderOutput::kHidden) return {};
  if (args_.dummy_weights || spec_.tied_head || args_.checkpoint->has_tensor(names_.head)) return {};
  return Error{ErrorCode::kCorrupt,
               fmt::format("{}/config.json: tie_word_embeddings is not true, but the weights lack {}",
                           args_.checkpoint->dir(), names_.head),
               "set tie_word_embeddings to true if the model shares its embedding, else download the weights again",
               "tie_word_embeddings"};
}

Result<DecoderWeights> Loader::load() {
  SERAPH_RETURN_IF_ERROR(check_fits());
  SERAPH_RETURN_IF_ERROR(check_head());
  SERAPH_RETURN_IF_ERROR(matrix(weights_.embed, {{names_.embed, spec_.vocab_size}}, spec_.hidden));
  weights_.layers.resize(static_cast<size_t>(spec_.num_layers));
  for (int32_t i = 0; i < spec_.num_layers; ++i) {
    SERAPH_RETURN_IF_ERROR(load_layer(i, weights_.layers[static_cast<size_t>(i)]));
  }
  SERAPH_RETURN_IF_ERROR(norm(weights_.final_norm, names_.final_norm, spec_.hidden));
  if (!spec_.tied_head && args_.output == DecoderOutput::kLogits) {
    SERAPH_RETURN_IF_ERROR(matrix(weights_.head, {{names_.head, spec_.vocab_size}}, spec_.hidden));
  }
  return std::move(weights_);
}

}  // namespace

Result<DecoderWeights> load_weights(const Decoder::LoadArgs& args) {
  SERAPH_CHECK(args.dummy_weights || args.checkpoint != nullptr, "weights come from a checkpoint or are made up");
  return Loader(args).load();
}

}  // namespace seraph
