// Whole engines with random weights, driven as the server's loop drives them.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "engine/base/clock.h"
#include "engine/engine.h"
#include "kernels/cuda_access.h"
#include "tests/gpu/bench/bench.h"

namespace seraph::gpu {
namespace {

/// Decode steps between the last first token and the first end: all sequences are in each of them.
struct Run {
  double ttft_ms = 0;  // of the first request
  double prefill_device_ms = 0;
  int64_t steps = 0;
  double step_ms = 0;
  double device_ms = 0;
  double context = 0;  // tokens of a sequence, in the middle of those steps
  std::string error = {};
};

class BenchClient {
 public:
  explicit BenchClient(const EngineOptions& options) : made_(Engine::make(options, [this] { wake(); })) {}

  const Result<std::unique_ptr<Engine>>& made() const { return made_; }
  const Engine& engine() const { return **made_; }

  Run run(int32_t batch, int32_t prompt_tokens, int32_t output_tokens) {
    begin_ = engine().stats();
    begin_us_ = now_us();
    num_started_ = 0;
    num_open_ = 0;
    first_id_ = last_id_ + 1;
    started_.assign(static_cast<size_t>(batch), false);
    tokens_made_ = 0;
    steady_ = {};
    Run run;
    for (int32_t i = 0; i < batch && run.error.empty(); ++i) submit(prompt_tokens, output_tokens, run);
    while (num_open_ > 0 && run.error.empty()) take_events(batch, prompt_tokens, run);
    return run;
  }

 private:
  struct Mark {
    MonotonicUs us = 0;
    EngineStats stats = {};
    int64_t tokens = 0;
  };

  void wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    woken_ = true;
    signal_.notify_one();
  }

  void submit(int32_t prompt_tokens, int32_t output_tokens, Run& run) {
    auto request = std::make_unique<Request>();
    request->id = ++last_id_;
    const auto vocab = static_cast<uint64_t>(engine().info().vocab_size);
    for (int32_t i = 0; i < prompt_tokens; ++i) {
      request->prompt_ids.edit().push_back(
          static_cast<TokenId>((last_id_ * 7919 + static_cast<uint64_t>(i) * 104729) % vocab));
    }
    request->sampling.tokens_max = output_tokens;
    request->sampling.ignore_eos = true;
    request->sampling.temperature = 0.0F;
    const Status status = (*made_)->submit(std::move(request));
    if (!status.ok()) run.error = status.error().text();
    ++num_open_;
  }

  void take_events(int32_t batch, int32_t prompt_tokens, Run& run) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      signal_.wait(lock, [this] { return woken_; });
      woken_ = false;
    }
    events_.clear();
    (*made_)->drain_events(events_);
    for (const Event& event : events_) {
      if (event.finish == FinishReason::kError) run.error = event.error ? *event.error : "the engine failed";
      if (event.token >= 0) ++tokens_made_;
      const auto place = static_cast<size_t>(event.id - first_id_);
      if (event.token >= 0 && !started_[place]) ++num_started_;
      if (event.token >= 0) started_[place] = true;
      if (event.finish != FinishReason::kNone && num_open_-- == batch) end_steady(batch, prompt_tokens, run);
    }
    if (num_started_ > 0 && run.ttft_ms == 0) {
      run.ttft_ms = static_cast<double>(now_us() - begin_us_) * 1e-3;
      run.prefill_device_ms = static_cast<double>(engine().stats().device_us - begin_.device_us) * 1e-3;
    }
    if (num_started_ == batch && steady_.us == 0) steady_ = {now_us(), engine().stats(), tokens_made_};
  }

  void end_steady(int32_t batch, int32_t prompt_tokens, Run& run) {
    if (steady_.us == 0) return;
    const EngineStats stats = engine().stats();
    run.steps = stats.num_steps - steady_.stats.num_steps;
    const double count = static_cast<double>(std::max<int64_t>(run.steps, 1));
    run.step_ms = static_cast<double>(now_us() - steady_.us) * 1e-3 / count;
    run.device_ms = static_cast<double>(stats.device_us - steady_.stats.device_us) * 1e-3 / count;
    run.context = prompt_tokens + 0.5 * static_cast<double>(steady_.tokens + tokens_made_) / batch;
  }

  std::mutex mutex_;
  std::condition_variable signal_;
  bool woken_ = false;  // guarded by mutex_
  RequestId last_id_ = 0;
  RequestId first_id_ = 0;     // of this run
  std::vector<bool> started_;  // by id - first_id_: its first token came
  int64_t num_open_ = 0;
  int32_t num_started_ = 0;
  int64_t tokens_made_ = 0;
  MonotonicUs begin_us_ = 0;
  EngineStats begin_;
  Mark steady_;
  std::vector<Event> events_;
  Result<std::unique_ptr<Engine>> made_;  // last: its thread calls wake()
};

bool is_tied(const cost::LayerShape& model) { return model.hidden < 2048; }

