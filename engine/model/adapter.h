// An adapter in the shape of a decoder: which of its matrices belongs to which fused linear of which layer. Immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/checkpoint/peft_folder.h"
#include "engine/model/spec.h"
#include "kernels/backend.h"

namespace seraph {

/// For each linear: one part for each matrix stacked in it, or none at all when the adapter leaves the linear alone.
struct MlpAdapter {
  std::vector<LoraPart> gate_up, down;
};
struct LayerAdapter {
  std::vector<LoraPart> qkv, attention_output;
  MlpAdapter mlp;                   // of a layer without experts
  std::vector<MlpAdapter> experts;  // [experts.count] of a layer with them
};

struct AdapterWeights {
  std::unique_ptr<const PeftFolder> folder;  // owns the values
  std::vector<LayerAdapter> layers;          // [num_layers]
};

/// The largest file that an adapter of such a model can be, with room to spare.
int64_t adapter_file_bytes_max(const DecoderSpec& spec, int64_t rank_max);

/// Errors: kCorrupt (a module that the model lacks, a wrong shape), kUnsupported (one that adapters cannot change).
Result<std::shared_ptr<const AdapterWeights>> fit_adapter(std::unique_ptr<const PeftFolder> folder,
                                                          const DecoderSpec& spec);

}  // namespace seraph
