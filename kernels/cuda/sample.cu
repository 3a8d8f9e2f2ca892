#include "kernels/cuda/element.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/philox.h"
#include "kernels/cuda/sample.h"
#include "kernels/cuda/vocab_select.h"

namespace seraph::cuda {
namespace {

constexpr float kGreedyBelow = 1e-5F;
constexpr float kTemperatureMin = 0.01F;
constexpr float kBiasMax = 100.0F;

struct SampleArrays {
  Global<float> logits;
  Global<const uint32_t> rows;  // DeviceSampleRow, as words
  Global<const int32_t> counts;
  Global<const int32_t> bias;
  Global<const int32_t> banned;
  Global<const uint32_t> allowed;
  Global<float> saved;
  Global<int32_t> tokens;
  Global<int32_t> logprob_ids;
  Global<float> logprobs;
  Global<int32_t> logprob_ranks;
  Global<int32_t> num_logprobs;
  int64_t logits_stride;
  int64_t saved_bias;    // where the saved values of biased ids begin
  int64_t saved_banned;  // and of banned ones
  int32_t vocab_size;
  int32_t columns;
  int32_t logprobs_stride;
  bool aligned;
};

SERAPH_DEVICE DeviceSampleRow read_row(const Global<const uint32_t>& rows, int64_t index) {
  constexpr int kWords = sizeof(DeviceSampleRow) / 16;
  Vec<uint32_t, 4> words[kWords];
#pragma unroll
  for (int i = 0; i < kWords; ++i) words[i] = load<4>(rows, (index * kWords + i) * 4);
  DeviceSampleRow row;
  memcpy(&row, words, sizeof(row));
  return row;
}

/// Keeps what was there, then edit(old value); ids outside of the vocabulary are left alone.
template <typename Edit>
SERAPH_DEVICE void edit_logit(const SampleArrays& arrays, int64_t row_begin, int32_t id, int64_t saved_at,
                              const Edit& edit) {
  if (id < 0 || id >= arrays.vocab_size) return;
  const float before = arrays.logits[row_begin + id];
  arrays.saved[saved_at] = before;
  arrays.logits[row_begin + id] = edit(before);
}

SERAPH_DEVICE float penalised(const DeviceSampleRow& row, float logit, int32_t in_output) {
  logit = logit > 0.0F ? logit / row.repetition_penalty : logit * row.repetition_penalty;
  if (in_output > 0) {
    logit -= row.frequency_penalty * static_cast<float>(in_output);
    logit -= row.presence_penalty;
  }
  return logit;
}

/// Bans, bias and penalties, each ordered before the next. Collective over the block.
SERAPH_DEVICE void edit_logits(const SampleArrays& arrays, const DeviceSampleRow& row, int64_t begin) {
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  for (int32_t i = row.banned_begin + thread; i < row.banned_end; i += kSelectThreads) {
    edit_logit(arrays, begin, arrays.banned[i], arrays.saved_banned + i, [](float) { return -INFINITY; });
  }
  sync_threads();
  for (int32_t i = row.bias_begin + thread; i < row.bias_end; i += kSelectThreads) {
    const Vec<int32_t, 2> entry = load<2>(arrays.bias, int64_t{2} * i);
    const float bias = fminf(fmaxf(bits_float(static_cast<uint32_t>(entry[1])), -kBiasMax), kBiasMax);
    edit_logit(arrays, begin, entry[0], arrays.saved_bias + i, [bias](float logit) { return logit + bias; });
  }
  sync_threads();
  for (int32_t i = row.counts_begin + thread; i < row.counts_end; i += kSelectThreads) {
    const Vec<int32_t, 2> entry = load<2>(arrays.counts, int64_t{2} * i);
    edit_logit(arrays, begin, entry[0], i, [&](float logit) { return penalised(row, logit, entry[1]); });
  }
  sync_threads();
}

SERAPH_DEVICE void restore_logit(const SampleArrays& arrays, int64_t row_begin, int32_t id, int64_t saved_at) {
  if (id < 0 || id >= arrays.vocab_size) return;
  const float before = arrays.saved[saved_at];
  arrays.logits[row_begin + id] = before;
}

/// The edits backwards. Collective over the block.
SERAPH_DEVICE void restore_logits(const SampleArrays& arrays, const DeviceSampleRow& row, int64_t begin) {
  const int32_t thread = static_cast<int32_t>(threadIdx.x);
  sync_threads();
  for (int32_t i = row.counts_begin + thread; i < row.counts_end; i += kSelectThreads) {
    restore_logit(arrays, begin, arrays.counts[int64_t{2} * i], i);
  }
  sync_threads();
  for (int32_t i = row.bias_begin + thread; i < row.bias_end; i += kSelectThreads) {
    restore_logit(arrays, begin, arrays.bias[int64_t{2} * i], arrays.saved_bias + i);
  }
  sync_threads();
  for (int32_t i = row.banned_begin + thread; i < row.banned_end; i += kSelectThreads) {
    restore_logit(arrays, begin, arrays.banned[i], arrays.saved_banned + i);
  }
  sync_threads();
}

/// The smallest key that survives min_p, top_k and top_p. Collective over the block.
SERAPH_DEVICE uint64_t filter(const SelectScratch& scratch, const VocabView& view, const DeviceSampleRow& row,
                              float largest) {
  uint64_t lowest = lowest_key();
  if (row.min_p > 0.0F) {
    const uint64_t border = first_key_of(largest + logf(row.min_p));
    if (border > lowest) lowest = border;
  }
  const bool by_count = row.top_k > 0 && row.top_k < view.count;
  if (!by_count && row.top_p >= 1.0F) return lowest;
  count_steps(scratch, view, largest, lowest);
  if (by_count) {
    const uint64_t all = all_steps<Amount::kCount>(scratch);
    const uint64_t wanted = static_cast<uint64_t>(row.top_k);
    const uint64_t kth = cut_at<Amount::kCount>(scratch, view, largest, lowest, wanted < all ? wanted : all);
    lowest = first_key_of(value_of(kth));  // with all ties
    if (row.top_p < 1.0F) count_steps(scratch, view, largest, lowest);
  }
  if (row.top_p >= 1.0F) return lowest;
  const uint64_t all = all_steps<Amount::kMass>(scratch);
  const double share = ceil(static_cast<double>(row.top_p) * static_cast<double>(all));
  uint64_t target = share > 1.0 ? static_cast<uint64_t>(share) : 1;
  if (target > all) target = all;
  return cut_at<Amount::kMass>(scratch, view, largest, lowest, target);
}

/// argmax(value + noise) over the keys from `lowest` on. Two looks: with fast logarithms, then, at the few ids that
/// may be the best, as the contract says. Collective over the block.
SERAPH_DEVICE int32_t draw(const SelectScratch& scratch, const VocabView& view, const DeviceSampleRow& row,
                           uint64_t lowest) {
  const auto for_each_survivor = [&](const auto& function) {
    for (int32_t first = static_cast<int32_t>(threadIdx.x) * kChunk; first < view.count;
         first += kSelectThreads * kChunk) {
      const Chunk values = four_values(view, first);
      bool survives[kChunk];
      bool one_survives = false;
#pragma unroll
      for (int i = 0; i < kChunk; ++i) {
        survives[i] = key_of(values.v[i], first + i) >= lowest;
        one_survives = one_survives || survives[i];
      }
      if (!one_survives) continue;
      const PhiloxWords words =
          philox({{static_cast<uint32_t>(first) >> 2, row.position, row.choice, 0}}, row.seed_low, row.seed_high);
#pragma unroll
      for (int i = 0; i < kChunk; ++i) {
        if (survives[i]) function(first + i, values.v[i], words.word[i]);
      }
    }
  };
  float mine = -INFINITY;
  for_each_survivor([&](int32_t, float value, uint32_t word) { mine = fmaxf(mine, value + gumbel_near(word)); });
  const float best = value_of(block_max(scratch, first_key_of(mine)));
  // The noises differ by less than 1e-5; the sums are rounded once more.
  const float border = best - 1e-4F - fabsf(best) * 1e-6F;
  uint64_t key = 0;
  if (mine >= border) {
    for_each_survivor([&](int32_t id, float value, uint32_t word) {
      if (value + gumbel_near(word) < border) return;
      const uint64_t exact = key_of(value + gumbel_exact(word), id);
      if (exact > key) key = exact;
    });
  }
  return id_of(block_max(scratch, key));
}

/// The token of the row, -1 when all ids are masked. Collective over the block.
SERAPH_DEVICE int32_t choose(const SelectScratch& scratch, VocabView view, const DeviceSampleRow& row) {
  const bool greedy = row.temperature < kGreedyBelow;
  view.temperature = greedy ? 1.0F : fmaxf(row.temperature, kTemperatureMin);
  const uint64_t best = best_key(scratch, view);
  if (best == 0) return -1;
  if (greedy) return id_of(best);
  const uint64_t lowest = filter(scratch, view, row, value_of(best));
  return draw(scratch, view, row, lowest);
}

/// How many values are at least `border`. Collective over the block.
SERAPH_DEVICE int32_t count_at_least(const SelectScratch& scratch, const VocabView& view, float border) {
  uint64_t count = 0;
  for_each_value(view, [&](int32_t, float value) { count += value >= border ? 1 : 0; });
  return static_cast<int32_t>(block_total(scratch, count));
}

/// Lists the `wanted` best keys, in order, and returns how many there are. Collective over the block.
SERAPH_DEVICE int list_best(const SelectScratch& scratch, const VocabView& view, float largest, int32_t wanted) {
  count_steps(scratch, view, largest, lowest_key());
  const uint64_t all = all_steps<Amount::kCount>(scratch);
  const uint64_t target = static_cast<uint64_t>(wanted) < all ? static_cast<uint64_t>(wanted) : all;
  const uint64_t last = cut_at<Amount::kCount>(scratch, view, largest, lowest_key(), target);
  list_keys(scratch, view, [&](int32_t id, float value) { return key_of(value, id) >= last; });
  rank_listed(scratch, static_cast<int>(target));
  return static_cast<int>(target);
}

/// Logprobs of the chosen id and of the best, over all columns. Collective over the block.
SERAPH_DEVICE void report_logprobs(const SampleArrays& arrays, const SelectScratch& scratch, const VocabView& view,
                                   const DeviceSampleRow& row, int32_t token) {
  const int64_t out = static_cast<int64_t>(blockIdx.x) * arrays.logprobs_stride;
  const uint64_t best = best_key(scratch, view);
  if (best == 0) {
    if (threadIdx.x == 0) arrays.num_logprobs[blockIdx.x] = 0;
    return;
  }
  const float largest = value_of(best);
  uint64_t mass = 0;
  for_each_value(view, [&](int32_t, float value) { mass += weight_of(value, largest); });
  const double log_sum = static_cast<double>(largest) + log(static_cast<double>(block_total(scratch, mass)) * 0x1p-44);
  const auto logprob = [&](float value) { return static_cast<float>(static_cast<double>(value) - log_sum); };
  const float chosen = arrays.logits[view.begin + token];
  const int32_t chosen_rank = count_at_least(scratch, view, chosen);
  if (threadIdx.x == 0) {
    arrays.logprob_ids[out] = token;
    arrays.logprobs[out] = logprob(chosen);
    arrays.logprob_ranks[out] = chosen_rank;
  }
  if (row.num_logprobs == 0) {
    if (threadIdx.x == 0) arrays.num_logprobs[blockIdx.x] = 1;
    return;
  }
  if (row.logprob_ids_begin < row.logprob_ids_end) {
    const int32_t asked = row.logprob_ids_end - row.logprob_ids_begin;
    for (int32_t i = 0; i < asked; ++i) {
      const int32_t id = arrays.banned[row.logprob_ids_begin + i];
      const float value = arrays.logits[view.begin + id];
      const int32_t rank = count_at_least(scratch, view, value);
      if (threadIdx.x == 0) {
        arrays.logprob_ids[out + 1 + i] = id;
        arrays.logprobs[out + 1 + i] = logprob(value);
        arrays.logprob_ranks[out + 1 + i] = rank;
      }
    }
    if (threadIdx.x == 0) arrays.num_logprobs[blockIdx.x] = 1 + asked;
    return;
  }
  const int count = list_best(scratch, view, largest, row.num_logprobs);
  const uint64_t last = scratch.ranked[count - 1];
  const int32_t last_rank = count_at_least(scratch, view, value_of(last));  // with ties that are not listed
  const uint64_t chosen_key = key_of(chosen, token);
  const bool listed = chosen_key >= last;  // then it is left out of the list, and those behind it move up
  const int mine = static_cast<int>(threadIdx.x);
  if (mine < count) {
    const uint64_t key = scratch.ranked[mine];
    int32_t rank = last_rank;
    if (key >> 32 != last >> 32) {
      rank = mine + 1;
      for (int next = mine + 1; next < count; ++next) {
        const uint64_t other = scratch.ranked[next];
        if (other >> 32 != key >> 32) break;
        ++rank;
      }
    }
    if (key != chosen_key) {
      const int64_t at = out + 1 + mine - (listed && chosen_key > key ? 1 : 0);
      arrays.logprob_ids[at] = id_of(key);
      arrays.logprobs[at] = logprob(value_of(key));
      arrays.logprob_ranks[at] = rank;
    }
  }
  if (threadIdx.x == 0) arrays.num_logprobs[blockIdx.x] = 1 + count - (listed ? 1 : 0);
}

/// A block per row.
__global__ void __launch_bounds__(kSelectThreads) sample_rows(SampleArrays arrays) {
  SERAPH_SHARED(uint32_t, counts, kSteps);
  SERAPH_SHARED(uint32_t, mass_low, kSteps);
  SERAPH_SHARED(uint32_t, mass_high, kSteps);
  SERAPH_SHARED(uint64_t, listed, kListedMax);
  SERAPH_SHARED(uint64_t, ranked, kListedMax);
  SERAPH_SHARED(uint64_t, totals, kSelectWarps);
  SERAPH_SHARED(uint64_t, answer, 2);
  SERAPH_SHARED(uint32_t, num_listed, 1);
  const SelectScratch scratch = {counts, mass_low, mass_high, listed, ranked, totals, answer, num_listed};
  const DeviceSampleRow row = read_row(arrays.rows, blockIdx.x);
  VocabView view;
  view.logits = arrays.logits;
  view.allowed = arrays.allowed;
  view.begin = row.logit_row * arrays.logits_stride;
  view.allowed_begin = row.allowed_begin;
  view.count = arrays.vocab_size;
  view.temperature = 1.0F;
  view.aligned = arrays.aligned;
  int32_t token = row.given_token;
  if (token < 0) {
    edit_logits(arrays, row, view.begin);
    token = choose(scratch, view, row);
    if (row.num_logprobs >= 0) restore_logits(arrays, row, view.begin);
  }
  if (threadIdx.x == 0) arrays.tokens[blockIdx.x] = token;
  if (row.num_logprobs < 0 || token < 0) {
    if (threadIdx.x == 0) arrays.num_logprobs[blockIdx.x] = 0;
    return;
  }
  view.allowed_begin = -1;
  view.count = arrays.columns;
  report_logprobs(arrays, scratch, view, row, token);
}

}  // namespace

Status sample(const SampleLaunch& args, Stream stream) {
  constexpr int64_t kColumnsMax = int64_t{1} << 19;  // masses are below 2^63
  if (args.logits.dtype != DType::kF32 || args.logits.cols > kColumnsMax || args.vocab_size > args.logits.cols) {
    return {kErrorInvalidValue, "sample: logits that are not f32, or wider than 2^19, or narrower than the vocabulary"};
  }
  if (args.num_rows == 0) return {};
  SampleArrays arrays;
  arrays.logits = elements_of<float>(args.logits);
  arrays.rows = Global<const uint32_t>(reinterpret_cast<const uint32_t*>(args.rows),
                                       args.num_rows * static_cast<int64_t>(sizeof(DeviceSampleRow) / 4));
  arrays.counts = Global<const int32_t>(reinterpret_cast<const int32_t*>(args.counts), args.num_counts * 2);
  arrays.bias = Global<const int32_t>(reinterpret_cast<const int32_t*>(args.bias), args.num_bias * 2);
  arrays.banned = Global<const int32_t>(args.banned, args.num_banned);
  arrays.allowed = Global<const uint32_t>(args.allowed, args.num_allowed_words);
  arrays.saved = Global<float>(args.saved, args.num_counts + args.num_bias + args.num_banned);
  const int64_t entries = static_cast<int64_t>(args.num_rows) * args.logprobs_stride;
  arrays.tokens = Global<int32_t>(args.tokens, args.num_rows);
  arrays.logprob_ids = Global<int32_t>(args.logprob_ids, entries);
  arrays.logprobs = Global<float>(args.logprobs, entries);
  arrays.logprob_ranks = Global<int32_t>(args.logprob_ranks, entries);
  arrays.num_logprobs = Global<int32_t>(args.num_logprobs, args.num_rows);
  arrays.logits_stride = args.logits.stride;
  arrays.saved_bias = args.num_counts;
  arrays.saved_banned = args.num_counts + args.num_bias;
  arrays.vocab_size = args.vocab_size;
  arrays.columns = static_cast<int32_t>(args.logits.cols);
  arrays.logprobs_stride = args.logprobs_stride;
  arrays.aligned = rows_aligned(args.logits, 16);
  LaunchConfig config = {.name = "sample", .stream = stream};
  config.grid = {static_cast<uint32_t>(args.num_rows)};
  config.block = {kSelectThreads};
  // Edits and the histogram go where the data says; the passes over the row are coalesced.
  config.budget = {.bank_conflicts_max = int64_t{1} << 40, .sectors_ratio_max = 8.0F};
  return launch(sample_rows, config, arrays);
}

}  // namespace seraph::cuda
