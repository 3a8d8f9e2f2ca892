#include "daemon/api/generation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/api/endpoints.h"
#include "daemon/api/models.h"
#include "daemon/api/tenant.h"

namespace seraph {
namespace {

FinishKind kind_of(const char* reason) {
  return std::strcmp(reason, "length") == 0 ? FinishKind::kLength : FinishKind::kStop;
}

}  // namespace

Generation::Generation(Args args)
    : services_(*args.services),
      exchange_(std::move(args.exchange)),
      endpoint_(args.endpoint),
      prepared_(std::move(args.prepared)),
      id_(std::move(args.id)),
      arrived_unix_us_(unix_time_us() - (now_us() - exchange_->request().arrived_us)),
      random_(std::move(args.random)) {
  const GenerationParams& params = prepared_.params;
  format_ = generation_endpoint(endpoint_).make_format({.endpoint = endpoint_,
                                                        .id = id_,
                                                        .model = model_name(),
                                                        .fingerprint = services_.fingerprint,
                                                        .created = arrived_unix_us_ / 1'000'000,
                                                        .request = &prepared_,
                                                        .tokenizer = services_.tokenizer,
                                                        .responses = services_.responses,
                                                        .random = random_});
  const TextRules rules{.skip_special_tokens = params.skip_special_tokens,
                        .include_stop = params.include_stop,
                        .tokens_min = params.sampling.tokens_min,
                        .stop = &prepared_.params.stop};
  const LogprobColumns columns(*services_.tokenizer, generation_endpoint(endpoint_).logprob_shape, params.tokens_as_ids,
                               params.top_logprobs);
  for (const Prompt& prompt : prepared_.prompts) shared_prompts_.emplace_back(prompt.ids);
  const size_t count = prepared_.prompts.size() * static_cast<size_t>(params.n);
  for (size_t i = 0; i < count; ++i) {
    sequences_.emplace_back(*services_.tokenizer, rules, columns);
    const auto choice = static_cast<uint64_t>(i % static_cast<size_t>(params.n));
    seeds_.push_back(params.seeded ? params.sampling.seed + choice : random_());
    if (prepared_.output.parses()) {
      // The names were checked when the server started.
      OutputFormat format = prepared_.output.format;
      format.start = prompt_of(i).start;
      sequences_.back().parser = OutputParser::make(format, prepared_.output.tools).value();
    }
    // The end of the prompt is all that decides how the first piece of text looks.
    constexpr size_t kPrimeTokens = 32;
    const std::vector<TokenId>& ids = prompt_of(i).ids;
    const size_t from = ids.size() > kPrimeTokens ? ids.size() - kPrimeTokens : 0;
    sequences_.back().text.prime(std::span(ids).subspan(from));
    SequenceRecord& record = sequences_.back().record;
    record.arrived_us = exchange_->request().arrived_us;
    record.prompt_tokens = static_cast<int64_t>(ids.size());
    record.tokens_max = prompt_of(i).tokens_max;
  }
  services_.metrics->observe_request(params.n, params.max_tokens.value_or(-1));
}

const Prompt& Generation::prompt_of(size_t sequence) const {
  return prepared_.prompts[sequence / static_cast<size_t>(prepared_.params.n)];
}

const std::string& Generation::model_name() const {
  return prepared_.model.empty() ? services_.options->served_model_names.front() : prepared_.model;
}

std::unique_ptr<Request> Generation::make_request(size_t sequence, RequestId id) {
  auto request = std::make_unique<Request>();
  const Prompt& prompt = prompt_of(sequence);
  request->id = id;
  request->prompt_ids = shared_prompts_[sequence / static_cast<size_t>(prepared_.params.n)];
  request->sampling = prepared_.params.sampling;
  request->constraint = prompt.constraint;
  request->adapter = prepared_.adapter;
  request->sampling.tokens_max = prompt.tokens_max;
  request->sampling.seed = seeds_[sequence];
  request->priority = prepared_.params.priority;
  request->thinking_budget = prepared_.thinking_budget;
  request->cache_salt = tenant_salt(exchange_->request().key_index, prepared_.params.cache_salt);
  request->arrived_us = exchange_->request().arrived_us;
  sequences_[sequence].request = id;
  return request;
}

std::vector<RequestId> Generation::open_requests() const {
  std::vector<RequestId> out;
  for (const Sequence& sequence : sequences_) {
    if (sequence.request != 0 && !sequence.done) out.push_back(sequence.request);
  }
  return out;
}

bool Generation::on_event(size_t index, Event& event) {
  Sequence& sequence = sequences_[index];
  if (over_ || sequence.done) return true;
  if (event.finish == FinishReason::kError) {
    fail(ApiError{.status = 500,
                  .type = "InternalServerError",
                  .message = event.error != nullptr ? *event.error : "the engine failed"});
    return true;
  }
  if (event.finish == FinishReason::kCancelled) {
    fail(ApiError{.status = 503,
                  .type = "ServiceUnavailableError",
                  .message = "the server is shutting down",
                  .retry_after_s = 1});
    return true;
  }
  begin_output();
  if (sequence.record.generation_tokens == 0) take_prompt(sequence, index, event);
  // One call was wanted and is complete: what follows would only be left out. Streams learn of the end too late, and
  // forced calls end by their grammar.
  const bool enough = !prepared_.params.stream && !prepared_.output.parallel_tool_calls &&
                      !prepared_.output.forced.given() && !sequence.call_ids.empty();
  const int stop = event.token >= 0 ? take_token(sequence, event) : -1;
  if (stop >= 0 || sequence.repeats || enough || event.finish != FinishReason::kNone) {
    finish_sequence(sequence, event, stop);
  }
  if (prepared_.params.stream) write_delta(sequence, index);
  if (num_done_ == sequences_.size()) complete();
  return sequence.done;
}

/// What the request asked for in vain, in a Warning header (RFC 7234): clients that care can see it.
std::vector<HttpHeader> Generation::extra_headers() const {
  constexpr size_t kBytesMax = 1024;
  std::string text;
  for (const std::string& warning : prepared_.warnings) text += (text.empty() ? "" : "; ") + warning;
  if (text.empty()) return {};
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') c = '?';
  }
  return {{"warning", "299 seraph \"" + text.substr(0, kBytesMax) + '"'}};
}

