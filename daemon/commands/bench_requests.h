// The requests of `seraph bench --dataset-name random`: texts of common words and lengths drawn around the wanted ones.
// The same seed gives the same requests. Pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/json.h"

namespace seraph {

struct RandomDataset {
  int64_t num_prompts = 1000;
  int64_t input_tokens = 1024;  // words; a tokenizer makes about as many tokens, and usage tells how many it were
  int64_t output_tokens = 128;
  int64_t prefix_tokens = 0;  // the same words before every prompt
  double range_ratio = 0;     // lengths are uniform in [n (1 - r), n (1 + r)]
  uint64_t seed = 0;
};

struct BenchBody {
  bool chat = true;  // messages, else prompt
  std::string model;
  bool ignore_eos = false;
  bool set_temperature = false;
  double temperature = 0;
};

/// One JSON body per request.
std::vector<std::string> make_random_bodies(const RandomDataset& dataset, const BenchBody& body);

/// Start times in microseconds: all 0 for an infinite rate, else Poisson arrivals.
std::vector<int64_t> make_arrivals(int64_t count, double requests_per_s, uint64_t seed);

}  // namespace seraph
