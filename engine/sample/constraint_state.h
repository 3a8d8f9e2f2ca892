// How far a sequence has come in what its text must match: follows it by its tokens and says which ids may be drawn
// next. Like SampleState it belongs to a sequence slot and notices by itself when the slot got another sequence. Engine
// thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/grammar/constraint.h"
#include "engine/grammar/matcher.h"
#include "engine/request.h"

namespace seraph {

class ConstraintState {
 public:
  /// Brings the state up to `tokens` (prompt and generated). REQUIRES: request.constraint != null.
  void follow(const Request& request, std::span<const TokenId> tokens, std::span<const TokenId> eos_ids,
              int32_t vocab_size);
  /// The ids that may come next, as SampleRow.allowed; null: all. Valid until the next call. `must_end` is set when
  /// only an end of the sequence is left, so that no minimum length may forbid it.
  const uint32_t* allowed(bool& must_end);

 private:
  enum class Phase : uint8_t {
    kBegin,     // thinking may still be opened
    kThinking,  // anything, until the closing tag
    kText,      // bound
    kOver,      // complete; only a request that ignores eos comes here
    kBroken,    // a token that no mask allowed: nothing may follow
  };

  void restart(const Request& request, std::span<const TokenId> eos_ids, int32_t vocab_size);
  void advance(TokenId id);
  void begin(TokenId id);
  void think(TokenId id);
  void take(TokenId id);
  void start_text();
  bool answer_fits();
  void set_bit(TokenId id) { words_[static_cast<size_t>(id) / 32] |= 1U << (id % 32); }

  RequestId id_ = 0;
  const Constraint* constraint_ = nullptr;  // the request's, which outlives the sequence
  Phase phase_ = Phase::kText;
  std::optional<Matcher> matcher_;
  bool matcher_alive_ = true;  // kBegin: the tokens so far also begin a text
  size_t open_matched_ = 0;    // kBegin: bytes of the opening tag that the tokens so far spell
  std::string tail_;           // kThinking: the last bytes, where a closing tag may have begun
  size_t num_followed_ = 0;
  std::vector<TokenId> end_ids_;  // eos and stop ids inside the vocabulary
  int32_t vocab_size_ = 0;
  std::vector<uint32_t> words_;
};

}  // namespace seraph
