#include "daemon/commands/plan_roofline.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

namespace seraph {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

// Dense rates; where a sheet states them with sparsity, half of it. GeForce: with 32-bit sums.
constexpr GpuSheet kSheets[] = {
    {"H100-SXM", 80, 3350, 989.4},
    {"H100-PCIe", 80, 2039, 756},
    {"H200", 141, 4800, 989.4},
    {"H20", 96, 4000, 148},
    {"A100-SXM-80GB", 80, 2039, 312},
    {"A100-PCIe-80GB", 80, 1935, 312},
    {"A100-40GB", 40, 1555, 312},
    {"A30", 24, 933, 165},
    {"A40", 48, 696, 149.7},
    {"A10", 24, 600, 125},
    {"L40S", 48, 864, 362},
    {"L40", 48, 864, 181},
    {"L20", 48, 864, 119.5},
    {"L4", 24, 300, 121},
    {"T4", 16, 320, 65},
    {"RTX-6000-Ada", 48, 960, 364},
    {"RTX-A6000", 48, 768, 154.8},
    {"RTX-4090", 24, 1008, 165.2},
    {"RTX-3090", 24, 936, 71},
};

std::string plain(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

double real(int64_t x) { return static_cast<double>(x); }

/// Parameters of one layer's products.
double layer_parameters(const PlanShape& shape, double head_dim) {
  const double attention = (2 * real(shape.num_heads) + 2 * real(shape.num_kv_heads)) * head_dim;
  return real(shape.hidden_size) * (attention + 3 * real(shape.intermediate_size));
}

}  // namespace

std::span<const GpuSheet> gpu_sheets() { return kSheets; }

Result<GpuSheet> find_gpu_sheet(const std::string& name) {
  std::string names;
  const GpuSheet* found = nullptr;
  for (const GpuSheet& sheet : kSheets) {
    if (plain(sheet.name) == plain(name)) return sheet;
    // "A100" is the first of its cards.
    if (found == nullptr && !name.empty() && plain(sheet.name).starts_with(plain(name))) found = &sheet;
    names += (names.empty() ? "" : ", ") + std::string(sheet.name);
  }
  if (found != nullptr) return *found;
  return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is no GPU whose data sheet is known", name),
               "the names are " + names + ", or all", "--roofline"};
}

Result<StepWork> step_work(const PlanShape& shape) {
  if (shape.intermediate_size <= 0 || shape.vocab_size <= 0) {
    return Error{ErrorCode::kInvalidArgument, "a roofline needs intermediate_size and vocab_size",
                 "give a model folder with a config.json of a dense decoder"};
  }
  SERAPH_ASSIGN_OR_RETURN(const ExactPlan exact, plan_exact(shape, 1));
  const double head_dim = shape.head_dim > 0 ? real(shape.head_dim) : real(shape.hidden_size) / real(shape.num_heads);
  const double body = real(shape.num_layers) * layer_parameters(shape, head_dim);
  const double table = real(shape.vocab_size) * real(shape.hidden_size);
  // A step reads the head whole. An embedding table of its own it reads a few rows of.
  const bool own_table = shape.parameters_b * 1e9 > body + 1.5 * table;
  StepWork work;
  work.memory_bytes = exact.weights_gib * kGib;
  work.weight_bytes = work.memory_bytes - (own_table ? table * 2 : 0);
  work.linear_flops_per_row = 2 * (body + table);
  work.attention_flops_per_key = 4 * real(shape.num_layers) * real(shape.num_heads) * head_dim;
  work.kv_bytes_per_token = exact.kv_bytes_per_token;
  work.kernels = kKernelsPerLayer * real(shape.num_layers) + kKernelsPerStep;
  return work;
}

