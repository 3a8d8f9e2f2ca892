// The slots of a decoder's adapters: a bank for each linear that adapters may change. Engine thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/model/adapter.h"
#include "engine/model/spec.h"
#include "kernels/backend.h"

namespace seraph {

/// Null: without adapters.
struct MlpBanks {
  std::unique_ptr<LoraBank> gate_up, down;
};
struct LayerBanks {
  std::unique_ptr<LoraBank> qkv, attention_output;
  MlpBanks mlp;                   // of a layer without experts
  std::vector<MlpBanks> experts;  // [experts.count] of a layer with them
};

class LoraBanks {
 public:
  struct Args {
    Backend* backend = nullptr;
    const DecoderSpec* spec = nullptr;
    DType compute = DType::kF32;
    int32_t num_slots = 0;  // 0: no adapters
    int32_t rank_max = 0;
  };
  /// Errors: kUnsupported (the device has no adapters), kOutOfMemory.
  static Result<LoraBanks> make(const Args& args);

  /// REQUIRES: no step in flight names the slot.
  void write(Backend& backend, int32_t slot, const AdapterWeights& weights);
  /// Of a layer, for a step with adapters; else banks that are all null.
  const LayerBanks& layer(int32_t index, bool with_adapters) const {
    return with_adapters ? layers_[static_cast<size_t>(index)] : none_;
  }
  int64_t bytes() const { return bytes_; }

 private:
  Status add_mlp(const Args& args, MlpBanks& out, int64_t inner);
  Status add(const Args& args, std::unique_ptr<LoraBank>& out, int64_t cols, std::initializer_list<int64_t> part_rows);

  std::vector<LayerBanks> layers_;
  LayerBanks none_;
  int64_t bytes_ = 0;
};

}  // namespace seraph
