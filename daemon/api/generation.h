// The loop's side of one generation request: its sequences as events arrive, the stream or the answer that they
// become, its end (finished, stop string, client gone, too slow, failed) and what is recorded of it. Loop thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/answer.h"
#include "daemon/api/choice_text.h"
#include "daemon/api/logprobs.h"
#include "daemon/api/metrics.h"
#include "daemon/api/prepare.h"
#include "daemon/api/task.h"
#include "daemon/http/server.h"
#include "daemon/store/store.h"
#include "engine/engine.h"

namespace seraph {

/// What all requests share; constant, outlives them.
struct GenerationServices {
  std::function<void(RequestId)> cancel;  // Engine::cancel
  const Tokenizer* tokenizer = nullptr;
  const ApiOptions* options = nullptr;
  ApiMetrics* metrics = nullptr;
  Store* store = nullptr;              // may be null
  ResponseStore* responses = nullptr;  // null: no answer is kept
  std::string fingerprint;
  TokenId eos_id = -1;  // the tokenizer's: its stop reason is null, other end ids name themselves
};

class Generation final : public Task {
 public:
  struct Args {
    const GenerationServices* services = nullptr;
    std::shared_ptr<Exchange> exchange;
    Endpoint endpoint = kChat;
    std::string id;  // of the answer
    PreparedGeneration prepared;
    std::function<uint64_t()> random;  // seeds of unseeded choices
  };
  explicit Generation(Args args);

  size_t num_sequences() const override { return sequences_.size(); }
  std::unique_ptr<Request> make_request(size_t sequence, RequestId id) override;
  /// Text is written into a buffer; flush() sends it.
  bool on_event(size_t sequence, Event& event) override;
  void flush() override;

  std::vector<RequestId> open_requests() const override;
  bool over() const override { return over_; }
  std::string_view answer_id() const override { return id_; }
  std::string_view owner() const override { return prepared_.owner; }
  void abandon() override;
  void fail(const ApiError& error) override;
  void resume() override;
  std::string_view adapter() const override { return prepared_.model; }

  const std::string& id() const { return id_; }
  const PreparedGeneration& prepared() const { return prepared_; }
  std::string pending_body(const char* status) const { return format_->pending(status); }

 private:
  struct Sequence {
    Sequence(const Tokenizer& tokenizer, const TextRules& rules, LogprobColumns columns_)
        : text(tokenizer, rules), columns(std::move(columns_)) {}
    ChoiceText text;
    std::unique_ptr<OutputParser> parser;  // null: the text is content as it is
    TextDeltas deltas;                     // parsed; whole answers keep all, streams what is to be sent
    std::vector<std::string> call_ids;
    LogprobColumns columns;
    SequenceRecord record;
    RequestId request = 0;
    Choice choice;        // whole answers
    std::string pending;  // streams: text of tokens whose event is still to come
    std::vector<TokenId> pending_ids;
    int32_t pending_tokens = 0;
    int64_t sent_characters = 0;
    int64_t reasoning_tokens = 0;
    std::vector<TokenId> output_ids;  // kept where repetitions are looked for
    bool repeats = false;
    bool first_event_sent = false;
    bool done = false;
  };

  const Prompt& prompt_of(size_t sequence) const;
  /// As answers, rows and the log name it.
  const std::string& model_name() const;
  void begin_output();
  void take_prompt(Sequence& sequence, size_t index, Event& event);
  int take_token(Sequence& sequence, const Event& event);
  void find_repetition(Sequence& sequence, const Event& event);
  void parse_text(Sequence& sequence, std::string_view text, bool finish);
  void finish_sequence(Sequence& sequence, const Event& event, int stop_index);
  void cancel_open();
  void write_delta(Sequence& sequence, size_t index);
  Usage running_usage(const Sequence& sequence) const;
  Usage usage() const;
  std::string make_call_id();
  void complete();
  std::vector<HttpHeader> extra_headers() const;
  void record_end(int status, std::string_view finish_reason);
  void log_end(const RequestRow& row) const;
  void log_prompt() const;

  const GenerationServices& services_;
  const std::shared_ptr<Exchange> exchange_;
  const Endpoint endpoint_;
  const PreparedGeneration prepared_;
  std::vector<SharedList<TokenId>> shared_prompts_;  // their ids, as the engine's requests share them
  const std::string id_;
  const int64_t arrived_unix_us_;
  std::unique_ptr<AnswerFormat> format_;
  std::deque<Sequence> sequences_;  // a deque: they do not move
  std::vector<uint64_t> seeds_;
  const std::function<uint64_t()> random_;
  size_t num_done_ = 0;
  bool output_begun_ = false;
  bool over_ = false;
  bool paused_ = false;  // the socket is full; out_ is the backlog
  bool ending_ = false;  // out_ holds the end of the stream
  bool ended_ = false;
  bool too_slow_ = false;
  std::string out_;  // stream bytes not yet handed to the connection
};

}  // namespace seraph
