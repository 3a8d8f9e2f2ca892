// Weights in device memory, brought there from files tensor by tensor: a piece passes through pinned memory into a
// buffer on the device, and a kernel converts it from there. Beside the weight itself that takes one piece.
#pragma once

#include <memory>
#include <span>

#include "kernels/cuda/linear_skinny.h"
#include "kernels/cuda/staging.h"

namespace seraph::cuda {

class DeviceWeight final : public Weight {
 public:
  DeviceWeight(int64_t rows, int64_t cols, DType dtype, bool gate_up);

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  int64_t bytes() const override { return storage_.bytes(); }
  bool gate_up() const { return gate_up_; }
  /// False when there is no memory.
  bool allocate(StreamWork& work);
  const LinearWeight& layout() const { return layout_; }
  /// Rows of the layout that are outputs: gate and up are each rounded up to whole groups.
  int64_t num_outputs() const { return num_outputs_; }
  /// The table of an embedding.
  Tensor table() const { return {layout_.data, layout_.dtype, rows_, cols_, layout_.stride}; }
  /// The layout as products see it: inputs come in whole groups of 8, what lies behind `cols` is zero.
  LinearWeight product() const;

 private:
  int64_t rows_;
  int64_t cols_;
  bool gate_up_;
  int64_t num_outputs_;
  LinearWeight layout_;
  Buffer storage_;
};

/// What pack_bias() made of `count` values: as f32, which its address stands for, and behind that as f16 and bf16, for
/// products that add a bias of their result's type.
const void* bias_of_type(const float* bias, int64_t count, DType dtype);

class WeightPacker {
 public:
  WeightPacker(StreamWork& work, Staging& staging) : work_(work), staging_(staging) {}

  /// Null when memory ran out or the device failed.
  std::unique_ptr<DeviceWeight> pack(const PackArgs& args);
  Buffer pack_bias(std::span<const float> values, bool gate_up);
  /// Device memory that is kept for the next tensor.
  int64_t bytes() const { return source_.bytes(); }

 private:
  bool pack_part(const HostMatrix& part, const DeviceWeight& weight, int64_t first_row);

  StreamWork& work_;
  Staging& staging_;
  Buffer source_;  // a piece of a tensor as the file has it
};

}  // namespace seraph::cuda