Roofline roofline(const StepWork& work, const GpuSheet& gpu, int64_t batch, int64_t context_tokens,
                  int64_t prompt_tokens, double memory_utilization) {
  const double kv_bytes = real(batch) * real(context_tokens) * work.kv_bytes_per_token;
  const double bytes = work.weight_bytes + kv_bytes;
  const double flops = real(batch) * (work.linear_flops_per_row + real(context_tokens) * work.attention_flops_per_key);
  const double bytes_ms = bytes / (gpu.bandwidth_gbs * 1e6);
  const double flops_ms = flops / (gpu.tflops * 1e9);
  const double kernels_ms = work.kernels * kKernelUs * 1e-3;
  Roofline out;
  out.batch = batch;
  out.roof_tpot_ms = std::max(bytes_ms, flops_ms);
  out.tpot_ms = std::max(bytes_ms * kBytesRatio / kBandwidthShare, flops_ms / kFlopsShare) + kernels_ms;
  out.tokens_per_s = real(batch) * 1e3 / out.tpot_ms;
  // Half of a prompt's pairs of rows and keys are behind the diagonal.
  const double prompt_flops =
      real(prompt_tokens) * (work.linear_flops_per_row + 0.5 * real(prompt_tokens) * work.attention_flops_per_key);
  const double weights_ms = work.weight_bytes * kBytesRatio / (gpu.bandwidth_gbs * 1e6 * kBandwidthShare);
  out.ttft_ms = std::max(prompt_flops / (gpu.tflops * 1e9 * kFlopsShare), weights_ms) + kernels_ms;
  out.fits = work.memory_bytes + kv_bytes <= gpu.memory_gb * 1e9 * memory_utilization;
  return out;
}

std::string roofline_table(const StepWork& work, const RooflineQuestion& question, double memory_utilization) {
  std::string out = fmt::format(
      "A step reads {:.2f} GB of weights and {:.1f} KiB for each token of context; {} tokens of context, prompts of "
      "{}.\n"
      "Predicted, not measured: {:g} of the fewest bytes at {:g} of the sheet's bandwidth, {:g} of its operations, "
      "{:g} us "
      "for each of {:.0f} kernels.\n\n{:<16}{:>6}{:>12}{:>10}{:>10}{:>10}\n",
      work.weight_bytes / 1e9, work.kv_bytes_per_token / 1024, question.context_tokens, question.prompt_tokens,
      kBytesRatio, kBandwidthShare, kFlopsShare, kKernelUs, work.kernels, "card", "batch", "roof TPOT", "TPOT ms",
      "tok/s", "TTFT ms");
  for (const GpuSheet& gpu : question.gpus) {
    for (const int64_t batch : question.batches) {
      const Roofline row =
          roofline(work, gpu, batch, question.context_tokens, question.prompt_tokens, memory_utilization);
      out += row.fits ? fmt::format("{:<16}{:>6}{:>12.2f}{:>10.2f}{:>10.0f}{:>10.1f}\n", gpu.name, batch,
                                    row.roof_tpot_ms, row.tpot_ms, row.tokens_per_s, row.ttft_ms)
                      : fmt::format("{:<16}{:>6}  does not fit\n", gpu.name, batch);
    }
  }
  return out;
}

Json roofline_json(const StepWork& work, const RooflineQuestion& question, double memory_utilization) {
  Json::Array rows;
  for (const GpuSheet& gpu : question.gpus) {
    for (const int64_t batch : question.batches) {
      const Roofline row =
          roofline(work, gpu, batch, question.context_tokens, question.prompt_tokens, memory_utilization);
      Json item(Json::Object{});
      item.set("gpu", gpu.name);
      item.set("batch", batch);
      item.set("fits", row.fits);
      item.set("roof_tpot_ms", row.roof_tpot_ms);
      item.set("tpot_ms", row.tpot_ms);
      item.set("tokens_per_s", row.tokens_per_s);
      item.set("ttft_ms", row.ttft_ms);
      rows.push_back(std::move(item));
    }
  }
  Json out(Json::Object{});
  out.set("weight_bytes", work.weight_bytes);
  out.set("kv_bytes_per_token", work.kv_bytes_per_token);
  out.set("context_tokens", question.context_tokens);
  out.set("prompt_tokens", question.prompt_tokens);
  out.set("measured", false);
  out.set("rows", Json(std::move(rows)));
  return out;
}

}  // namespace seraph