/// The first event of all opens the stream: errors before it are plain answers with their own status.
void Generation::begin_output() {
  if (output_begun_) return;
  output_begun_ = true;
  if (!prepared_.params.stream) return;
  exchange_->begin_stream(extra_headers());
  format_->begin_stream(out_, {.prompt_tokens = sequences_.front().record.prompt_tokens});
}

void Generation::take_prompt(Sequence& sequence, size_t index, Event& event) {
  sequence.record.scheduled_us = event.scheduled_us;
  sequence.record.first_token_us = event.published_us;
  sequence.record.cached_tokens = event.num_cached_tokens;
  services_.metrics->observe_first_token(event.published_us - sequence.record.arrived_us);
  const GenerationParams& params = prepared_.params;
  if (endpoint_ == kCompletions && params.echo) {
    std::string& text = params.stream ? sequence.pending : sequence.choice.text;
    text += prompt_of(index).text;
    if (params.logprobs && event.prompt_logprobs != nullptr) {
      sequence.columns.add_prompt(prompt_of(index).ids, *event.prompt_logprobs, *services_.tokenizer);
    }
  }
  sequence.choice.prompt_logprobs = std::move(event.prompt_logprobs);
}

int Generation::take_token(Sequence& sequence, const Event& event) {
  const GenerationParams& params = prepared_.params;
  SequenceRecord& record = sequence.record;
  if (record.generation_tokens++ > 0) services_.metrics->observe_next_token(event.published_us - record.last_token_us);
  record.last_token_us = event.published_us;
  ++sequence.pending_tokens;
  if (params.echo_only) return -1;
  find_repetition(sequence, event);
  if (params.logprobs && event.logprobs != nullptr) {
    params.beam_search ? sequence.columns.add_of_beam(*event.logprobs) : sequence.columns.add(*event.logprobs);
  }
  if (endpoint_ == kScoring && event.logprobs != nullptr) sequence.choice.label_logprobs = *event.logprobs;
  if (params.return_token_ids) (params.stream ? sequence.pending_ids : sequence.choice.ids).push_back(event.token);
  // The token that ends the sequence is counted, but not shown unless asked for.
  if (event.finish == FinishReason::kStop && !params.include_stop) return -1;
  std::string& text = params.stream ? sequence.pending : sequence.choice.text;
  const size_t before = text.size();
  const int stop = sequence.text.push(event.token, text);
  parse_text(sequence, std::string_view(text).substr(before), false);
  return stop;
}

