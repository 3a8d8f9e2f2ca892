// The tokenizer of tokenizer.json: normalise, cut, model, post-process; and the decoder back.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/normalizer.h"
#include "engine/text/post_processor.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/text_decoder.h"
#include "engine/text/tokenizer_parts.h"

namespace seraph::text {

/// The stages, as a file or a class of transformers puts them together.
struct PipelineParts {
  std::unique_ptr<Vocabulary> vocabulary;
  std::unique_ptr<SubwordModel> model;  // borrows vocabulary
  std::unique_ptr<Normalizer> normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  TextDecoder decoder;
  std::vector<AddedToken> added;  // of the vocabulary file, with their ids
};

class PipelineTokenizer final : public TokenizerBase {
 public:
  /// With `bos_eos_from_config`, add_bos_token and add_eos_token make the post-processor.
  PipelineTokenizer(PipelineParts parts, TokenizerConfig config, bool bos_eos_from_config);
  ~PipelineTokenizer() override;
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens, bool parse_special) const override;
  std::unique_ptr<DecodeStream> start_decoding(bool skip_special_tokens) const override;

 private:
  struct Scratch;
  class Stream;
  std::unique_ptr<Scratch> take_scratch() const;
  void give_back(std::unique_ptr<Scratch> scratch) const;
  void encode_segment(std::string_view text, bool at_start, bool parse_special, Scratch& scratch,
                      std::vector<int32_t>& out) const;
  void encode_text(std::string_view text, bool at_start, Scratch& scratch, std::vector<int32_t>& out) const;

  const std::unique_ptr<SubwordModel> model_;
  const std::unique_ptr<Normalizer> normalizer_;
  const PreTokenizer pre_tokenizer_;
  PostProcessor post_processor_;
  const TextDecoder decoder_;
  const bool splits_special_tokens_;

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;  // guarded by mutex_; word caches of calls that are over
};

/// Reads a tokenizer.json. `path` is what errors name.
Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json, const std::string& path,
                                                        TokenizerConfig config);
/// vocab.json and merges.txt of a byte-level BPE (Qwen2Tokenizer's pipeline for that class, else GPT-2's).
Result<std::unique_ptr<Tokenizer>> load_vocab_merges(const std::string& dir, TokenizerConfig config);

/// The named tokens that a class has even when tokenizer_config.json does not mention them; those that the vocabulary
/// lacks only with `add_missing`.
void set_class_tokens(TokenizerConfig& config, const Vocabulary& vocabulary, bool add_missing);
/// The pipeline that transformers gives LlamaTokenizer whatever the file says: Metaspace, byte fallback.
Result<PipelineParts> make_llama_pipeline(const TokenizerConfig& config, PipelineParts parts);
/// The same for GemmaTokenizer.
Result<PipelineParts> make_gemma_pipeline(PipelineParts parts);

}  // namespace seraph::text
