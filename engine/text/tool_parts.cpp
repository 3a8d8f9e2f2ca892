#include "engine/text/tool_parts.h"

#include <algorithm>

#include "engine/base/json.h"

namespace seraph {
namespace {

constexpr int kName = 2;  // of CallObject::reading_, beside the indices of arguments_

}  // namespace

int MarkerFinder::match_held() const {
  for (size_t i = 0; i < markers_.size(); ++i) {
    if (markers_[i].substr(0, held_.size()) != held_) continue;
    return static_cast<int>(markers_[i].size() == held_.size() ? i : markers_.size());
  }
  return -1;
}

int MarkerFinder::feed(char byte, std::string& text) {
  held_.push_back(byte);
  int match = match_held();
  while (match < 0 && !held_.empty()) {
    text.push_back(held_.front());
    held_.erase(0, 1);
    match = match_held();
  }
  if (match >= static_cast<int>(markers_.size())) return -1;
  if (match >= 0) held_.clear();
  return match;
}

void MarkerFinder::restart(std::string_view raw, std::string& text) {
  size_t longest = 0;
  for (const std::string_view marker : markers_) longest = std::max(longest, marker.size() - 1);
  held_ = raw.substr(raw.size() - std::min(raw.size(), longest));
  // An empty rest begins every marker, so this ends.
  while (match_held() != static_cast<int>(markers_.size())) held_.erase(0, 1);
  text.append(raw.substr(0, raw.size() - held_.size()));
}

void CallWriter::start_call(std::string_view name) {
  const int32_t index = num_started_++;
  if (timing_ == ParseTiming::kWritten) {
    append_delta(*out_, TextDelta::Kind::kCallStart, name, index);
    num_calls_ = num_started_;
    reported_ = true;
  } else {
    append_delta(staged_, TextDelta::Kind::kCallStart, name, index);
  }
}

void CallWriter::arguments(std::string_view text) {
  append_delta(timing_ == ParseTiming::kWritten ? *out_ : staged_, TextDelta::Kind::kArguments, text, num_started_ - 1);
}

void CallWriter::accept_block() {
  for (TextDelta& delta : staged_) out_->push_back(std::move(delta));
  staged_.clear();
  num_calls_ = num_started_;
  reported_ = false;
}

bool CallWriter::reject_block() {
  staged_.clear();
  num_started_ = num_calls_;
  return !std::exchange(reported_, false);
}

void CallObject::reset() {
  state_ = State::kOpen;
  key_.clear();
  name_raw_.clear();
  name_.reset();
  arguments_ = {};
  reading_ = -1;
  writing_ = -1;
  num_written_ = 0;
  no_call_ = false;
}

CallObject::Step CallObject::feed(char byte, CallWriter& writer) {
  const bool space = is_json_space(byte);
  switch (state_) {
    case State::kOpen:
      state_ = State::kFirstKey;
      return byte == '{' ? Step::kMore : Step::kBad;
    case State::kFirstKey:
    case State::kKey:
      if (space) return Step::kMore;
      if (byte == '}' && state_ == State::kFirstKey) return end_object(writer);
      return begin_key(byte);
    case State::kKeyText: {
      key_.push_back(byte);
      const JsonScanner::Step step = value_.feed(byte);
      if (step == JsonScanner::Step::kMore) return Step::kMore;
      return step == JsonScanner::Step::kDone && end_key() ? Step::kMore : Step::kBad;
    }
    case State::kColon:
      if (space) return Step::kMore;
      state_ = State::kBeforeValue;
      return byte == ':' ? Step::kMore : Step::kBad;
    case State::kBeforeValue:
      if (space) return Step::kMore;
      state_ = State::kValue;
      value_.reset();
      if (reading_ == 0 || reading_ == 1) arguments_[static_cast<size_t>(reading_)].is_object = byte == '{';
      return feed_value(byte, writer);
    case State::kValue:
      return feed_value(byte, writer);
    case State::kNext:
      return space ? Step::kMore : feed_next(byte, writer);
  }
  return Step::kBad;
}

CallObject::Step CallObject::begin_key(char byte) {
  if (byte != '"') return Step::kBad;
  state_ = State::kKeyText;
  key_ = byte;
  value_.reset();
  value_.feed(byte);
  return Step::kMore;
}

bool CallObject::end_key() {
  state_ = State::kColon;
  const std::optional<std::string> key = json_string_value(key_);
  if (!key) return false;
  reading_ = -1;
  if (*key == "name") reading_ = kName;
  if (*key == rules_.first_key) reading_ = 0;
  if (!rules_.other_key.empty() && *key == rules_.other_key) reading_ = 1;
  // Of two members of one name nobody can say which is meant.
  if (reading_ == kName && !name_raw_.empty()) return false;
  if (reading_ == 0 || reading_ == 1) {
    Arguments& arguments = arguments_[static_cast<size_t>(reading_)];
    if (arguments.present) return false;
    arguments.present = true;
  }
  return true;
}

CallObject::Step CallObject::feed_value(char byte, CallWriter& writer) {
  const JsonScanner::Step step = value_.feed(byte);
  if (step == JsonScanner::Step::kBad) return Step::kBad;
  if (step == JsonScanner::Step::kDoneBefore) {
    const Step ended = end_value(writer);
    return ended == Step::kMore && !is_json_space(byte) ? feed_next(byte, writer) : ended;
  }
  if (reading_ == kName) name_raw_.push_back(byte);
  if (reading_ == 0 || reading_ == 1) {
    arguments_[static_cast<size_t>(reading_)].text.push_back(byte);
    last_byte_ = byte;
    write_early(writer);
  }
  return step == JsonScanner::Step::kDone ? end_value(writer) : Step::kMore;
}

CallObject::Step CallObject::end_value(CallWriter& writer) {
  state_ = State::kNext;
  if (reading_ == kName) {
    name_ = json_string_value(name_raw_);
    no_call_ = no_call_ || !name_ || name_->empty();
    write_early(writer);
  }
  reading_ = -1;
  return Step::kMore;
}

CallObject::Step CallObject::feed_next(char byte, CallWriter& writer) {
  if (byte == '}') return end_object(writer);
  state_ = State::kKey;
  return byte == ',' ? Step::kMore : Step::kBad;
}

/// Arguments that are an object go out byte by byte once the name is known; a string that holds an object waits for
/// its end, and in kDecided everything does.
void CallObject::write_early(CallWriter& writer) {
  if (writer.timing() != ParseTiming::kWritten || no_call_ || !name_) return;
  // White space between tokens waits for the next one: a call that breaks off then ends with a token.
  if (reading_ != kName && !value_.in_string() && is_json_space(last_byte_)) return;
  if (writing_ < 0) {
    if (arguments_[0].is_object && !arguments_[0].text.empty()) {
      writing_ = 0;
    } else if (arguments_[1].is_object && !arguments_[1].text.empty()) {
      writing_ = 1;
    } else {
      return;
    }
    writer.start_call(*name_);
  }
  const std::string& text = arguments_[static_cast<size_t>(writing_)].text;
  writer.arguments(std::string_view(text).substr(num_written_));
  num_written_ = text.size();
}

std::optional<std::string> CallObject::chosen_arguments() const {
  const Arguments& chosen = arguments_[0].present ? arguments_[0] : arguments_[1];
  if (!chosen.present) return rules_.arguments_optional ? std::optional<std::string>("{}") : std::nullopt;
  if (chosen.is_object) return chosen.text;
  std::optional<std::string> inner = json_string_value(chosen.text);
  if (!inner) return std::nullopt;
  const size_t from = inner->find_first_not_of(" \t\r\n");
  const size_t to = inner->find_last_not_of(" \t\r\n");
  if (from == std::string::npos || (*inner)[from] != '{') return std::nullopt;
  inner = inner->substr(from, to - from + 1);
  return is_json_value(*inner) ? inner : std::nullopt;
}

CallObject::Step CallObject::end_object(CallWriter& writer) {
  if (writing_ >= 0) return Step::kCall;
  if (no_call_ || !name_) return Step::kOther;
  const std::optional<std::string> arguments = chosen_arguments();
  if (!arguments) return Step::kOther;
  writer.start_call(*name_);
  writer.arguments(*arguments);
  return Step::kCall;
}

std::optional<std::string> json_string_value(std::string_view raw) {
  if (raw.empty() || raw.front() != '"') return std::nullopt;
  auto value = Json::parse(raw);
  if (!value.ok() || !value->is_string()) return std::nullopt;
  return value->as_string();
}

}  // namespace seraph
