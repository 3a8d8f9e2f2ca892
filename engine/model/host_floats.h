// 16-bit numbers in host memory as float32.
#pragma once

#include <vector>

#include "kernels/backend.h"

namespace seraph {

/// Appends every element of a contiguous f32, f16 or bf16 matrix.
void append_floats(const HostMatrix& matrix, std::vector<float>& out);

}  // namespace seraph
