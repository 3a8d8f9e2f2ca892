// CUDA's keywords and built-in variables for the host compiler: with this a .cu file is C++. Included by
// kernels/cuda/platform.h where SERAPH_CUDA_SIM is defined.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/sim/thread.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

#define threadIdx (::seraph::sim::current_thread->index)
#define blockIdx (::seraph::sim::current_thread->position->block_index)
#define blockDim (::seraph::sim::current_thread->position->block_dim)
#define gridDim (::seraph::sim::current_thread->position->grid_dim)
