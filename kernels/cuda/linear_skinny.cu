#include <algorithm>

#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/linear_skinny.h"
#include "kernels/cuda/ptx.h"

namespace seraph::cuda {
namespace {

// A lane holds, of each 32 neighbouring k, the 8 from lane % 4 * 8 on, for its rows of the weight and of x: the order
// of k inside of an mma is free as long as both operands agree, and this one makes all loads 16 bytes wide and lets a
// lane read back only what it copied itself. So the main loop has no barrier at all.
constexpr int kWarps = 4;
constexpr int kThreads = 32 * kWarps;
constexpr int kStepK = 32;   // of a stage
constexpr int kGroupK = 64;  // the warps take turns in groups of this
constexpr int kWide = 8;     // 16-bit elements in 16 bytes

template <typename T>
struct SkinnyArgs {
  Global<const T> x;
  Global<const T> weight;
  Global<const float> bias;
  Global<float> partials;     // [slices][weight rows / 16][n tiles][lane][4]
  Global<uint32_t> counters;  // one for each row of blocks
  int64_t x_stride;
  int64_t weight_stride;
  int64_t weight_rows;
  int64_t num_outputs;
  int32_t num_rows;  // of x
  int32_t num_cols;
  int32_t slice_groups;  // groups of k in a slice
  int32_t num_slices;
  bool has_bias;
};

/// Tiles of a block: kTiles of 16 outputs by kRowTiles of 8 rows of x.
template <int kTiles, int kRowTiles>
struct SkinnyShape {
  static constexpr int kPieces = kTiles * 2 + kRowTiles;  // 16-byte pieces of a lane in a stage
  static constexpr int kStageElements = kPieces * 32 * kWide;
  static constexpr int kStages =
      std::min(8, 49152 / (kStageElements * 2 * kWarps)) < 3 ? 3 : std::min(8, 49152 / (kStageElements * 2 * kWarps));
  static constexpr int kRingBytes = kStageElements * 2 * kWarps * kStages;
  static constexpr int kSumBytes = kWarps * kTiles * kRowTiles * 32 * 16;
  static constexpr int kSharedBytes = kRingBytes > kSumBytes ? kRingBytes : kSumBytes;
};

/// Starts the copies of one lane for one stage: its pieces of the weight, then of x. What does not exist is zero.
template <int kTiles, int kRowTiles, typename T>
SERAPH_DEVICE void copy_stage(const SkinnyArgs<T>& args, int64_t first_output, int32_t k, const Shared<T>& stage) {
  const int lane = lane_id();
  const int32_t column = k + lane % 4 * kWide;
#pragma unroll
  for (int piece = 0; piece < kTiles * 2; ++piece) {
    const int64_t row = first_output + piece * 8 + lane / 4;
    const bool present = row < args.weight_rows;
    copy_async<16>(stage, (piece * 32 + lane) * kWide, args.weight, present ? row * args.weight_stride + column : 0,
                   present ? 16 : 0);
  }
#pragma unroll
  for (int tile = 0; tile < kRowTiles; ++tile) {
    const int32_t row = tile * 8 + lane / 4;
    const bool present = row < args.num_rows && column < args.num_cols;
    copy_async<16>(stage, ((kTiles * 2 + tile) * 32 + lane) * kWide, args.x, present ? row * args.x_stride + column : 0,
                   present ? 16 : 0);
  }
}

/// The lane's own 8 elements of a piece: 4 registers.
template <typename T>
SERAPH_DEVICE Vec<uint32_t, 4> own_piece(const Shared<T>& stage, int piece) {
  return load<4>(cast<uint32_t>(stage), (piece * 32 + lane_id()) * 4);
}

template <int kTiles, int kRowTiles, typename T>
SERAPH_DEVICE void multiply_stage(const Shared<T>& stage, Fragment<float, 4>* sums) {
  Vec<uint32_t, 4> rows[kRowTiles];
#pragma unroll
  for (int tile = 0; tile < kRowTiles; ++tile) rows[tile] = own_piece(stage, kTiles * 2 + tile);
#pragma unroll
  for (int t = 0; t < kTiles; ++t) {
    const Vec<uint32_t, 4> upper = own_piece(stage, t * 2);
    const Vec<uint32_t, 4> lower = own_piece(stage, t * 2 + 1);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Fragment<uint32_t, 4> a;
      a[0] = upper[half * 2];
      a[1] = lower[half * 2];
      a[2] = upper[half * 2 + 1];
      a[3] = lower[half * 2 + 1];
#pragma unroll
      for (int tile = 0; tile < kRowTiles; ++tile) {
        Fragment<uint32_t, 2> b;
        b[0] = rows[tile][half * 2];
        b[1] = rows[tile][half * 2 + 1];
        mma<T>(sums[t * kRowTiles + tile], a, b);
      }
    }
  }
}

/// The warp's part of the slice: groups warp, warp + 4, ... of 64 columns each, in order.
template <int kTiles, int kRowTiles, typename T>
SERAPH_DEVICE void multiply_slice(const SkinnyArgs<T>& args, int64_t first_output, const Shared<T>& ring,
                                  Fragment<float, 4>* sums) {
  using Shape = SkinnyShape<kTiles, kRowTiles>;
  const int32_t first_group = static_cast<int32_t>(blockIdx.y) * args.slice_groups;
  const int32_t all_groups = static_cast<int32_t>(args.weight_stride / kGroupK);
  const int32_t slice_end = first_group + args.slice_groups;
  const int32_t end_group = slice_end < all_groups ? slice_end : all_groups;
  const int32_t my_groups = (end_group - first_group - warp_id() + kWarps - 1) / kWarps;
  const int32_t num_steps = my_groups > 0 ? my_groups * 2 : 0;
  const auto stage = [&](int32_t step) { return ring + step % Shape::kStages * Shape::kStageElements; };
  const auto start = [&](int32_t step) {
    if (step < num_steps) {
      const int32_t group = first_group + warp_id() + step / 2 * kWarps;
      copy_stage<kTiles, kRowTiles>(args, first_output, group * kGroupK + step % 2 * kStepK, stage(step));
    }
    commit_async();
  };
  for (int32_t step = 0; step < Shape::kStages - 1; ++step) start(step);
  for (int32_t step = 0; step < num_steps; ++step) {
    wait_async<Shape::kStages - 2>();
    multiply_stage<kTiles, kRowTiles>(stage(step), sums);
    start(step + Shape::kStages - 1);
  }
  wait_async<0>();
}

/// Where the four sums of a lane of tile (16 outputs, 8 rows) belong: two outputs 8 apart, two rows.
struct Place {
  int64_t output;  // and output + 8
  int32_t row;     // and row + 1
};

/// Where results go, with what the epilogue needs.
template <typename Out>
struct Target {
  Global<Out> out;
  int64_t stride;
  LinearArgs::Epilogue epilogue;
};

template <typename T, typename Out>
SERAPH_DEVICE void write_sums(const SkinnyArgs<T>& args, const Target<Out>& target, const Place& place,
                              const float* sums) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (place.row + i >= args.num_rows) continue;
    float values[2];
    bool present[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t output = place.output + half * 8;
      present[half] = output < args.num_outputs;
      float bias = 0.0F;
      if (args.has_bias && present[half]) bias = args.bias[output];
      values[half] = sums[half * 2 + i] + bias;
    }
    const int64_t row_begin = (place.row + i) * target.stride;
    if (target.epilogue == LinearArgs::Epilogue::kSiluMul) {
      // Gate and up of output o / 2 are 8 rows of the weight apart, in one lane.
      const int64_t output = place.output / 16 * 8 + place.output % 8;
      const float gate = values[0];
      if (present[1]) target.out[row_begin + output] = from_float<Out>(gate / (1.0F + expf(-gate)) * values[1]);
      continue;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (!present[half]) continue;
      const int64_t at = row_begin + place.output + half * 8;
      float value = values[half];
      if (target.epilogue == LinearArgs::Epilogue::kAccumulate) {
        const Out before = target.out[at];
        value += to_float(before);
      }
      target.out[at] = from_float<Out>(value);
    }
  }
}

