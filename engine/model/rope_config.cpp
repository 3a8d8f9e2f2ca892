#include "engine/model/rope_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

using Scaling = RopeSpec::Scaling;

constexpr int64_t kPositionsMax = int64_t{1} << 30;
constexpr double kFactorMax = 1e6;

std::optional<Scaling> find_scaling(std::string_view type) {
  if (type == "default" || type == "none" || type.empty()) return Scaling::kNone;
  if (type == "linear") return Scaling::kLinear;
  if (type == "dynamic") return Scaling::kDynamicNtk;
  if (type == "llama3") return Scaling::kLlama3;
  if (type == "yarn") return Scaling::kYarn;
  return std::nullopt;
}

/// The trained context: at the top level where some files put it, else inside the scaling, else the
/// context the config claims.
double read_original_positions(ConfigReader& config, ConfigReader& rope, int32_t max_positions) {
  constexpr const char* kKey = "original_max_position_embeddings";
  const int64_t inside = rope.integer(kKey, max_positions, 1, kPositionsMax);
  return static_cast<double>(config.integer(kKey, inside, 1, kPositionsMax));
}

void read_llama3(ConfigReader& rope, RopeSpec& out) {
  out.low_freq_factor = rope.required_number("low_freq_factor", 1e-6, kFactorMax);
  out.high_freq_factor = rope.required_number("high_freq_factor", 1e-6, kFactorMax);
  if (out.high_freq_factor <= out.low_freq_factor) {
    rope.fail("high_freq_factor", "must be greater than low_freq_factor");
  }
}

/// How much longer contexts flatten the attention, which YaRN undoes through cos and sin.
double yarn_attention_factor(ConfigReader& rope, double factor) {
  if (rope.has("attention_factor")) return rope.required_number("attention_factor", 1e-6, kFactorMax);
  const auto scale = [&](double weight) { return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0; };
  const double mscale = rope.number("mscale", 0.0, 0.0, kFactorMax);
  const double mscale_all_dim = rope.number("mscale_all_dim", 0.0, 0.0, kFactorMax);
  return mscale != 0.0 && mscale_all_dim != 0.0 ? scale(mscale) / scale(mscale_all_dim) : scale(1.0);
}

void read_yarn(ConfigReader& rope, RopeSpec& out) {
  out.attention_factor = yarn_attention_factor(rope, out.factor);
  const double fast = rope.number("beta_fast", 0.0, 0.0, kFactorMax);
  const double slow = rope.number("beta_slow", 0.0, 0.0, kFactorMax);
  out.beta_fast = fast == 0.0 ? 32.0 : fast;  // a zero stands for the default, as in transformers
  out.beta_slow = slow == 0.0 ? 1.0 : slow;
  if (out.beta_fast < out.beta_slow) rope.fail("beta_fast", "must not be less than beta_slow");
  out.truncate = rope.boolean("truncate", true);
  if (out.base <= 1.0) rope.fail("rope_theta", "must be greater than 1 for YaRN");
}

void read_rotary_dim(ConfigReader& config, ConfigReader& rope, DecoderSpec& spec) {
  constexpr const char* kKey = "partial_rotary_factor";
  const double share = rope.number(kKey, config.number(kKey, 1.0, 0.0, 1.0), 0.0, 1.0);
  spec.rope.rotary_dim = static_cast<int32_t>(spec.head_dim * share);
  if (spec.rope.rotary_dim < 2 || spec.rope.rotary_dim % 2 != 0) {
    config.fail("head_dim", fmt::format("is {}: {} of its components would be rotated, which must be an even number",
                                        spec.head_dim, spec.rope.rotary_dim));
  }
}

/// The longest context that the scaling was made for; llama3 files already state it.
void raise_max_positions(ConfigReader& config, DecoderSpec& spec) {
  const RopeSpec& rope = spec.rope;
  double reach = spec.max_positions;
  if (rope.scaling == Scaling::kLinear || rope.scaling == Scaling::kDynamicNtk) reach *= rope.factor;
  if (rope.scaling == Scaling::kYarn) reach = std::max(reach, rope.original_positions * rope.factor);
  if (reach > static_cast<double>(kPositionsMax)) {
    config.fail("max_position_embeddings",
                fmt::format("and the rope scaling make a context of {} tokens, the limit is {}", reach, kPositionsMax));
    return;
  }
  spec.max_positions = static_cast<int32_t>(reach);
}

}  // namespace

void read_rope(ConfigReader& config, DecoderSpec& spec) {
  RopeSpec& out = spec.rope;
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  ConfigReader rope = config.object(key);
  const double theta = config.number("rope_theta", 10000.0, 1e-3, 1e15);
  out.base = rope.number("rope_theta", theta, 1e-3, 1e15);
  const std::string type = rope.has("rope_type") ? rope.text("rope_type", "") : rope.text("type", "default");
  const auto scaling = find_scaling(type);
  if (!scaling.has_value()) {
    rope.fail(Error{ErrorCode::kUnsupported,
                    fmt::format("{}: {}.rope_type is {}, supported are default, linear, dynamic, llama3 and yarn",
                                config.file(), key, in_quotes(type)),
                    "use a model with one of these", std::string(key) + ".rope_type"});
  }
  if (rope.has("full_attention") || rope.has("sliding_attention")) {
    rope.fail(Error{ErrorCode::kUnsupported,
                    fmt::format("{}: {} differs by layer type, which this family does not know", config.file(), key),
                    "give one set of rope parameters", key});
  }
  out.scaling = scaling.value_or(Scaling::kNone);
  read_rotary_dim(config, rope, spec);
  if (out.scaling != Scaling::kNone) {
    out.original_positions = spec.max_positions;
    if (out.scaling == Scaling::kYarn || out.scaling == Scaling::kLlama3) {
      out.original_positions = read_original_positions(config, rope, spec.max_positions);
    }
    if (out.scaling == Scaling::kYarn && !rope.has("factor")) {
      out.factor = std::max(1.0, spec.max_positions / out.original_positions);
    } else {
      out.factor = rope.required_number("factor", 1e-3, kFactorMax);
    }
    if (out.scaling == Scaling::kLlama3) read_llama3(rope, out);
    if (out.scaling == Scaling::kYarn) read_yarn(rope, out);
    if (out.scaling == Scaling::kDynamicNtk && (out.factor < 1.0 || out.rotary_dim < 4)) {
      rope.fail("factor", "of dynamic scaling must be at least 1, with at least 4 rotated components");
    }
    raise_max_positions(config, spec);
  }
  config.take_error(rope);
}

}  // namespace seraph