/// An end of the engine's goes before, and a minimum length puts it off.
void Generation::find_repetition(Sequence& sequence, const Event& event) {
  const GenerationParams& params = prepared_.params;
  if (params.repetition.size_max == 0) return;
  sequence.output_ids.push_back(event.token);
  if (event.finish != FinishReason::kNone) return;
  if (sequence.record.generation_tokens < params.sampling.tokens_min) return;
  sequence.repeats = repeats(sequence.output_ids, params.repetition);
}

/// Sends new text through the parsers and gives new calls their ids.
void Generation::parse_text(Sequence& sequence, std::string_view text, bool finish) {
  if (sequence.parser == nullptr) return;
  TextDeltas fresh;
  if (!text.empty()) sequence.parser->push(text, fresh);
  if (finish) sequence.parser->finish(fresh);
  bool thinks = false;
  for (TextDelta& delta : fresh) {
    const bool reasoning = delta.kind == TextDelta::Kind::kReasoning;
    thinks = thinks || reasoning;
    if (reasoning && !prepared_.output.include_reasoning) continue;
    // An answer that must be calls has no other text: what is not one is a call that broke off.
    if (delta.kind == TextDelta::Kind::kContent && prepared_.output.forced.given()) continue;
    if (delta.call_index > 0 && !prepared_.output.parallel_tool_calls) continue;
    if (delta.kind == TextDelta::Kind::kCallStart) sequence.call_ids.push_back(make_call_id());
    append_delta(sequence.deltas, delta.kind, delta.text, delta.call_index);
  }
  // A token that gave thinking; those of the tags give nothing.
  if (thinks && !finish) ++sequence.reasoning_tokens;
}

std::string Generation::make_call_id() {
  if (!prepared_.output.short_call_ids) return "chatcmpl-tool-" + hex16(random_());
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string id;
  uint64_t bits = random_();
  for (int i = 0; i < 9; ++i, bits /= kLetters.size()) id += kLetters[bits % kLetters.size()];
  return id;
}

void Generation::finish_sequence(Sequence& sequence, const Event& event, int stop) {
  const GenerationParams& params = prepared_.params;
  if (event.finish == FinishReason::kNone) services_.cancel(sequence.request);
  std::string& text = params.stream ? sequence.pending : sequence.choice.text;
  const size_t before = text.size();
  if (stop < 0 && !params.echo_only) stop = sequence.text.finish(text);
  parse_text(sequence, std::string_view(text).substr(before), true);
  const bool by_length = stop < 0 && event.finish == FinishReason::kLength;
  const bool found_calls = !sequence.call_ids.empty();
  const bool calls = found_calls && !prepared_.output.forced_name;
  const bool repeated = sequence.repeats && stop < 0;
  sequence.choice.finish_reason = by_length ? "length" : repeated ? "repetition" : calls ? "tool_calls" : "stop";
  if (sequence.parser != nullptr && !params.stream) {
    sequence.choice.parsed.emplace().add(sequence.deltas);
    if (prepared_.output.rewrites_arguments()) {
      for (auto& call : sequence.choice.parsed->calls) call.arguments = spaced_json(call.arguments);
    }
    sequence.choice.call_ids = std::move(sequence.call_ids);
    sequence.choice.calls_forced = prepared_.output.forced.given();
  }
  if (stop >= 0) {
    sequence.choice.stop_reason.clear();
    append_json_string(sequence.choice.stop_reason, params.stop[static_cast<size_t>(stop)]);
  } else if (repeated) {
    sequence.choice.stop_reason = "\"repetition_detected\"";
  } else if (event.finish == FinishReason::kStop) {
    const TokenId by = event.stop_token >= 0 ? event.stop_token : event.token;
    if (by >= 0 && by != services_.eos_id) sequence.choice.stop_reason = std::to_string(by);
  }
  if (params.logprobs && !params.stream) {
    sequence.choice.logprobs.clear();
    sequence.columns.take(sequence.choice.logprobs, 0);
  }
  if (!prepared_.output.format.tool_parser.empty()) {
    const auto type = endpoint_ == kChat        ? ApiMetrics::RequestType::kChat
                      : endpoint_ == kResponses ? ApiMetrics::RequestType::kResponses
                                                : ApiMetrics::RequestType::kOther;
    services_.metrics->count_tool_parse(type, params.stream, found_calls);
  }
  sequence.record.kind = kind_of(sequence.choice.finish_reason);
  services_.metrics->observe_finish(sequence.record);
  sequence.done = true;
  ++num_done_;
}

