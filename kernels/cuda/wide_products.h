// Matrix products with more rows than the skinny kernel takes, where the time is that of the arithmetic: by cuBLASLt. A
// row's bits may depend on how many rows ride along here. The algorithm for a shape is asked for when the shape comes
// for the first time, on the host and outside of the stream, and kept.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/blas_api.h"
#include "kernels/cuda/device_weight.h"

namespace seraph::cuda {

class WideProducts {
 public:
  explicit WideProducts(StreamWork& work) : work_(work) {}

  /// A weight that will be multiplied with.
  void expect(const DeviceWeight& weight);
  /// Opens the library and reserves memory for steps of up to `rows_max` rows of the weights that were expected. False
  /// when there is no memory. Without the library nothing is reserved, and why_not() says why.
  bool plan(int64_t rows_max, int32_t sm_version);
  bool ready() const { return handle_ != nullptr; }
  const std::string& why_not() const { return why_not_; }
  /// 130002: 13.0.2. REQUIRES: ready().
  int64_t version() const { return static_cast<int64_t>(api_.version()); }
  int64_t workspace_bytes() const { return workspace_.bytes() + product_.bytes(); }

  /// Backend::linear(). False when the library has no algorithm for this shape: nothing was issued then.
  /// REQUIRES: ready(), rows of x as wide as the weight's product().
  bool multiply(const LinearArgs& args, const DeviceWeight& weight);

 private:
  using Owned = std::unique_ptr<void, int (*)(void*)>;
  /// What an algorithm is chosen for.
  struct Shape {
    int64_t rows = 0;
    int64_t outputs = 0;
    int64_t inputs = 0;
    int64_t x_stride = 0;
    int64_t weight_stride = 0;
    int64_t out_stride = 0;
    DType dtype = DType::kF16;
    DType out_dtype = DType::kF32;
    uint32_t alignment = 0;  // of x and out, bytes
    bool bias = false;
    auto operator<=>(const Shape&) const = default;
  };
  struct Product {
    Owned description;
    Owned weight;
    Owned x;
    Owned out;
    BlasAlgorithm algorithm;
    bool usable = false;
  };

  static Shape shape_of(const LinearArgs& args, const DeviceWeight& weight);
  const Product& find_product(const Shape& shape);
  Product make_product(const Shape& shape) const;
  bool find_algorithm(const Shape& shape, Product& product) const;
  bool multiply_plainly(const LinearArgs& args, const DeviceWeight& weight, bool accumulate);
  bool multiply_gated(const LinearArgs& args, const DeviceWeight& weight);

  StreamWork& work_;
  BlasApi api_;
  Owned handle_{nullptr, nullptr};
  std::string why_not_;
  int64_t gated_outputs_max_ = 0;
  Buffer workspace_;  // the library's
  Buffer product_;    // gate and up before they are multiplied
  std::map<Shape, Product> products_;
};

}  // namespace seraph::cuda
