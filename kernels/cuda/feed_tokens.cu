#include "kernels/cuda/feed_tokens.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ptx.h"

namespace seraph::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) feed(Global<int32_t> ids, Global<const int32_t> drawn, int64_t num_ids) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= num_ids) return;
  const int32_t id = ids[i];
  if (id >= 0) return;
  const int32_t token = drawn[-1 - id];
  ids[i] = token < 0 ? 0 : token;
}

}  // namespace

Status feed_tokens(const FeedTokensLaunch& args, Stream stream) {
  if (args.num_ids == 0) return {};
  LaunchConfig config = {.name = "feed_tokens", .stream = stream};
  config.grid = {static_cast<uint32_t>((args.num_ids + kThreads - 1) / kThreads)};
  config.block = {kThreads};
  config.budget.sectors_ratio_max = 8.0F;  // draws come from any row
  return launch(feed, config, Global<int32_t>(args.ids, args.num_ids),
                Global<const int32_t>(args.drawn, args.num_drawn), args.num_ids);
}

}  // namespace seraph::cuda