SERAPH_DEVICE void add_to(float* sums, const Vec<float, 4>& part) {
#pragma unroll
  for (int i = 0; i < 4; ++i) sums[i] += part[i];
}

/// Adds the warps' sums in order; then writes results, or the slice's part of them. `shared` holds [warp][tile][lane].
template <int kTiles, int kRowTiles, typename T, typename Out>
SERAPH_DEVICE void finish_tiles(const SkinnyArgs<T>& args, const Target<Out>& target, int64_t first_output,
                                const Shared<float>& shared, bool from_slices) {
  constexpr int kBoth = kTiles * kRowTiles;
  const int64_t slice_floats = args.weight_rows / 16 * kRowTiles * 128;
  for (int both = warp_id(); both < kBoth; both += kWarps) {
    const int64_t output = first_output + both / kRowTiles * 16;
    if (output >= args.weight_rows) continue;
    const int64_t part = (output / 16 * kRowTiles + both % kRowTiles) * 128 + lane_id() * 4;
    float sums[4] = {0.0F, 0.0F, 0.0F, 0.0F};
    if (from_slices) {
      for (int32_t slice = 0; slice < args.num_slices; ++slice) {
        add_to(sums, load<4>(args.partials, slice * slice_floats + part));
      }
    } else {
#pragma unroll
      for (int warp = 0; warp < kWarps; ++warp)
        add_to(sums, load<4>(shared, ((warp * kBoth + both) * 32 + lane_id()) * 4));
    }
    if (args.num_slices > 1 && !from_slices) {
      const Vec<float, 4> values = {{sums[0], sums[1], sums[2], sums[3]}};
      store(args.partials, blockIdx.y * slice_floats + part, values);
      continue;
    }
    write_sums(args, target, {output + lane_id() / 4, both % kRowTiles * 8 + lane_id() % 4 * 2}, sums);
  }
}

