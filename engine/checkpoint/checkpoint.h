// A Hugging Face folder as the rest of the engine sees it: config values and tensors by name. Files
// are mapped, headers fully validated before any byte of a tensor is believed. Weights are
// model.safetensors, or the files that model.safetensors.index.json names; nothing else in the folder.
// Immutable after open(); any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "kernels/backend.h"

namespace seraph {

/// The eos_token_id of generation_config.json, in file order; where that file or its ids are absent, of the model's
/// config.json. Nothing else in the file matters here: sampling defaults belong to whoever serves.
Result<std::vector<int32_t>> read_end_ids(const std::string& model_dir, const std::string& generation_config_dir);

class Checkpoint {
 public:
  enum class Weights { kRequired, kIgnored };  // kIgnored: --load-format dummy, tensors are not looked for

  /// Errors: kNotFound (no folder, no config.json, no weights: each with the way out), kCorrupt (which
  /// file, which key), kUnsupported (pickled .bin weights, quantised checkpoints).
  /// Members of `overrides` (null, or an object) replace those of config.json; objects in objects are merged.
  static Result<std::unique_ptr<Checkpoint>> open(const std::string& model_dir, Weights weights, bool read_ahead,
                                                  const Json& overrides = {});
  virtual ~Checkpoint() = default;

  virtual const std::string& dir() const = 0;
  virtual const Json& config() const = 0;
  virtual bool has_tensor(std::string_view name) const = 0;
  /// The tensor as a matrix (rank 1 is one row). kCorrupt when absent or when its shape is not
  /// [rows, cols] (rank 1: rows == 1); the message names the file, the tensor and both shapes.
  virtual Result<HostMatrix> tensor(std::string_view name, int64_t rows, int64_t cols) const = 0;
  virtual int64_t weight_bytes() const = 0;
  /// The pages of this tensor will not be needed again.
  virtual void release(const HostMatrix& matrix) const = 0;
};

}  // namespace seraph
