// The rows of one step as flat arrays, built by engine/batch_builder from a step plan. Everything is
// host memory owned by the builder and valid until the step is collected. Engine thread only.
#pragma once

#include <cstdint>
#include <span>

namespace seraph {

/// T rows (tokens) of S sequences; rows of one sequence are adjacent and ascending in position.
struct Batch {
  std::span<const int32_t> token_ids;          // [T]
  std::span<const int32_t> positions;          // [T] index in the sequence, from 0
  std::span<const int32_t> slots;              // [T] KV slot: block * block_tokens + offset
  std::span<const int32_t> row_begin;          // [S + 1]
  std::span<const int32_t> context_tokens;     // [S] tokens in the cache including this step's
  std::span<const int32_t> prompt_context;     // [S] the same, 0 for sequences whose rows all lie behind the prompt
  std::span<const int32_t> generated_context;  // [S] the same, 0 for the others
  int32_t num_generated = 0;                   // sequences whose rows all lie behind the prompt
  std::span<const int32_t> prompt_tokens;      // [S] length of the prompt (dynamic rope depends on it)
  std::span<const int32_t> block_tables;       // [S, blocks_stride]
  int32_t blocks_stride = 0;
  std::span<const int32_t> logit_rows;           // [L] rows whose logits are needed, ascending
  std::span<const int32_t> adapter_slots;        // [T] adapter slot of each row, -1: none; empty: no row has one
  std::span<const int32_t> logit_adapter_slots;  // [L] of the rows in logit_rows; empty likewise
};

}  // namespace seraph
