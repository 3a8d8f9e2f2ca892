// What all tokenizers share: the folder's config, the model's vocabulary, added tokens, and the rules that put them
// together. Filled at load, then immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/text/added_tokens.h"
#include "engine/text/subword_model.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_config.h"

namespace seraph::text {

/// The half of the Tokenizer interface that is the same for every kind of vocabulary.
class TokenizerBase : public Tokenizer {
 public:
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const override;
  int32_t vocab_size() const override { return vocab_size_; }
  std::string_view piece(int32_t id) const override;
  int32_t find_piece(std::string_view piece) const override;
  bool is_special(int32_t id) const override;
  bool is_added(int32_t id) const override;
  const Json& special_tokens() const override { return config_.special_tokens; }
  std::string chat_template(bool with_tools) const override {
    return with_tools ? config_.template_tools : config_.template_default;
  }

 protected:
  TokenizerBase(TokenizerConfig config, std::unique_ptr<Vocabulary> vocabulary);
  /// The tokens of the folder's config files join those of the vocabulary file (already in added_), in transformers'
  /// order, and the matchers are built. An id of the model's vocabulary that added_tokens_decoder spells differently
  /// takes that spelling: those are the markers that the model was trained with.
  void add_config_tokens(const std::function<void(std::string&)>& normalize);
  /// The id in the vocabulary file or among added tokens, -1 for none.
  int32_t find_any(std::string_view content) const;

  TokenizerConfig config_;
  const std::unique_ptr<Vocabulary> vocabulary_;
  AddedTokens added_;
  int32_t vocab_size_ = 0;

 private:
  int32_t next_free_id() const;
  void add_from_decoder(const AddedToken& wanted);
  void add_named(const AddedToken& wanted);
  void add_markers();
};

}  // namespace seraph::text
