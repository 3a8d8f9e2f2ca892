// The list of operations through the Backend class: each on the simulated device against the CPU backend, whose own
// tests hold it against references in double precision.
#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <numeric>

#include "tests/kernels/backend_runner.h"
#include "tests/kernels/cuda/device.h"

namespace seraph {
namespace {

using backend_test::DeviceMatrix;
using backend_test::error_of;
using backend_test::pack_floats;
using cpu_test::random_values;

constexpr double kTolerance[] = {0.0, 1.0 / 512, 1.0 / 64};  // by DType: of sums of rounded products

std::unique_ptr<Backend> make_cuda() {
  std::string error;
  std::unique_ptr<Backend> backend = cuda_access()->make_backend({}, error);
  EXPECT_NE(backend, nullptr) << error;
  return backend;
}

/// A device of its own for each test, which ends without faults and leaks.
class CudaBackendTest : public testing::TestWithParam<DType> {
 protected:
  CudaBackendTest() : cuda_(make_cuda()), cpu_(cpu_test::make_backend("")) {
    for (Backend* backend : {cuda_.get(), cpu_.get()}) {
      EXPECT_TRUE(backend->plan_scratch({.rows_max = 128, .cols_max = 600, .logit_rows_max = 16}));
    }
  }
  void TearDown() override {
    const DeviceStatus status = cuda_->synchronize();
    EXPECT_TRUE(status.ok) << status.message;
    cuda_ = nullptr;
    EXPECT_EQ(device_.num_living(), 0);
  }

  /// run(backend) gives floats; on both devices they agree.
  template <typename Run>
  void compare(const std::string& what, double tolerance, const Run& run) {
    EXPECT_LE(error_of(run(*cpu_), run(*cuda_)), tolerance) << what;
  }
  double tolerance() const { return kTolerance[static_cast<int>(GetParam())]; }

  cuda_test::TestDevice device_{{.memory_bytes = int64_t{1} << 28}};
  std::unique_ptr<Backend> cuda_;
  std::unique_ptr<Backend> cpu_;
};

TEST_P(CudaBackendTest, EmbedsAndGathersRows) {
  const auto table = random_values(60 * 72, 1, 1.0F, GetParam());
  const std::vector<int32_t> ids = {3, 59, 0, 3};
  compare("embed", 0.0, [&](Backend& backend) {
    const auto weight = pack_floats(backend, table, 60, 72, GetParam());
    const DeviceMatrix out(backend, 4, 72, DType::kF32);
    backend.embed({.ids = ids, .table = weight.get(), .out = out.tensor()});
    return out.values();
  });
  compare("gather_rows", 0.0, [&](Backend& backend) {
    const DeviceMatrix x(backend, table, 60, 72, DType::kF32);
    const DeviceMatrix out(backend, 4, 72, DType::kF32);
    backend.gather_rows(x.tensor(), ids, out.tensor());
    return out.values();
  });
}

TEST_P(CudaBackendTest, NormsAndRoundsToTheInputType) {
  const auto x = random_values(3 * 80, 2);
  const auto weight = random_values(80, 3);
  compare("rms_norm", tolerance(), [&](Backend& backend) {
    const DeviceMatrix in(backend, x, 3, 80, DType::kF32);
    const Buffer scale = backend.pack_bias(weight, false);
    const DType type = backend.activation_types(GetParam()).input;
    const DeviceMatrix out(backend, 3, 80, type);
    backend.rms_norm(
        {.x = in.tensor(), .weight = static_cast<const float*>(scale.data()), .group = 80, .out = out.tensor()});
    return out.values();
  });
}

/// Widths and heights that are no whole groups, more rows than one product takes, biases and all ways to end.
TEST_P(CudaBackendTest, MultipliesWithEveryEpilogue) {
  using Epilogue = LinearArgs::Epilogue;
  struct Case {
    int64_t rows, inputs, outputs;
    Epilogue epilogue;
    bool bias;
  };
  const Case cases[] = {{1, 64, 48, Epilogue::kStore, true},
                        {70, 100, 52, Epilogue::kStore, false},
                        {5, 72, 40, Epilogue::kAccumulate, true},
                        {3, 64, 200, Epilogue::kSiluMul, true},
                        {66, 96, 40, Epilogue::kSiluMul, false}};
  for (const Case& c : cases) {
    const auto x = random_values(static_cast<size_t>(c.rows * c.inputs), 4, 1.0F, GetParam());
    const auto w = random_values(static_cast<size_t>(c.outputs * c.inputs), 5, 0.1F, GetParam());
    const auto b = random_values(static_cast<size_t>(c.outputs), 6);
    const bool gated = c.epilogue == Epilogue::kSiluMul;
    const int64_t width = gated ? c.outputs / 2 : c.outputs;
    const auto before = random_values(static_cast<size_t>(c.rows * width), 7);
    compare(testing::PrintToString(c.rows) + " x " + testing::PrintToString(c.outputs), tolerance(),
            [&](Backend& backend) {
              const ActivationTypes types = backend.activation_types(GetParam());
              const auto weight = pack_floats(backend, w, c.outputs, c.inputs, GetParam(), gated);
              const Buffer bias = backend.pack_bias(b, gated);
              const DeviceMatrix in(backend, x, c.rows, c.inputs, types.input);
              const DType out_type = gated ? types.input : DType::kF32;
              const DeviceMatrix out(backend, before, c.rows, width, out_type);
              backend.linear({.x = in.tensor(),
                              .weight = weight.get(),
                              .bias = c.bias ? static_cast<const float*>(bias.data()) : nullptr,
                              .epilogue = c.epilogue,
                              .out = out.tensor()});
              return out.values();
            });
  }
}

constexpr int32_t kHeads = 4;
constexpr int32_t kKvHeads = 2;
constexpr int32_t kHeadDim = 64;
constexpr int32_t kQkvCols = (kHeads + 2 * kKvHeads) * kHeadDim;

/// Three sequences in one step over a cache that is filled by the same call: a prompt, a prompt with context, a draw.
struct AttentionStep {
  std::vector<int32_t> row_begin = {0, 5, 22, 23};
  std::vector<int32_t> context = {5, 17, 1};
  std::vector<int32_t> tables = {4, 0, 7, 2, 1, 0};
  std::vector<int32_t> slots;

