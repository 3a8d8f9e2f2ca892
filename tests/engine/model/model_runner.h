// Runs a decoder on the CPU backend without the engine: a paged cache whose blocks are handed out in a
// scattered order, sequences that advance by any number of tokens, and the recorded truths to compare with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/model/decoder.h"

namespace seraph {

/// One sequence of a step: the tokens to run now and where their logits are wanted.
struct Sequence {
  std::vector<int32_t> ids;  // all tokens so far, the ones to run included
  int32_t prompt_tokens = 0;
  int32_t num_cached = 0;  // tokens whose keys are in the cache
  std::vector<int32_t> blocks = {};
};

enum class Want { kNone, kLast, kAll };

struct Part {
  Sequence* sequence = nullptr;
  int32_t count = 0;  // tokens to run, from num_cached on
  Want want = Want::kLast;
};

class ModelRunner {
 public:
  static constexpr int32_t kBlockTokens = 16;
  static constexpr int32_t kNumBlocks = 64;

  ModelRunner(const std::string& dir, DType compute, bool dummy = false, const std::string& isa_max = "") {
    std::string why;
    backend_ = make_cpu_backend({.threads = 2, .pin_threads = false, .isa_max = isa_max}, why);
    if (backend_ == nullptr) {
      error_ = why;
      return;
    }
    auto checkpoint =
        Checkpoint::open(dir, dummy ? Checkpoint::Weights::kIgnored : Checkpoint::Weights::kRequired, !dummy);
    if (!checkpoint.ok()) {
      error_ = checkpoint.error().text();
      return;
    }
    auto spec = read_decoder_spec(**checkpoint);
    if (!spec.ok()) {
      error_ = spec.error().text();
      return;
    }
    auto decoder = Decoder::load({.checkpoint = checkpoint->get(),
                                  .spec = *spec,
                                  .backend = backend_.get(),
                                  .compute = compute,
                                  .dummy_weights = dummy,
                                  .seed = 7,
                                  .rows_max = 256,
                                  .logit_rows_max = 256});
    if (!decoder.ok()) {
      error_ = decoder.error().text();
      return;
    }
    decoder_ = std::move(*decoder);
    cache_.shape = decoder_->kv_shape(kBlockTokens);
    cache_.num_blocks = kNumBlocks;
    cache_.storage = backend_->allocate(kNumBlocks * backend_->kv_block_bytes(cache_.shape));
    for (int32_t i = 0; i < kNumBlocks; ++i) free_blocks_.push_back((i * 37 + 5) % kNumBlocks);
  }

  /// "" when everything loaded.
  const std::string& error() const { return error_; }
  const Decoder& decoder() const { return *decoder_; }

  /// Runs one step; returns the wanted rows of logits in order.
  std::vector<std::vector<float>> step(const std::vector<Part>& parts) {
    std::vector<int32_t> ids, positions, slots, row_begin = {0}, context, prompts, tables, logit_rows;
    const int32_t stride = 16;
    for (const Part& part : parts) {
      Sequence& s = *part.sequence;
      const int32_t end = s.num_cached + part.count;
      while (static_cast<int32_t>(s.blocks.size()) * kBlockTokens < end) {
        s.blocks.push_back(free_blocks_.back());
        free_blocks_.pop_back();
      }
      for (int32_t p = s.num_cached; p < end; ++p) {
        if (part.want == Want::kAll || (part.want == Want::kLast && p + 1 == end)) {
          logit_rows.push_back(static_cast<int32_t>(ids.size()));
        }
        ids.push_back(s.ids[static_cast<size_t>(p)]);
        positions.push_back(p);
        slots.push_back(s.blocks[static_cast<size_t>(p / kBlockTokens)] * kBlockTokens + p % kBlockTokens);
      }
      row_begin.push_back(static_cast<int32_t>(ids.size()));
      context.push_back(end);
      prompts.push_back(s.prompt_tokens);
      std::vector<int32_t> table = s.blocks;
      table.resize(stride, 0);
      tables.insert(tables.end(), table.begin(), table.end());
      s.num_cached = end;
    }
    const Tensor logits = decoder_->forward({.token_ids = ids,
                                             .positions = positions,
                                             .slots = slots,
                                             .row_begin = row_begin,
                                             .context_tokens = context,
                                             .prompt_tokens = prompts,
                                             .block_tables = tables,
                                             .blocks_stride = stride,
                                             .logit_rows = logit_rows},
                                            cache_);
    EXPECT_TRUE(backend_->synchronize().ok);
    std::vector<std::vector<float>> out;
    for (int64_t r = 0; r < logits.rows; ++r) {
      const float* row = static_cast<const float*>(logits.data) + r * logits.stride;
      out.emplace_back(row, row + logits.cols);
    }
    return out;
  }

  Sequence start(const std::vector<int32_t>& prompt) {
    return {.ids = prompt, .prompt_tokens = static_cast<int32_t>(prompt.size())};
  }

  void finish(Sequence& s) {
    free_blocks_.insert(free_blocks_.end(), s.blocks.begin(), s.blocks.end());
    s.blocks.clear();
  }

