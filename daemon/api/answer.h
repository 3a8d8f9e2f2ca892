// How an answer is written: every endpoint builds the same facts into its own JSON. Append-only strings, no
// document in memory: one event costs a few hundred nanoseconds. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/prepare.h"
#include "engine/request.h"

namespace seraph {

class ResponseStore;

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  std::optional<int64_t> cached_tokens = {};     // only with --enable-prompt-tokens-details
  std::optional<int64_t> reasoning_tokens = {};  // only with a reasoning parser
};

/// Constant for one HTTP request.
struct AnswerFacts {
  Endpoint endpoint = kChat;
  std::string id;     // "chatcmpl-...", "cmpl-..."
  std::string model;  // the first served name
  std::string fingerprint;
  int64_t created = 0;  // Unix seconds
  const PreparedGeneration* request = nullptr;
  const Tokenizer* tokenizer = nullptr;
  ResponseStore* responses = nullptr;     // null: no answer is kept
  std::function<uint64_t()> random = {};  // ids of an answer's parts
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
  Usage usage = {};                       // of the choice so far
};

/// One finished choice.
struct Choice {
  std::string text;
  std::optional<ParsedText> parsed;  // chat with parsers: instead of text
  std::vector<std::string> call_ids;
  bool calls_forced = false;      // without content that is "", not null
  std::string logprobs = "null";  // JSON
  std::vector<TokenId> ids;
  const char* finish_reason = "stop";
  std::string stop_reason = "null";  // JSON
  std::unique_ptr<std::vector<PositionLogprobs>> prompt_logprobs;
  PositionLogprobs label_logprobs;  // /generative_scoring: of the one token
};

/// Either begin_stream(), any number of append_delta() and one of end_stream() and fail_stream(), or body().
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;
  /// What precedes the first delta of the whole answer. `usage` has the prompt's tokens.
  virtual void begin_stream(std::string& out, const Usage& usage) = 0;
  virtual void append_delta(std::string& out, const Delta& delta) = 0;
  /// All choices are finished.
  virtual void end_stream(std::string& out, const Usage& usage) = 0;
  virtual void fail_stream(std::string& out, const ApiError& error) = 0;
  /// The answer as it stands without an end: "queued", "cancelled", "failed". "" where nobody can ask for it.
  virtual std::string pending(const char* /*status*/) { return {}; }
  /// A whole answer.
  virtual std::string body(std::span<const Choice> choices, const Usage& usage) = 0;
};

std::unique_ptr<AnswerFormat> make_chat_format(AnswerFacts facts);
std::unique_ptr<AnswerFormat> make_completion_format(AnswerFacts facts);

/// What a refused client of that endpoint reads.
std::string error_body(Endpoint endpoint, const ApiError& error);
void append_ids(std::string& out, std::span<const TokenId> ids);

}  // namespace seraph
