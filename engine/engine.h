// The engine's public face: load a checkpoint, submit requests, take events. Everything behind it
// (scheduler, KV blocks, model, device) lives on one engine thread that this object starts and
// joins. Methods are for the loop thread unless they say otherwise; none of them blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/request.h"

namespace seraph {

struct CudaAccess;
/// The GPUs of what the program is linked with; null: none.
const CudaAccess* cuda_access();

enum class LoadFormat { kAuto, kDummy };  // kDummy: random weights of the configured shape, for load tests

/// What the option table decided. Zero or -1 means "choose": the chosen value is in EngineInfo.
struct EngineOptions {
  std::string model_dir;
  std::string generation_config_dir;  // its generation_config.json names ids that end an answer; "": model_dir's
  /// The tokenizer's own eos id, which ends answers too; -1 or null: none. Called once, on the engine thread, when
  /// all else is loaded, so that the tokenizer can load beside the weights.
  std::function<TokenId()> tokenizer_eos;
  Json config_overrides;                // null or an object merged into config.json
  std::string runner = "auto";          // auto (the checkpoint decides) | generate | pooling
  std::string convert = "auto";         // auto | none | embed | classify: what a pooling model answers
  Json pooler;                          // null or an object: --pooler-config
  std::string device = "auto";          // auto (a GPU where there is one) | cuda | cpu
  const CudaAccess* cuda = nullptr;     // cuda_access() of what the program is linked with, or null
  std::string dtype = "auto";           // auto (the checkpoint's) | float32 | bfloat16 | float16
  std::string kv_cache_dtype = "auto";  // auto (the device's choice for dtype) | fp8 | fp8_e4m3
  LoadFormat load_format = LoadFormat::kAuto;
  bool read_ahead = true;              // ask the kernel to read weight files ahead
  uint64_t seed = 0;                   // of dummy weights
  int32_t max_model_len = 0;           // 0: the checkpoint's
  int32_t max_model_len_cap = 0;       // applies when max_model_len is 0; 0: no cap (`run` sets 8192)
  int32_t max_num_seqs = 0;            // sequences in one step
  int32_t max_num_batched_tokens = 0;  // token budget of one step
  int32_t block_tokens = 16;           // tokens per KV block
  bool enable_prefix_caching = true;
  int64_t kv_cache_bytes = 0;           // 0: a share of free memory, at most what max_num_seqs can use
  int32_t num_kv_blocks_override = 0;   // > 0: exactly so many blocks
  double gpu_memory_utilization = 0.9;  // share of a GPU's memory that the process may take
  int64_t swap_bytes = -1;              // host memory for preempted sequences; -1: 1 GiB beside a GPU, else none
  std::string preemption = "auto";      // auto (by cost) | swap | recompute
  bool enforce_eager = false;           // never record steps for replay
  int32_t max_loras = 0;                // adapters in one step; 0: none can be loaded
  int32_t max_lora_rank = 16;           // of an adapter's matrices
  int32_t threads = 0;                  // CPU backend; 0: the cores this process may run on
  bool pin_threads = true;
  int32_t submit_ring_slots = 4096;  // waiting submissions and cancels before 429
  int32_t queued_requests_max = 0;   // admission limit on unfinished requests; 0: none
};

/// A part of the memory that the engine holds.
struct MemoryPart {
  std::string name;  // "weights"
  int64_t bytes = 0;
  bool on_host = false;  // pinned beside a GPU, which has the rest
};

/// What came out of loading; constant afterwards.
struct EngineInfo {
  std::string model_type;      // config.json's
  std::string device;          // "cpu (AVX-512 with BF16, 2 threads)"
  std::string dtype;           // float32 | bfloat16 | float16
  std::string kv_cache_dtype;  // float32 | bfloat16 | float16 | fp8_e4m3
  int32_t vocab_size = 0;      // rows of the head
  int32_t max_model_len = 0;
  int32_t max_num_seqs = 0;
  int32_t max_num_batched_tokens = 0;
  int32_t block_tokens = 0;
  int32_t num_kv_blocks = 0;
  int64_t num_parameters = 0;
  int64_t weight_bytes = 0;
  int64_t kv_bytes = 0;
  int64_t activation_bytes = 0;
  int64_t adapter_bytes = 0;  // of the slots that adapters are computed from
  int32_t max_loras = 0;
  int64_t host_block_bytes = 0;    // for preempted sequences
  std::vector<MemoryPart> memory;  // all of it, weights, cache, activations and adapter slots included
  double load_seconds = 0;
  bool prefix_caching = true;
  PoolingInfo pooling;
  std::vector<TokenId> eos_ids;  // the checkpoint's and the tokenizer's, ascending
};

/// Counters since start and gauges of now, for /metrics and /health. Taken from atomics: cheap, any thread.
struct EngineStats {
  int64_t num_running = 0;
  int64_t num_waiting = 0;
  int64_t kv_blocks_total = 0;
  int64_t kv_blocks_held = 0;    // referenced by a sequence
  int64_t kv_blocks_cached = 0;  // unreferenced, but findable by the prefix cache
  int64_t prefix_queries_tokens = 0;
  int64_t prefix_hits_tokens = 0;
  int64_t prompt_tokens = 0;  // prefilled or taken from the cache
  int64_t generation_tokens = 0;
  int64_t num_preemptions = 0;
  int64_t num_swaps = 0;  // preemptions whose keys and values went to host memory
  int64_t host_blocks_total = 0;
  int64_t host_blocks_held = 0;
  int64_t num_steps = 0;
  int64_t step_tokens_last = 0;  // rows of the last step
  int64_t device_us = 0;         // time inside kernels, summed over steps
  int64_t host_us = 0;           // time of steps outside kernels, summed
  MonotonicUs last_step_us = 0;  // when the last step completed
  int32_t sleep_level = 0;       // 0: awake
  bool paused = false;           // no steps until it is resumed
  bool failed = false;           // a sticky device error: the process must end
};

/// Whether an adapter fits a model, without loading the model: what load_adapter() of an engine with these options
/// would say.
Result<std::shared_ptr<const Adapter>> check_adapter(const EngineOptions& options, const std::string& dir);

class Engine {
 public:
  /// Loads the checkpoint, plans memory, starts the engine thread. Takes seconds; call it before the
  /// loop runs or on a worker. `on_events` is called on the engine thread after events were published
  /// (it must be async-safe: uv_async_send). Errors name file, key and way out.
  static Result<std::unique_ptr<Engine>> make(const EngineOptions& options, std::function<void()> on_events);