  /// All logits of the prompt, in chunks of `chunk` tokens.
  std::vector<std::vector<float>> prefill(Sequence& s, int32_t chunk) {
    std::vector<std::vector<float>> out;
    while (s.num_cached < s.prompt_tokens) {
      const int32_t count = std::min(chunk, s.prompt_tokens - s.num_cached);
      for (auto& row : step({{&s, count, Want::kAll}})) out.push_back(std::move(row));
    }
    return out;
  }

  /// Greedy ids after the prompt; `chunk` is the size of prefill chunks.
  std::vector<int32_t> greedy(const std::vector<int32_t>& prompt, int32_t count, int32_t chunk) {
    Sequence s = start(prompt);
    std::vector<int32_t> out;
    std::vector<std::vector<float>> logits;
    while (s.num_cached < s.prompt_tokens) {
      const int32_t rows = std::min(chunk, s.prompt_tokens - s.num_cached);
      logits = step({{&s, rows, s.num_cached + rows == s.prompt_tokens ? Want::kLast : Want::kNone}});
    }
    for (int32_t i = 0; i < count; ++i) {
      const auto best = std::max_element(logits.at(0).begin(), logits.at(0).end()) - logits[0].begin();
      out.push_back(static_cast<int32_t>(best));
      s.ids.push_back(out.back());
      if (i + 1 < count) logits = step({{&s, 1, Want::kLast}});
    }
    finish(s);
    return out;
  }

 private:
  std::string error_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Decoder> decoder_;
  KvCache cache_;
  std::vector<int32_t> free_blocks_;
};

struct GoldenPrompt {
  std::string name;
  std::vector<int32_t> ids;
  std::vector<int32_t> rows;
  std::vector<int32_t> greedy;
  std::vector<double> margins;
};

/// truth.json and truth.safetensors of a folder of recorded models.
struct GoldenTruth {
  Json json;
  std::string bytes;
  std::vector<SafetensorsEntry> tensors;
  std::vector<GoldenPrompt> prompts;

  explicit GoldenTruth(const std::string& dir) {
    json = Json::parse_file(dir + "/truth.json").value();
    std::ifstream file(dir + "/truth.safetensors", std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    bytes = content.str();
    const std::span data(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    tensors = parse_safetensors_header(data, static_cast<int64_t>(data.size())).value();
    const auto ids_of = [](const Json& list) {
      std::vector<int32_t> out;
      for (const Json& id : list.as_array()) out.push_back(static_cast<int32_t>(id.as_int()));
      return out;
    };
    const auto& list = json.find("prompts")->as_array();
    for (size_t i = 0; i < list.size(); ++i) {
      const Json& greedy = json.find("greedy")->as_array()[i];
      GoldenPrompt p{.name = list[i].find("name")->as_string(),
                     .ids = ids_of(*list[i].find("ids")),
                     .rows = ids_of(*list[i].find("rows")),
                     .greedy = ids_of(*greedy.find("ids"))};
      for (const Json& margin : greedy.find("margin")->as_array()) p.margins.push_back(margin.as_double());
      prompts.push_back(std::move(p));
    }
  }

  /// A float32 tensor of the truth file as rows.
  std::vector<std::vector<float>> rows(const std::string& name) const {
    for (const auto& tensor : tensors) {
      if (tensor.name != name) continue;
      const auto cols = static_cast<size_t>(tensor.shape[1]);
      std::vector<std::vector<float>> out(static_cast<size_t>(tensor.shape[0]), std::vector<float>(cols));
      for (size_t r = 0; r < out.size(); ++r) {
        std::memcpy(out[r].data(), bytes.data() + tensor.begin + static_cast<int64_t>(r * cols * 4), cols * 4);
      }
      return out;
    }
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }
};

/// Largest and mean absolute difference over the stored rows of one prompt.
struct Gap {
  double max = 0.0;
  double mean = 0.0;
};

inline Gap gap_of(const std::vector<std::vector<float>>& logits, const std::vector<std::vector<float>>& truth,
                  const std::vector<int32_t>& rows) {
  Gap gap;
  double count = 0.0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& row = logits.at(static_cast<size_t>(rows[i]));
    for (size_t v = 0; v < row.size(); ++v) {
      const double diff = std::abs(static_cast<double>(row[v]) - static_cast<double>(truth[i][v]));
      gap.max = diff > gap.max || diff != diff ? diff : gap.max;
      gap.mean += diff;
      count += 1.0;
    }
  }
  gap.mean /= count;
  return gap;
}

/// Folders of recorded models of the families that exist, or nothing when the truths are not there.
inline std::vector<std::string> golden_models() {
  const char* root = std::getenv("SERAPH_GOLDEN_DIR");
  const std::string models = (root != nullptr ? std::string(root) : SERAPH_SOURCE_DIR "/../shared/golden") + "/models";
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& item : std::filesystem::directory_iterator(models, ignored)) {
    const std::string name = item.path().filename().string();
    if (name.find("moe") != std::string::npos) continue;
    for (const char* family : {"qwen2", "qwen3", "llama", "mistral"}) {
      if (name.rfind(family, 0) == 0) out.push_back(item.path().string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace seraph
