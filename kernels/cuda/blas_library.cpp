// Opens the real cuBLASLt. The simulator's build has kernels/sim/blas.cpp instead.
#include "kernels/cuda/blas_api.h"

#ifndef SERAPH_CUDA_SIM

#include <dlfcn.h>

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

static_assert(seraph::cuda::kBlasSuccess == CUBLAS_STATUS_SUCCESS);
static_assert(seraph::cuda::kBlasNotInitialized == CUBLAS_STATUS_NOT_INITIALIZED);
static_assert(seraph::cuda::kBlasAllocFailed == CUBLAS_STATUS_ALLOC_FAILED);
static_assert(seraph::cuda::kBlasInvalidValue == CUBLAS_STATUS_INVALID_VALUE);
static_assert(seraph::cuda::kBlasExecutionFailed == CUBLAS_STATUS_EXECUTION_FAILED);
static_assert(seraph::cuda::kBlasNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(seraph::cuda::kBlasComputeF32 == CUBLAS_COMPUTE_32F);
static_assert(seraph::cuda::kBlasTypeF32 == CUDA_R_32F && seraph::cuda::kBlasTypeF16 == CUDA_R_16F);
static_assert(seraph::cuda::kBlasTypeBf16 == CUDA_R_16BF);
static_assert(seraph::cuda::kBlasTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(seraph::cuda::kBlasEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(seraph::cuda::kBlasBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(seraph::cuda::kBlasTransposed == CUBLAS_OP_T);
static_assert(seraph::cuda::kBlasEpilogueBias == CUBLASLT_EPILOGUE_BIAS);
static_assert(seraph::cuda::kBlasWorkspaceMax == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(seraph::cuda::kBlasReductionSchemes == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(seraph::cuda::kBlasAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(seraph::cuda::kBlasAlignmentB == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(seraph::cuda::kBlasAlignmentC == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(seraph::cuda::kBlasAlignmentD == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(seraph::cuda::kBlasReduceInComputeType == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
static_assert(sizeof(seraph::cuda::BlasAlgorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(seraph::cuda::BlasCandidate) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(seraph::cuda::BlasCandidate, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
#endif

namespace seraph::cuda {
namespace {

/// The newest first; then where the toolkit's own installer leaves it, which the loader need not know.
constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.13",
                                  "/usr/local/cuda/lib64/libcublasLt.so.12"};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool open_blas(BlasApi& api, std::string& why_not) {
  void* library = nullptr;
  for (const char* name : kNames) {
    if (library == nullptr) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (library == nullptr) {
    why_not = "libcublasLt.so.13 is not installed where the system looks for libraries";
    return false;
  }
  const bool complete = find(library, "cublasLtGetVersion", api.version) &&
                        find(library, "cublasLtCreate", api.create) && find(library, "cublasLtDestroy", api.destroy) &&
                        find(library, "cublasLtMatmulDescCreate", api.create_product) &&
                        find(library, "cublasLtMatmulDescDestroy", api.destroy_product) &&
                        find(library, "cublasLtMatmulDescSetAttribute", api.set_product) &&
                        find(library, "cublasLtMatrixLayoutCreate", api.create_layout) &&
                        find(library, "cublasLtMatrixLayoutDestroy", api.destroy_layout) &&
                        find(library, "cublasLtMatmulPreferenceCreate", api.create_preference) &&
                        find(library, "cublasLtMatmulPreferenceDestroy", api.destroy_preference) &&
                        find(library, "cublasLtMatmulPreferenceSetAttribute", api.set_preference) &&
                        find(library, "cublasLtMatmulAlgoGetHeuristic", api.find_algorithms) &&
                        find(library, "cublasLtMatmul", api.multiply);
  if (!complete) why_not = "the libcublasLt that was found lacks functions";
  return complete;
}

}  // namespace seraph::cuda

#endif
