// From a Tensor's dtype, known at run time, to the element type of a kernel; and how much memory a Tensor spans.
// Host code of launchers.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

/// Calls function.operator()<T>() with the element type; kErrorInvalidValue for a dtype that is no number format.
template <typename Function>
Status with_element(DType dtype, const Function& function) {
  switch (dtype) {
    case DType::kF32:
      return function.template operator()<float>();
    case DType::kF16:
      return function.template operator()<half_t>();
    case DType::kBf16:
      return function.template operator()<bf16_t>();
    case DType::kI32:
    case DType::kF8E4m3:
      break;
  }
  return {kErrorInvalidValue, "a dtype that this operation has no kernel for"};
}

/// Elements from the tensor's first to its last.
inline int64_t extent_of(const Tensor& x) { return x.rows == 0 ? 0 : (x.rows - 1) * x.stride + x.cols; }

/// Every row begins on a multiple of `bytes`.
inline bool rows_aligned(const Tensor& x, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(x.data) % static_cast<uintptr_t>(bytes) == 0 &&
         x.stride * dtype_bytes(x.dtype) % bytes == 0;
}

#ifdef SERAPH_DEVICE_CODE
template <typename T>
Global<T> elements_of(const Tensor& x) {
  return Global<T>(static_cast<T*>(x.data), extent_of(x));
}
#endif

}  // namespace seraph::cuda
