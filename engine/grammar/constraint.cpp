#include "engine/grammar/constraint.h"

namespace seraph {

ThinkingMarks ThinkingMarks::make(std::string_view open, std::string_view close, std::string_view answer,
                                  const Tokenizer& tokenizer, const TokenTable& tokens) {
  ThinkingMarks marks{.open = std::string(open), .close = std::string(close)};
  marks.open_id = tokenizer.find_piece(open);
  marks.close_id = tokenizer.find_piece(close);
  if (!answer.empty()) marks.answer_id = tokenizer.find_piece(answer);
  marks.open_ids.resize(open.size());
  for (int32_t id = 0; id < tokens.vocab_size(); ++id) {
    const std::string_view bytes = tokens.bytes(id);
    if (bytes.empty()) continue;
    for (size_t n = 0; n < open.size(); ++n) {
      if (open.substr(n).starts_with(bytes)) marks.open_ids[n].push_back(id);
    }
  }
  if (marks.open_id >= 0 && !open.empty()) marks.open_ids[0].push_back(marks.open_id);
  return marks;
}

}  // namespace seraph
