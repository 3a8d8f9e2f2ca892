#include "kernels/cuda/wide_products.h"

#include <algorithm>

#include "kernels/cuda/silu_mul.h"

namespace seraph::cuda {
namespace {

// What NVIDIA advises: a Hopper's kernels split more.
constexpr int64_t kWorkspaceBytesSm90 = int64_t{32} << 20;
constexpr int64_t kWorkspaceBytes = int64_t{8} << 20;
// Gated products run in parts of so many rows, each large enough to keep a GPU busy, so that what lies between product
// and gate stays small.
constexpr int64_t kGatedRowsMax = 2048;
// Prompts come in all lengths. What is kept of a shape is small, but not nothing.
constexpr size_t kProductsMax = 8192;

int type_of(DType dtype) {
  if (dtype == DType::kF32) return kBlasTypeF32;
  return dtype == DType::kF16 ? kBlasTypeF16 : kBlasTypeBf16;
}

uint32_t alignment_of(const void* data) {
  constexpr uintptr_t kAlignmentMax = 256;
  const auto address = reinterpret_cast<uintptr_t>(data) | kAlignmentMax;
  return static_cast<uint32_t>(address & ~(address - 1));
}

}  // namespace

void WideProducts::expect(const DeviceWeight& weight) {
  if (weight.gate_up()) gated_outputs_max_ = std::max(gated_outputs_max_, weight.num_outputs());
}

bool WideProducts::plan(int64_t rows_max, int32_t sm_version) {
  if (rows_max <= kSkinnyRowsMax || work_.failed()) return true;
  if (!ready()) {
    if (!open_blas(api_, why_not_)) return true;
    void* handle = nullptr;
    if (api_.create(&handle) != kBlasSuccess) {
      why_not_ = "cublasLtCreate failed";
      return true;
    }
    handle_ = Owned(handle, api_.destroy);
  }
  constexpr int64_t kElementBytes = 2;
  const int64_t product_bytes = std::min(rows_max, kGatedRowsMax) * gated_outputs_max_ * kElementBytes;
  return work_.reserve(workspace_, sm_version >= 90 ? kWorkspaceBytesSm90 : kWorkspaceBytes) &&
         (product_bytes == 0 || work_.reserve(product_, product_bytes));
}

bool WideProducts::multiply(const LinearArgs& args, const DeviceWeight& weight) {
  if (args.epilogue == LinearArgs::Epilogue::kSiluMul) return multiply_gated(args, weight);
  return multiply_plainly(args, weight, args.epilogue == LinearArgs::Epilogue::kAccumulate);
}

bool WideProducts::multiply_gated(const LinearArgs& args, const DeviceWeight& weight) {
  const int64_t row_bytes = weight.num_outputs() * dtype_bytes(weight.layout().dtype);
  const int64_t rows_at_once = product_.bytes() / row_bytes;
  if (rows_at_once == 0) return false;
  for (int64_t begin = 0; begin < args.x.rows && !work_.failed(); begin += rows_at_once) {
    const int64_t count = std::min(rows_at_once, args.x.rows - begin);
    LinearArgs part = args;
    part.x = args.x.rows_from(begin, count);
    part.out = {product_.data(), weight.layout().dtype, count, weight.num_outputs(), weight.num_outputs()};
    // Whether there is an algorithm does not differ between parts but for the last: then all is done again.
    if (!multiply_plainly(part, weight, false)) return false;
    Tensor out = args.out.rows_from(begin, count);
    out.cols = weight.num_outputs() / 2;
    work_.check(silu_mul({.product = part.out, .out = out}, work_.stream()));
  }
  return true;
}

WideProducts::Shape WideProducts::shape_of(const LinearArgs& args, const DeviceWeight& weight) {
  const LinearWeight matrix = weight.product();
  return {.rows = args.x.rows,
          .outputs = weight.num_outputs(),
          .inputs = matrix.cols,
          .x_stride = args.x.stride,
          .weight_stride = matrix.stride,
          .out_stride = args.out.stride,
          .dtype = matrix.dtype,
          .out_dtype = args.out.dtype,
          .alignment = std::min(alignment_of(args.x.data), alignment_of(args.out.data)),
          .bias = args.bias != nullptr};
}

/// The library's columns are our rows: out' [outputs x rows] = weight [inputs x outputs] transposed, times x' [inputs x
/// rows].
bool WideProducts::multiply_plainly(const LinearArgs& args, const DeviceWeight& weight, bool accumulate) {
  const Product& product = find_product(shape_of(args, weight));
  if (!product.usable) return false;
  if (args.bias != nullptr) {
    const void* bias = bias_of_type(args.bias, weight.num_outputs(), args.out.dtype);
    api_.set_product(product.description.get(), kBlasBiasPointer, &bias, sizeof(bias));
  }
  const float one = 1.0F;
  const float beta = accumulate ? 1.0F : 0.0F;
  const int code = api_.multiply(handle_.get(), product.description.get(), &one, weight.layout().data,
                                 product.weight.get(), args.x.data, product.x.get(), &beta, args.out.data,
                                 product.out.get(), args.out.data, product.out.get(), &product.algorithm,
                                 workspace_.data(), static_cast<size_t>(workspace_.bytes()), work_.stream());
  if (code != kBlasSuccess) work_.check({kErrorLaunchFailure, "cublasLtMatmul"});
  return true;
}

const WideProducts::Product& WideProducts::find_product(const Shape& shape) {
  const auto found = products_.find(shape);
  if (found != products_.end()) return found->second;
  if (products_.size() >= kProductsMax) products_.clear();
  return products_.emplace(shape, make_product(shape)).first->second;
}

WideProducts::Product WideProducts::make_product(const Shape& shape) const {
  const auto layout = [&](DType dtype, int64_t rows, int64_t cols, int64_t stride) {
    void* made = nullptr;
    api_.create_layout(&made, type_of(dtype), static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), stride);
    return Owned(made, api_.destroy_layout);
  };
  void* made = nullptr;
  api_.create_product(&made, kBlasComputeF32, kBlasTypeF32);
  Product product = {.description = Owned(made, api_.destroy_product),
                     .weight = layout(shape.dtype, shape.inputs, shape.outputs, shape.weight_stride),
                     .x = layout(shape.dtype, shape.inputs, shape.rows, shape.x_stride),
                     .out = layout(shape.out_dtype, shape.outputs, shape.rows, shape.out_stride),
                     .algorithm = {}};
  if (!product.description || !product.weight || !product.x || !product.out) return product;
  api_.set_product(made, kBlasTransposeA, &kBlasTransposed, sizeof(kBlasTransposed));
  if (shape.bias) api_.set_product(made, kBlasEpilogue, &kBlasEpilogueBias, sizeof(kBlasEpilogueBias));
  product.usable = find_algorithm(shape, product);
  return product;
}

