#include "daemon/commands/bench_dataset.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "engine/base/json.h"

namespace seraph {
namespace {

// Words that nearly every tokenizer keeps whole after a space, so that words and tokens agree closely.
constexpr const char* kWords[] = {"the",   "time",  "people", "water", "year",  "world", "hand",  "house",
                                  "place", "work",  "night",  "point", "home",  "room",  "group", "fact",
                                  "money", "story", "month",  "book",  "right", "study", "word",  "side",
                                  "kind",  "head",  "door",   "hour",  "game",  "line",  "city",  "name",
                                  "team",  "mind",  "body",   "back",  "road",  "face",  "level", "car"};
constexpr int64_t kBytesPerToken = 4;  // of English text, for estimates without a tokenizer
constexpr int kLengthTries = 10;

// ShareGPT entries outside these limits are left out, as every generation of vLLM's client does.
constexpr int64_t kShortestTokens = 4;
constexpr int64_t kLongestPromptTokens = 1024;
constexpr int64_t kLongestWholeTokens = 2048;

int64_t count_tokens(const Tokenizer* tokenizer, const std::string& text) {
  if (tokenizer != nullptr) return static_cast<int64_t>(tokenizer->encode(text, false).size());
  return (static_cast<int64_t>(text.size()) + kBytesPerToken - 1) / kBytesPerToken;
}

int64_t draw_length(std::mt19937_64& random, int64_t wanted, double ratio) {
  const auto low = static_cast<int64_t>(std::floor(static_cast<double>(wanted) * (1 - ratio)));
  const auto high = static_cast<int64_t>(std::ceil(static_cast<double>(wanted) * (1 + ratio)));
  const auto span = static_cast<uint64_t>(high - low + 1);
  return std::max<int64_t>(1, low + static_cast<int64_t>(random() % span));
}

/// Texts of a wanted number of tokens. With a tokenizer, text i holds consecutive ids from a random place on, so that
/// no two texts share a long prefix; ids do not survive decoding and encoding, hence the tries.
class RandomTexts {
 public:
  RandomTexts(const Tokenizer* tokenizer, std::mt19937_64& random) : tokenizer_(tokenizer), random_(random) {
    if (tokenizer == nullptr) return;
    for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) {
      if (!tokenizer->is_added(id) && !tokenizer->piece(id).empty()) ids_.push_back(id);
    }
    if (ids_.empty()) tokenizer_ = nullptr;
  }

  BenchPrompt make(const std::string& prefix, int64_t num_tokens) {
    if (tokenizer_ == nullptr) return make_words(prefix, num_tokens);
    const int64_t target = count_tokens(tokenizer_, prefix) + num_tokens;
    std::vector<int32_t> ids;
    const size_t offset = random_() % ids_.size();
    for (int64_t i = 0; i < num_tokens; ++i) ids.push_back(ids_[(offset + static_cast<size_t>(i)) % ids_.size()]);
    std::string text = prefix + tokenizer_->decode(ids, true);
    ids = tokenizer_->encode(text, false);
    for (int i = 0; i < kLengthTries && static_cast<int64_t>(ids.size()) != target; ++i) {
      while (static_cast<int64_t>(ids.size()) < target) ids.push_back(ids_[random_() % ids_.size()]);
      ids.resize(static_cast<size_t>(target));
      text = tokenizer_->decode(ids, true);
      ids = tokenizer_->encode(text, false);
    }
    return {.text = std::move(text), .input_tokens = static_cast<int64_t>(ids.size())};
  }

 private:
  BenchPrompt make_words(const std::string& prefix, int64_t count) {
    std::string text = prefix;
    for (int64_t i = 0; i < count; ++i) {
      if (!text.empty()) text += ' ';
      text += kWords[random_() % std::size(kWords)];
    }
    const auto words = std::count(text.begin(), text.end(), ' ') + (text.empty() ? 0 : 1);
    return {.text = std::move(text), .input_tokens = words};
  }

  const Tokenizer* tokenizer_;
  std::mt19937_64& random_;
  std::vector<int32_t> ids_;  // ordinary ones
};

std::vector<BenchPrompt> make_random(const BenchDataset& dataset, const Tokenizer* tokenizer, std::mt19937_64& random) {
  RandomTexts texts(tokenizer, random);
  const std::string prefix =
      dataset.random_prefix_tokens > 0 ? texts.make("", dataset.random_prefix_tokens).text : std::string();
  std::vector<BenchPrompt> prompts;
  for (int64_t i = 0; i < dataset.num_prompts; ++i) {
    const int64_t input = draw_length(random, dataset.random_input_tokens, dataset.random_range_ratio);
    prompts.push_back(texts.make(prefix, input));
    prompts.back().output_tokens = draw_length(random, dataset.random_output_tokens, dataset.random_range_ratio);
  }
  return prompts;
}

std::vector<BenchPrompt> make_prefix_repetition(const BenchDataset& dataset, const Tokenizer* tokenizer,
                                                std::mt19937_64& random) {
  RandomTexts texts(tokenizer, random);
  std::vector<std::string> prefixes;
  for (int64_t i = 0; i < dataset.num_prefixes; ++i) prefixes.push_back(texts.make("", dataset.prefix_tokens).text);
  std::vector<BenchPrompt> prompts;
  for (int64_t i = 0; i < dataset.num_prompts; ++i) {
    prompts.push_back(texts.make(prefixes[static_cast<size_t>(i % dataset.num_prefixes)], dataset.suffix_tokens));
    prompts.back().output_tokens = dataset.prefix_output_tokens;
  }
  return prompts;
}

Error file_error(const std::string& path, std::string_view what) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, what), "check --dataset-path"};
}

