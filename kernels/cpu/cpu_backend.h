// The backend on x86 cores: checks the caller's promises, cuts work into pieces for the pool and calls the
// chosen instruction set's kernels. Every operation is complete when it returns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/routing.h"
#include "kernels/cpu/sampler.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/experts.h"

namespace seraph::cpu {

class PackedWeight;

class CpuBackend final : public Backend, public ExpertsBackend {
 public:
  CpuBackend(const CpuBackendOptions& options, const Kernels& kernels);

  std::string name() const override;
  bool computes_in(DType compute) const override { return compute != DType::kI32 && compute != DType::kF8E4m3; }
  ActivationTypes activation_types(DType compute) const override;
  std::string supports(const KvShape& shape, int32_t num_heads) const override;
  int64_t memory_free_bytes() const override;
  int64_t memory_budget_bytes(double share) const override;
  Buffer allocate(int64_t bytes) override;
  int64_t kv_block_bytes(const KvShape& shape) const override;
  std::unique_ptr<Weight> pack(const PackArgs& args) override;
  std::unique_ptr<LoraBank> make_lora_bank(const LoraBankArgs& args) override;
  void write_lora(LoraBank& bank, int32_t slot, std::span<const LoraPart> parts) override;
  std::unique_ptr<Weight> pack_random(int64_t rows, int64_t cols, DType compute, float scale, uint64_t seed) override;
  Buffer pack_bias(std::span<const float> values, bool gate_up) override;
  bool plan_scratch(const ScratchPlan& plan) override;
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void embed(const EmbedArgs& args) override;
  void rms_norm(const RmsNormArgs& args) override;
  void linear(const LinearArgs& args) override;
  void rope_cache_write(const RopeCacheArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) override;
  void sample(const SampleArgs& args) override;
  void experts(const ExpertsArgs& args) override;
  void copy_kv_blocks(KvCache& cache, std::span<const int32_t> from, std::span<const int32_t> to) override;
  Buffer allocate_host(int64_t bytes) override;
  void swap_kv_blocks(const SwapKvArgs& args) override;
  DeviceStatus synchronize() override { return {}; }

 private:
  KvView kv_view(const KvCache& cache, int32_t layer) const;
  /// Cuts the rows of a sequence into attention tasks.
  void add_tasks(const AttentionArgs& args, size_t sequence);
  /// Computes the deltas of the rows of a linear with `n` outputs that have an adapter, for job.deltas.
  void compute_deltas(const LinearArgs& args, int64_t n);
  /// One expert for the rows that chose it.
  void compute_expert(const ExpertsArgs& args, const Expert& expert, const Routing::Assigned& assigned);
  void fill(PackedWeight& weight, const HostMatrix& part, int64_t row_begin);
  /// range(begin, end) over [0, count) in pieces of whole `unit`s. `cost` is the whole work in bytes touched
  /// or multiply-adds / 16, about a nanosecond for 16: little work stays on the calling thread.
  template <typename Range>
  void split(int64_t count, int64_t unit, int64_t cost, const Range& range);

  const Kernels& kernels_;
  ThreadPool pool_;
  std::vector<Sampler> samplers_;     // one per thread
  std::vector<Buffer> scratch_;       // one per thread, for attention
  std::vector<AttentionTask> tasks_;  // reused by attention()
  // Of the rows of one linear with adapters; they grow to the largest step's.
  std::vector<const LoraMatrices*> lora_rows_;
  std::vector<const float*> deltas_;
  std::vector<float> lora_inner_;
  std::vector<float> lora_deltas_;
  // Of a mixture of experts: who chose whom, and the rows of one expert.
  Routing routing_;
  std::vector<int32_t> expert_slots_;
  Buffer expert_x_, expert_inner_, expert_out_;
  std::vector<uint64_t> paths_;  // of the rows of a step that branch, see AttentionTask::paths
};

}  // namespace seraph::cpu