void Generation::write_delta(Sequence& sequence, size_t index) {
  const GenerationParams& params = prepared_.params;
  if (params.whole_events && !sequence.done) return;
  const bool due = sequence.done || !sequence.first_event_sent || sequence.pending_tokens >= params.stream_interval;
  if (!due) return;
  // What the parsers hold back is no event, unless it carries more than text.
  const bool parsed = sequence.parser != nullptr;
  if (parsed && sequence.deltas.empty() && !sequence.done && !params.logprobs && !params.return_token_ids) return;
  std::string logprobs = "null";
  if (params.logprobs) {
    logprobs.clear();
    sequence.columns.take(logprobs, sequence.sent_characters);
    sequence.sent_characters += count_characters(sequence.pending);
  }
  const ParsedDeltas deltas{sequence.deltas, sequence.call_ids};
  format_->append_delta(out_, Delta{.choice = index,
                                    .text = sequence.pending,
                                    .parsed = parsed ? &deltas : nullptr,
                                    .logprobs = logprobs,
                                    .ids = sequence.pending_ids,
                                    .finish_reason = sequence.done ? sequence.choice.finish_reason : nullptr,
                                    .stop_reason = sequence.choice.stop_reason,
                                    .first = !sequence.first_event_sent,
                                    .last_event = sequence.done && !params.include_usage,
                                    .usage = running_usage(sequence)});
  sequence.first_event_sent = true;
  sequence.pending.clear();
  sequence.deltas.clear();
  sequence.pending_ids.clear();
  sequence.pending_tokens = 0;
}

Usage Generation::running_usage(const Sequence& sequence) const {
  Usage out{.prompt_tokens = sequence.record.prompt_tokens, .completion_tokens = sequence.record.generation_tokens};
  if (!prepared_.output.format.reasoning_parser.empty()) out.reasoning_tokens = sequence.reasoning_tokens;
  return out;
}

Usage Generation::usage() const {
  Usage out;
  for (const Prompt& prompt : prepared_.prompts) out.prompt_tokens += static_cast<int64_t>(prompt.ids.size());
  int64_t cached = 0;
  int64_t reasoning = 0;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    reasoning += sequences_[i].reasoning_tokens;
    out.completion_tokens += sequences_[i].record.generation_tokens;
    // Choices share a prompt: its cached tokens count once.
    if (i % static_cast<size_t>(prepared_.params.n) == 0) cached += sequences_[i].record.cached_tokens;
  }
  if (services_.options->enable_prompt_tokens_details || endpoint_ == kResponses) out.cached_tokens = cached;
  if (!prepared_.output.format.reasoning_parser.empty()) out.reasoning_tokens = reasoning;
  return out;
}

void Generation::complete() {
  over_ = true;
  if (prepared_.params.stream) {
    format_->end_stream(out_, usage());
    ending_ = true;
  } else {
    std::vector<Choice> choices;
    choices.reserve(sequences_.size());
    for (Sequence& sequence : sequences_) choices.push_back(std::move(sequence.choice));
    exchange_->respond(200, "application/json", format_->body(choices, usage()), extra_headers());
    sequences_.front().choice.finish_reason = choices.front().finish_reason;
  }
  record_end(200, sequences_.front().choice.finish_reason);
}

void Generation::flush() {
  if (ended_ || (out_.empty() && !ending_)) return;
  if (!exchange_->open()) {
    out_.clear();
    ended_ = true;
    return;
  }
  if (paused_ && !ending_) {
    if (static_cast<int64_t>(out_.size()) <= services_.options->stream_backlog_bytes_max) return;
    spdlog::warn("{}: the client does not read its stream, {} bytes wait; the request is cancelled", id_, out_.size());
    too_slow_ = true;
    fail(ApiError{.status = 408, .type = "RequestTimeoutError", .message = "the stream was not read fast enough"});
  }
  // Steals the buffer's content but keeps its capacity: streams write the same amount again and again.
  if (!out_.empty() && !exchange_->send(out_)) paused_ = true;
  out_.clear();
  if (ending_) {
    ended_ = true;
    exchange_->end();
  }
}

