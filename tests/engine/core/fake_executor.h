// A device that is easy to check: its "keys" are a hash of all tokens so far, stored per KV slot, its "logits" a
// hash of every slot that a row attends to, through the block table. A wrong block table, a block given away too
// early or a stale cache entry therefore changes tokens. Ids drawn by a step stay "on the device" (by sequence
// slot) until it is collected, so that several steps can be in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "engine/base/check.h"
#include "engine/batch_builder.h"
#include "engine/sample/logprobs.h"
#include "engine/sample/sample_rows.h"
#include "engine/step_executor.h"

namespace seraph {

inline uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a ^ (b + 0x9E3779B97F4A7C15ULL + (a << 6) + (a >> 2));
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

class FakeExecutor final : public StepExecutor {
 public:
  struct Args {
    SchedulerLimits limits;
    int32_t steps_in_flight_max = 1;
    bool attend = true;  // false: tokens depend on seed and position only; for measuring overhead
  };
  explicit FakeExecutor(const Args& args)
      : args_(args),
        model_{.vocab_size = args.limits.vocab_size, .eos_ids = args.limits.eos_ids},
        builder_(args.limits.step_tokens_max, args.limits.num_seqs_max,
                 args.limits.num_seqs_max + args.limits.prompt_logit_rows_max, args.limits.block_tokens),
        keys_(static_cast<size_t>(args.limits.num_blocks) * static_cast<size_t>(args.limits.block_tokens)),
        host_keys_(static_cast<size_t>(args.limits.host_blocks) * static_cast<size_t>(args.limits.block_tokens)),
        last_drawn_(static_cast<size_t>(args.limits.num_seqs_max), -1),
        states_(static_cast<size_t>(args.limits.num_seqs_max)) {}

  int32_t steps_in_flight_max() const override { return args_.steps_in_flight_max; }

  void launch(const StepPlan& plan) override {
    SERAPH_CHECK(static_cast<int32_t>(in_flight_.size()) < args_.steps_in_flight_max, "not too many steps in flight");
    SERAPH_CHECK(plan.num_tokens <= args_.limits.step_tokens_max, "the budget is kept");
    ++num_steps;
    num_rows += plan.num_tokens;
    for (const SwappedBlock& swapped : plan.swaps) swap(swapped);
    const Batch batch = builder_.build(plan);
    tokens_.assign(batch.token_ids.begin(), batch.token_ids.end());
    resolve_pending(plan, batch);
    for (size_t s = 0; s < plan.entries.size(); ++s) write_keys(batch, s);
    in_flight_.push_back(sample(plan, batch));
  }

  bool keep_kv(bool keep) override {
    SERAPH_CHECK(in_flight_.empty(), "nothing in flight reads the cache");
    kv_kept = keep;
    // What comes back is empty: a sequence that trusted its old blocks would be seen.
    std::fill(keys_.begin(), keys_.end(), decltype(keys_)::value_type{});
    return true;
  }

  StepResult collect() override {
    collected_ = std::move(in_flight_.front());
    in_flight_.pop_front();
    StepResult result{.rows = collected_.rows};
    if (num_steps >= fail_at_step) result.status = {.ok = false, .message = "the fake device fell over"};
    return result;
  }

  int64_t num_steps = 0;
  bool kv_kept = true;
  int64_t num_rows = 0;
  int64_t fail_at_step = INT64_MAX;

 private:
  struct Step {
    std::vector<SampleResult> rows;
    std::vector<std::vector<SampledLogprob>> logprobs;
  };

  void swap(const SwappedBlock& swapped) {
    const auto block_tokens = static_cast<std::ptrdiff_t>(args_.limits.block_tokens);
    const auto device = keys_.begin() + swapped.device * block_tokens;
    const auto host = host_keys_.begin() + swapped.host * block_tokens;
    if (swapped.to_host) {
      std::copy(device, device + block_tokens, host);
    } else {
      std::copy(host, host + block_tokens, device);
    }
  }

  void resolve_pending(const StepPlan& plan, const Batch& batch) {
    for (size_t s = 0; s < plan.entries.size(); ++s) {
      for (int32_t t = batch.row_begin[s]; t < batch.row_begin[s + 1]; ++t) {
        int32_t& token = tokens_[static_cast<size_t>(t)];
        if (token != kPendingToken) continue;
        SERAPH_CHECK(t == batch.row_begin[s + 1] - 1, "only a last row is pending");
        token = last_drawn_[static_cast<size_t>(plan.entries[s].sequence->slot)];
      }
    }
  }

  size_t slot_of(const Batch& batch, size_t s, int32_t position) const {
    const size_t table = s * static_cast<size_t>(batch.blocks_stride);
    const int32_t block = batch.block_tables[table + static_cast<size_t>(position / args_.limits.block_tokens)];
    return static_cast<size_t>(block * args_.limits.block_tokens + position % args_.limits.block_tokens);
  }

