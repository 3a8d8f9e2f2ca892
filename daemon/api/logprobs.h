// Log probabilities as the API shows them: chat's list of entries, completions' four columns, and the prompt's maps by
// token id. Append-only text building; loop thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/text/tokenizer.h"

namespace seraph {

/// The text of single tokens. A token that holds part of a character shows "" until the token that completes it, which
/// shows the whole character; the tokens before serve as context.
class TokenTexts {
 public:
  TokenTexts(const Tokenizer& tokenizer, bool as_ids) : tokenizer_(tokenizer), as_ids_(as_ids) {}
  std::string text(TokenId id) const;
  /// "token_id:7" when ids are asked for, else text().
  std::string shown(TokenId id) const { return as_ids_ ? "token_id:" + std::to_string(id) : text(id); }
  /// `id` was chosen: it is context for what follows.
  void advance(TokenId id);

 private:
  static constexpr size_t kContextMax = 4;  // a character has at most four bytes
  const Tokenizer& tokenizer_;
  const bool as_ids_;
  std::vector<TokenId> context_;
};

/// -inf becomes -9999.0, which JSON can say.
void append_logprob(std::string& out, float logprob);

class LogprobColumns {
 public:
  enum class Shape {
    kChat,
    kCompletions,
    kList,    // chat's entries without the object around them
    kTokens,  // ids and ranks instead of texts
  };
  LogprobColumns(const Tokenizer& tokenizer, Shape shape, bool as_ids, int32_t top)
      : texts_(tokenizer, as_ids), shape_(shape), top_(top) {}

  void add(const PositionLogprobs& position);
  /// In vLLM's way of showing beams: the best alone are listed, and the chosen token has no bytes.
  void add_of_beam(const PositionLogprobs& position);
  /// Completions with echo: the prompt's positions come first; [0] is empty.
  void add_prompt(const std::vector<TokenId>& ids, const std::vector<PositionLogprobs>& positions,
                  const Tokenizer& tokenizer);
  /// Appends the object that holds what was added since the last take, then starts anew. Offsets go on from
  /// `text_begin`, the characters of text sent before.
  void take(std::string& out, int64_t text_begin);

 private:
  void add_chat(const PositionLogprobs& position);
  void add_chosen(const TokenLogprob& chosen, bool with_bytes);
  void add_listed(std::span<const TokenLogprob> listed, TokenId but);
  void add_tokens(const PositionLogprobs& position);
  void add_completion(const PositionLogprobs& position, const TokenTexts& texts);

  TokenTexts texts_;
  const Shape shape_;
  const int32_t top_;
  std::string entries_;                   // chat
  std::string logprobs_, tokens_, tops_;  // completions
  std::vector<int64_t> lengths_;          // completions: characters of each token's text
};

/// [null,{"17":{"logprob":-0.1,"rank":1,"decoded_token":"a"}},...]
void append_prompt_logprobs(std::string& out, const std::vector<PositionLogprobs>& positions,
                            const Tokenizer& tokenizer);

/// Characters (not bytes) of UTF-8 text.
int64_t count_characters(std::string_view text);

}  // namespace seraph
