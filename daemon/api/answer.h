// How an answer is written: chat and completions build the same facts into different JSON. Append-only strings, no
// document in memory: one event costs a few hundred nanoseconds. Loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/prepare.h"
#include "engine/request.h"

namespace seraph {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  std::optional<int64_t> cached_tokens = {};     // only with --enable-prompt-tokens-details
  std::optional<int64_t> reasoning_tokens = {};  // only with a reasoning parser
};

/// Constant for one HTTP request.
struct AnswerFacts {
  std::string id;     // "chatcmpl-..." or "cmpl-..."
  std::string model;  // the first served name
  std::string fingerprint;
  int64_t created = 0;  // Unix seconds
  const PreparedGeneration* request = nullptr;
  const Tokenizer* tokenizer = nullptr;
};

/// What the parsers made of a choice's text, and the ids of its calls by index. Borrowed.
struct ParsedDeltas {
  std::span<const TextDelta> deltas;
  std::span<const std::string> call_ids;
};

/// One event of one choice.
struct Delta {
  size_t choice = 0;
  std::string_view text = {};
  const ParsedDeltas* parsed = nullptr;   // chat with parsers: instead of text
  std::string_view logprobs = "null";     // JSON
  std::span<const TokenId> ids = {};      // shown with return_token_ids
  const char* finish_reason = nullptr;    // null: not finished
  std::string_view stop_reason = "null";  // JSON
  bool first = false;                     // of this choice
  bool last_event = false;                // no usage event follows: carries the fingerprint
  const Usage* usage = nullptr;           // continuous usage; null: none
};

/// One finished choice.
struct Choice {
  std::string text;
  std::optional<ParsedText> parsed;  // chat with parsers: instead of text
  std::vector<std::string> call_ids;
  std::string logprobs = "null";  // JSON
  std::vector<TokenId> ids;
  const char* finish_reason = "stop";
  std::string stop_reason = "null";  // JSON
  std::unique_ptr<std::vector<PositionLogprobs>> prompt_logprobs;
};

class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;
  /// What precedes the first delta of the whole answer (chat: role and echo events of every choice).
  virtual void begin_stream(std::string& out, const Usage* usage) const = 0;
  virtual void append_delta(std::string& out, const Delta& delta) const = 0;
  /// The event with usage and no choices.
  virtual void append_usage(std::string& out, const Usage& usage) const = 0;
  /// A whole answer.
  virtual std::string body(std::span<const Choice> choices, const Usage& usage) const = 0;
};

std::unique_ptr<AnswerFormat> make_chat_format(AnswerFacts facts);
std::unique_ptr<AnswerFormat> make_completion_format(AnswerFacts facts);

/// {"prompt_tokens":..} with nulls for the details when `with_nulls`.
void append_usage_object(std::string& out, const Usage& usage, bool with_nulls);
void append_ids(std::string& out, std::span<const TokenId> ids);

}  // namespace seraph
