// The prompts of `seraph bench`: random tokens, a ShareGPT file, a JSONL file, or random prompts behind a few shared
// prefixes. The same seed gives the same prompts. Without a tokenizer, random prompts are made of common words and
// lengths of texts are estimated; the server's usage figures tell what they really were.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/text/tokenizer.h"

namespace seraph {

struct BenchPrompt {
  std::string text;
  int64_t input_tokens = 0;   // as the client counts them
  int64_t output_tokens = 0;  // most tokens of the answer
};

struct BenchDataset {
  std::string name = "random";  // random | sharegpt | custom | prefix_repetition
  std::string path;             // of sharegpt and custom
  int64_t num_prompts = 1000;
  uint64_t seed = 0;
  bool shuffle = true;     // of the files' entries
  bool oversample = true;  // entries are repeated when there are fewer than num_prompts

  int64_t random_input_tokens = 1024;
  int64_t random_output_tokens = 128;
  int64_t random_prefix_tokens = 0;  // the same before every prompt
  double random_range_ratio = 0;     // lengths are uniform in [n (1 - r), n (1 + r)]

  int64_t sharegpt_output_tokens = 0;  // 0: as long as the answer in the file
  int64_t custom_output_tokens = 256;  // -1: the file's "output_tokens"

  int64_t num_prefixes = 10;  // prefix_repetition
  int64_t prefix_tokens = 256;
  int64_t suffix_tokens = 256;
  int64_t prefix_output_tokens = 128;
};

/// `tokenizer` may be null. Errors: a file that is missing or has no usable entry, naming the line.
Result<std::vector<BenchPrompt>> make_bench_prompts(const BenchDataset& dataset, const Tokenizer* tokenizer);

}  // namespace seraph
