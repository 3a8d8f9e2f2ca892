// The calls of cuBLASLt that products of many rows need, as a table of functions: the library is opened when the
// program runs, for it is large and often absent, and the simulator has a table of its own (kernels/sim/blas.cpp).
// Types and numbers are those of cublasLt.h, spelled out so that no header of it is needed; blas_library.cpp holds them
// against the header where there is one. Matrices are in the library's order: columns are contiguous.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/cuda/runtime.h"

namespace seraph::cuda {

constexpr int kBlasSuccess = 0;
constexpr int kBlasNotInitialized = 1;
constexpr int kBlasAllocFailed = 3;
constexpr int kBlasInvalidValue = 7;
constexpr int kBlasExecutionFailed = 13;
constexpr int kBlasNotSupported = 15;

constexpr int kBlasComputeF32 = 68;
constexpr int kBlasTypeF32 = 0;
constexpr int kBlasTypeF16 = 2;
constexpr int kBlasTypeBf16 = 14;

/// Attributes of a product, and values of them. A bias has the type of the result.
constexpr int kBlasTransposeA = 3;   // int32_t
constexpr int kBlasEpilogue = 7;     // uint32_t
constexpr int kBlasBiasPointer = 8;  // const void*, device: a value for each row of the result
constexpr int32_t kBlasTransposed = 1;
constexpr uint32_t kBlasEpilogueBias = 4;

/// Attributes of a search for algorithms.
constexpr int kBlasWorkspaceMax = 1;      // uint64_t, bytes
constexpr int kBlasReductionSchemes = 3;  // uint32_t, a set
constexpr int kBlasAlignmentA = 5;        // uint32_t, bytes; also of B, C and D
constexpr int kBlasAlignmentB = 6;
constexpr int kBlasAlignmentC = 7;
constexpr int kBlasAlignmentD = 8;
constexpr uint32_t kBlasReduceInComputeType = 2;

struct BlasAlgorithm {
  uint64_t data[8];
};
struct BlasCandidate {
  BlasAlgorithm algorithm;
  size_t workspace_bytes;
  int state;  // kBlasSuccess: the rest is filled in
  float waves;
  int reserved[4];
};

struct BlasApi {
  size_t (*version)() = nullptr;  // 130002: 13.0.2
  int (*create)(void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  int (*create_product)(void** product, int compute_type, int scale_type) = nullptr;
  int (*destroy_product)(void* product) = nullptr;
  int (*set_product)(void* product, int attribute, const void* value, size_t bytes) = nullptr;
  int (*create_layout)(void** layout, int type, uint64_t rows, uint64_t cols, int64_t stride) = nullptr;
  int (*destroy_layout)(void* layout) = nullptr;
  int (*create_preference)(void** preference) = nullptr;
  int (*destroy_preference)(void* preference) = nullptr;
  int (*set_preference)(void* preference, int attribute, const void* value, size_t bytes) = nullptr;
  int (*find_algorithms)(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference,
                         int num_wanted, BlasCandidate* found, int* num_found) = nullptr;
  /// d = alpha * op(a) b + beta * c, plus the bias; asynchronous, may be captured.
  int (*multiply)(void* handle, void* product, const void* alpha, const void* a, void* a_layout, const void* b,
                  void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                  const BlasAlgorithm* algorithm, void* workspace, size_t workspace_bytes, Stream stream) = nullptr;
};

/// The library, which stays open. False and a phrase in `why_not` when it is not there.
bool open_blas(BlasApi& api, std::string& why_not);

}  // namespace seraph::cuda
