// cuBLASLt on the simulated device: the calls of blas_api.h. Products are summed in f32, k ascending, and rounded once.
// What the real library leaves undefined or answers with an error is a fault here that says what was wrong: handles
// that do not live, an algorithm that was chosen for another product, unaligned or missing memory, values nothing
// wrote.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cuda/blas_api.h"
#include "kernels/cuda/types.h"
#include "kernels/sim/device.h"

namespace seraph::sim {
namespace {

using namespace seraph::cuda;  // NOLINT: the words of the library

/// What a handle stands for.
constexpr uint32_t kLibrary = 1;
constexpr uint32_t kProduct = 2;
constexpr uint32_t kLayout = 3;
constexpr uint32_t kPreference = 4;
constexpr uint32_t kAlignmentMin = 16;

struct Library {};
struct Layout {
  int type = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;
  int64_t element_bytes() const { return type == kBlasTypeF32 ? 4 : 2; }
  int64_t bytes() const { return ((cols - 1) * stride + rows) * element_bytes(); }
};
struct Description {
  bool transpose_a = false;
  uint32_t epilogue = 1;
  const void* bias = nullptr;
};
struct Preference {
  uint64_t workspace_max = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};  // the library's default, of A, B, C and D
};

template <typename T>
T* living(void* handle, uint32_t kind) {
  const auto& handles = Device::current().library_handles();
  const auto found = handles.find(handle);
  return found != handles.end() && found->second.kind == kind ? static_cast<T*>(handle) : nullptr;
}

template <typename T>
int make(void** handle, uint32_t kind, const T& object) {
  auto owned = std::make_shared<T>(object);
  *handle = owned.get();
  Device::current().library_handles().emplace(*handle, LibraryHandle{kind, std::move(owned)});
  return kBlasSuccess;
}

template <typename T, uint32_t kKind>
int destroy(void* handle) {
  if (living<T>(handle, kKind) == nullptr) return kBlasInvalidValue;
  Device::current().library_handles().erase(handle);
  return kBlasSuccess;
}

int misused(const std::string& what) {
  Device::current().set_fault(kErrorLaunchFailure, "cublasLtMatmul: " + what);
  return kBlasExecutionFailed;
}

int create_library(void** handle) {
  if (!Device::current().begin_call("cublasLtCreate").ok()) return kBlasNotInitialized;
  return make(handle, kLibrary, Library());
}

int create_product(void** product, int compute_type, int scale_type) {
  if (compute_type != kBlasComputeF32 || scale_type != kBlasTypeF32) return kBlasNotSupported;
  return make(product, kProduct, Description());
}

int set_product(void* handle, int attribute, const void* value, size_t bytes) {
  auto* product = living<Description>(handle, kProduct);
  if (product == nullptr) return kBlasInvalidValue;
  if (attribute == kBlasTransposeA && bytes == sizeof(int32_t)) {
    int32_t transpose = 0;
    std::memcpy(&transpose, value, bytes);
    product->transpose_a = transpose == kBlasTransposed;
    return kBlasSuccess;
  }
  if (attribute == kBlasEpilogue && bytes == sizeof(uint32_t)) {
    std::memcpy(&product->epilogue, value, bytes);
    return kBlasSuccess;
  }
  if (attribute == kBlasBiasPointer && bytes == sizeof(void*)) {
    std::memcpy(&product->bias, value, bytes);
    return kBlasSuccess;
  }
  return kBlasInvalidValue;
}

int create_layout(void** handle, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  if (type != kBlasTypeF32 && type != kBlasTypeF16 && type != kBlasTypeBf16) return kBlasInvalidValue;
  return make(handle, kLayout, Layout{type, static_cast<int64_t>(rows), static_cast<int64_t>(cols), stride});
}

int create_preference(void** preference) { return make(preference, kPreference, Preference()); }

int set_preference(void* handle, int attribute, const void* value, size_t bytes) {
  auto* preference = living<Preference>(handle, kPreference);
  if (preference == nullptr) return kBlasInvalidValue;
  if (attribute == kBlasWorkspaceMax && bytes == sizeof(uint64_t)) {
    std::memcpy(&preference->workspace_max, value, bytes);
    return kBlasSuccess;
  }
  if (attribute == kBlasReductionSchemes && bytes == sizeof(uint32_t)) return kBlasSuccess;
  if (attribute < kBlasAlignmentA || attribute > kBlasAlignmentD || bytes != sizeof(uint32_t)) return kBlasInvalidValue;
  std::memcpy(&preference->alignment[attribute - kBlasAlignmentA], value, bytes);
  return kBlasSuccess;
}

/// The matrices of one product: op(a) [outputs x inputs] b [inputs x rows] + c -> d [outputs x rows].
struct Operands {
  const Description* product = nullptr;
  const Layout* a = nullptr;
  const Layout* b = nullptr;
  const Layout* c = nullptr;
  const Layout* d = nullptr;