  AttentionStep() {
    for (size_t s = 0; s < context.size(); ++s) {
      for (int32_t p = 0; p < row_begin[s + 1] - row_begin[s]; ++p) {
        slots.push_back(tables[s * 2 + static_cast<size_t>(p / 16)] * 16 + p % 16);
      }
    }
  }
};

std::vector<float> attend(Backend& backend, DType compute, bool generated) {
  const AttentionStep step;
  const ActivationTypes types = backend.activation_types(compute);
  const KvShape shape = {.num_layers = 2, .num_kv_heads = kKvHeads, .head_dim = kHeadDim, .dtype = types.kv};
  EXPECT_EQ(backend.supports(shape, kHeads), "");
  KvCache cache{.shape = shape, .num_blocks = 8, .storage = backend.allocate(8 * backend.kv_block_bytes(shape))};
  const DeviceMatrix qkv(backend, random_values(23 * kQkvCols, 8), 23, kQkvCols, types.output);
  const DeviceMatrix cos_sin(backend, random_values(23 * kHeadDim, 9, 0.7F), 23, kHeadDim, DType::kF32);
  const Buffer norm = backend.pack_bias(random_values(kHeadDim, 10), false);
  backend.rope_cache_write({.qkv = qkv.tensor(),
                            .cos_sin = static_cast<const float*>(cos_sin.tensor().data),
                            .rotary_dim = kHeadDim,
                            .q_norm = static_cast<const float*>(norm.data()),
                            .k_norm = static_cast<const float*>(norm.data()),
                            .num_heads = kHeads,
                            .slots = step.slots,
                            .cache = &cache,
                            .layer = 1});
  const DeviceMatrix out(backend, 23, kHeads * kHeadDim, types.input);
  backend.attention({.q = qkv.tensor().columns(0, kHeads * kHeadDim),
                     .out = out.tensor(),
                     .cache = &cache,
                     .layer = 1,
                     .num_heads = kHeads,
                     .scale = 0.125F,
                     .row_begin = step.row_begin,
                     .context_tokens = step.context,
                     .block_tables = step.tables,
                     .blocks_stride = 2,
                     .generated = generated});
  return out.values();
}

TEST_P(CudaBackendTest, RotatesWritesAndAttends) {
  for (const bool generated : {false, true}) {
    compare(generated ? "behind prompts" : "prompts", tolerance(),
            [&](Backend& backend) { return attend(backend, GetParam(), generated); });
  }
}

TEST_P(CudaBackendTest, CopiesWholeBlocks) {
  const KvShape shape = {.num_layers = 1, .num_kv_heads = 1, .head_dim = 64, .dtype = GetParam()};
  const int64_t block = cuda_->kv_block_bytes(shape);
  KvCache cache{.shape = shape, .num_blocks = 4, .storage = cuda_->allocate(4 * block)};
  std::vector<uint8_t> bytes(static_cast<size_t>(4 * block));
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  cuda_->upload(cache.storage.data(), bytes.data(), 4 * block);
  cuda_->copy_kv_blocks(cache, std::vector<int32_t>{0, 1}, std::vector<int32_t>{3, 2});
  std::vector<uint8_t> after(bytes.size());
  cuda_->download(after.data(), cache.storage.data(), 4 * block);
  const auto at = [&](int64_t i) { return bytes.begin() + i * block; };
  std::copy(at(0), at(1), at(3));
  std::copy(at(1), at(2), at(2));
  EXPECT_EQ(after, bytes);
}

TEST_P(CudaBackendTest, SwapsBlocksToTheHostAndBack) {
  const KvShape shape = {.num_layers = 1, .num_kv_heads = 1, .head_dim = 64, .dtype = GetParam()};
  const int64_t block = cuda_->kv_block_bytes(shape);
  KvCache cache{.shape = shape, .num_blocks = 3, .storage = cuda_->allocate(3 * block)};
  Buffer host = cuda_->allocate_host(2 * block);
  std::vector<uint8_t> bytes(static_cast<size_t>(3 * block));
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  cuda_->upload(cache.storage.data(), bytes.data(), 3 * block);
  const std::vector<int32_t> from = {2}, place = {1}, to = {0};
  cuda_->swap_kv_blocks({.cache = &cache, .host = &host, .device_blocks = from, .host_blocks = place});
  cuda_->swap_kv_blocks({.cache = &cache, .host = &host, .device_blocks = to, .host_blocks = place, .to_host = false});
  std::vector<uint8_t> after(bytes.size());
  cuda_->download(after.data(), cache.storage.data(), 3 * block);
  std::copy(bytes.begin() + 2 * block, bytes.end(), bytes.begin());
  EXPECT_EQ(after, bytes);
}

TEST_P(CudaBackendTest, RefusesWhatItHasNoKernelFor) {
  KvShape shape = {.num_layers = 1, .num_kv_heads = 2, .head_dim = 72, .dtype = GetParam()};
  EXPECT_NE(cuda_->supports(shape, 4).find("head sizes 64"), std::string::npos);
  shape.head_dim = 64;
  EXPECT_EQ(cuda_->supports(shape, 4), "");
  EXPECT_NE(cuda_->supports(shape, 3), "");
  shape.dtype = DType::kF32;
  EXPECT_NE(cuda_->supports(shape, 4).find("float16"), std::string::npos);
  EXPECT_FALSE(cuda_->computes_in(DType::kF32));
}

TEST_P(CudaBackendTest, AFullDeviceGivesNoMemoryAndNoFault) {
  EXPECT_EQ(cuda_->allocate(int64_t{1} << 40).data(), nullptr);
  EXPECT_EQ(cuda_->pack_random(1 << 20, 1 << 21, GetParam(), 1.0F, 1), nullptr);
  EXPECT_TRUE(cuda_->synchronize().ok);
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaBackendTest, testing::Values(DType::kF16, DType::kBf16));

}  // namespace
}  // namespace seraph
