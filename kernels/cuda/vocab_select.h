// Finding where a ranking of a vocabulary is cut, by count or by probability mass, without sorting it. One block of
// 1024 threads works on one row. An id's key orders the ranking: by value, the smaller id first among equals; so the
// survivors of any filter are the ids whose key is at least some boundary, and min-p, top-k and top-p each raise it.
// Masses are integers (2^44 for the largest value), because their sums do not depend on the order of threads.
#pragma once

#include "kernels/cuda/vocab_view.h"

#ifdef SERAPH_DEVICE_CODE

namespace seraph::cuda {

constexpr int kSelectWarps = kSelectThreads / 32;
static_assert(kSelectWarps == 32, "a warp reduces the sums of all warps");
constexpr int kSteps = 2048;  // of the histogram
constexpr float kStepsPerUnit = 64.0F;
constexpr int kListedMax = kSelectThreads;

struct SelectScratch {
  Shared<uint32_t> counts;  // [kSteps] ids at this distance below the largest
  Shared<uint32_t> mass_low;
  Shared<uint32_t> mass_high;
  Shared<uint64_t> listed;  // [kListedMax] keys in any order, then
  Shared<uint64_t> ranked;  // in order
  Shared<uint64_t> totals;  // [kSelectWarps]
  Shared<uint64_t> answer;  // [2]
  Shared<uint32_t> num_listed;
};

/// Every thread gets the combination of all threads' numbers. Collective over the block.
template <typename Combine>
SERAPH_DEVICE uint64_t combine_block(const SelectScratch& scratch, uint64_t x, const Combine& combine) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) x = combine(x, shuffle_xor(x, bits));
  sync_threads();  // an earlier call's totals have been read
  if (lane_id() == 0) scratch.totals[warp_id()] = x;
  sync_threads();
  uint64_t all = scratch.totals[lane_id()];
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) all = combine(all, shuffle_xor(all, bits));
  return all;
}
SERAPH_DEVICE uint64_t block_max(const SelectScratch& scratch, uint64_t x) {
  return combine_block(scratch, x, [](uint64_t a, uint64_t b) { return a > b ? a : b; });
}
SERAPH_DEVICE uint64_t block_total(const SelectScratch& scratch, uint64_t x) {
  return combine_block(scratch, x, [](uint64_t a, uint64_t b) { return a + b; });
}

/// Sum of this and the lanes below. Collective.
SERAPH_DEVICE uint64_t warp_prefix(uint64_t x) {
#pragma unroll
  for (int delta = 1; delta < 32; delta *= 2) {
    const uint64_t other = shuffle_up(x, delta);
    if (lane_id() >= delta) x += other;
  }
  return x;
}
/// What the warps below this one have in total. Collective over the block.
SERAPH_DEVICE uint64_t total_before_warp(const SelectScratch& scratch, uint64_t warp_total) {
  sync_threads();
  if (lane_id() == 0) scratch.totals[warp_id()] = warp_total;
  sync_threads();
  const uint64_t total = scratch.totals[lane_id()];
  const uint64_t sum = warp_prefix(total);
  return shuffle(sum - total, warp_id());
}

/// The best key, 0 when every value is -infinity. Collective over the block.
SERAPH_DEVICE uint64_t best_key(const SelectScratch& scratch, const VocabView& view) {
  uint64_t best = 0;
  for_each_value(view, [&](int32_t id, float value) {
    const uint64_t key = key_of(value, id);
    if (value > -INFINITY && key > best) best = key;
  });
  return block_max(scratch, best);
}

SERAPH_DEVICE uint64_t weight_of(float value, float largest) {
  const float weight = expf(value - largest);
  return weight > 0.0F ? static_cast<uint64_t>(weight * 0x1p44F) : 0;
}

/// Larger values have smaller steps; a step is 1/64 wide, the last one has no end.
SERAPH_DEVICE int step_of(float value, float largest) {
  const float distance = (largest - value) * kStepsPerUnit;
  return distance < static_cast<float>(kSteps - 1) ? static_cast<int>(distance) : kSteps - 1;
}

/// Fills the histogram with the ids whose key is at least `lowest`. Collective over the block.
SERAPH_DEVICE void count_steps(const SelectScratch& scratch, const VocabView& view, float largest, uint64_t lowest) {
  sync_threads();
  for (int step = static_cast<int>(threadIdx.x); step < kSteps; step += kSelectThreads) {
    scratch.counts[step] = 0U;
    scratch.mass_low[step] = 0U;
    scratch.mass_high[step] = 0U;
  }
  sync_threads();
  for_each_value(view, [&](int32_t id, float value) {
    if (key_of(value, id) < lowest) return;
    const int step = step_of(value, largest);
    const uint64_t weight = weight_of(value, largest);
    atomic_add(scratch.counts, step, 1U);
    const auto low = static_cast<uint32_t>(weight);
    const uint32_t before = atomic_add(scratch.mass_low, step, low);
    const uint32_t carry = before + low < low ? 1U : 0U;
    const uint32_t high = static_cast<uint32_t>(weight >> 32) + carry;
    if (high != 0) atomic_add(scratch.mass_high, step, high);
  });
  sync_threads();
}

/// What is being cut: ids, or their mass.
enum class Amount : uint8_t { kCount, kMass };

