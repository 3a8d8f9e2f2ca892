#include "daemon/api/metrics.h"

#include <sys/resource.h>
#include <uv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

namespace seraph {
namespace {

constexpr double kFirstTokenBounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                        1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kTokenTimeBounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                       0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
constexpr double kLatencyBounds[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                     30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
constexpr double kCountBounds[] = {1, 2, 5, 10, 20};
constexpr double kIterationBounds[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
constexpr const char* kFinishNames[] = {"stop", "length", "abort", "error", "repetition"};

/// 1, 2 and 5 times powers of ten up to the context's length.
std::vector<double> one_two_five(int64_t limit) {
  std::vector<double> out;
  for (int64_t power = 1; power <= limit; power *= 10) {
    for (const int64_t factor : {1, 2, 5}) {
      if (factor * power <= limit) out.push_back(static_cast<double>(factor * power));
    }
  }
  return out;
}

/// Numbers as the Prometheus client prints them: 1.0, 0.25, 1e+16.
void append_number(std::string& out, double value) {
  char text[64];
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e15;
  const auto end = whole ? std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, 1).ptr
                         : std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

std::string escape_label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

/// Open ones and the limit; {0, 0} where the system does not tell.
std::pair<double, double> file_descriptors() {
  std::error_code error;
  const auto open = std::filesystem::directory_iterator("/proc/self/fd", error);
  rlimit limit{};
  if (error || getrlimit(RLIMIT_NOFILE, &limit) != 0) return {0, 0};
  return {static_cast<double>(std::distance(begin(open), end(open))), static_cast<double>(limit.rlim_cur)};
}

}  // namespace

void Histogram::observe(double value, int64_t times) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)] += times;
  sum_ += value * static_cast<double>(times);
}

ApiMetrics::ApiMetrics(std::string model_name, const EngineInfo& info)
    : labels_("engine=\"0\",model_name=\"" + escape_label(model_name) + '"'),
      info_(info),
      token_bounds_(one_two_five(info.max_model_len)),
      time_to_first_token_(kFirstTokenBounds),
      inter_token_latency_(kTokenTimeBounds),
      time_per_output_token_(kTokenTimeBounds),
      e2e_latency_(kLatencyBounds),
      queue_time_(kLatencyBounds),
      inference_time_(kLatencyBounds),
      prefill_time_(kLatencyBounds),
      decode_time_(kLatencyBounds),
      prompt_tokens_(token_bounds_),
      generation_tokens_(token_bounds_),
      max_generation_tokens_(token_bounds_),
      params_max_tokens_(token_bounds_),
      computed_tokens_(token_bounds_),
      params_n_(kCountBounds),
      iteration_tokens_(kIterationBounds),
      started_unix_s_(static_cast<double>(unix_time_us()) * 1e-6) {}

void ApiMetrics::observe_request(int64_t n, int64_t max_tokens_asked) {
  params_n_.observe(static_cast<double>(n));
  if (max_tokens_asked >= 0) params_max_tokens_.observe(static_cast<double>(max_tokens_asked));
}

void ApiMetrics::observe_finish(const SequenceRecord& record) {
  ++finished_[static_cast<size_t>(record.kind)];
  // Of a request whose client went away nothing else is known for certain.
  if (record.kind == FinishKind::kAbort) return;
  prompt_tokens_.observe(static_cast<double>(record.prompt_tokens));
  generation_tokens_.observe(static_cast<double>(record.generation_tokens));
  max_generation_tokens_.observe(static_cast<double>(record.tokens_max));
  computed_tokens_.observe(static_cast<double>(record.prompt_tokens - record.cached_tokens));
  if (record.first_token_us == 0 || record.scheduled_us == 0) return;
  e2e_latency_.observe(seconds(record.last_token_us - record.arrived_us));
  queue_time_.observe(seconds(record.scheduled_us - record.arrived_us));
  prefill_time_.observe(seconds(record.first_token_us - record.scheduled_us));
  decode_time_.observe(seconds(record.last_token_us - record.first_token_us));
  inference_time_.observe(seconds(record.last_token_us - record.scheduled_us));
  if (record.generation_tokens > 1) {
    time_per_output_token_.observe(seconds(record.last_token_us - record.first_token_us) /
                                   static_cast<double>(record.generation_tokens - 1));
  }
}

void ApiMetrics::observe_steps(const EngineStats& stats) {
  const int64_t fresh = stats.num_steps - steps_seen_;
  if (fresh <= 0) return;
  steps_seen_ = stats.num_steps;
  iteration_tokens_.observe(static_cast<double>(stats.step_tokens_last), fresh);
}

