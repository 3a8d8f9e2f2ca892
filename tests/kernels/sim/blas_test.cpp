// The simulated cuBLASLt: what it computes, and that every way to misuse it is a fault that says so.
#include <functional>

#include "kernels/cuda/blas_api.h"
#include "tests/kernels/sim/support.h"

namespace seraph::sim_test {
namespace {

constexpr int64_t kInputs = 16;
constexpr int64_t kOutputs = 8;
constexpr int64_t kRows = 3;

/// A product with everything in order, which tests then disturb.
struct Product {
  explicit Product(sim::Device& on)
      : device(on),
        weight(random_16bit<half_t>(kInputs * kOutputs, 1)),
        x(random_16bit<half_t>(kInputs * kRows, 2)),
        bias(std::vector<float>(kOutputs, 0.5F)),
        out(std::vector<float>(kOutputs * kRows, 1.0F)),
        workspace(1 << 16) {
    std::string why_not;
    EXPECT_TRUE(open_blas(api, why_not)) << why_not;
    EXPECT_EQ(api.create(&library), kBlasSuccess);
    EXPECT_EQ(api.create_product(&description, kBlasComputeF32, kBlasTypeF32), kBlasSuccess);
    api.set_product(description, kBlasTransposeA, &kBlasTransposed, sizeof(kBlasTransposed));
    api.set_product(description, kBlasEpilogue, &kBlasEpilogueBias, sizeof(kBlasEpilogueBias));
    set_bias(bias.data());
    EXPECT_EQ(api.create_layout(&a, kBlasTypeF16, kInputs, kOutputs, kInputs), kBlasSuccess);
    EXPECT_EQ(api.create_layout(&b, kBlasTypeF16, kInputs, kRows, kInputs), kBlasSuccess);
    EXPECT_EQ(api.create_layout(&d, kBlasTypeF32, kOutputs, kRows, kOutputs), kBlasSuccess);
    EXPECT_EQ(api.create_preference(&preference), kBlasSuccess);
    const uint64_t bytes = 1 << 16;
    api.set_preference(preference, kBlasWorkspaceMax, &bytes, sizeof(bytes));
    align_to(16);
    workspace_bytes = static_cast<size_t>(bytes);
    choose();
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  ~Product() {
    api.destroy_preference(preference);
    for (void* layout : {a, b, d}) api.destroy_layout(layout);
    api.destroy_product(description);
    api.destroy(library);
  }

  void set_bias(const void* data) { api.set_product(description, kBlasBiasPointer, &data, sizeof(data)); }
  void align_to(uint32_t bytes) {
    for (int matrix = kBlasAlignmentA; matrix <= kBlasAlignmentD; ++matrix) {
      api.set_preference(preference, matrix, &bytes, sizeof(bytes));
    }
  }
  bool choose() {
    BlasCandidate found = {};
    int num_found = 0;
    api.find_algorithms(library, description, a, b, d, d, preference, 1, &found, &num_found);
    algorithm = found.algorithm;
    return num_found == 1;
  }
  /// "" or the fault after the product ran.
  std::string run(const void* b_data = nullptr) {
    const float one = 1.0F;
    api.multiply(library, description, &one, weight.data(), a, b_data != nullptr ? b_data : x.data(), b, &one,
                 out.data(), d, out.data(), d, &algorithm, workspace.data(), workspace_bytes, nullptr);
    static_cast<void>(synchronize_device().ok());
    return device.fault();
  }

  sim::Device& device;
  BlasApi api;
  DeviceArray<half_t> weight, x;
  DeviceArray<float> bias, out;
  DeviceArray<char> workspace;
  size_t workspace_bytes = 0;
  void* library = nullptr;
  void* description = nullptr;
  void* a = nullptr;
  void* b = nullptr;
  void* d = nullptr;
  void* preference = nullptr;
  BlasAlgorithm algorithm = {};
};

TEST(SimBlas, multiplies_adds_what_was_there_and_the_bias) {
  sim::Device device;
  Product product(device);
  ASSERT_EQ(product.run(), "");
  const auto w = product.weight.values();
  const auto x = product.x.values();
  const auto out = product.out.values();
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t n = 0; n < kOutputs; ++n) {
      double sum = 1.5;
      for (int64_t k = 0; k < kInputs; ++k) {
        sum += static_cast<double>(to_float(w[static_cast<size_t>(n * kInputs + k)])) *
               to_float(x[static_cast<size_t>(row * kInputs + k)]);
      }
      EXPECT_NEAR(out[static_cast<size_t>(row * kOutputs + n)], sum, 1e-4);
    }
  }
}

TEST(SimBlas, finds_nothing_for_memory_that_is_hardly_aligned) {
  sim::Device device;
  Product product(device);
  EXPECT_TRUE(product.choose());
  product.align_to(8);
  EXPECT_FALSE(product.choose());
}

TEST(SimBlas, every_misuse_is_a_fault_that_says_what_was_wrong) {
  struct Misuse {
    const char* report;
    std::function<std::string(Product&)> run;
  };
  const Misuse misuses[] = {
      {"algorithm is that of another product",
       [](Product& p) {
         p.api.destroy_layout(p.b);
         p.api.create_layout(&p.b, kBlasTypeF16, kInputs, kRows, kInputs + 8);
         return p.run();
       }},
      {"do not fit each other",
       [](Product& p) {
         p.api.destroy_layout(p.b);
         p.api.create_layout(&p.b, kBlasTypeF16, kInputs, kRows + 1, kInputs);
         return p.run();
       }},
      {"a column overlaps the next",
       [](Product& p) {
         p.api.destroy_layout(p.d);
         p.api.create_layout(&p.d, kBlasTypeF32, kOutputs, kRows, kOutputs - 1);
         return p.run();
       }},
      {"not of one 16-bit type",
       [](Product& p) {
         p.api.destroy_layout(p.b);
         p.api.create_layout(&p.b, kBlasTypeBf16, kInputs, kRows, kInputs);
         return p.run();
       }},
      {"does not live",
       [](Product& p) {
         p.api.destroy_layout(p.a);
         return p.run();
       }},
      {"workspace is too small",
       [](Product& p) {
         p.workspace_bytes = 16;
         return p.run();
       }},
      {"the workspace is memory past the end",
       [](Product& p) {
         p.workspace_bytes *= 2;
         return p.run();
       }},
      {"less aligned", [](Product& p) { return p.run(p.x.data() + 1); }},
      {"the bias is not aligned",
       [](Product& p) {
         p.set_bias(p.bias.data() + 1);
         return p.run();
       }},
      {"B touches memory past the end", [](Product& p) { return p.run(p.x.data() + 8); }},
      {"B has values that nothing wrote",
       [](Product& p) {
         const DeviceArray<half_t> fresh(kInputs * kRows);
         return p.run(fresh.data());
       }},
      {"the bias touches memory",
       [](Product& p) {
         p.set_bias(&p);
         return p.run();
       }},
  };
  for (const Misuse& misuse : misuses) {
    sim::Device device;
    Product product(device);
    expect_report(misuse.run(product), {"cublasLtMatmul", misuse.report});
  }
}

TEST(SimBlas, an_injected_error_fails_the_call_and_all_later_ones) {
  sim::Device device;
  Product product(device);
  device.fail_at_call(1, kErrorLaunchFailure);
  EXPECT_NE(product.run().find("injected"), std::string::npos);
  EXPECT_EQ(device.num_launches(), 0);
}

TEST(SimBlas, handles_that_are_not_given_back_count_as_living) {
  sim::Device device;
  BlasApi api;
  std::string why_not;
  ASSERT_TRUE(open_blas(api, why_not));
  void* library = nullptr;
  ASSERT_EQ(api.create(&library), kBlasSuccess);
  EXPECT_EQ(device.num_living(), 1);
  EXPECT_EQ(api.destroy(library), kBlasSuccess);
  EXPECT_EQ(api.destroy(library), kBlasInvalidValue);
  EXPECT_EQ(device.num_living(), 0);
}

TEST(SimBlas, a_machine_may_have_none) {
  sim::Device device({.has_blas = false});
  BlasApi api;
  std::string why_not;
  EXPECT_FALSE(open_blas(api, why_not));
  EXPECT_NE(why_not, "");
}

}  // namespace
}  // namespace seraph::sim_test