template <Amount kAmount>
SERAPH_DEVICE uint64_t step_amount(const SelectScratch& scratch, int step) {
  if constexpr (kAmount == Amount::kCount) {
    const uint32_t count = scratch.counts[step];
    return count;
  }
  const uint32_t low = scratch.mass_low[step];
  const uint32_t high = scratch.mass_high[step];
  return static_cast<uint64_t>(high) << 32 | low;
}
template <Amount kAmount>
SERAPH_DEVICE uint64_t amount_of(float value, float largest) {
  return kAmount == Amount::kCount ? 1 : weight_of(value, largest);
}

/// The amount in the whole histogram. Collective over the block.
template <Amount kAmount>
SERAPH_DEVICE uint64_t all_steps(const SelectScratch& scratch) {
  uint64_t sum = 0;
  for (int step = static_cast<int>(threadIdx.x); step < kSteps; step += kSelectThreads) {
    sum += step_amount<kAmount>(scratch, step);
  }
  return block_total(scratch, sum);
}

/// The step in which the amount reaches `target` (1 <= target <= all), and how much lies before it.
struct StepFound {
  int step;
  uint64_t before;
};
template <Amount kAmount>
SERAPH_DEVICE StepFound find_step(const SelectScratch& scratch, uint64_t target) {
  static_assert(kSteps == 64 * kSelectWarps);
  uint64_t amounts[2];
  uint64_t sums[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    amounts[half] = step_amount<kAmount>(scratch, warp_id() * 64 + half * 32 + lane_id());
    sums[half] = warp_prefix(amounts[half]);
  }
  sums[1] += shuffle(sums[0], 31);
  const uint64_t before = total_before_warp(scratch, shuffle(sums[1], 31));
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint64_t reached = before + sums[half];
    if (reached >= target && reached - amounts[half] < target) {
      scratch.answer[0] = static_cast<uint64_t>(warp_id() * 64 + half * 32 + lane_id());
      scratch.answer[1] = reached - amounts[half];
    }
  }
  sync_threads();
  const uint64_t step = scratch.answer[0];
  const uint64_t found_before = scratch.answer[1];
  sync_threads();
  return {static_cast<int>(step), found_before};
}

/// Orders the listed keys, the best first. Collective over the block.
SERAPH_DEVICE void rank_listed(const SelectScratch& scratch, int count) {
  const int mine = static_cast<int>(threadIdx.x);
  if (mine < count) {
    const uint64_t key = scratch.listed[mine];
    int better = 0;
    for (int other = 0; other < count; ++other) {
      const uint64_t other_key = scratch.listed[other];
      if (other_key > key) ++better;
    }
    scratch.ranked[better] = key;
  }
  sync_threads();
}

/// Lists the keys for which wanted(id, value) holds: at most kListedMax. Collective over the block.
template <typename Wanted>
SERAPH_DEVICE void list_keys(const SelectScratch& scratch, const VocabView& view, const Wanted& wanted) {
  if (threadIdx.x == 0) scratch.num_listed[0] = 0U;
  sync_threads();
  for_each_value(view, [&](int32_t id, float value) {
    if (wanted(id, value)) scratch.listed[atomic_add(scratch.num_listed, 0, 1U)] = key_of(value, id);
  });
  sync_threads();
}

/// The key at which the amount of the ids of one step reaches `target`, when they are few. Collective.
template <Amount kAmount>
SERAPH_DEVICE uint64_t cut_few(const SelectScratch& scratch, const VocabView& view, float largest, uint64_t lowest,
                               int step, uint64_t target) {
  list_keys(scratch, view,
            [&](int32_t id, float value) { return key_of(value, id) >= lowest && step_of(value, largest) == step; });
  const auto count = static_cast<int>(static_cast<uint32_t>(scratch.num_listed[0]));
  rank_listed(scratch, count);
  uint64_t key = 0;
  uint64_t amount = 0;
  if (static_cast<int>(threadIdx.x) < count) {
    key = scratch.ranked[threadIdx.x];
    amount = amount_of<kAmount>(value_of(key), largest);
  }
  const uint64_t sum = warp_prefix(amount);
  const uint64_t reached = total_before_warp(scratch, shuffle(sum, 31)) + sum;
  if (reached >= target && reached - amount < target) scratch.answer[0] = key;
  sync_threads();
  const uint64_t found = scratch.answer[0];
  sync_threads();
  return found;
}

/// The same when they are many (equal or nearly equal values): bit by bit, a pass over the row for each.
template <Amount kAmount>
SERAPH_DEVICE uint64_t cut_many(const SelectScratch& scratch, const VocabView& view, float largest, uint64_t lowest,
                                int step, uint64_t target) {
  uint64_t found = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t candidate = found | uint64_t{1} << bit;
    uint64_t amount = 0;
    for_each_value(view, [&](int32_t id, float value) {
      const uint64_t key = key_of(value, id);
      if (key >= candidate && key >= lowest && step_of(value, largest) == step) {
        amount += amount_of<kAmount>(value, largest);
      }
    });
    if (block_total(scratch, amount) >= target) found = candidate;
  }
  return found;
}

/// The key of the id with which the amount of the best reaches `target`, among those counted by count_steps() with
/// the same arguments. Collective over the block.
template <Amount kAmount>
SERAPH_DEVICE uint64_t cut_at(const SelectScratch& scratch, const VocabView& view, float largest, uint64_t lowest,
                              uint64_t target) {
  const StepFound found = find_step<kAmount>(scratch, target);
  const uint32_t count = scratch.counts[found.step];
  const uint64_t rest = target - found.before;
  return count <= static_cast<uint32_t>(kListedMax)
             ? cut_few<kAmount>(scratch, view, largest, lowest, found.step, rest)
             : cut_many<kAmount>(scratch, view, largest, lowest, found.step, rest);
}

}  // namespace seraph::cuda

#endif
