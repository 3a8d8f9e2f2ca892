// Text to token ids and back, for tokenizer.json (byte-level and sentencepiece-style BPE, Unigram,
// WordLevel) and sentencepiece tokenizer.model. A Tokenizer is immutable after load(): encode and
// decode may run on any number of threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

/// One list of ids on its way to text. Text is appended as soon as no later id can change it. One thread at a time.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  virtual void push(int32_t id, std::string& out) = 0;
  /// Appends what is held back and readable as it is, though a later id could still change it.
  virtual void release(std::string& /*out*/) {}
  /// The list ends: appends what was held back, incomplete UTF-8 as U+FFFD.
  virtual void finish(std::string& out) = 0;
  /// Forgets what was held back; what follows is not the beginning of the text.
  virtual void drop_held() = 0;
};

class Tokenizer {
 public:
  /// Reads tokenizer.json, else tokenizer.model, together with tokenizer_config.json, special_tokens_map.json and
  /// added_tokens.json, the way transformers 5 does (golden/README.text.md). Errors name file, key and way out.
  static Result<std::unique_ptr<Tokenizer>> load(const std::string& model_dir);
  virtual ~Tokenizer() = default;

  /// Ids of `text` (any bytes; invalid UTF-8 is read as U+FFFD). `add_special_tokens` runs the post-processor (bos,
  /// eos); `parse_special` false treats the text of special tokens as plain text. Throws text::PatternLimit (regex.h)
  /// when one of the tokenizer's patterns gives up on the text.
  virtual std::vector<int32_t> encode(std::string_view text, bool add_special_tokens,
                                      bool parse_special = true) const = 0;
  /// The text of the whole list; ids beyond the vocabulary are skipped. Incomplete UTF-8 becomes U+FFFD.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const = 0;
  /// The same id by id; the stream borrows the tokenizer.
  virtual std::unique_ptr<DecodeStream> start_decoding(bool skip_special_tokens) const = 0;

  /// One more than the largest id, added tokens included.
  virtual int32_t vocab_size() const = 0;
  /// The vocabulary's own spelling ("Ġthe", "▁the", "<|im_end|>"); "" for ids that do not exist.
  virtual std::string_view piece(int32_t id) const = 0;
  /// -1 when the vocabulary has no such entry (exact spelling).
  virtual int32_t find_piece(std::string_view piece) const = 0;
  virtual bool is_special(int32_t id) const = 0;
  /// Special, or otherwise added beside the vocabulary: found in text as a whole, never a piece of ordinary words.
  virtual bool is_added(int32_t id) const { return is_special(id); }

  /// tokenizer_config.json's special tokens by name (bos_token, eos_token, ...) as an object of strings, for templates.
  virtual const Json& special_tokens() const = 0;
  /// The id of its eos_token; -1 when there is none.
  int32_t eos_id() const;
  /// The chat template's text: chat_template.jinja, else tokenizer_config.json's chat_template (a string, or the list
  /// form: the entry named "default", and "tool_use" when tools are given), else chat_template.json; "" when there is
  /// none.
  virtual std::string chat_template(bool with_tools) const = 0;
};

/// Ids of one sequence to text, as they arrive. Text comes out as soon as it can no longer change: an incomplete UTF-8
/// sequence or a leading space whose fate depends on the next id is held back. After finish() the concatenation of all
/// returned pieces equals decode() of all ids, but for runs of byte tokens: their characters come out at once (a run
/// may be a whole answer), where decode() takes them back when the run turns out not to be UTF-8. One thread at a time;
/// costs O(1) per id.
class Detokenizer {
 public:
  Detokenizer(const Tokenizer& tokenizer, bool skip_special_tokens);
  /// Ids that came before the text (the prompt): they set the state (a first word keeps its space), but give no text.
  void prime(std::span<const int32_t> prompt_ids);
  /// Appends the text that `id` completes (possibly nothing).
  void push(int32_t id, std::string& out);
  /// Appends what was held back; incomplete UTF-8 as U+FFFD.
  void finish(std::string& out);

 private:
  const std::unique_ptr<DecodeStream> stream_;
};

}  // namespace seraph