  Operands(void* product_handle, void* a_handle, void* b_handle, void* c_handle, void* d_handle)
      : product(living<Description>(product_handle, kProduct)),
        a(living<Layout>(a_handle, kLayout)),
        b(living<Layout>(b_handle, kLayout)),
        c(living<Layout>(c_handle, kLayout)),
        d(living<Layout>(d_handle, kLayout)) {}

  bool live() const { return product != nullptr && a != nullptr && b != nullptr && c != nullptr && d != nullptr; }
  /// "" or why there is no such product.
  std::string breach() const {
    if (!live()) return "a description or layout does not live";
    if (!product->transpose_a) return "only products with the first matrix transposed are simulated";
    if (a->rows != b->rows || a->cols != d->rows || b->cols != d->cols) return "the matrices do not fit each other";
    if (c->rows != d->rows || c->cols != d->cols || c->type != d->type || c->stride != d->stride)
      return "C is unlike D";
    if (a->type != b->type || a->type == kBlasTypeF32) return "A and B are not of one 16-bit type";
    if (d->type != kBlasTypeF32 && d->type != a->type) return "D is neither f32 nor of the type of A";
    for (const Layout* layout : {a, b, d}) {
      if (layout->rows <= 0 || layout->cols <= 0 || layout->stride < layout->rows) return "a column overlaps the next";
    }
    return "";
  }
  /// Algorithms are good for products with the same marks.
  std::vector<uint64_t> marks() const {
    std::vector<uint64_t> out = {product->epilogue};
    for (const Layout* layout : {a, b, d}) {
      for (const int64_t number : {int64_t{layout->type}, layout->rows, layout->cols, layout->stride}) {
        out.push_back(static_cast<uint64_t>(number));
      }
    }
    return out;
  }
};

/// What an algorithm holds: a digest of the product, its workspace, and the alignment it needs of A, B, C and D.
BlasAlgorithm algorithm_for(const Operands& operands, const Preference& preference) {
  BlasAlgorithm algorithm = {};
  uint64_t digest = 0xCBF29CE484222325U;
  for (const uint64_t mark : operands.marks()) digest = (digest ^ mark) * 0x100000001B3U;
  algorithm.data[0] = digest;
  algorithm.data[1] = std::min<uint64_t>(preference.workspace_max, 1 << 16);
  std::copy(std::begin(preference.alignment), std::end(preference.alignment), &algorithm.data[2]);
  return algorithm;
}

int find_algorithms(void* handle, void* product, void* a, void* b, void* c, void* d, void* preference_handle,
                    int num_wanted, BlasCandidate* found, int* num_found) {
  *num_found = 0;
  const Operands operands(product, a, b, c, d);
  const auto* preference = living<Preference>(preference_handle, kPreference);
  if (living<Library>(handle, kLibrary) == nullptr || preference == nullptr || num_wanted < 1) return kBlasInvalidValue;
  if (!operands.breach().empty()) return kBlasInvalidValue;
  for (const uint32_t alignment : preference->alignment) {
    if (alignment < kAlignmentMin) return kBlasNotSupported;
  }
  found[0] = {};
  found[0].algorithm = algorithm_for(operands, *preference);
  found[0].workspace_bytes = found[0].algorithm.data[1];
  *num_found = 1;
  return kBlasSuccess;
}

/// "" or what is wrong with columns of a matrix: outside of memory, or, where they are read, never written.
std::string breach_of(const char* name, const void* data, const Layout& layout, bool read) {
  Heap& heap = Device::current().heap();
  const auto address = reinterpret_cast<uintptr_t>(data);
  const std::string breach = heap.describe_breach(address, layout.bytes());
  if (!breach.empty()) return std::string(name) + " touches memory " + breach;
  const auto column_bytes = static_cast<size_t>(layout.rows * layout.element_bytes());
  for (int64_t column = 0; read && column < layout.cols; ++column) {
    const uintptr_t begin = address + static_cast<uintptr_t>(column * layout.stride * layout.element_bytes());
    if (!heap.shadow().is_written(begin, column_bytes)) return std::string(name) + " has values that nothing wrote";
  }
  return "";
}

float element(const void* data, int type, int64_t index) {
  if (type == kBlasTypeF32) return static_cast<const float*>(data)[index];
  const uint16_t bits = static_cast<const uint16_t*>(data)[index];
  return type == kBlasTypeF16 ? to_float(half_t{bits}) : to_float(bf16_t{bits});
}

void set_element(void* data, int type, int64_t index, float value) {
  if (type == kBlasTypeF32) {
    static_cast<float*>(data)[index] = value;
  } else {
    static_cast<uint16_t*>(data)[index] =
        type == kBlasTypeF16 ? from_float<half_t>(value).bits : from_float<bf16_t>(value).bits;
  }
}

/// A product as it was called: descriptions may change before it runs.
struct Call {
  Layout a, b, d;
  const void* a_data;
  const void* b_data;
  void* d_data;
  const void* bias;
  float alpha;
  float beta;
  void run() const;
  std::string breach() const;
};

std::string Call::breach() const {
  std::string breach = breach_of("A", a_data, a, true);
  if (breach.empty()) breach = breach_of("B", b_data, b, true);
  if (breach.empty()) breach = breach_of("D", d_data, d, beta != 0.0F);
  if (breach.empty() && bias != nullptr) breach = breach_of("the bias", bias, {d.type, d.rows, 1, d.rows}, true);
  return breach;
}

void Call::run() const {
  Device& device = Device::current();
  if (const std::string what = breach(); !what.empty()) {
    device.set_fault(kErrorIllegalAddress, "cublasLtMatmul: " + what);
    return;
  }
  const int64_t inputs = a.rows;
  const int64_t outputs = d.rows;
  std::vector<float> weights(static_cast<size_t>(inputs * outputs));  // the outputs of an input side by side
  for (int64_t n = 0; n < outputs; ++n) {
    for (int64_t k = 0; k < inputs; ++k) {
      weights[static_cast<size_t>(k * outputs + n)] = element(a_data, a.type, n * a.stride + k);
    }
  }
  std::vector<float> sums(static_cast<size_t>(outputs));
  for (int64_t row = 0; row < d.cols; ++row) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    for (int64_t k = 0; k < inputs; ++k) {
      const float x = element(b_data, b.type, row * b.stride + k);
      const float* weight = weights.data() + k * outputs;
      for (int64_t n = 0; n < outputs; ++n) sums[static_cast<size_t>(n)] += x * weight[n];
    }
    for (int64_t n = 0; n < outputs; ++n) {
      const int64_t at = row * d.stride + n;
      float value = alpha * sums[static_cast<size_t>(n)];
      if (beta != 0.0F) value += beta * element(d_data, d.type, at);
      if (bias != nullptr) value += element(bias, d.type, n);
      set_element(d_data, d.type, at, value);
    }
    const uintptr_t begin =
        reinterpret_cast<uintptr_t>(d_data) + static_cast<uintptr_t>(row * d.stride * d.element_bytes());
    device.heap().shadow().set_written(begin, static_cast<size_t>(outputs * d.element_bytes()), true);
  }
}

