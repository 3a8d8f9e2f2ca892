// Which file of a folder is the tokenizer.
#include <filesystem>
#include <fstream>

#include "engine/text/pipeline_tokenizer.h"
#include "engine/text/sentencepiece_tokenizer.h"

namespace seraph {
namespace {

constexpr uintmax_t kFileBytesMax = 1ULL << 30;  // the largest published tokenizer.json has 33 MB

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

Result<std::string> read_file(const std::string& path) {
  std::error_code failed;
  const uintmax_t size = std::filesystem::file_size(path, failed);
  std::ifstream file(path, std::ios::binary);
  if (failed || !file) return Error{ErrorCode::kIo, "cannot read " + path, "check its permissions"};
  if (size > kFileBytesMax) return Error{ErrorCode::kCorrupt, path + " has more than 1 GiB"};
  std::string text(size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (static_cast<uintmax_t>(file.gcount()) != size) return Error{ErrorCode::kIo, "reading " + path + " failed"};
  return text;
}

// Llama-3's original format has sentencepiece's file name: lines of base64, a space and a rank.
bool is_tiktoken_text(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  const size_t space = line.find(' ');
  if (end == std::string_view::npos || space == std::string_view::npos || space == 0) return false;
  return line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == space;
}

}  // namespace

int32_t Tokenizer::eos_id() const {
  const Json* eos = special_tokens().find("eos_token");
  return eos != nullptr && eos->is_string() ? find_piece(eos->as_string()) : -1;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(const std::string& model_dir) {
  SERAPH_ASSIGN_OR_RETURN(text::TokenizerConfig config, text::TokenizerConfig::read(model_dir));
  const std::string json = model_dir + "/tokenizer.json", model = model_dir + "/tokenizer.model";
  if (file_exists(json)) {
    SERAPH_ASSIGN_OR_RETURN(const std::string bytes, read_file(json));
    return text::parse_tokenizer_json(bytes, json, std::move(config));
  }
  if (file_exists(model_dir + "/vocab.json") && file_exists(model_dir + "/merges.txt")) {
    return text::load_vocab_merges(model_dir, std::move(config));
  }
  if (file_exists(model)) {
    SERAPH_ASSIGN_OR_RETURN(const std::string bytes, read_file(model));
    if (is_tiktoken_text(bytes)) {
      return Error{ErrorCode::kUnsupported, model + " is a tiktoken text file",
                   "put the tokenizer.json of the converted model beside it"};
    }
    return text::load_sentencepiece(bytes, model, std::move(config));
  }
  return Error{ErrorCode::kNotFound,
               model_dir + " has no tokenizer.json, no vocab.json with merges.txt and no tokenizer.model",
               "copy the tokenizer files of the checkpoint into the folder"};
}

}  // namespace seraph