std::string write_config(const cost::LayerShape& model) {
  const auto dir = std::filesystem::temp_directory_path() / ("seraph_gpu_bench_" + std::string(model.name));
  std::filesystem::create_directories(dir);
  const bool qwen = std::string(model.name).find("Llama") == std::string::npos;
  std::ofstream(dir / "config.json")
      << "{\"architectures\":[\"" << (qwen ? "Qwen2" : "Llama") << "ForCausalLM\"],\"model_type\":\""
      << (qwen ? "qwen2" : "llama") << "\",\"torch_dtype\":\"bfloat16\",\"hidden_size\":" << model.hidden
      << ",\"intermediate_size\":" << model.intermediate << ",\"num_hidden_layers\":" << model.layers
      << ",\"num_attention_heads\":" << model.heads << ",\"num_key_value_heads\":" << model.kv_heads
      << ",\"head_dim\":" << model.head_dim << ",\"vocab_size\":" << model.vocab
      << ",\"max_position_embeddings\":32768,\"rms_norm_eps\":1e-6,\"tie_word_embeddings\":"
      << (is_tied(model) ? "true" : "false") << "}";
  return dir;
}

double layer_parameters(const cost::LayerShape& m) {
  return static_cast<double>(m.hidden) * ((2.0 * m.heads + 2.0 * m.kv_heads) * m.head_dim + 3.0 * m.intermediate);
}

/// The last layer computes rows that need logits only: behind its keys and values a prompt costs it nothing.
double prefill_flops(const cost::LayerShape& m, double tokens) {
  const double qkv = static_cast<double>(m.hidden) * (m.heads + 2.0 * m.kv_heads) * m.head_dim;
  const double attention = 2.0 * m.layers * m.heads * m.head_dim * tokens * tokens;
  return 2.0 * tokens * ((m.layers - 1) * layer_parameters(m) + qkv) + attention;
}

struct Bytes {
  double weights = 0;
  double kv_token = 0;
};

Bytes bytes_of(const cost::LayerShape& model, const EngineInfo& info) {
  const double table = 2.0 * model.vocab * model.hidden;
  return {static_cast<double>(info.weight_bytes) - (is_tied(model) ? 0.0 : table),
          static_cast<double>(info.kv_bytes) / (static_cast<double>(info.num_kv_blocks) * info.block_tokens)};
}

double percent(double part, double whole) { return whole > 0 ? 100.0 * part / whole : 0.0; }

EngineOptions options_for(const cost::LayerShape& model, const BenchPlan& plan) {
  EngineOptions options;
  options.model_dir = write_config(model);
  options.device = "cuda";
  options.cuda = cuda_access();
  options.dtype = "bfloat16";
  options.load_format = LoadFormat::kDummy;
  options.enable_prefix_caching = false;
  options.max_num_seqs = plan.batches.back();
  options.max_num_batched_tokens = std::max(4 * plan.prefill_tokens, 64);
  options.max_model_len = 2 * std::max(plan.prefill_tokens, plan.context_tokens + plan.output_tokens);
  options.pin_threads = false;
  return options;
}

std::string bench_engine(const cost::LayerShape& model, const BenchPlan& plan, const Roofs& roofs) {
  const MonotonicUs begin = now_us();
  BenchClient client(options_for(model, plan));
  if (!client.made().ok()) return client.made().error().text();
  const double ready_s = static_cast<double>(now_us() - begin) * 1e-6;
  Run first = client.run(1, 16, 1);
  const double first_s = static_cast<double>(now_us() - begin) * 1e-6;
  if (first.error.empty())
    first = client.run(1, plan.prefill_tokens, 1);  // again: the first products choose algorithms
  const Run prefill = first.error.empty() ? client.run(1, plan.prefill_tokens, 1) : first;
  if (!prefill.error.empty()) return prefill.error;
  const double tflops = prefill.prefill_device_ms > 0
                            ? prefill_flops(model, plan.prefill_tokens) / prefill.prefill_device_ms * 1e-9
                            : 0.0;
  std::printf(
      "\n%s: ready in %.2f s, first token after %.2f s (random weights, made on the card). A prompt of %d tokens "
      "alone: first token after %.2f ms, %.1f TFLOP/s on the card, %.1f %% of the measured product.\n\n",
      model.name, ready_s, first_s, plan.prefill_tokens, prefill.ttft_ms, tflops,
      percent(tflops, roofs.product_tflops));
  std::printf(
      "| model | batch | context | steps | ms a step | on the card | of copy | gap us | tokens/s |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  const Bytes bytes = bytes_of(model, client.engine().info());
  for (const int32_t batch : plan.batches) {
    const Run run = client.run(batch, plan.context_tokens, plan.output_tokens);
    if (!run.error.empty()) return run.error;
    const double gb = (bytes.weights + batch * run.context * bytes.kv_token) * 1e-9;
    const double gbs = run.device_ms > 0 ? gb / (run.device_ms * 1e-3) : 0.0;
    std::printf("| %s | %d | %.0f | %lld | %.3f | %.3f | %.1f %% | %.1f | %.0f |\n", model.name, batch, run.context,
                static_cast<long long>(run.steps), run.step_ms, run.device_ms, percent(gbs, roofs.copy_gbs),
                (run.step_ms - run.device_ms) * 1e3, run.step_ms > 0 ? batch * 1e3 / run.step_ms : 0.0);
    std::fflush(stdout);
  }
  return "";
}

}  // namespace

std::string bench_engines(const BenchPlan& plan, const Roofs& roofs) {
  for (const cost::LayerShape& model : plan.models) {
    const std::string error = bench_engine(model, plan, roofs);
    if (!error.empty()) return std::string(model.name) + ": " + error;
  }
  return "";
}

}  // namespace seraph::gpu