void ApiMetrics::family(std::string& out, std::string_view name, std::string_view type, std::string_view help) const {
  out += "# HELP ";
  out += name;
  out += ' ';
  out += help;
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

void ApiMetrics::sample(std::string& out, std::string_view name, double value, std::string_view more_labels) const {
  out += name;
  out += '{';
  out += labels_;
  if (!more_labels.empty()) {
    out += ',';
    out += more_labels;
  }
  out += "} ";
  append_number(out, value);
  out += '\n';
}

void ApiMetrics::single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                        double value) const {
  family(out, name, type, help);
  sample(out, name, value);
  if (type != "counter" || !name.ends_with("_total")) return;
  const std::string created = std::string(name.substr(0, name.size() - 6)) + "_created";
  family(out, created, "gauge", help);
  sample(out, created, started_unix_s_);
}

void ApiMetrics::histogram(std::string& out, std::string_view name, std::string_view help,
                           const Histogram& values) const {
  family(out, name, "histogram", help);
  const std::string base(name);
  int64_t total = 0;
  for (size_t i = 0; i < values.counts().size(); ++i) {
    total += values.counts()[i];
    std::string le = "le=\"";
    if (i < values.bounds().size()) {
      append_number(le, values.bounds()[i]);
    } else {
      le += "+Inf";
    }
    sample(out, base + "_bucket", static_cast<double>(total), le + '"');
  }
  sample(out, base + "_count", static_cast<double>(total));
  sample(out, base + "_sum", values.sum());
  family(out, base + "_created", "gauge", help);
  sample(out, base + "_created", started_unix_s_);
}

void ApiMetrics::counters(std::string& out, std::string_view name, std::string_view help,
                          std::span<const Labelled> samples) const {
  family(out, name, "counter", help);
  for (const Labelled& one : samples) sample(out, name, one.value, one.labels);
  const std::string created = std::string(name.substr(0, name.size() - 6)) + "_created";
  family(out, created, "gauge", help);
  for (const Labelled& one : samples) sample(out, created, started_unix_s_, one.labels);
}

std::string ApiMetrics::text(const EngineStats& stats, const HttpCounters& http, const AdapterUse& adapters) const {
  std::string out;
  out.reserve(64 << 10);
  append_engine(out, stats);
  append_cache(out, stats);
  append_requests(out);
  append_adapters(out, adapters);
  append_process(out, stats, http);
  return out;
}

void ApiMetrics::append_engine(std::string& out, const EngineStats& stats) const {
  const auto real = [](int64_t value) { return static_cast<double>(value); };
  single(out, "vllm:num_requests_running", "gauge", "Number of requests in model execution batches.",
         real(stats.num_running));
  single(out, "vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.",
         real(stats.num_waiting));
  family(out, "vllm:num_requests_waiting_by_reason", "gauge", "Number of waiting requests by reason.");
  sample(out, "vllm:num_requests_waiting_by_reason", real(stats.num_waiting), "reason=\"capacity\"");
  sample(out, "vllm:num_requests_waiting_by_reason", 0, "reason=\"deferred\"");
  single(out, "vllm:num_requests_swapped", "gauge", "Number of requests swapped to CPU (always 0).", 0);
  single(out, "vllm:num_preemptions_total", "counter", "Cumulative number of preemption from the engine.",
         real(stats.num_preemptions));
  single(out, "vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", real(stats.prompt_tokens));
  single(out, "vllm:prompt_tokens_cached_total", "counter", "Number of cached prompt tokens (local + external).",
         real(stats.prefix_hits_tokens));
  append_sources(out, stats);
  single(out, "vllm:generation_tokens_total", "counter", "Number of generation tokens processed.",
         real(stats.generation_tokens));
  family(out, "vllm:engine_sleep_state", "gauge", "Engine sleep state.");
  const char* states[] = {"awake", "weights_offloaded", "discard_all"};  // by level
  for (int32_t level = 0; level < 3; ++level) {
    sample(out, "vllm:engine_sleep_state", stats.sleep_level == level ? 1 : 0,
           std::string("sleep_state=\"") + states[level] + '"');
  }
}

void ApiMetrics::append_sources(std::string& out, const EngineStats& stats) const {
  const auto computed = static_cast<double>(std::max<int64_t>(0, stats.prompt_tokens - stats.prefix_hits_tokens));
  const auto hits = static_cast<double>(stats.prefix_hits_tokens);
  const Labelled by_source[] = {{"source=\"local_compute\"", computed},
                                {"source=\"local_cache_hit\"", hits},
                                {"source=\"external_kv_transfer\""}};
  counters(out, "vllm:prompt_tokens_by_source_total", "Number of prompt tokens by source.", by_source);
  const Labelled by_tier[] = {{"source=\"device\"", hits},
                              {"source=\"host\""},
                              {"source=\"p2p\""},
                              {"source=\"disk\""},
                              {"source=\"external_unspecified\""}};
  counters(out, "vllm:prompt_tokens_cached_by_source_total",
           "Prefix-cache hit tokens by the cache tier that supplied them.", by_tier);
}

