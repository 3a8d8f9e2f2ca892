// The operations of backend.h on the launchers of this folder: a thin layer that moves lists to the device, keeps the
// workspaces and remembers the first fault. Compiled once for a GPU and once for the simulator.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/device_lists.h"
#include "kernels/cuda/device_sampler.h"
#include "kernels/cuda/device_weight.h"
#include "kernels/cuda/wide_products.h"
#include "kernels/cuda_access.h"

namespace seraph::cuda {

class CudaBackend final : public Backend {
 public:
  CudaBackend(const DeviceProperties& device, const CudaBackendOptions& options);
  ~CudaBackend() override;
  /// False when the device refuses; synchronize() says why.
  bool open();

  std::string name() const override;
  bool computes_in(DType compute) const override;
  ActivationTypes activation_types(DType compute) const override;
  std::string supports(const KvShape& shape, int32_t num_heads) const override;
  int64_t memory_free_bytes() const override;
  int64_t memory_budget_bytes(double share) const override;
  Buffer allocate(int64_t bytes) override { return work_.allocate(bytes); }
  int64_t kv_block_bytes(const KvShape& shape) const override;
  std::unique_ptr<Weight> pack(const PackArgs& args) override;
  Buffer pack_bias(std::span<const float> values, bool gate_up) override;
  std::unique_ptr<Weight> pack_random(int64_t rows, int64_t cols, DType compute, float scale, uint64_t seed) override;
  bool plan_scratch(const ScratchPlan& plan) override;
  std::vector<MemoryUse> memory_uses() const override;
  std::string notice() const override;

  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  bool stage(std::span<const std::span<const int32_t>> lists, const SampleArgs* draws) override;
  void submit() override;
  DeviceStatus collect(int64_t& device_us) override;
  int32_t steps_in_flight_max() const override { return kStepsInFlight; }
  bool can_record() const override { return true; }
  void begin_recording() override;
  std::unique_ptr<DeviceGraph> end_recording() override;
  void replay(const DeviceGraph& graph) override;
  DeviceStatus synchronize() override;

  void embed(const EmbedArgs& args) override;
  void rms_norm(const RmsNormArgs& args) override;
  void linear(const LinearArgs& args) override;
  void rope_cache_write(const RopeCacheArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void gather_rows(const Tensor& x, std::span<const int32_t> rows, const Tensor& out) override;
  void sample(const SampleArgs& args) override;
  void copy_kv_blocks(KvCache& cache, std::span<const int32_t> from, std::span<const int32_t> to) override;
  Buffer allocate_host(int64_t bytes) override { return work_.allocate_pinned(bytes); }
  void swap_kv_blocks(const SwapKvArgs& args) override;

 private:
  /// Steps in flight: what was submitted and not collected.
  struct Step {
    OwnedEvent begin;
    OwnedEvent end;
  };
  bool reserve_linear_workspace(const DeviceWeight& weight);
  bool reserve_attention_workspace(const KvShape& shape, int32_t num_heads, int64_t sequences_max, int64_t context_max);
  void multiply_few(const LinearArgs& args, const DeviceWeight& weight);
  void attend_prompts(const AttentionArgs& args, const int32_t* lists[3]);
  void attend_generated(const AttentionArgs& args, const int32_t* lists[3], const uint64_t* paths);
  const uint64_t* find_paths(const AttentionArgs& args);
  void begin_step();
  void deliver_oldest();

  const DeviceProperties device_;
  const CudaBackendOptions options_;
  StreamWork work_;
  Staging staging_{work_};
  DeviceLists lists_{work_, staging_};
  DeviceSampler sampler_{work_, staging_};
  WeightPacker packer_{work_, staging_};
  WideProducts wide_{work_};

  int64_t linear_counters_bytes_ = 0;  // the part of the workspace that is zero between calls, of the largest weight
  int64_t linear_partials_bytes_ = 0;
  Buffer linear_workspace_;
  Buffer attention_workspace_;
  std::vector<uint64_t> paths_;  // on their way to the device

  Step steps_[kStepsInFlight];
  int32_t oldest_ = 0;
  int32_t num_in_flight_ = 0;
  bool step_open_ = false;  // something was issued since the last submit()
  bool recording_ = false;
};

}  // namespace seraph::cuda
