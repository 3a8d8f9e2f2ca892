// Which compiler reads this. Three readers exist: nvcc (kernels and their launchers for a GPU), the host compiler
// with SERAPH_CUDA_SIM (the same .cu files as C++ for the simulator in kernels/sim), and the host compiler beside
// nvcc (host code only). Every header that a .cu file includes starts here.
#pragma once

#if defined(SERAPH_CUDA_SIM)
#include "kernels/sim/cuda_shim.h"
#define SERAPH_HOST_DEVICE inline
#define SERAPH_DEVICE inline
#elif defined(__CUDACC__)
#define SERAPH_HOST_DEVICE __host__ __device__ __forceinline__
#define SERAPH_DEVICE __device__ __forceinline__
#else
#define SERAPH_HOST_DEVICE inline
#endif

// The device code of the file is being compiled (for a real GPU or for the simulator).
#if defined(SERAPH_CUDA_SIM) || defined(__CUDACC__)
#define SERAPH_DEVICE_CODE 1
#endif
