#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.h"
#include "kernels/cuda/rope_cache.h"

namespace seraph::cuda {
namespace {

constexpr int kWarpsPerBlock = 4;

template <typename T, typename Kv>
struct Rope {
  Global<T> qkv;
  Global<const float> cos_sin;
  Global<const float> q_norm;
  Global<const float> k_norm;
  Global<const int32_t> slots;
  Global<Kv> cache;
  Global<bf16_t> scales;  // the cache once more, for e4m3
  int64_t qkv_stride;
  int64_t block_elements;
  int64_t layer_begin;   // of the layer inside a block
  int64_t layer_planes;  // elements of the layer's keys and values; e4m3 scales lie behind them
  int32_t num_heads;
  int32_t num_kv_heads;
  int32_t head_dim;
  int32_t rotary_dim;
  int32_t block_tokens;
  float norm_eps;
  bool norms_q;
  bool norms_k;
};

/// N neighbouring elements as floats.
template <int N>
struct Few {
  float v[N];
};

template <int N, typename T>
SERAPH_DEVICE Few<N> load_few(const Global<T>& x, int64_t at) {
  const Vec<std::remove_const_t<T>, N> raw = load<N>(x, at);
  Few<N> out;
#pragma unroll
  for (int i = 0; i < N; ++i) out.v[i] = to_float(raw[i]);
  return out;
}

template <int N, typename T>
SERAPH_DEVICE void store_few(const Global<T>& x, int64_t at, const Few<N>& values) {
  Vec<T, N> raw;
#pragma unroll
  for (int i = 0; i < N; ++i) raw[i] = from_float<T>(values.v[i]);
  store(x, at, raw);
}

/// 1 / RMS of a head; every lane sums the elements that it will write. Collective.
template <int N, typename T>
SERAPH_DEVICE float rms_scale(const Global<T>& x, int64_t begin, int32_t head_dim, float eps) {
  float squares = 0.0F;
  for (int32_t i = lane_id() * N; i < head_dim; i += 32 * N) {
    const Few<N> values = load_few<N>(x, begin + i);
#pragma unroll
    for (int j = 0; j < N; ++j) squares = fmaf(values.v[j], values.v[j], squares);
  }
  return 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(head_dim) + eps);
}

template <int N>
SERAPH_DEVICE void apply_norm(Few<N>& values, const Global<const float>& weight, int32_t at, float scale) {
  const Few<N> weights = load_few<N>(weight, at);
#pragma unroll
  for (int i = 0; i < N; ++i) values.v[i] = values.v[i] * scale * weights.v[i];
}

/// What a warp does with its head.
struct HeadPlace {
  int64_t from;  // in qkv
  Global<const float> norm_weight;
  float scale;
  bool norms;
  int32_t half;  // pairs that are rotated
};

/// use(i, values) for the normed and rotated elements i .. i + N - 1 of the head that this lane has. What an unnormed
/// head does not rotate it passes on as it is.
template <int N, typename T, typename Kv, typename Use>
SERAPH_DEVICE void visit_head(const Rope<T, Kv>& args, int64_t token, const HeadPlace& head, const Use& use) {
  for (int32_t i = lane_id() * N; i < head.half; i += 32 * N) {
    Few<N> first = load_few<N>(args.qkv, head.from + i);
    Few<N> second = load_few<N>(args.qkv, head.from + head.half + i);
    if (head.norms) {
      apply_norm<N>(first, head.norm_weight, i, head.scale);
      apply_norm<N>(second, head.norm_weight, head.half + i, head.scale);
    }
    const Few<N> cosine = load_few<N>(args.cos_sin, token * args.rotary_dim + i);
    const Few<N> sine = load_few<N>(args.cos_sin, token * args.rotary_dim + head.half + i);
    Few<N> first_out;
    Few<N> second_out;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      first_out.v[j] = first.v[j] * cosine.v[j] - second.v[j] * sine.v[j];
      second_out.v[j] = second.v[j] * cosine.v[j] + first.v[j] * sine.v[j];
    }
    use(i, first_out);
    use(head.half + i, second_out);
  }
  for (int32_t i = 2 * head.half + lane_id() * N; i < args.head_dim; i += 32 * N) {
    Few<N> values = load_few<N>(args.qkv, head.from + i);
    if (head.norms) apply_norm<N>(values, head.norm_weight, i, head.scale);
    use(i, values);
  }
}

