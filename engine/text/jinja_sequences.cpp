// Slices, lines and replacement: what strings and lists share.
#include <algorithm>
#include <limits>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

int64_t slice_index(const Value& value, int64_t fallback) {
  if (value.is_missing() || value.is_none()) return fallback;
  if (value.is_undefined()) fail("TypeError: slice indices must be integers or None or have an __index__ method");
  if (value.is(Type::kBig)) {
    return value.as<BigObject>().value.is_negative() ? std::numeric_limits<int64_t>::min() / 2
                                                     : std::numeric_limits<int64_t>::max() / 2;
  }
  if (!value.is(Type::kInt) && !value.is(Type::kBool)) {
    fail("TypeError: slice indices must be integers or None or have an __index__ method");
  }
  return std::clamp(value.as_int(), std::numeric_limits<int64_t>::min() / 2, std::numeric_limits<int64_t>::max() / 2);
}

struct Steps {
  int64_t start, step, count;
};

Steps plan_slice(int64_t size, const Value& start, const Value& stop, const Value& step) {
  const int64_t by = slice_index(step, 1);
  if (by == 0) fail("ValueError: slice step cannot be zero");
  const int64_t low = by > 0 ? 0 : -1;
  const int64_t high = by > 0 ? size : size - 1;
  const auto bound = [&](const Value& value, int64_t fallback) {
    if (value.is_missing() || value.is_none()) return fallback;
    const int64_t index = slice_index(value, 0);
    return std::clamp(index < 0 ? index + size : index, low, high);
  };
  const int64_t from = bound(start, by > 0 ? low : high);
  const int64_t to = bound(stop, by > 0 ? high : low);
  int64_t count = 0;
  if (by > 0 && from < to) count = (to - from - 1) / by + 1;
  if (by < 0 && from > to) count = (from - to - 1) / -by + 1;
  return {from, by, count};
}

std::string slice_text(std::string_view text, bool ascii, Steps steps) {
  if (ascii) {
    if (steps.step == 1)
      return std::string(text.substr(static_cast<size_t>(steps.start), static_cast<size_t>(steps.count)));
    std::string out;
    for (int64_t i = 0; i < steps.count; ++i) out += text[static_cast<size_t>(steps.start + i * steps.step)];
    return out;
  }
  if (steps.step == 1) {
    const size_t begin = byte_offset(text, steps.start);
    return std::string(text.substr(begin, byte_offset(text.substr(begin), steps.count)));
  }
  std::vector<size_t> offsets;
  for (size_t at = 0; at < text.size(); next_code_point(text, at)) offsets.push_back(at);
  offsets.push_back(text.size());
  std::string out;
  for (int64_t i = 0; i < steps.count; ++i) {
    const auto at = static_cast<size_t>(steps.start + i * steps.step);
    out += text.substr(offsets[at], offsets[at + 1] - offsets[at]);
  }
  return out;
}

}  // namespace

Value slice(Interpreter& in, const Value& value, const Value& start, const Value& stop, const Value& step) {
  const Steps steps = plan_slice(length_of(value), start, stop, step);
  if (value.is_str()) return in.str(slice_text(str_of(value), is_ascii(value), steps), is_markup(value));
  if (value.is(Type::kBytes)) {
    return Value(Type::kBytes,
                 make_object<BytesObject>(&in.heap(), slice_text(value.as<BytesObject>().bytes_, true, steps)));
  }
  if (value.is(Type::kRange)) {
    const auto& range = value.as<RangeObject>();
    const int64_t from = range.start + steps.start * range.step;
    const int64_t by = range.step * steps.step;
    // The end as Python computes it, so that the slice prints the same.
    const int64_t size = range.size();
    const Steps ends = plan_slice(size, stop, Value(), steps.step);
    const bool open = stop.is_missing() || stop.is_none();
    const int64_t end_index = open ? (steps.step > 0 ? size : -1) : ends.start;
    return Value(Type::kRange, make_object<RangeObject>(&in.heap(), from, range.start + end_index * range.step, by));
  }
  const auto& items = value.as<ListObject>().items();
  in.count_steps(steps.count / 8);
  std::vector<Value> out;
  out.reserve(static_cast<size_t>(steps.count));
  for (int64_t i = 0; i < steps.count; ++i) out.push_back(items[static_cast<size_t>(steps.start + i * steps.step)]);
  return value.is(Type::kList) ? in.list(std::move(out)) : make_tuple(in.heap(), std::move(out));
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const char32_t c = next_code_point(text, at);
    if (!is_line_break(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    out.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

std::string replace_text(Interpreter& in, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count) {
  std::string out;
  int64_t left = count < 0 ? std::numeric_limits<int64_t>::max() : count;
  const auto check = [&] {
    if (static_cast<int64_t>(out.size()) > (1 << 20)) in.check_text(static_cast<int64_t>(out.size()));
  };
  if (from.empty()) {
    // Between all characters and at both ends.
    size_t at = 0;
    while (left-- > 0) {
      out += to;
      check();
      if (at >= text.size()) return out;
      const size_t start = at;
      next_code_point(text, at);
      out += text.substr(start, at - start);
    }
    return out.append(text.substr(at));
  }
  size_t at = 0;
  while (left-- > 0) {
    const size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += to;
    check();
    at = found + from.size();
  }
  return out.append(text.substr(at));
}

}  // namespace seraph::jinja
