// What `seraph bench serve` sends, and when: JSON bodies for the completions and chat endpoints, and arrival times. The
// same seed gives the same times. Pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "daemon/commands/bench_dataset.h"
#include "engine/base/json.h"

namespace seraph {

struct BenchBody {
  bool chat = true;                 // messages, else prompt
  std::vector<std::string> models;  // request i asks for models[i % size]; not empty
  bool ignore_eos = false;
  int64_t num_logprobs = -1;  // of completions; -1: null
  Json::Object extra;         // sampling values and --extra-body; the later of a name wins
};

/// One JSON body per prompt.
std::vector<std::string> make_bench_bodies(const std::vector<BenchPrompt>& prompts, const BenchBody& body);

struct BenchArrivals {
  double requests_per_s = std::numeric_limits<double>::infinity();
  double burstiness = 1;        // shape of the gamma distribution of gaps; 1 is Poisson
  std::string ramp_strategy;    // "", linear, exponential
  double ramp_start_per_s = 0;  // of a ramp, which replaces requests_per_s
  double ramp_end_per_s = 0;
  uint64_t seed = 0;
};

/// Start times in microseconds: all 0 for an infinite rate. A constant rate is kept over the whole run: the times are
/// stretched so that the last request starts after count / rate seconds, as vLLM's client does.
std::vector<int64_t> make_arrivals(int64_t count, const BenchArrivals& arrivals);

}  // namespace seraph