/// Blocks along x share the outputs, along y the slices of k.
template <int kTiles, int kRowTiles, typename T, typename Out>
__global__ void __launch_bounds__(kThreads) skinny(SkinnyArgs<T> args, Target<Out> target) {
  using Shape = SkinnyShape<kTiles, kRowTiles>;
  const Shared<T> pool = dynamic_shared<T>(0, Shape::kRingBytes / 2);
  const Shared<float> shared = dynamic_shared<float>(0, Shape::kSumBytes / 4);
  const Shared<uint32_t> arrived = dynamic_shared<uint32_t>(0, 1);
  const int64_t first_output = static_cast<int64_t>(blockIdx.x) * kTiles * 16;
  Fragment<float, 4> sums[kTiles * kRowTiles];
#pragma unroll
  for (auto& sum : sums) sum.fill(0.0F);
  multiply_slice<kTiles, kRowTiles>(args, first_output, pool + warp_id() * Shape::kStages * Shape::kStageElements,
                                    sums);
  sync_threads();  // the pool changes its use
#pragma unroll
  for (int both = 0; both < kTiles * kRowTiles; ++both) {
    Vec<float, 4> values;
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = sums[both][i];
    store(shared, ((warp_id() * kTiles * kRowTiles + both) * 32 + lane_id()) * 4, values);
  }
  sync_threads();
  finish_tiles<kTiles, kRowTiles>(args, target, first_output, shared, false);
  if (args.num_slices == 1) return;
  thread_fence();
  sync_threads();  // also: the pool changes its use once more
  if (threadIdx.x == 0) arrived[0] = atomic_add(args.counters, blockIdx.x, 1U);
  sync_threads();
  const uint32_t before = arrived[0];
  if (before != static_cast<uint32_t>(args.num_slices - 1)) return;
  thread_fence();
  finish_tiles<kTiles, kRowTiles>(args, target, first_output, shared, true);
  if (threadIdx.x == 0) atomic_exchange(args.counters, blockIdx.x, 0U);
}

/// How K is cut: enough slices that small matrices occupy a large GPU, none shorter than 8 groups. From the matrix
/// alone, so that every GPU and every number of rows sums in the same order.
struct Slices {
  int32_t count;
  int32_t groups;
};
Slices slices_of(const LinearWeight& weight) {
  constexpr int64_t kBlocksWanted = 256;
  constexpr int64_t kGroupsMin = 8;
  const int64_t groups = weight.stride / kGroupK;
  const int64_t tiles = weight.rows / 16;
  const int64_t wanted =
      std::clamp<int64_t>((kBlocksWanted + tiles - 1) / tiles, 1, std::max<int64_t>(1, groups / kGroupsMin));
  const int64_t each = ((groups + wanted - 1) / wanted + kWarps - 1) / kWarps * kWarps;
  return {static_cast<int32_t>((groups + each - 1) / each), static_cast<int32_t>(each)};
}

int64_t counters_bytes(const LinearWeight& weight) { return (weight.rows / 16 * 4 + 255) / 256 * 256; }

template <int kTiles, int kRowTiles, typename T, typename Out>
Status launch_shape(const LinearSkinnyLaunch& args, SkinnyArgs<T> skinny_args, Stream stream) {
  using Shape = SkinnyShape<kTiles, kRowTiles>;
  const Target<Out> target = {elements_of<Out>(args.out), args.out.stride, args.epilogue};
  LaunchConfig config = {.name = "linear_skinny", .stream = stream};
  config.grid = {static_cast<uint32_t>((args.weight.rows + kTiles * 16 - 1) / (kTiles * 16)),
                 static_cast<uint32_t>(skinny_args.num_slices)};
  config.block = {kThreads};
  config.shared_bytes = Shape::kSharedBytes;
  // Results leave in pieces of 8 outputs of a row; beside the weights they are few.
  config.budget.sectors_ratio_max = 4.0F;
  return launch(skinny<kTiles, kRowTiles, T, Out>, config, skinny_args, target);
}