  /// As in a model, a key depends on everything before it, and, where the limits say so, on the prompt's length.
  void write_keys(const Batch& batch, size_t s) {
    const int32_t prompt_tokens = batch.prompt_tokens[s];
    const bool depends = args_.limits.keys_depend_on_prompt && args_.limits.keys_depend_on_prompt(prompt_tokens);
    for (auto t = static_cast<size_t>(batch.row_begin[s]); t < static_cast<size_t>(batch.row_begin[s + 1]); ++t) {
      const int32_t position = batch.positions[t];
      SERAPH_CHECK(slot_of(batch, s, position) == static_cast<size_t>(batch.slots[t]), "slots follow the block table");
      const uint64_t root = depends ? static_cast<uint64_t>(prompt_tokens) : 0;
      const uint64_t before = position > 0 ? keys_[slot_of(batch, s, position - 1)] : root;
      keys_[static_cast<size_t>(batch.slots[t])] =
          mix(before, mix(static_cast<uint64_t>(tokens_[t]), static_cast<uint64_t>(position)));
    }
  }

  uint64_t context_hash(const Batch& batch, size_t s, int32_t row) const {
    uint64_t hash = 7;
    if (!args_.attend) return hash;
    for (int32_t p = 0; p <= batch.positions[static_cast<size_t>(row)]; ++p) {
      hash = mix(hash, keys_[slot_of(batch, s, p)]);
    }
    return hash;
  }

  Step sample(const StepPlan& plan, const Batch& batch) {
    Step step;
    size_t next = 0;
    for (size_t s = 0; s < plan.entries.size(); ++s) {
      const PlannedSequence& entry = plan.entries[s];
      const Request& request = *entry.sequence->request;
      for (int32_t p = entry.prompt_logprobs_begin; p < entry.prompt_logprobs_end; ++p) {
        const uint64_t hash = context_hash(batch, s, batch.logit_rows[next++]);
        add_row(step, request.prompt_ids[static_cast<size_t>(p) + 1], hash, request.sampling.num_prompt_logprobs);
      }
      if (!entry.draws) continue;
      const uint64_t hash = context_hash(batch, s, batch.logit_rows[next++]);
      SampleState& state = states_[static_cast<size_t>(entry.sequence->slot)];
      state.follow(request, entry.sequence->tokens, model_);
      const int32_t position = entry.first_position + entry.num_tokens;
      const SampleRow row = make_draw_row(request.sampling, state,
                                          {.position = position,
                                           .generated_tokens = position - entry.sequence->prompt_tokens,
                                           .vocab_size = args_.limits.vocab_size});
      const int32_t token = draw(row, hash);
      last_drawn_[static_cast<size_t>(entry.sequence->slot)] = token;
      add_row(step, token, hash, request.sampling.num_logprobs);
    }
    SERAPH_CHECK(next == batch.logit_rows.size(), "every logit row is used");
    for (size_t i = 0; i < step.rows.size(); ++i) step.rows[i].logprobs = step.logprobs[i];
    return step;
  }

  /// Depends on the context, the seed, the position, what was counted and what is banned.
  int32_t draw(const SampleRow& row, uint64_t hash) const {
    hash = mix(hash, row.seed);
    hash = mix(hash, row.position);
    uint64_t counted = 0;
    for (const TokenCount& count : row.counts) {
      counted +=
          mix(static_cast<uint64_t>(count.id), static_cast<uint64_t>(count.in_output * 2 + (count.in_prompt ? 1 : 0)));
    }
    hash = mix(hash, counted);
    auto token = static_cast<int32_t>(hash % static_cast<uint64_t>(args_.limits.vocab_size));
    for (bool again = true; again;) {
      again = false;
      for (const int32_t banned : row.banned) {
        if (banned != token) continue;
        token = (token + 1) % args_.limits.vocab_size;
        again = true;
      }
    }
    return token;
  }

  static void add_row(Step& step, int32_t token, uint64_t hash, int32_t num_logprobs) {
    std::vector<SampledLogprob> logprobs;
    for (int32_t k = 0; k <= num_logprobs; ++k) {
      logprobs.push_back({k == 0 ? token : k, -static_cast<float>(hash % 1000), k + 1});
    }
    step.rows.push_back({.token = token, .num_logprobs = static_cast<int32_t>(logprobs.size())});
    step.logprobs.push_back(std::move(logprobs));
  }

  const Args args_;
  const SampleModel model_;
  BatchBuilder builder_;
  std::vector<uint64_t> keys_;       // by KV slot
  std::vector<uint64_t> host_keys_;  // likewise, of swapped blocks
  std::vector<int32_t> last_drawn_;  // by sequence slot: what the device remembers
  std::vector<SampleState> states_;
  std::vector<int32_t> tokens_;
  std::deque<Step> in_flight_;
  Step collected_;
};

}  // namespace seraph
