// A PEFT adapter folder, believed only after checking: adapter_config.json and adapter_model.safetensors become pairs
// of matrices by the name of the base module that they belong to. Nothing here knows the base model. The file is read,
// not mapped: folders are replaced while servers run, and a mapped file that shrinks would kill the process.
//
// The names of a tensor in the file, all for the module model.layers.0.self_attn.q_proj:
//   base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight       as PEFT writes them
//   model.layers.0.self_attn.q_proj.lora_A.weight                        without the wrapper's name, or with several
//   ....q_proj.lora_A.default.weight                                     with the adapter's name, saved by hand
//   ...._orig_mod.model.layers.0....                                     from a compiled model
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"  // HostMatrix

namespace seraph {

/// The delta of one matrix of the base: scale * b a x. Values are finite and of a size that 16 bits hold.
struct PeftModule {
  std::string name;
  HostMatrix a;  // [rank, inputs]
  HostMatrix b;  // [outputs, rank]
  float scale = 1.0F;
};

/// What the base and the options allow.
struct PeftLimits {
  int64_t rank_max = 0;
  int64_t file_bytes_max = 0;
};

class PeftFolder {
 public:
  /// Errors: kNotFound (no folder, or no adapter_config.json in it), kCorrupt, kUnsupported; each names the file.
  static Result<std::unique_ptr<const PeftFolder>> open(const std::string& dir, const PeftLimits& limits);
  /// The same from the contents of both files, which `dir` names in messages.
  static Result<std::unique_ptr<const PeftFolder>> parse(const std::string& dir, std::string_view config,
                                                         std::vector<uint8_t> file, const PeftLimits& limits);

  /// Ordered by name; at least one.
  const std::vector<PeftModule>& modules() const { return modules_; }
  int32_t rank_max() const { return rank_max_; }
  int64_t bytes() const { return bytes_; }
  /// Differs when the contents of the files do.
  uint64_t version() const { return version_; }

 private:
  PeftFolder() = default;

  std::vector<uint8_t> file_;
  std::vector<std::vector<uint8_t>> copies_;  // of tensors that begin at an odd byte
  std::vector<PeftModule> modules_;
  int32_t rank_max_ = 0;
  int64_t bytes_ = 0;
  uint64_t version_ = 0;

  friend class PeftReader;
};

}  // namespace seraph
