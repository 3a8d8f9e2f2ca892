// What answers of /v1/chat/completions and /v1/completions have in common: the head of every JSON object, usage, token
// ids, the end of a stream. Loop thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "daemon/api/answer.h"

namespace seraph {

class OpenAiFormat : public AnswerFormat {
 public:
  /// The "object" of whole answers and of events.
  OpenAiFormat(AnswerFacts facts, std::string_view object, std::string_view chunk_object);

  void end_stream(std::string& out, const Usage& usage) override;
  void fail_stream(std::string& out, const ApiError& error) override;

 protected:
  /// ",\"service_tier\":null" and everything up to usage's end.
  void append_body_usage(std::string& out, const Usage& usage) const;
  /// The members behind "choices" of an event, and the event's end.
  void append_chunk_tail(std::string& out, const Usage& usage, bool last_event) const;
  void append_finish(std::string& out, const char* finish_reason, std::string_view stop_reason) const;
  void append_token_ids(std::string& out, std::span<const TokenId> ids) const;
  /// `prompt`'s ids when `shown`, else null.
  void append_prompt_ids(std::string& out, size_t prompt, bool shown) const;
  void append_prompt_logprobs_of(std::string& out, const Choice& choice) const;
  /// Only with continuous usage.
  void append_running_usage(std::string& out, const Usage& usage) const;

  const AnswerFacts facts_;
  std::string head_;         // of a whole answer, up to and with "model"
  std::string chunk_head_;   // of an event
  std::string fingerprint_;  // ",\"system_fingerprint\":..."
};

/// {"prompt_tokens":..} with nulls for the details when `with_nulls`.
void append_usage_object(std::string& out, const Usage& usage, bool with_nulls);

/// The shortest text that reads back as this float: 0.9, not 0.8999999761581421.
std::string float_json(float value);

}  // namespace seraph