  /// Stops the thread: open requests end with kCancelled (their events are published first).
  ~Engine();

  /// Hands the request over. kResourceExhausted: the ring or the admission limit is full, nothing
  /// happened, answer 429. After success exactly one finishing Event follows.
  Status submit(std::unique_ptr<Request> request);
  /// The request leaves scheduling at the next step and finishes with kCancelled (unless it finished
  /// before). Never fails: cancels have ring slots of their own. Unknown ids are ignored.
  void cancel(RequestId id);
  /// Appends all published events in order. One on_events call may stand for many publishes.
  void drain_events(std::vector<Event>& out);

  /// Until wake_up() nothing is computed: running requests give back their blocks and wait, new ones wait too; what the
  /// prefix cache knows is forgotten and the KV cache's memory goes back to the system. The weights stay, whatever the
  /// level (1 or more), which only stats() repeats. Any thread.
  void sleep(int32_t level);
  void wake_up();
  /// While paused no step begins: requests wait where they are, with their blocks, and new ones behind them. Any
  /// thread.
  void pause(bool paused);
  /// Later requests find nothing of earlier ones in the prefix cache. Any thread.
  void reset_prefix_cache();

  /// Reads and checks a PEFT folder against the model. Nothing running notices: requests that carry the adapter are
  /// what brings it to the device, and it is gone when the last of them and the caller let go of it. `known`: the
  /// version that was read from there before, or null; when the files are still the same the adapter counts as the same
  /// (and finds its prefixes in the cache). Takes as long as reading does; any thread.
  /// Errors: kNotFound (there is no adapter), kCorrupt, kUnsupported (what is wrong with it, or what it needs).
  Result<std::shared_ptr<const Adapter>> load_adapter(const std::string& dir, const Adapter* known = nullptr) const;

  const EngineInfo& info() const;
  /// Any thread.
  EngineStats stats() const;
  /// True while steps complete or there is nothing to do. Any thread.
  bool healthy(MonotonicUs now) const;

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace seraph