bool WideProducts::find_algorithm(const Shape& shape, Product& product) const {
  void* made = nullptr;
  if (api_.create_preference(&made) != kBlasSuccess) return false;
  const Owned preference(made, api_.destroy_preference);
  const auto workspace_bytes = static_cast<uint64_t>(workspace_.bytes());
  api_.set_preference(made, kBlasWorkspaceMax, &workspace_bytes, sizeof(workspace_bytes));
  // Parts of a sum are added in f32 and in a fixed order.
  api_.set_preference(made, kBlasReductionSchemes, &kBlasReduceInComputeType, sizeof(kBlasReduceInComputeType));
  for (const int matrix : {kBlasAlignmentB, kBlasAlignmentC, kBlasAlignmentD}) {
    api_.set_preference(made, matrix, &shape.alignment, sizeof(shape.alignment));
  }
  BlasCandidate best = {};
  int num_found = 0;
  const int code = api_.find_algorithms(handle_.get(), product.description.get(), product.weight.get(), product.x.get(),
                                        product.out.get(), product.out.get(), made, 1, &best, &num_found);
  if (code != kBlasSuccess || num_found == 0 || best.state != kBlasSuccess) return false;
  product.algorithm = best.algorithm;
  return true;
}

}  // namespace seraph::cuda