/// A warp per head; heads along y and warps, tokens along x. N elements per access: 2 where the halves allow it.
template <int N, typename T, typename Kv>
__global__ void __launch_bounds__(32 * kWarpsPerBlock) rope_heads(Rope<T, Kv> args) {
  const int32_t head = static_cast<int32_t>(blockIdx.y) * kWarpsPerBlock + warp_id();
  if (head >= args.num_heads + 2 * args.num_kv_heads) return;  // a whole warp
  const int64_t token = blockIdx.x;
  const bool is_q = head < args.num_heads;
  const bool is_v = head >= args.num_heads + args.num_kv_heads;
  const int64_t from = token * args.qkv_stride + static_cast<int64_t>(head) * args.head_dim;
  const bool norms = is_q ? args.norms_q : args.norms_k && !is_v;
  float scale = 1.0F;
  if (norms) {
    scale = rms_scale<N>(args.qkv, from, args.head_dim, args.norm_eps);
    sync_warp();  // below, lanes write what others have read
  }
  int64_t to = -1;
  int64_t scale_at = -1;
  if (!is_q) {
    const int32_t slot = args.slots[token];
    if (slot < 0) return;                           // the same for the whole warp
    const int32_t kv_head = head - args.num_heads;  // the v heads follow the k heads here as they do in a block
    const int64_t layer = slot / args.block_tokens * args.block_elements + args.layer_begin;
    const int64_t index = static_cast<int64_t>(kv_head) * args.block_tokens + slot % args.block_tokens;
    to = layer + index * args.head_dim;
    scale_at = (layer + args.layer_planes) / 2 + index;
  }
  const HeadPlace place = {from, is_q ? args.q_norm : args.k_norm, scale, norms, is_v ? 0 : args.rotary_dim / 2};
  if (is_q) {
    visit_head<N>(args, token, place,
                  [&](int32_t i, const Few<N>& values) { store_few<N>(args.qkv, from + i, values); });
    return;
  }
  if constexpr (kIsFp8<Kv>) {
    float largest = 0.0F;
    visit_head<N>(args, token, place, [&](int32_t, const Few<N>& values) {
#pragma unroll
      for (int j = 0; j < N; ++j) largest = fmaxf(largest, fabsf(values.v[j]));
    });
    const bf16_t head_scale = kv_scale_of(warp_max(largest));
    const float divisor = to_float(head_scale);
    const float inverse = divisor == 0.0F ? 0.0F : 1.0F / divisor;
    if (lane_id() == 0) args.scales[scale_at] = head_scale;
    visit_head<N>(args, token, place, [&](int32_t i, Few<N> values) {
#pragma unroll
      for (int j = 0; j < N; ++j) values.v[j] *= inverse;
      store_few<N>(args.cache, to + i, values);
    });
  } else {
    visit_head<N>(args, token, place,
                  [&](int32_t i, const Few<N>& values) { store_few<N>(args.cache, to + i, values); });
  }
}

template <typename T, typename Kv>
Status launch_rope(const RopeCacheLaunch& args, Stream stream) {
  const KvShape& shape = args.shape;
  const int64_t layer_elements = kv_layer_bytes(shape) / static_cast<int64_t>(sizeof(Kv));
  Rope<T, Kv> rope;
  rope.qkv = elements_of<T>(args.qkv);
  rope.cos_sin = Global<const float>(args.cos_sin, args.qkv.rows * args.rotary_dim);
  if (args.q_norm != nullptr) rope.q_norm = Global<const float>(args.q_norm, shape.head_dim);
  if (args.k_norm != nullptr) rope.k_norm = Global<const float>(args.k_norm, shape.head_dim);
  rope.slots = Global<const int32_t>(args.slots, args.qkv.rows);
  rope.block_elements = layer_elements * shape.num_layers;
  rope.layer_begin = layer_elements * args.layer;
  rope.layer_planes = int64_t{2} * shape.num_kv_heads * shape.block_tokens * shape.head_dim;
  rope.cache = Global<Kv>(static_cast<Kv*>(args.cache), rope.block_elements * args.num_blocks);
  if (kIsFp8<Kv>) {
    rope.scales = Global<bf16_t>(static_cast<bf16_t*>(args.cache), rope.block_elements * args.num_blocks / 2);
  }
  rope.qkv_stride = args.qkv.stride;
  rope.num_heads = args.num_heads;
  rope.num_kv_heads = shape.num_kv_heads;
  rope.head_dim = shape.head_dim;
  rope.rotary_dim = args.rotary_dim;
  rope.block_tokens = shape.block_tokens;
  rope.norm_eps = args.norm_eps;
  rope.norms_q = args.q_norm != nullptr;
  rope.norms_k = args.k_norm != nullptr;
  const bool paired = args.rotary_dim % 4 == 0 && shape.head_dim % 2 == 0 && rows_aligned(args.qkv, 2 * sizeof(T)) &&
                      reinterpret_cast<uintptr_t>(args.cos_sin) % 8 == 0 &&
                      reinterpret_cast<uintptr_t>(args.q_norm) % 8 == 0 &&
                      reinterpret_cast<uintptr_t>(args.k_norm) % 8 == 0;
  const int32_t heads = args.num_heads + 2 * shape.num_kv_heads;
  LaunchConfig config = {.name = "rope_cache", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.qkv.rows),
                 static_cast<uint32_t>((heads + kWarpsPerBlock - 1) / kWarpsPerBlock)};
  config.block = {32 * kWarpsPerBlock};
  // A head, or half of one, may begin and end within a sector.
  config.budget.sectors_ratio_max = 2.0F;
  return paired ? launch(rope_heads<2, T, Kv>, config, rope) : launch(rope_heads<1, T, Kv>, config, rope);
}

}  // namespace

Status rope_cache(const RopeCacheLaunch& args, Stream stream) {
  const KvShape& shape = args.shape;
  if (args.qkv.cols != static_cast<int64_t>(args.num_heads + 2 * shape.num_kv_heads) * shape.head_dim) {
    return {kErrorInvalidValue, "rope_cache: qkv of another width than its heads"};
  }
  if (args.rotary_dim < 0 || args.rotary_dim % 2 != 0 || args.rotary_dim > shape.head_dim) {
    return {kErrorInvalidValue, "rope_cache: rotary_dim is odd or wider than a head"};
  }
  if (args.qkv.rows == 0) return {};
  return with_element(args.qkv.dtype, [&]<typename T>() {
    if (shape.dtype == DType::kF8E4m3) return launch_rope<T, fp8_t>(args, stream);
    return with_element(shape.dtype, [&]<typename Kv>() { return launch_rope<T, Kv>(args, stream); });
  });
}

}  // namespace seraph::cuda
