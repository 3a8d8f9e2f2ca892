// The running state of one request in the engine, as integers. Owned by the Scheduler, engine thread only.
//
//   tokens        |<------- prompt ------->|<- generated, known ->|<- pending ->|
//                 0                  prompt_tokens          tokens.size()   total_tokens()
//   K/V           |<---------- computed_tokens ---------->|
//
// A step computes rows computed_tokens .. computed_tokens + n and, when it reaches total_tokens(), draws the next
// token. A token drawn by a step that is not collected yet is pending: the host does not know its id, the
// device does. That is how step n+1 is planned while step n runs; at most one row of a step has a pending id.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/request.h"
#include "engine/schedule/block_key.h"

namespace seraph {

enum class SequenceState : uint8_t {
  kWaiting,   // holds nothing, or blocks in host memory: new, or preempted
  kRunning,   // has a sequence slot and KV blocks
  kFinished,  // ended; kept only while a step in flight refers to it
};

struct Sequence {
  std::unique_ptr<const Request> request;
  uint64_t arrival = 0;  // order of acceptance, breaks ties of priority
  SequenceState state = SequenceState::kWaiting;

  std::vector<TokenId> tokens;  // prompt and generated tokens known to the host
  int32_t prompt_tokens = 0;
  int32_t total_tokens_max = 0;  // prompt + what may be generated
  int32_t computed_tokens = 0;   // whose K/V steps in flight or before have written
  int32_t pending_tokens = 0;    // drawn by steps in flight
  int32_t steps_in_flight = 0;   // that refer to this sequence
  bool draws_need_host = false;  // penalties and constraints follow tokens on the host: no draw while one is pending

  int32_t slot = -1;                  // row of per-sequence state on host and device while running
  int32_t adapter_slot = -1;          // of its adapter on the device while running; -1: it has none
  std::vector<int32_t> blocks;        // block table
  std::vector<int32_t> host_blocks;   // while waiting: where the first swapped_tokens' K/V are; empty: nowhere
  std::vector<int32_t> swapped_from;  // the device blocks that they were copied from
  int32_t swapped_tokens = 0;
  std::vector<BlockKey> keys;  // names of the full blocks known so far, in order; keys[0] is the root, no block
  int32_t keyed_blocks = 0;    // leading blocks whose name the pool has been told

  int32_t times_passed = 0;          // sequences with adapters admitted while this one waited for an adapter slot
  int32_t planned_tokens = 0;        // scratch of plan_step()
  int32_t cached_tokens = 0;         // prompt tokens found in the prefix cache at first admission
  MonotonicUs scheduled_us = 0;      // first admission
  int32_t prompt_logprobs_next = 0;  // first prompt row whose logprobs no step was asked for yet
  std::unique_ptr<std::vector<PositionLogprobs>> prompt_logprobs;  // filled as steps are collected

  int32_t total_tokens() const { return static_cast<int32_t>(tokens.size()) + pending_tokens; }
  /// What is drawn at the end of a pooling request's prompt is its vector: one pending token that is never fed back.
  bool pools() const { return request->pooling != Pooling::kNone; }
  int32_t generated_tokens() const { return total_tokens() - prompt_tokens; }
  int32_t remaining_tokens() const { return total_tokens() - computed_tokens; }
  bool wants_prompt_logprobs() const { return request->sampling.num_prompt_logprobs >= 0; }
  /// Prompt rows that predict a prompt token: all but the last.
  bool prompt_logprobs_done() const { return !wants_prompt_logprobs() || prompt_logprobs_next >= prompt_tokens - 1; }
};

/// Smaller priority first, then first come, first served.
inline bool runs_before(const Sequence& a, const Sequence& b) {
  if (a.request->priority != b.request->priority) return a.request->priority < b.request->priority;
  return a.arrival < b.arrival;
}

}  // namespace seraph
