#include "engine/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace seraph {
namespace {

/// base^(2i/d) for every i, rounded to float32 where transformers rounds.
std::vector<float> powers(double base, int32_t rotary_dim) {
  std::vector<float> out(static_cast<size_t>(rotary_dim / 2));
  for (size_t i = 0; i < out.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_dim);
    out[i] = static_cast<float>(std::pow(static_cast<double>(static_cast<float>(base)), static_cast<double>(exponent)));
  }
  return out;
}

void scale_llama3(const RopeSpec& spec, std::vector<float>& inverse) {
  const auto factor = static_cast<float>(spec.factor);
  const auto low_wavelength = static_cast<float>(spec.original_positions / spec.low_freq_factor);
  const auto high_wavelength = static_cast<float>(spec.original_positions / spec.high_freq_factor);
  for (float& frequency : inverse) {
    const float wavelength = static_cast<float>(2.0 * std::numbers::pi) / frequency;
    const float slow = frequency / factor;
    if (wavelength > low_wavelength) {
      frequency = slow;
    } else if (wavelength >= high_wavelength) {
      const float smooth =
          (static_cast<float>(spec.original_positions) / wavelength - static_cast<float>(spec.low_freq_factor)) /
          static_cast<float>(spec.high_freq_factor - spec.low_freq_factor);
      frequency = (1.0F - smooth) * slow + smooth * frequency;
    }
  }
}

/// Interpolates the slow pairs, keeps the fast ones, and ramps between the pairs that turn beta_fast and
/// beta_slow times within the trained context.
void scale_yarn(const RopeSpec& spec, std::vector<float>& inverse) {
  const double dim = spec.rotary_dim;
  const auto pair_of = [&](double turns) {
    return dim * std::log(spec.original_positions / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(spec.base));
  };
  double low = pair_of(spec.beta_fast);
  double high = pair_of(spec.beta_slow);
  if (spec.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;  // a ramp of no width would divide by zero
  const auto factor = static_cast<float>(spec.factor);
  const std::vector<float> power = powers(spec.base, spec.rotary_dim);
  for (size_t i = 0; i < inverse.size(); ++i) {
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0F, 1.0F);
    const float kept = 1.0F - ramp;
    inverse[i] = 1.0F / (factor * power[i]) * (1.0F - kept) + inverse[i] * kept;
  }
}

double dynamic_base(const RopeSpec& spec, int64_t total_tokens) {
  const double tokens = std::max(static_cast<double>(total_tokens), spec.original_positions);
  const double stretch = spec.factor * tokens / spec.original_positions - (spec.factor - 1.0);
  const double dim = spec.rotary_dim;
  return spec.base * std::pow(stretch, dim / (dim - 2.0));
}

}  // namespace

std::vector<float> rope_inverse_frequencies(const RopeSpec& spec, int64_t total_tokens) {
  using Scaling = RopeSpec::Scaling;
  const bool dynamic = spec.scaling == Scaling::kDynamicNtk;
  std::vector<float> inverse = powers(dynamic ? dynamic_base(spec, total_tokens) : spec.base, spec.rotary_dim);
  for (float& value : inverse) value = 1.0F / value;
  if (spec.scaling == Scaling::kLinear) {
    for (float& value : inverse) value /= static_cast<float>(spec.factor);
  } else if (spec.scaling == Scaling::kLlama3) {
    scale_llama3(spec, inverse);
  } else if (spec.scaling == Scaling::kYarn) {
    scale_yarn(spec, inverse);
  }
  return inverse;
}

RopeTable::RopeTable(const RopeSpec& spec) : spec_(spec), inverse_frequencies_(rope_inverse_frequencies(spec, 0)) {}

void RopeTable::fill(std::span<const float> inverse_frequencies, int64_t position, float* out) const {
  const size_t half = inverse_frequencies.size();
  const auto scale = static_cast<float>(spec_.attention_factor);
  for (size_t i = 0; i < half; ++i) {
    const auto angle = static_cast<double>(inverse_frequencies[i] * static_cast<float>(position));
    out[i] = static_cast<float>(std::cos(angle)) * scale;
    out[half + i] = static_cast<float>(std::sin(angle)) * scale;
  }
}

const float* RopeTable::row(int64_t position) {
  const auto chunk = static_cast<size_t>(position / kChunkPositions);
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (chunks_[chunk] == nullptr) {
    auto rows = std::make_unique<float[]>(static_cast<size_t>(kChunkPositions * spec_.rotary_dim));
    for (int64_t i = 0; i < kChunkPositions; ++i) {
      fill(inverse_frequencies_, static_cast<int64_t>(chunk) * kChunkPositions + i, rows.get() + i * spec_.rotary_dim);
    }
    chunks_[chunk] = std::move(rows);
  }
  return chunks_[chunk].get() + position % kChunkPositions * spec_.rotary_dim;
}

void RopeTable::gather_scaled(int64_t total_tokens, int64_t position, float* out) {
  if (scaled_tokens_ != total_tokens) {
    scaled_ = rope_inverse_frequencies(spec_, total_tokens);
    scaled_tokens_ = total_tokens;
  }
  fill(scaled_, position, out);
}

void RopeTable::gather(const Batch& batch, float* out) {
  const bool dynamic = spec_.scaling == RopeSpec::Scaling::kDynamicNtk;
  for (size_t s = 0; s + 1 < batch.row_begin.size(); ++s) {
    for (int32_t r = batch.row_begin[s]; r < batch.row_begin[s + 1]; ++r) {
      const int64_t position = batch.positions[static_cast<size_t>(r)];
      float* to = out + static_cast<int64_t>(r) * spec_.rotary_dim;
      const int64_t total_tokens = std::max<int64_t>(batch.prompt_tokens[s], position + 1);
      if (dynamic && static_cast<double>(total_tokens) > spec_.original_positions) {
        gather_scaled(total_tokens, position, to);
      } else {
        std::copy_n(row(position), spec_.rotary_dim, to);
      }
    }
  }
}

}  // namespace seraph