void ApiMetrics::append_cache(std::string& out, const EngineStats& stats) const {
  const auto real = [](int64_t value) { return static_cast<double>(value); };
  const double usage = stats.kv_blocks_total > 0 ? real(stats.kv_blocks_held) / real(stats.kv_blocks_total) : 0.0;
  const double hit_rate =
      stats.prefix_queries_tokens > 0 ? real(stats.prefix_hits_tokens) / real(stats.prefix_queries_tokens) : 0.0;
  single(out, "vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", usage);
  single(out, "vllm:gpu_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", usage);
  single(out, "vllm:cpu_cache_usage_perc", "gauge", "Swap space usage (always 0).", 0);
  for (const char* name : {"vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"}) {
    single(out, name, "counter", "Prefix cache queries, in terms of number of queried tokens.",
           real(stats.prefix_queries_tokens));
  }
  for (const char* name : {"vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"}) {
    single(out, name, "counter", "Prefix cache hits, in terms of number of cached tokens.",
           real(stats.prefix_hits_tokens));
  }
  // There is no cache beyond this process, and none of images: what does not exist is never asked.
  for (const char* name : {"vllm:external_prefix_cache_queries_total", "vllm:external_prefix_cache_hits_total",
                           "vllm:mm_cache_queries_total", "vllm:mm_cache_hits_total"}) {
    single(out, name, "counter", "Always 0: there is no such cache.", 0);
  }
  single(out, "vllm:gpu_prefix_cache_hit_rate", "gauge", "Prefix cache hit rate.", hit_rate);
  family(out, "vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig");
  sample(out, "vllm:cache_config_info", 1,
         "block_size=\"" + std::to_string(info_.block_tokens) + "\",cache_dtype=\"" + info_.kv_cache_dtype +
             "\",enable_prefix_caching=\"" + (info_.prefix_caching ? "True" : "False") + "\",num_gpu_blocks=\"" +
             std::to_string(info_.num_kv_blocks) + "\",num_cpu_blocks=\"" + std::to_string(stats.host_blocks_total) +
             "\"");
  family(out, "seraph:memory_bytes", "gauge", "Device memory as planned at start.");
  for (const MemoryPart& part : info_.memory) {
    sample(out, "seraph:memory_bytes", real(part.bytes),
           "of=\"" + part.name + "\",on=\"" + (part.on_host ? "host" : "device") + "\"");
  }
  single(out, "seraph:swaps_total", "counter", "Preemptions whose KV blocks went to host memory.",
         real(stats.num_swaps));
  single(out, "seraph:host_blocks_total", "gauge", "Room for KV blocks in host memory.", real(stats.host_blocks_total));
  single(out, "seraph:host_blocks_held", "gauge", "KV blocks of waiting sequences in host memory.",
         real(stats.host_blocks_held));
  single(out, "seraph:kv_blocks_total", "gauge", "KV blocks of the cache.", real(stats.kv_blocks_total));
  single(out, "seraph:kv_blocks_held", "gauge", "KV blocks that a sequence references.", real(stats.kv_blocks_held));
  single(out, "seraph:kv_blocks_cached", "gauge", "Unreferenced KV blocks that the prefix cache can find.",
         real(stats.kv_blocks_cached));
}

/// As vLLM has it: who runs and who waits are labels, and the value is the time.
void ApiMetrics::append_adapters(std::string& out, const AdapterUse& adapters) const {
  if (info_.max_loras == 0) return;
  const auto joined = [](const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + escape_label(name);
    return text;
  };
  family(out, "vllm:lora_requests_info", "gauge", "Running stats on lora requests.");
  sample(out, "vllm:lora_requests_info", static_cast<double>(unix_time_us()) * 1e-6,
         "max_lora=\"" + std::to_string(info_.max_loras) + "\",running_lora_adapters=\"" + joined(adapters.running) +
             "\",waiting_lora_adapters=\"" + joined(adapters.waiting) + '"');
}

