#include "engine/pooling_head.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/model/host_floats.h"

namespace seraph {
namespace {

float apply_function(PoolingHeadSpec::Function function, float x) {
  using Function = PoolingHeadSpec::Function;
  switch (function) {
    case Function::kIdentity:
      return x;
    case Function::kTanh:
      return std::tanh(x);
    case Function::kRelu:
      return std::max(x, 0.0F);
    case Function::kGelu:
      return 0.5F * x * (1.0F + std::erf(x * 0.70710678F));
    case Function::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
  }
  return x;
}

}  // namespace

Status PoolingHead::append_rows(const Checkpoint& checkpoint, const char* name, int64_t rows) {
  SERAPH_ASSIGN_OR_RETURN(const HostMatrix matrix, checkpoint.tensor(name, rows, inputs_));
  append_floats(matrix, weight_);
  checkpoint.release(matrix);
  return {};
}

Status PoolingHead::load_dense(const LoadArgs& args) {
  const PoolingHeadSpec& head = args.plan->head;
  if (head.inputs != args.spec->hidden) {
    return Error{ErrorCode::kCorrupt,
                 fmt::format("{}/config.json: in_features is {}, the model's hidden_size is {}", head.folder,
                             head.inputs, args.spec->hidden),
                 "download the model folder again", "in_features"};
  }
  SERAPH_ASSIGN_OR_RETURN(const auto file, Checkpoint::open(head.folder, Checkpoint::Weights::kRequired, false));
  SERAPH_RETURN_IF_ERROR(append_rows(*file, "linear.weight", outputs_));
  if (!head.bias) return {};
  SERAPH_ASSIGN_OR_RETURN(const HostMatrix bias, file->tensor("linear.bias", 1, outputs_));
  append_floats(bias, bias_);
  return {};
}

/// Rows of the generating head. The matrix itself is not kept.
Status PoolingHead::load_tokens(const LoadArgs& args) {
  const std::string& name = args.spec->tied_head ? args.spec->names.embed : args.spec->names.head;
  SERAPH_ASSIGN_OR_RETURN(const HostMatrix matrix, args.checkpoint->tensor(name, args.spec->vocab_size, inputs_));
  const auto bytes_of_row = matrix.cols * dtype_bytes(matrix.dtype);
  for (const TokenId id : args.tokens) {
    SERAPH_CHECK(id >= 0 && id < args.spec->vocab_size, "the tokens were found in the vocabulary");
    const char* row = static_cast<const char*>(matrix.data) + id * bytes_of_row;
    append_floats(HostMatrix{.data = row, .dtype = matrix.dtype, .rows = 1, .cols = matrix.cols}, weight_);
  }
  args.checkpoint->release(matrix);
  if (!args.plan->head.difference) return {};
  const auto width = static_cast<size_t>(inputs_);
  for (size_t i = 0; i < width; ++i) weight_[i] = weight_[width + i] - weight_[i];
  weight_.resize(width);
  return {};
}

Result<PoolingHead> PoolingHead::load(const LoadArgs& args) {
  using Kind = PoolingHeadSpec::Kind;
  PoolingHead head;
  head.inputs_ = args.spec->hidden;
  head.outputs_ = args.plan->info.width;
  head.function_ = args.plan->head.function;
  const Kind kind = args.plan->head.kind;
  if (kind == Kind::kNone) return head;
  if (args.dummy_weights) {
    head.weight_.assign(static_cast<size_t>(head.inputs_) * static_cast<size_t>(head.outputs_), 0.01F);
    return head;
  }
  if (kind == Kind::kDense) SERAPH_RETURN_IF_ERROR(head.load_dense(args));
  if (kind == Kind::kScore) SERAPH_RETURN_IF_ERROR(head.append_rows(*args.checkpoint, "score.weight", head.outputs_));
  if (kind == Kind::kTokens) SERAPH_RETURN_IF_ERROR(head.load_tokens(args));
  return head;
}

void PoolingHead::apply(std::span<const float> pooled, std::span<float> out) const {
  if (weight_.empty()) {
    std::copy(pooled.begin(), pooled.end(), out.begin());
    return;
  }
  SERAPH_CHECK(pooled.size() == static_cast<size_t>(inputs_) && out.size() == static_cast<size_t>(outputs_),
               "the head fits the model");
  constexpr size_t kLanes = 16;  // running sums that the compiler keeps in vector registers
  for (size_t row = 0; row < out.size(); ++row) {
    const float* weights = weight_.data() + row * pooled.size();
    float lanes[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= pooled.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += weights[i + lane] * pooled[i + lane];
    }
    float sum = bias_.empty() ? 0.0F : bias_[row];
    for (; i < pooled.size(); ++i) sum += weights[i] * pooled[i];
    for (const float lane : lanes) sum += lane;
    out[row] = apply_function(function_, sum);
  }
}

}  // namespace seraph
