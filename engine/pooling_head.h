// The small matrix behind a pooled hidden state: a Dense module, a classifier, or the rows of a generating head that
// judge. A vector a request, in float32 on the host: it is a thousandth of the decoder's work. Immutable after load().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/spec.h"
#include "engine/pooling_config.h"

namespace seraph {

class PoolingHead {
 public:
  struct LoadArgs {
    const Checkpoint* checkpoint = nullptr;
    const PoolingPlan* plan = nullptr;
    const DecoderSpec* spec = nullptr;
    std::vector<TokenId> tokens = {};  // ids of PoolingHeadSpec::tokens
    bool dummy_weights = false;
  };
  /// Errors: kCorrupt (a tensor is missing or has the wrong shape).
  static Result<PoolingHead> load(const LoadArgs& args);

  /// Numbers of an answer: `hidden` when nothing follows the pooling.
  int32_t width(int32_t hidden) const { return weight_.empty() ? hidden : outputs_; }
  /// pooled [hidden] -> out [width].
  void apply(std::span<const float> pooled, std::span<float> out) const;

 private:
  Status load_dense(const LoadArgs& args);
  Status load_tokens(const LoadArgs& args);
  Status append_rows(const Checkpoint& checkpoint, const char* name, int64_t rows);

  int32_t inputs_ = 0, outputs_ = 0;
  std::vector<float> weight_;  // [outputs, inputs]; empty: the pooled vector is the answer
  std::vector<float> bias_;    // [outputs] or empty
  PoolingHeadSpec::Function function_ = PoolingHeadSpec::Function::kIdentity;
};

}  // namespace seraph