void ApiMetrics::append_requests(std::string& out) const {
  std::vector<Labelled> finished;
  for (size_t i = 0; i < finished_.size(); ++i) {
    finished.push_back({std::string("finished_reason=\"") + kFinishNames[i] + '"', static_cast<double>(finished_[i])});
  }
  counters(out, "vllm:request_success_total", "Count of successfully processed requests.", finished);
  const Labelled rejected[] = {{"reason=\"max_num_queued_reqs\"", static_cast<double>(rejections_)},
                               {"reason=\"max_num_queued_tokens\""}};
  counters(out, "vllm:admission_rejections_total", "Number of admission attempts rejected by a queue limit, by reason.",
           rejected);
  append_tool_parses(out);
  histogram(out, "vllm:request_prompt_tokens", "Number of prefill tokens processed.", prompt_tokens_);
  histogram(out, "vllm:request_generation_tokens", "Number of generation tokens processed.", generation_tokens_);
  histogram(out, "vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", iteration_tokens_);
  histogram(out, "vllm:request_max_num_generation_tokens",
            "Histogram of maximum number of requested generation tokens.", max_generation_tokens_);
  histogram(out, "vllm:request_params_n", "Histogram of the n request parameter.", params_n_);
  histogram(out, "vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.",
            params_max_tokens_);
  histogram(out, "vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.",
            time_to_first_token_);
  for (const char* name : {"vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"}) {
    histogram(out, name, "Histogram of inter-token latency in seconds.", inter_token_latency_);
  }
  histogram(out, "vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.", time_per_output_token_);
  histogram(out, "vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", e2e_latency_);
  histogram(out, "vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.",
            queue_time_);
  histogram(out, "vllm:request_inference_time_seconds", "Histogram of time spent in RUNNING phase for request.",
            inference_time_);
  histogram(out, "vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.",
            prefill_time_);
  histogram(out, "vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.",
            decode_time_);
  histogram(out, "vllm:request_prefill_kv_computed_tokens",
            "Histogram of new KV tokens computed during prefill (excluding cached tokens).", computed_tokens_);
}

void ApiMetrics::append_tool_parses(std::string& out) const {
  std::vector<Labelled> samples;
  for (const char* type : {"chat_completions", "responses", "other"}) {
    for (const char* mode : {"streaming", "non_streaming"}) {
      for (const char* outcome : {"tool_call", "no_tool_call"}) {
        samples.push_back(
            {std::string("mode=\"") + mode + "\",outcome=\"" + outcome + "\",request_type=\"" + type + '"',
             static_cast<double>(tool_parses_[samples.size()])});
      }
    }
  }
  counters(out, "vllm:tool_call_parser_invocations_total", "Total number of answers that a tool parser read.", samples);
}

void ApiMetrics::append_http(std::string& out, const HttpCounters& http) const {
  single(out, "seraph:http_connections_open", "gauge", "Open HTTP connections.",
         static_cast<double>(http.connections_open));
  single(out, "seraph:http_connections_total", "counter", "Accepted HTTP connections.",
         static_cast<double>(http.connections_total));
  single(out, "seraph:http_connections_refused_total", "counter", "HTTP connections over the limit.",
         static_cast<double>(http.connections_refused));
  single(out, "seraph:http_slow_readers_cut_total", "counter", "Streams cut because the client did not read.",
         static_cast<double>(http.slow_readers_cut));
  family(out, "http_requests_total", "counter", "Total number of requests by status.");
  for (int status = 1; status < 6; ++status) {
    out += "http_requests_total{status=\"" + std::to_string(status) + "xx\"} ";
    append_number(out, static_cast<double>(http.responses_by_class[status]));
    out += '\n';
  }
}

void ApiMetrics::append_store(std::string& out) const {
  if (store_ == nullptr) return;
  single(out, "seraph:database_rows_committed_total", "counter", "Rows written to the database of --db.",
         static_cast<double>(store_->rows_committed()));
  single(out, "seraph:database_rows_dropped_total", "counter", "Rows lost because the database was locked or slow.",
         static_cast<double>(store_->rows_dropped()));
}

void ApiMetrics::append_process(std::string& out, const EngineStats& stats, const HttpCounters& http) const {
  single(out, "seraph:engine_steps_total", "counter", "Steps of the engine.", static_cast<double>(stats.num_steps));
  single(out, "seraph:step_device_seconds_total", "counter", "Time of steps inside kernels.", seconds(stats.device_us));
  single(out, "seraph:step_host_seconds_total", "counter", "Time of steps outside kernels.", seconds(stats.host_us));
  append_http(out, http);
  append_store(out);
  const auto plain = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
    family(out, name, type, help);
    out += name;
    out += ' ';
    append_number(out, value);
    out += '\n';
  };
  size_t resident = 0;
  if (uv_resident_set_memory(&resident) == 0) {
    plain("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", static_cast<double>(resident));
  }
  if (const auto [used_fds, max_fds] = file_descriptors(); max_fds > 0) {
    plain("process_open_fds", "gauge", "Number of open file descriptors.", used_fds);
    plain("process_max_fds", "gauge", "Maximum number of open file descriptors.", max_fds);
  }
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    const auto time = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    plain("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
          time(used.ru_utime) + time(used.ru_stime));
  }
  plain("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
        started_unix_s_);
}

}  // namespace seraph
