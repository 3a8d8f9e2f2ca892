// Launches of the CUDA kernels at the shapes of models, each with the bytes and multiplications that the operation
// cannot do without. One list, counted on the simulated device by cuda_cost and timed on a GPU by tests/gpu's bench.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cost {

constexpr double kBytesRatioMax = 1.05;
constexpr double kPrefillBytesRatioMax = 1.10;

/// Device memory for as long as this lives.
class CostMemory {
 public:
  CostMemory() = default;
  CostMemory(const CostMemory&) = delete;
  CostMemory& operator=(const CostMemory&) = delete;
  ~CostMemory();

  void* zeros(int64_t bytes);
  Tensor matrix(int64_t rows, int64_t cols, DType dtype = DType::kBf16);
  template <typename T>
  const T* list(const std::vector<T>& values) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
    return static_cast<const T*>(copied(values.data(), bytes));
  }

 private:
  void* copied(const void* host, int64_t bytes);
  std::vector<void*> allocations_;
};

struct CostCase {
  std::string name = {};
  int64_t read_min_bytes = 0;
  int64_t written_min_bytes = 0;
  std::function<cuda::Status(cuda::Stream)> launch = {};
  double bytes_ratio_max = kBytesRatioMax;
  int64_t multiply_adds_min = 0;  // that the operation needs, of mma

  int64_t bytes_min() const { return read_min_bytes + written_min_bytes; }
};

struct LayerShape {
  const char* name = "";
  int32_t hidden = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  int32_t intermediate = 0;
  int32_t layers = 0;
  int32_t vocab = 0;
  int32_t block_tokens = 16;
};
constexpr LayerShape kQwen05B = {"Qwen2.5-0.5B", 896, 14, 2, 64, 4864, 24, 151936};
constexpr LayerShape kQwen7B = {"Qwen2-7B", 3584, 28, 4, 128, 18944, 28, 152064};
constexpr LayerShape kLlama8B = {"Llama-3.1-8B", 4096, 32, 8, 128, 14336, 32, 128256};

CostCase rms_norm_case(CostMemory& memory, int64_t rows, int64_t hidden, bool adds);
CostCase gather_case(CostMemory& memory, int64_t rows, int64_t hidden);
CostCase silu_mul_case(CostMemory& memory, int64_t rows, int64_t intermediate);
CostCase copy_case(CostMemory& memory);
CostCase linear_case(CostMemory& memory, const std::string& name, int64_t rows, int64_t k, int64_t n,
                     LinearArgs::Epilogue epilogue, DType out = DType::kBf16);
CostCase rope_case(CostMemory& memory, const LayerShape& layer, int64_t rows, DType kv);
CostCase decode_case(CostMemory& memory, const LayerShape& layer, int32_t sequences, int32_t context, DType kv,
                     int32_t num_blocks_grid);
CostCase prefill_case(CostMemory& memory, const LayerShape& layer, int32_t tokens, DType kv, int32_t num_blocks_grid);
/// Greedy draws of `rows` rows of logits.
CostCase sample_case(CostMemory& memory, int32_t rows, int32_t vocab);

/// The kernels of one layer of a decode step, in their order.
std::vector<CostCase> layer_cases(CostMemory& memory, const LayerShape& layer, int32_t rows, int32_t context, DType kv,
                                  int32_t num_blocks_grid);

}  // namespace seraph::cost
