#include "engine/text/tokenizer.h"

namespace seraph {

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
    : stream_(tokenizer.start_decoding(skip_special_tokens)) {}

void Detokenizer::prime(std::span<const int32_t> prompt_ids) {
  std::string ignored;
  for (const int32_t id : prompt_ids) {
    stream_->push(id, ignored);
    ignored.clear();
  }
  stream_->drop_held();
}

void Detokenizer::push(int32_t id, std::string& out) {
  stream_->push(id, out);
  stream_->release(out);
}

void Detokenizer::finish(std::string& out) { stream_->finish(out); }

}  // namespace seraph
