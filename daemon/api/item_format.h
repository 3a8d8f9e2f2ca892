// Answers that are a list of items (thinking, text, calls), as /v1/responses and /v1/messages have them: turns the
// parsers' deltas into items that open, grow and close one after another. Derived classes write what that looks like.
// Loop thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/answer.h"

namespace seraph {

struct AnswerItem {
  enum class Kind { kThinking, kText, kCall };
  Kind kind = Kind::kText;
  std::string id = {};        // the derived class's
  std::string text = {};      // thinking, text, or a call's arguments
  std::string call_id = {};   // kCall
  std::string name = {};      // kCall
  std::string logprobs = {};  // kText: entries of LogprobColumns, without brackets
};

class ItemFormat : public AnswerFormat {
 public:
  void append_delta(std::string& out, const Delta& delta) final;
  void end_stream(std::string& out, const Usage& usage) final;
  std::string body(std::span<const Choice> choices, const Usage& usage) final;

 protected:
  explicit ItemFormat(AnswerFacts facts) : facts_(std::move(facts)) {}

  // The item is items_.back().
  virtual void write_open(std::string& out, AnswerItem& item) = 0;
  virtual void write_text(std::string& out, std::string_view text, std::string_view logprobs) = 0;
  virtual void write_close(std::string& out, const AnswerItem& item) = 0;
  virtual void write_end(std::string& out, const Usage& usage) = 0;
  /// The answer in one piece.
  virtual std::string whole(const Usage& usage) = 0;

  size_t index() const { return items_.size() - 1; }
  bool has_calls() const;

  const AnswerFacts facts_;
  std::vector<AnswerItem> items_;
  bool cut_ = false;                  // by the output limit
  std::string stop_reason_ = "null";  // JSON
  std::string raw_text_;              // all of the answer before it is parsed, and its ids where they are asked for
  std::vector<TokenId> raw_ids_;

 private:
  void append_piece(std::string& out, const TextDelta& piece, std::span<const std::string> call_ids);
  void append_text(std::string& out, std::string_view text);
  void grow(std::string& out, std::string_view text);
  void flush_held(std::string& out);
  void take_logprobs(std::string_view list);
  void finish(std::string& out);
  bool is_open(AnswerItem::Kind kind) const { return open_ && items_.back().kind == kind; }
  void open(std::string& out, AnswerItem item);
  void close(std::string& out);

  bool open_ = false;     // the last item is still being written
  std::string held_;      // white space of a text that may never come
  std::string logprobs_;  // entries that no text has carried yet
};

}  // namespace seraph
