// Reading tokenizer.json. The vocabulary and the merges, which are nearly all of the file, go from simdjson's document
// straight into flat tables; the few hundred bytes of components become Json values.
#include <simdjson.h>

#include <cmath>

#include "engine/text/component_spec.h"
#include "engine/text/pipeline_tokenizer.h"
#include "engine/text/unicode_text.h"

namespace seraph::text {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kAddedTokensMax = 1'000'000;
constexpr size_t kAddedBytesMax = 16'384;  // of one added token: each place of a text may walk that far

Error corrupt(std::string message) { return Error{ErrorCode::kCorrupt, std::move(message)}; }

// A member as a Json value; null when absent.
Json member(const dom::object& object, std::string_view name) {
  dom::element element;
  if (object.at_key(name).get(element) != simdjson::SUCCESS) return Json();
  const std::string text = simdjson::minify(element);
  auto parsed = Json::parse(text);
  return parsed.ok() ? std::move(*parsed) : Json();
}

std::string string_member(const dom::object& object, std::string_view name) {
  std::string_view text;
  return object.at_key(name).get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

bool bool_member(const dom::object& object, std::string_view name, bool fallback) {
  bool value = fallback;
  return object.at_key(name).get(value) == simdjson::SUCCESS ? value : fallback;
}

Result<std::vector<AddedToken>> read_added(const dom::object& root, const Vocabulary& vocabulary) {
  std::vector<AddedToken> out;
  dom::array list;
  if (root.at_key("added_tokens").get(list) != simdjson::SUCCESS) return out;
  for (const dom::element element : list) {
    const std::string key = "added_tokens[" + std::to_string(out.size()) + "]";
    dom::object object;
    int64_t id = -1;
    if (element.get(object) != simdjson::SUCCESS || object.at_key("id").get(id) != simdjson::SUCCESS || id < 0 ||
        id > kTokenIdMax) {
      return corrupt(key + " has no id between 0 and " + std::to_string(kTokenIdMax));
    }
    AddedToken token;
    token.content = string_member(object, "content");
    if (token.content.size() > kAddedBytesMax || out.size() >= kAddedTokensMax) {
      return corrupt(key + " is one token too many, or longer than " + std::to_string(kAddedBytesMax) + " bytes");
    }
    const int32_t known = vocabulary.find(token.content);
    token.id = known >= 0 ? known : static_cast<int32_t>(id);
    token.special = bool_member(object, "special", false);
    token.lstrip = bool_member(object, "lstrip", false);
    token.rstrip = bool_member(object, "rstrip", false);
    token.single_word = bool_member(object, "single_word", false);
    token.normalized = bool_member(object, "normalized", !token.special);
    out.push_back(std::move(token));
  }
  return out;
}

// {"piece": id, ...}
Status read_vocab_object(const dom::object& vocab, Vocabulary& out) {
  size_t count = 0, bytes = 0;
  for (const auto [piece, value] : vocab) {
    ++count;
    bytes += piece.size();
  }
  out.reserve(count, bytes);
  for (const auto [piece, value] : vocab) {
    int64_t id = -1;
    if (value.get(id) != simdjson::SUCCESS || id < 0 || id > kTokenIdMax) {
      return corrupt("model.vocab[\"" + std::string(piece) + "\"] is no id between 0 and " +
                     std::to_string(kTokenIdMax));
    }
    if (!out.insert(piece, static_cast<int32_t>(id))) {
      return corrupt("model.vocab gives id " + std::to_string(id) + " to \"" +
                     std::string(out.piece(static_cast<int32_t>(id))) + "\" and to \"" + std::string(piece) + "\"");
    }
  }
  return {};
}

Status read_merges(const dom::object& model, BpeModel& bpe) {
  dom::array merges;
  if (model.at_key("merges").get(merges) != simdjson::SUCCESS) return corrupt("model.merges is not an array");
  size_t index = 0;
  for ([[maybe_unused]] const dom::element element : merges) ++index;
  bpe.reserve_merges(index);
  index = 0;
  for (const dom::element element : merges) {
    std::string_view left, right, text;
    dom::array pair;
    if (element.get(text) == simdjson::SUCCESS) {  // "left right"
      const size_t space = text.find(' ');
      left = text.substr(0, space);
      if (space != std::string_view::npos) right = text.substr(space + 1);
    } else if (element.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
               pair.at(0).get(left) != simdjson::SUCCESS || pair.at(1).get(right) != simdjson::SUCCESS) {
      return corrupt("model.merges[" + std::to_string(index) + "] is neither \"left right\" nor a pair of strings");
    }
    if (!bpe.add_merge(left, right)) {
      return corrupt("model.merges[" + std::to_string(index) + "] joins \"" + std::string(left) + "\" and \"" +
                     std::string(right) + "\", which with their join are not all in model.vocab");
    }
    ++index;
  }
  return {};
}

Result<std::unique_ptr<SubwordModel>> read_bpe(const dom::object& model, const Vocabulary& vocabulary, bool byte_level,
                                               bool llama) {
  BpeOptions options;
  options.byte_level = byte_level;
  options.byte_fallback = llama || bool_member(model, "byte_fallback", false);
  options.fuse_unk = llama || bool_member(model, "fuse_unk", false);
  if (!llama) {
    options.ignore_merges = bool_member(model, "ignore_merges", false);
    options.unk_token = string_member(model, "unk_token");
    options.continuing_subword_prefix = string_member(model, "continuing_subword_prefix");
    options.end_of_word_suffix = string_member(model, "end_of_word_suffix");
  }
  auto bpe = std::make_unique<BpeModel>(vocabulary, std::move(options));
  SERAPH_RETURN_IF_ERROR(read_merges(model, *bpe));
  return std::unique_ptr<SubwordModel>(std::move(bpe));
}

// [["piece", score], ...], the id is the index.
Result<std::unique_ptr<SubwordModel>> read_unigram(const dom::object& model, Vocabulary& vocabulary) {
  dom::array vocab;
  if (model.at_key("vocab").get(vocab) != simdjson::SUCCESS) return corrupt("model.vocab is not an array of pairs");
  std::vector<double> scores;
  for (const dom::element element : vocab) {
    dom::array pair;
    std::string_view piece;
    double score = 0;
    if (element.get(pair) != simdjson::SUCCESS || pair.size() != 2 || pair.at(0).get(piece) != simdjson::SUCCESS ||
        pair.at(1).get(score) != simdjson::SUCCESS || !std::isfinite(score) ||
        scores.size() > static_cast<size_t>(kTokenIdMax)) {
      return corrupt("model.vocab[" + std::to_string(scores.size()) + "] is no pair of a piece and a score");
    }
    vocabulary.insert(piece, static_cast<int32_t>(scores.size()));
    scores.push_back(score);
  }
  int64_t unk_id = -1;
  if (model.at_key("unk_id").get(unk_id) != simdjson::SUCCESS) unk_id = -1;
  if (unk_id < -1 || unk_id >= static_cast<int64_t>(scores.size())) {
    return corrupt("model.unk_id is " + std::to_string(unk_id) + " with " + std::to_string(scores.size()) + " pieces");
  }
  return std::unique_ptr<SubwordModel>(std::make_unique<UnigramModel>(
      vocabulary, std::move(scores), static_cast<int32_t>(unk_id), bool_member(model, "byte_fallback", false)));
}

std::string model_type_of(const dom::object& model) {
  const std::string type = string_member(model, "type");
  if (!type.empty()) return type;
  dom::element merges;  // files of old versions name no type
  return model.at_key("merges").get(merges) == simdjson::SUCCESS ? "BPE" : "";
}

bool names_byte_level(const Json& spec, int depth) {
  const Json* type = spec.find("type");
  if (type != nullptr && type->is_string() && type->as_string() == "ByteLevel") return true;
  for (const std::string_view list : {"pretokenizers", "decoders"}) {
    const Json* steps = spec.find(list);
    if (steps == nullptr || !steps->is_array() || depth > kComponentDepthMax) continue;
    for (const Json& step : steps->as_array()) {
      if (names_byte_level(step, depth + 1)) return true;
    }
  }
  return false;
}

// transformers builds LlamaTokenizer's pipeline itself, except where the file is byte-level (the class is then a known
// mistake) or the model's type has a class of its own.
bool is_llama_pipeline(const TokenizerConfig& config, const Json& pre_tokenizer, const Json& decoder) {
  static constexpr std::string_view kOwnPipeline[] = {
      "mistral",   "mixtral",   "ministral",  "mistral3",   "pixtral", "phi3",     "phimoe", "internlm2",
      "internlm3", "granite",   "granitemoe", "olmo2",      "olmo3",   "stablelm", "jamba",  "nemotron",
      "minicpm3",  "persimmon", "llava",      "llava_next", "fuyu",    "vipllava"};
  if (config.tokenizer_class != "LlamaTokenizer") return false;
  for (const std::string_view type : kOwnPipeline) {
    if (config.model_type == type) return false;
  }
  return !names_byte_level(pre_tokenizer, 0) && !names_byte_level(decoder, 0);
}

Status read_model(const dom::object& model, const std::string& type, bool llama, PipelineParts& parts) {
  if (type == "Unigram") {
    SERAPH_ASSIGN_OR_RETURN(parts.model, read_unigram(model, *parts.vocabulary));
    return {};
  }
  dom::object vocab;
  if (model.at_key("vocab").get(vocab) != simdjson::SUCCESS) return corrupt("model.vocab is not an object");
  SERAPH_RETURN_IF_ERROR(read_vocab_object(vocab, *parts.vocabulary));
  if (type == "BPE") {
    SERAPH_ASSIGN_OR_RETURN(parts.model, read_bpe(model, *parts.vocabulary, parts.pre_tokenizer.byte_level(), llama));
  } else {
    const int32_t unk_id = parts.vocabulary->find(string_member(model, "unk_token"));
    parts.model = std::make_unique<WordLevelModel>(*parts.vocabulary, unk_id);
  }
  return {};
}

Result<std::unique_ptr<Tokenizer>> build(const dom::object& root, TokenizerConfig config) {
  dom::object model;
  if (root.at_key("model").get(model) != simdjson::SUCCESS) return corrupt("model is not an object");
  const std::string type = model_type_of(model);
  if (type != "BPE" && type != "Unigram" && type != "WordLevel") {
    return Error{ErrorCode::kUnsupported, "model.type is \"" + type + "\"; BPE, Unigram and WordLevel are supported"};
  }
  const Json pre_tokenizer = member(root, "pre_tokenizer"), decoder = member(root, "decoder");
  const bool llama = type == "BPE" && is_llama_pipeline(config, pre_tokenizer, decoder);
  PipelineParts parts;
  parts.vocabulary = std::make_unique<Vocabulary>();
  SERAPH_ASSIGN_OR_RETURN(parts.normalizer, parse_normalizer(member(root, "normalizer")));
  SERAPH_ASSIGN_OR_RETURN(parts.pre_tokenizer, PreTokenizer::parse(pre_tokenizer, type == "BPE"));
  SERAPH_ASSIGN_OR_RETURN(parts.decoder, TextDecoder::parse(decoder));
  SERAPH_ASSIGN_OR_RETURN(parts.post_processor, PostProcessor::parse(member(root, "post_processor")));
  if (llama) {
    SERAPH_ASSIGN_OR_RETURN(parts, make_llama_pipeline(config, std::move(parts)));
  }
  SERAPH_RETURN_IF_ERROR(read_model(model, type, llama, parts));
  set_class_tokens(config, *parts.vocabulary, false);
  SERAPH_ASSIGN_OR_RETURN(parts.added, read_added(root, *parts.vocabulary));
  if (parts.vocabulary->size() == 0 && parts.added.empty()) return corrupt("model.vocab is empty");
  try {  // added tokens are normalized here
    return std::unique_ptr<Tokenizer>(std::make_unique<PipelineTokenizer>(std::move(parts), std::move(config), false));
  } catch (const PatternLimit& limit) {
    return corrupt(std::string("added_tokens: ") + limit.what());
  }
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json, const std::string& path,
                                                        TokenizerConfig config) {
  dom::parser parser;
  dom::element document;
  const auto failed = parser.parse(json.data(), json.size(), true).get(document);
  dom::object root;
  if (failed != simdjson::SUCCESS) {
    return Error{ErrorCode::kCorrupt, path + " is not JSON: " + simdjson::error_message(failed),
                 "copy the model's tokenizer.json again"};
  }
  if (document.get(root) != simdjson::SUCCESS) return corrupt(path + " is not a JSON object");
  auto built = build(root, std::move(config));
  if (!built.ok()) built.error().message = path + ": " + built.error().message;
  return built;
}

}  // namespace seraph::text