template <typename T, typename Out>
Status launch_skinny(const LinearSkinnyLaunch& args, Stream stream) {
  const LinearWeight& weight = args.weight;
  const Slices slices = slices_of(weight);
  SkinnyArgs<T> skinny_args;
  skinny_args.weight = Global<const T>(static_cast<const T*>(weight.data), weight.rows * weight.stride);
  if (args.bias != nullptr) skinny_args.bias = Global<const float>(args.bias, args.num_outputs);
  if (slices.count > 1) {
    auto* begin = static_cast<char*>(args.workspace);
    const int64_t counted = counters_bytes(weight);
    skinny_args.counters = Global<uint32_t>(reinterpret_cast<uint32_t*>(begin), counted / 4);
    skinny_args.partials =
        Global<float>(reinterpret_cast<float*>(begin + counted), (args.workspace_bytes - counted) / 4);
  }
  skinny_args.x_stride = args.x.stride;
  skinny_args.weight_stride = weight.stride;
  skinny_args.weight_rows = weight.rows;
  skinny_args.num_outputs = args.num_outputs;
  skinny_args.num_cols = static_cast<int32_t>(args.x.cols);
  skinny_args.slice_groups = slices.groups;
  skinny_args.num_slices = slices.count;
  skinny_args.has_bias = args.bias != nullptr;
  constexpr int kSharedOfMost = SkinnyShape<2, 8>::kSharedBytes;
  const int64_t rows_at_once = args.shared_bytes_max >= kSharedOfMost ? 64 : 32;
  for (int64_t begin = 0; begin < args.x.rows; begin += rows_at_once) {
    LinearSkinnyLaunch part = args;
    part.x.rows = std::min(rows_at_once, args.x.rows - begin);
    part.x.data = static_cast<char*>(args.x.data) + begin * args.x.stride * dtype_bytes(args.x.dtype);
    part.out.rows = part.x.rows;
    part.out.data = static_cast<char*>(args.out.data) + begin * args.out.stride * dtype_bytes(args.out.dtype);
    skinny_args.x = elements_of<const T>(part.x);
    skinny_args.num_rows = static_cast<int32_t>(part.x.rows);
    Status status;
    if (part.x.rows <= 8) {
      status = launch_shape<1, 1, T, Out>(part, skinny_args, stream);
    } else if (part.x.rows <= 16) {
      status = launch_shape<1, 2, T, Out>(part, skinny_args, stream);
    } else if (part.x.rows <= 32) {
      status = launch_shape<2, 4, T, Out>(part, skinny_args, stream);
    } else {
      status = launch_shape<2, 8, T, Out>(part, skinny_args, stream);
    }
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

LinearWorkspace linear_skinny_workspace(const LinearWeight& weight) {
  const Slices slices = slices_of(weight);
  if (slices.count == 1) return {};
  const int64_t counted = counters_bytes(weight);
  return {.bytes = counted + slices.count * weight.rows * kSkinnyRowsMax * 4, .counters_bytes = counted};
}

Status linear_skinny(const LinearSkinnyLaunch& args, Stream stream) {
  const LinearWeight& weight = args.weight;
  const bool gated = args.epilogue == LinearArgs::Epilogue::kSiluMul;
  if (args.x.dtype != weight.dtype || args.x.cols != weight.cols || args.x.cols % kWide != 0 ||
      !rows_aligned(args.x, 16) || args.x.rows > kSkinnyRowsMax || args.out.rows != args.x.rows) {
    return {kErrorInvalidValue, "linear_skinny: x of another dtype or shape, or rows not on 16 bytes"};
  }
  if (args.num_outputs > weight.rows || (gated && args.num_outputs % 16 != 0) ||
      args.out.cols != (gated ? args.num_outputs / 2 : args.num_outputs)) {
    return {kErrorInvalidValue, "linear_skinny: out of another width than the weight's rows"};
  }
  if (args.workspace_bytes < linear_skinny_workspace(weight).bytes) {
    return {kErrorInvalidValue, "linear_skinny: the workspace is too small"};
  }
  if (args.x.rows == 0) return {};
  return with_element(args.out.dtype, [&]<typename Out>() -> Status {
    if (weight.dtype == DType::kF16) return launch_skinny<half_t, Out>(args, stream);
    if (weight.dtype == DType::kBf16) return launch_skinny<bf16_t, Out>(args, stream);
    return {kErrorInvalidValue, "linear_skinny: a weight that is neither f16 nor bf16"};
  });
}

}  // namespace seraph::cuda