void Generation::resume() {
  paused_ = false;
  flush();
}

void Generation::cancel_open() {
  for (const RequestId request : open_requests()) services_.cancel(request);
}

void Generation::abandon() {
  if (over_) return;
  over_ = true;
  ended_ = true;
  out_.clear();
  cancel_open();
  for (Sequence& sequence : sequences_) {
    if (sequence.done) continue;
    sequence.record.kind = FinishKind::kAbort;
    services_.metrics->observe_finish(sequence.record);
  }
  record_end(499, "abort");
}

void Generation::fail(const ApiError& error) {
  if (over_) return;
  over_ = true;
  cancel_open();
  if (output_begun_ && prepared_.params.stream) {
    format_->fail_stream(out_, error);
    ending_ = true;
  } else {
    std::vector<HttpHeader> extra;
    if (error.retry_after_s > 0) extra.push_back({"retry-after", std::to_string(error.retry_after_s)});
    exchange_->respond(error.status, "application/json", error_body(endpoint_, error), std::move(extra));
  }
  if (error.status >= 500) {
    for (Sequence& sequence : sequences_) {
      if (sequence.done) continue;
      sequence.record.kind = FinishKind::kError;
      services_.metrics->observe_finish(sequence.record);
    }
  }
  record_end(error.status, too_slow_ ? "abort" : "error");
}

void Generation::record_end(int status, std::string_view finish_reason) {
  const Usage used = usage();
  const SequenceRecord& first = sequences_.front().record;
  const MonotonicUs now = now_us();
  RequestRow row;
  row.time_us = arrived_unix_us_;
  row.request_id = id_;
  row.model = model_name();
  row.endpoint = generation_endpoint(endpoint_).path;
  row.status = status;
  row.finish_reason = finish_reason;
  row.prompt_tokens = used.prompt_tokens;
  for (const Sequence& sequence : sequences_) row.cached_tokens += sequence.record.cached_tokens;
  row.completion_tokens = used.completion_tokens;
  if (first.first_token_us > 0) {
    row.queue_us = first.scheduled_us - first.arrived_us;
    row.ttft_us = first.first_token_us - first.arrived_us;
    if (first.generation_tokens > 1) {
      row.tpot_us = (first.last_token_us - first.first_token_us) / (first.generation_tokens - 1);
    }
  }
  row.total_us = now - first.arrived_us;
  if (services_.options->log_requests) log_end(row);
  if (services_.options->log_requests && services_.options->log_text_bytes_max > 0) log_prompt();
  if (services_.store != nullptr) services_.store->log_request(std::move(row));
}

/// Who asked, and the client's name for its own user, are left out where peers are not to be named.
void Generation::log_end(const RequestRow& row) const {
  constexpr size_t kUserMax = 64;
  const bool named = services_.options->log_peers;
  std::string user;
  if (named && !prepared_.user.empty()) {
    user = " user ";
    append_json_string(user, std::string_view(prepared_.user).substr(0, kUserMax));
  }
  spdlog::info("{} {} {}{} {} {}: {} prompt tokens ({} cached), {} generated, first token {} ms, total {} ms",
               named ? exchange_->request().peer : "-", row.endpoint, id_, user, row.status, row.finish_reason,
               row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.ttft_us < 0 ? -1 : row.ttft_us / 1000,
               row.total_us / 1000);
}

/// The beginning of the first prompt, never more than the option allows: prompts are private and long.
void Generation::log_prompt() const {
  const auto bytes_max = static_cast<size_t>(services_.options->log_text_bytes_max);
  const std::vector<TokenId>& ids = prepared_.prompts.front().ids;
  std::string text = services_.tokenizer->decode(std::span(ids).first(std::min(ids.size(), bytes_max)), false);
  std::string shown;
  append_json_string(shown, std::string_view(text).substr(0, bytes_max));
  spdlog::info("{} prompt: {}", id_, shown);
}

}  // namespace seraph
