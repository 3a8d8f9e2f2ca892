// A mixture of experts on x86: each expert computes the rows that chose it with the linears of every other layer, so
// that a row's bits do not depend on who else chose the expert.
#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/memory.h"

namespace seraph::cpu {
namespace {

/// `rows` rows in `buffer`, which grows to the largest step's. Columns are read in groups: the fill of a row is zero,
/// as nothing writes there while a buffer keeps its width.
Tensor place(Buffer& buffer, int64_t rows, int64_t cols, DType dtype) {
  constexpr int64_t kGroup = 16;
  const int64_t stride = (cols + kGroup - 1) / kGroup * kGroup;
  const int64_t bytes = rows * stride * dtype_bytes(dtype);
  if (buffer.bytes() < bytes) buffer = allocate_memory(bytes);
  SERAPH_CPU_CHECK(buffer.data() != nullptr, "there is memory for the rows of an expert");
  return Tensor{.data = buffer.data(), .dtype = dtype, .rows = rows, .cols = cols, .stride = stride};
}

void add_weighted(const Tensor& from, const Routing::Assigned& assigned, const Tensor& out) {
  for (int64_t i = 0; i < from.rows; ++i) {
    const float weight = assigned.weights[static_cast<size_t>(i)];
    const float* source = static_cast<const float*>(from.data) + i * from.stride;
    float* target = static_cast<float*>(out.data) + assigned.rows[static_cast<size_t>(i)] * out.stride;
    for (int64_t c = 0; c < out.cols; ++c) target[c] += weight * source[c];
  }
}

}  // namespace

void CpuBackend::experts(const ExpertsArgs& args) {
  SERAPH_CPU_CHECK(args.scores.dtype == DType::kF32 && args.out.dtype == DType::kF32, "scores and residual are f32");
  SERAPH_CPU_CHECK(args.scores.rows == args.x.rows && args.out.rows == args.x.rows, "every row has scores");
  SERAPH_CPU_CHECK(args.scores.cols == static_cast<int64_t>(args.experts.size()) && args.top_k >= 1 &&
                       args.top_k <= args.scores.cols,
                   "there are as many scores as experts, and enough of them");
  route({.scores = static_cast<const float*>(args.scores.data),
         .rows = args.x.rows,
         .stride = args.scores.stride,
         .num_experts = static_cast<int32_t>(args.experts.size()),
         .top_k = args.top_k,
         .normalise = args.normalise},
        routing_);
  for (size_t e = 0; e < args.experts.size(); ++e) {
    if (!routing_.experts[e].rows.empty()) compute_expert(args, args.experts[e], routing_.experts[e]);
  }
}

void CpuBackend::compute_expert(const ExpertsArgs& args, const Expert& expert, const Routing::Assigned& assigned) {
  const auto rows = static_cast<int64_t>(assigned.rows.size());
  const bool adapted = !args.lora_slots.empty();
  expert_slots_.clear();
  for (size_t i = 0; adapted && i < assigned.rows.size(); ++i) {
    expert_slots_.push_back(args.lora_slots[static_cast<size_t>(assigned.rows[i])]);
  }
  const Tensor x = place(expert_x_, rows, args.x.cols, args.x.dtype);
  const Tensor inner = place(expert_inner_, rows, expert.down->cols(), args.x.dtype);
  const Tensor out = place(expert_out_, rows, args.out.cols, DType::kF32);
  gather_rows(args.x, assigned.rows, x);
  linear({.x = x,
          .weight = expert.gate_up,
          .epilogue = LinearArgs::Epilogue::kSiluMul,
          .out = inner,
          .lora = adapted ? expert.gate_up_lora : nullptr,
          .lora_slots = expert_slots_});
  linear({.x = inner,
          .weight = expert.down,
          .out = out,
          .lora = adapted ? expert.down_lora : nullptr,
          .lora_slots = expert_slots_});
  add_weighted(out, assigned, args.out);
}

}  // namespace seraph::cpu
