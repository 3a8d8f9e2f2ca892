// Requests whose choices are chosen: beam search, and the best of several sequences. Both run engine requests of their
// own and, once it is decided what the choices are, play them to a Generation as if the engine had just drawn them, so
// that text, parsers, log probabilities, usage and format are those of every other answer.
//
// A beam's step is an engine request of one token for prompt and beam so far. The prefix cache makes it cheap (at most
// a block is computed again) and exact (cached keys are bit for bit those that would be computed), and beams share the
// blocks of their common beginning without a word about beams in the engine. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/api/beam_search.h"
#include "daemon/api/choice_text.h"
#include "daemon/api/generation.h"
#include "daemon/api/task.h"

namespace seraph {

class SearchTask : public Task {
 public:
  struct Args {
    std::shared_ptr<Generation> answer;
    std::function<void(RequestId)> cancel;  // Engine::cancel
    const Tokenizer* tokenizer = nullptr;
    std::vector<TokenId> eos_ids;
    std::function<uint64_t()> random;
  };
  explicit SearchTask(Args args) : args_(std::move(args)) {}

  bool on_event(size_t sequence, Event& event) final;
  void flush() final { args_.answer->flush(); }
  void resume() final { args_.answer->resume(); }
  std::string_view adapter() const final { return args_.answer->adapter(); }
  bool over() const final { return args_.answer->over(); }
  std::string_view answer_id() const final { return args_.answer->answer_id(); }
  std::string_view owner() const final { return args_.answer->owner(); }
  std::vector<RequestId> open_requests() const final;
  void abandon() final;
  void fail(const ApiError& error) final;

 protected:
  const PreparedGeneration& prepared() const { return args_.answer->prepared(); }
  void remember(size_t sequence, RequestId id);
  void forget(size_t sequence) { requests_[sequence] = 0; }
  /// One event of one sequence that is no failure. True when the sequence needs no more.
  virtual bool take(size_t sequence, Event& event) = 0;

  const Args args_;

 private:
  void cancel_open();

  std::vector<RequestId> requests_;  // by sequence; 0: not submitted, or done
};

/// `use_beam_search`: n beams a prompt.
class BeamTask final : public SearchTask {
 public:
  explicit BeamTask(Args args);
  size_t num_sequences() const override { return sequences_.size(); }
  std::unique_ptr<Request> make_request(size_t sequence, RequestId id) override;

 private:
  bool take(size_t sequence, Event& event) override;
  void plan_step(size_t prompt);
  void play();

  struct Search {
    BeamSearch beams;
    std::vector<PositionLogprobs> next;  // by live beam
    size_t num_missing = 0;
    int32_t cached_tokens = 0;
  };
  std::vector<Search> searches_;                      // by prompt
  std::vector<std::pair<size_t, size_t>> sequences_;  // (prompt, live beam) of each engine request
  MonotonicUs scheduled_us_ = 0;
  size_t num_done_ = 0;
};

/// `best_of` > n: that many sequences a prompt, of which the n with the highest log probability are shown.
class BestOfTask final : public SearchTask {
 public:
  explicit BestOfTask(Args args);
  size_t num_sequences() const override { return candidates_.size(); }
  std::unique_ptr<Request> make_request(size_t sequence, RequestId id) override;

 private:
  bool take(size_t sequence, Event& event) override;
  void play();

  struct Candidate {
    Candidate(const Tokenizer& tokenizer, const TextRules& rules) : text(tokenizer, rules) {}
    ChoiceText text;  // finds stop strings
    std::vector<Event> events;
    double cumulative = 0;
  };
  std::deque<Candidate> candidates_;  // best_of a prompt; a deque: they do not move
  std::vector<uint64_t> seeds_;
  size_t num_done_ = 0;
};

}  // namespace seraph
