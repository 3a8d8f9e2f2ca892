// The text of one sequence as a client sees it: ids become text, stop strings end it, and what may still become part
// of a stop string (or of an unfinished character) is held back. Loop thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/text/tokenizer.h"

namespace seraph {

struct TextRules {
  bool skip_special_tokens = true;
  bool include_stop = false;  // the stop string stays in the text
  int32_t tokens_min = 0;     // stop strings that end before so many tokens are passed over for good
  const std::vector<std::string>* stop = nullptr;  // borrowed for the object's life
};

class ChoiceText {
 public:
  ChoiceText(const Tokenizer& tokenizer, const TextRules& rules)
      : detokenizer_(tokenizer, rules.skip_special_tokens), rules_(rules) {}

  /// See Detokenizer::prime().
  void prime(std::span<const TokenId> prompt_ids) { detokenizer_.prime(prompt_ids); }
  /// Appends the text that may be sent now. Returns which stop string ended the text, or -1. After a stop nothing
  /// more may be pushed.
  int push(TokenId id, std::string& out);
  /// The sequence ended by itself: appends what was held back for stop strings. An unfinished character at the very
  /// end is dropped, as vLLM does. Returns as push(): the last held text may complete a stop string.
  int finish(std::string& out);

 private:
  int accept(std::string& out);

  Detokenizer detokenizer_;
  const TextRules rules_;
  int32_t num_tokens_ = 0;
  int32_t num_replacements_ = 0;  // U+FFFD at the end of the text: perhaps the first bytes of a character
  std::string held_;              // decoded, not yet sent: its start may begin a stop string
  std::string piece_;             // scratch
  std::vector<size_t> borders_;   // scratch
};

}  // namespace seraph