/// The text of turn `index` of a ShareGPT entry; null when it has none.
const std::string* find_turn(const Json& entry, size_t index) {
  const Json* turns = entry.find("conversations");
  if (turns == nullptr || !turns->is_array() || turns->as_array().size() < 2) return nullptr;
  const Json* value = turns->as_array()[index].find("value");
  return value != nullptr && value->is_string() ? &value->as_string() : nullptr;
}

template <typename Item>
void shuffle(std::vector<Item>& items, std::mt19937_64& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

Result<std::vector<BenchPrompt>> read_sharegpt(const BenchDataset& dataset, const Tokenizer* tokenizer,
                                               std::mt19937_64& random) {
  SERAPH_ASSIGN_OR_RETURN(const Json file, Json::parse_file(dataset.path));
  if (!file.is_array()) return file_error(dataset.path, "a ShareGPT file is a JSON array of conversations");
  std::vector<const Json*> entries;
  for (const Json& entry : file.as_array()) {
    if (find_turn(entry, 0) != nullptr && find_turn(entry, 1) != nullptr) entries.push_back(&entry);
  }
  if (dataset.shuffle) shuffle(entries, random);
  std::vector<BenchPrompt> prompts;
  for (const Json* entry : entries) {
    if (static_cast<int64_t>(prompts.size()) == dataset.num_prompts) break;
    BenchPrompt prompt{.text = *find_turn(*entry, 0), .output_tokens = dataset.sharegpt_output_tokens};
    prompt.input_tokens = count_tokens(tokenizer, prompt.text);
    if (prompt.output_tokens == 0) {
      prompt.output_tokens = count_tokens(tokenizer, *find_turn(*entry, 1));
      if (prompt.output_tokens < kShortestTokens) continue;
    }
    if (prompt.input_tokens < kShortestTokens || prompt.input_tokens > kLongestPromptTokens) continue;
    if (prompt.input_tokens + prompt.output_tokens > kLongestWholeTokens) continue;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Result<std::vector<BenchPrompt>> read_custom(const BenchDataset& dataset, const Tokenizer* tokenizer,
                                             std::mt19937_64& random) {
  std::ifstream file(dataset.path);
  if (!file) return file_error(dataset.path, "the file cannot be read");
  std::vector<BenchPrompt> prompts;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto json = Json::parse(line);
    const Json* text = json.ok() ? json->find("prompt") : nullptr;
    if (text == nullptr || !text->is_string()) {
      return file_error(dataset.path, fmt::format("line {} is no JSON object with a text \"prompt\"", number));
    }
    BenchPrompt prompt{.text = text->as_string(), .output_tokens = dataset.custom_output_tokens};
    if (prompt.output_tokens < 0) {
      const Json* tokens = json->find("output_tokens");
      if (tokens == nullptr || !tokens->is_int() || tokens->as_int() < 1) {
        return file_error(dataset.path, fmt::format("line {} has no \"output_tokens\", which --custom-output-len -1 "
                                                    "asks for",
                                                    number));
      }
      prompt.output_tokens = tokens->as_int();
    }
    prompt.input_tokens = count_tokens(tokenizer, prompt.text);
    prompts.push_back(std::move(prompt));
  }
  if (dataset.shuffle) shuffle(prompts, random);
  return prompts;
}

Result<std::vector<BenchPrompt>> read_file(const BenchDataset& dataset, const Tokenizer* tokenizer,
                                           std::mt19937_64& random) {
  if (dataset.path.empty()) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("--dataset-name {} needs a file", dataset.name),
                 "give --dataset-path"};
  }
  auto prompts =
      dataset.name == "sharegpt" ? read_sharegpt(dataset, tokenizer, random) : read_custom(dataset, tokenizer, random);
  if (!prompts.ok()) return prompts;
  if (prompts->empty()) return file_error(dataset.path, "no entry of the file can be used");
  const auto wanted = static_cast<size_t>(dataset.num_prompts);
  if (prompts->size() > wanted) prompts->resize(wanted);
  const size_t have = prompts->size();
  while (dataset.oversample && prompts->size() < wanted) prompts->push_back((*prompts)[random() % have]);
  return prompts;
}

}  // namespace

Result<std::vector<BenchPrompt>> make_bench_prompts(const BenchDataset& dataset, const Tokenizer* tokenizer) {
  std::mt19937_64 random(dataset.seed);
  if (dataset.name == "random") return make_random(dataset, tokenizer, random);
  if (dataset.name == "prefix_repetition") return make_prefix_repetition(dataset, tokenizer, random);
  return read_file(dataset, tokenizer, random);
}

}  // namespace seraph
