// Pipelines that transformers builds from a class instead of reading them: LlamaTokenizer, GemmaTokenizer, and the
// byte-level vocabularies that come as vocab.json and merges.txt.
#include <fstream>
#include <span>
#include <utility>

#include "engine/text/component_spec.h"
#include "engine/text/pipeline_tokenizer.h"

namespace seraph::text {
namespace {

constexpr std::string_view kGemmaNormalizer = R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})";
constexpr std::string_view kGemmaPreTokenizer =
    R"({"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false})";
constexpr std::string_view kSpaceDecoders =
    R"({"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"})";
constexpr std::string_view kByteLevel = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":)";

Result<Json> parse_text(const std::string& text) { return Json::parse(text); }

Result<TextDecoder> parse_decoders(const std::string& list) {
  SERAPH_ASSIGN_OR_RETURN(const Json spec, parse_text(R"({"type":"Sequence","decoders":[)" + list + "]}"));
  return TextDecoder::parse(spec);
}

Status read_merges_text(const std::string& path, BpeModel& bpe) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, "cannot read " + path};
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    const std::string_view text = line;
    if (space == std::string::npos || !bpe.add_merge(text.substr(0, space), text.substr(space + 1))) {
      return Error{ErrorCode::kCorrupt, path + ": line " + std::to_string(number) + " joins what vocab.json lacks"};
    }
  }
  return {};
}

Result<std::unique_ptr<Vocabulary>> read_vocab_json(const std::string& path) {
  SERAPH_ASSIGN_OR_RETURN(const Json root, Json::parse_file(path));
  if (!root.is_object()) return Error{ErrorCode::kCorrupt, path + " is not a JSON object"};
  auto vocabulary = std::make_unique<Vocabulary>();
  for (const auto& [piece, id] : root.as_object()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > kTokenIdMax ||
        !vocabulary->insert(piece, static_cast<int32_t>(id.as_int()))) {
      return Error{ErrorCode::kCorrupt, path + ": \"" + piece + "\" has no id of its own"};
    }
  }
  return vocabulary;
}

}  // namespace

void set_class_tokens(TokenizerConfig& config, const Vocabulary& vocabulary, bool add_missing) {
  using Default = std::pair<std::string_view, std::string_view>;
  static constexpr Default kLlama[] = {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
  static constexpr Default kGemma[] = {{"unk_token", "<unk>"},
                                       {"bos_token", "<bos>"},
                                       {"eos_token", "<eos>"},
                                       {"pad_token", "<pad>"},
                                       {"mask_token", "<mask>"}};
  std::span<const Default> defaults;
  if (config.tokenizer_class == "LlamaTokenizer") defaults = kLlama;
  if (config.tokenizer_class == "GemmaTokenizer") defaults = kGemma;
  for (const auto& [name, content] : defaults) {
    if (add_missing || vocabulary.find(content) >= 0) config.set_default_token(name, content);
  }
}

Result<PipelineParts> make_llama_pipeline(const TokenizerConfig& config, PipelineParts parts) {
  const bool prefix = config.get_flag("add_prefix_space", true);
  const char* scheme = !prefix ? "never" : config.get_flag("legacy", false) ? "always" : "first";
  parts.normalizer = nullptr;
  parts.pre_tokenizer = PreTokenizer::metaspace(scheme);
  std::string decoders(kSpaceDecoders);
  if (prefix) decoders += R"(,{"type":"Strip","content":" ","start":1,"stop":0})";
  SERAPH_ASSIGN_OR_RETURN(parts.decoder, parse_decoders(decoders));
  return parts;
}

Result<PipelineParts> make_gemma_pipeline(PipelineParts parts) {
  SERAPH_ASSIGN_OR_RETURN(const Json normalizer, parse_text(std::string(kGemmaNormalizer)));
  SERAPH_ASSIGN_OR_RETURN(const Json pre_tokenizer, parse_text(std::string(kGemmaPreTokenizer)));
  SERAPH_ASSIGN_OR_RETURN(parts.normalizer, parse_normalizer(normalizer));
  SERAPH_ASSIGN_OR_RETURN(parts.pre_tokenizer, PreTokenizer::parse(pre_tokenizer, false));
  SERAPH_ASSIGN_OR_RETURN(parts.decoder, parse_decoders(std::string(kSpaceDecoders)));
  return parts;
}

Result<std::unique_ptr<Tokenizer>> load_vocab_merges(const std::string& dir, TokenizerConfig config) {
  PipelineParts parts;
  SERAPH_ASSIGN_OR_RETURN(parts.vocabulary, read_vocab_json(dir + "/vocab.json"));
  const bool qwen = config.tokenizer_class == "Qwen2Tokenizer";
  std::string spec = std::string(kByteLevel) + (qwen ? "false}" : "true}");
  if (qwen) {
    const std::string pattern = Json(split_pattern_source(SplitPattern::kQwen2)).dump();
    spec = R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)" + pattern +
           R"(},"behavior":"Isolated"},)" + spec + "]}";
    SERAPH_ASSIGN_OR_RETURN(const Json nfc, parse_text(R"({"type":"NFC"})"));
    SERAPH_ASSIGN_OR_RETURN(parts.normalizer, parse_normalizer(nfc));
  }
  SERAPH_ASSIGN_OR_RETURN(const Json pre_tokenizer, parse_text(spec));
  SERAPH_ASSIGN_OR_RETURN(parts.pre_tokenizer, PreTokenizer::parse(pre_tokenizer, true));
  SERAPH_ASSIGN_OR_RETURN(parts.decoder, parse_decoders(R"({"type":"ByteLevel"})"));
  auto bpe = std::make_unique<BpeModel>(*parts.vocabulary, BpeOptions{.byte_level = true});
  SERAPH_RETURN_IF_ERROR(read_merges_text(dir + "/merges.txt", *bpe));
  parts.model = std::move(bpe);
  return std::unique_ptr<Tokenizer>(std::make_unique<PipelineTokenizer>(std::move(parts), std::move(config), true));
}

}  // namespace seraph::text
