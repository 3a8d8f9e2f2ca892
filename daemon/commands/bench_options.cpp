// The options of `seraph bench`: vLLM's, with its defaults.
#include "daemon/commands/bench.h"

namespace seraph {
namespace {

using T = OptionType;
constexpr OptionGroup kGroup = OptionGroup::kTool;

constexpr OptionRow text(const char* name, const char* help, const char* fallback = "", const char* choices = "") {
  return {.name = name, .group = kGroup, .help = help, .serve_default = fallback, .choices = choices};
}
constexpr OptionRow count(const char* name, const char* help, const char* fallback, double min, double max = 1e9) {
  return {
      .name = name, .type = T::kInt, .group = kGroup, .help = help, .serve_default = fallback, .min = min, .max = max};
}
constexpr OptionRow real(const char* name, const char* help, const char* fallback, double min, double max) {
  return {.name = name,
          .type = T::kFloat,
          .group = kGroup,
          .help = help,
          .serve_default = fallback,
          .min = min,
          .max = max};
}
constexpr OptionRow flag(const char* name, const char* help) {
  return {.name = name, .type = T::kBool, .group = kGroup, .help = help, .serve_default = "false"};
}
constexpr OptionRow list(const char* name, const char* help, const char* fallback = "", bool commas = false) {
  return {.name = name,
          .type = T::kList,
          .group = kGroup,
          .help = help,
          .serve_default = fallback,
          .splits_commas = commas};
}
constexpr OptionRow json(const char* name, const char* help) {
  return {.name = name, .type = T::kJson, .group = kGroup, .help = help};
}
constexpr OptionRow accepted(OptionRow row) {
  row.use = OptionUse::kAccepted;
  return row;
}

// Data sets, of `serve` and `throughput`.
constexpr OptionRow kDatasetOptions[] = {
    text("dataset-name", "Kind of prompts.", "random", "random|sharegpt|custom|prefix_repetition"),
    text("dataset-path", "File of sharegpt (a JSON array of conversations) or custom (JSONL with \"prompt\")."),
    count("num-prompts", "Requests.", "1000", 1, 1e7),
    flag("disable-shuffle", "Entries of the file in their order."),
    flag("no-oversample", "Entries are not repeated when the file has too few."),
    count("input-len", "Input tokens; sets --random-input-len.", "", 1),
    count("output-len", "Most output tokens, for every data set.", "", 1),
    count("random-input-len", "Tokens of a prompt.", "1024", 1),
    count("random-output-len", "Most tokens of an answer.", "128", 1),
    count("random-prefix-len", "Tokens that all prompts share.", "0", 0),
    real("random-range-ratio", "Lengths vary by this share.", "0", 0, 0.999),
    count("sharegpt-output-len", "Most tokens of an answer; default: as long as the answer in the file.", "", 1),
    count("custom-output-len", "Most tokens of an answer; -1: \"output_tokens\" of each line.", "256", -1),
    count("prefix-repetition-prefix-len", "Tokens of a prefix.", "256", 1),
    count("prefix-repetition-suffix-len", "Tokens after the prefix.", "256", 1),
    count("prefix-repetition-num-prefixes", "Different prefixes.", "10", 1),
    count("prefix-repetition-output-len", "Most tokens of an answer.", "128", 1),
};

constexpr OptionRow kServerOptions[] = {
    text("base-url", "Server, http://HOST:PORT[/PREFIX]; wins over --host and --port."),
    text("host", "Server's host.", "127.0.0.1"),
    count("port", "Server's port.", "8000", 1, 65535),
    text("backend", "Kind of request; default: what the endpoint says, else openai.", "", "openai|openai-chat|vllm"),
    text("endpoint", "Path; default: what the backend says, /v1/completions for openai."),
    text("model", "Name in the requests; default: the server's first model."),
    text("served-model-name", "Name in the requests; wins over --model."),
    text("tokenizer", "Folder of the tokenizer; default: --model if that is a folder. None: lengths are estimates."),
    {.name = "api-key", .group = kGroup, .help = "Key to send.", .env_always = "OPENAI_API_KEY", .secret = true},
    list("header", "Further headers, KEY=VALUE."),
    text("request-id-prefix", "Start of the x-request-id headers; default: bench-<8 hex digits>-."),
    list("lora-modules", "Adapters to ask for, instead of the model."),
    text("lora-assignment", "Which adapter a request asks for.", "random", "random|round-robin"),
};

constexpr OptionRow kLoadOptions[] = {
    text("request-rate", "Requests per second; inf sends all at once.", "inf"),
    text("burstiness", "Shape of the gaps between requests (gamma): 1 is Poisson, more is more even.", "1.0"),
    text("ramp-up-strategy", "The rate grows from the start to the end of the run.", "", "linear|exponential"),
    real("ramp-up-start-rps", "Rate at the start.", "", 1e-6, 1e9),
    real("ramp-up-end-rps", "Rate at the end.", "", 1e-6, 1e9),
    count("max-concurrency", "Requests at the same time; 0 is no limit.", "0", 0, 1e6),
    count("num-warmups", "Requests before the timed part.", "0", 0, 1e6),
    real("ready-check-timeout-sec", "Wait so long for the server to answer a test request; 0: no test.", "0", 0, 1e6),
    count("seed", "Of prompts and arrival times.", "0", 0, 9e18),
    flag("ignore-eos", "Answers go on to their full length; always so with random prompts."),
    count("logprobs", "Ask for so many log probabilities (completions).", "", 0, 1e6),
    flag("use-beam-search", "Ask for beam search."),
    real("temperature", "Sent when given, like those below.", "", 0, 2),
    real("top-p", "", "", 0, 1),
    count("top-k", "", "", -1),
    real("min-p", "", "", 0, 1),
    real("frequency-penalty", "", "", -2, 2),
    real("presence-penalty", "", "", -2, 2),
    real("repetition-penalty", "", "", 0, 1e6),
    json("chat-template-kwargs", "Sent as chat_template_kwargs."),
    json("extra-body", "Members to add to every request."),
};

constexpr OptionRow kReportOptions[] = {
    list("percentile-metrics", "Of ttft, tpot, itl, e2el, client_queue_time, e2el_including_client_queue.",
         "ttft,tpot,itl", true),
    list("metric-percentiles", "Percentiles to print.", "99", true),
    list("goodput", "Limits METRIC:MILLISECONDS of a good request, of ttft, tpot, e2el."),
    flag("save-result", "Write the figures to a JSON file."),
    flag("save-detailed", "The file also holds the values of each request."),
    flag("append-result", "The file is appended to."),
    text("result-dir", "Folder of that file.", "."),
    text("result-filename", "Its name; default: made from backend, rate, model and time."),
    list("metadata", "KEY=VALUE pairs for that file."),
    text("label", "Name of the run in that file and its name."),
    flag("disable-tqdm", "No progress bar."),
};

constexpr OptionRow kIgnoredOptions[] = {
    accepted(flag("trust-remote-code", "Nothing remote is executed.")),
    accepted(text("tokenizer-mode", "There is one.")),
    accepted(flag("skip-tokenizer-init", "Leave --tokenizer out.")),
    accepted(flag("skip-chat-template", "Prompts are sent as they are.")),
    accepted(flag("no-stream", "Data sets are files.")),
    accepted(flag("insecure", "Servers are reached over http.")),
    accepted(flag("profile", "There is no profiler.")),
};

constexpr OptionRow kLatencyOptions[] = {
    count("input-len", "Tokens of a prompt.", "32", 1),
    count("output-len", "Tokens of an answer.", "128", 1),
    count("batch-size", "Requests at the same time.", "8", 1, 1e6),
    count("n", "Answers to each.", "1", 1, 1024),
    count("num-iters-warmup", "Rounds before the timed ones.", "10", 0),
    count("num-iters", "Timed rounds.", "30", 1),
    text("output-json", "File for the results."),
    flag("disable-detokenize", "Answers stay token ids."),
};

constexpr OptionRow kThroughputOptions[] = {
    count("n", "Answers to each.", "1", 1, 1024),
    count("num-warmups", "Requests before the timed part.", "0", 0, 1e6),
    text("output-json", "File for the results."),
    flag("disable-detokenize", "Answers stay token ids."),
    text("backend", "There is one.", "vllm", "vllm"),
    accepted(flag("async-engine", "It is the only one.")),
};

/// `bench latency` and `bench throughput` make an engine, so they take the options of `serve`.
OptionTable engine_table(std::string_view command) {
  OptionTable table = server_options(Verb::kServe);
  table.command = command;
  return table;
}

}  // namespace

OptionTable bench_serve_options() {
  OptionTable table;
  table.command = "bench serve";
  table.positional = "base-url";
  for (const std::span<const OptionRow> rows :
       {std::span<const OptionRow>(kServerOptions), std::span<const OptionRow>(kDatasetOptions),
        std::span<const OptionRow>(kLoadOptions), std::span<const OptionRow>(kReportOptions),
        std::span<const OptionRow>(kIgnoredOptions)}) {
    table.add(rows);
  }
  return table;
}

OptionTable bench_latency_options() {
  OptionTable table = engine_table("bench latency");
  table.add(kLatencyOptions);
  return table;
}

OptionTable bench_throughput_options() {
  OptionTable table = engine_table("bench throughput");
  table.add(kDatasetOptions);
  table.add(kThroughputOptions);
  return table;
}

}  // namespace seraph