bool aligned(const void* data, uint64_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

/// "" or why the algorithm, its workspace or the operands' addresses are not what was agreed.
std::string misuse_of(const Operands& operands, const BlasAlgorithm& algorithm, const void* const (&matrices)[4],
                      const void* workspace, size_t workspace_bytes) {
  Preference promised;
  std::copy(&algorithm.data[2], &algorithm.data[6], std::begin(promised.alignment));
  promised.workspace_max = algorithm.data[1];
  if (algorithm_for(operands, promised).data[0] != algorithm.data[0]) return "the algorithm is that of another product";
  for (int i = 0; i < 4; ++i) {
    if (!aligned(matrices[i], promised.alignment[i])) return "a matrix is less aligned than was said";
  }
  if (workspace_bytes < algorithm.data[1] || !aligned(workspace, kAlignmentMin)) return "the workspace is too small";
  if (workspace_bytes == 0) return "";
  const auto bytes = static_cast<int64_t>(workspace_bytes);
  const std::string breach = Device::current().heap().describe_breach(reinterpret_cast<uintptr_t>(workspace), bytes);
  return breach.empty() ? "" : "the workspace is memory " + breach;
}

int multiply(void* handle, void* product, const void* alpha, const void* a, void* a_layout, const void* b,
             void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
             const BlasAlgorithm* algorithm, void* workspace, size_t workspace_bytes, Stream stream) {
  Device& device = Device::current();
  if (!device.begin_call("cublasLtMatmul").ok()) return kBlasExecutionFailed;
  if (living<Library>(handle, kLibrary) == nullptr) return misused("the library's handle does not live");
  const Operands operands(product, a_layout, b_layout, c_layout, d_layout);
  if (const std::string breach = operands.breach(); !breach.empty()) return misused(breach);
  if (algorithm == nullptr || c != d) return misused("called in a way that is not simulated");
  const std::string misuse = misuse_of(operands, *algorithm, {a, b, c, d}, workspace, workspace_bytes);
  if (!misuse.empty()) return misused(misuse);
  const void* bias = operands.product->epilogue == kBlasEpilogueBias ? operands.product->bias : nullptr;
  if (!aligned(bias, kAlignmentMin)) return misused("the bias is not aligned");
  const Call call = {.a = *operands.a,
                     .b = *operands.b,
                     .d = *operands.d,
                     .a_data = a,
                     .b_data = b,
                     .d_data = d,
                     .bias = bias,
                     .alpha = *static_cast<const float*>(alpha),
                     .beta = *static_cast<const float*>(beta)};
  const Status queued = device.enqueue(
      stream, [call] { call.run(); }, "cublasLtMatmul");
  return queued.ok() ? kBlasSuccess : kBlasExecutionFailed;
}

}  // namespace
}  // namespace seraph::sim

namespace seraph::cuda {

bool open_blas(BlasApi& api, std::string& why_not) {
  if (!sim::Device::current().options().has_blas) {
    why_not = "the simulated machine has none";
    return false;
  }
  api = {.version = [] { return size_t{130000}; },
         .create = sim::create_library,
         .destroy = sim::destroy<sim::Library, sim::kLibrary>,
         .create_product = sim::create_product,
         .destroy_product = sim::destroy<sim::Description, sim::kProduct>,
         .set_product = sim::set_product,
         .create_layout = sim::create_layout,
         .destroy_layout = sim::destroy<sim::Layout, sim::kLayout>,
         .create_preference = sim::create_preference,
         .destroy_preference = sim::destroy<sim::Preference, sim::kPreference>,
         .set_preference = sim::set_preference,
         .find_algorithms = sim::find_algorithms,
         .multiply = sim::multiply};
  return true;
}

}  // namespace seraph::cuda
