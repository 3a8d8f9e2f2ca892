// The tojson filter as transformers defines it: json.dumps with ensure_ascii, indent, separators and sort_keys.
#include <algorithm>
#include <cmath>

#include "engine/text/jinja_builtins.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_unicode.h"

namespace seraph::jinja {
namespace {

constexpr int kNestingMax = 400;

class Writer {
 public:
  Writer(Interpreter& in, Args& args) : in_(in) {
    const Params params("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    ascii_ = params.flag(0);
    sort_keys_ = params.flag(3);
    if (params.has(1) && !params[1].is_none()) {
      pretty_ = true;
      if (params[1].is_str()) {
        indent_ = str_of(params[1]);
      } else {
        const int64_t width = std::max<int64_t>(params.integer(1, 0), 0);
        in.check_text(width);
        indent_ = std::string(static_cast<size_t>(width), ' ');
      }
    }
    comma_ = pretty_ ? "," : ", ";
    if (params.has(2) && !params[2].is_none()) {
      const std::vector<Value> parts = to_vector(in.heap(), params[2]);
      if (parts.size() != 2 || !parts[0].is_str() || !parts[1].is_str())
        fail("TypeError: separators must be two strings");
      comma_ = str_of(parts[0]);
      colon_ = str_of(parts[1]);
    }
  }

  std::string write(const Value& value) {
    append(value, 0);
    return std::move(out_);
  }

 private:
  void line(int depth) {
    if (!pretty_) return;
    out_ += '\n';
    for (int i = 0; i < depth; ++i) out_ += indent_;
  }

  void append(const Value& value, int depth) {
    in_.step();
    if (depth > kNestingMax) fail("RecursionError: this value is nested too deep for tojson");
    if (out_.size() > checked_) {
      in_.check_text(static_cast<int64_t>(out_.size()));
      checked_ = out_.size() + 65536;
    }
    switch (value.type()) {
      case Type::kNone:
        out_ += "null";
        return;
      case Type::kBool:
        out_ += value.as_bool() ? "true" : "false";
        return;
      case Type::kInt:
      case Type::kBig:
        append_str(out_, value);
        return;
      case Type::kFloat:
        append_float(value.as_float());
        return;
      case Type::kStr:
        append_string(str_of(value));
        return;
      case Type::kList:
      case Type::kTuple:
        return append_list(value.as<ListObject>().items(), depth);
      case Type::kDict:
        return append_dict(value.as<DictObject>(), depth);
      default:
        fail("TypeError: Object of type " + type_name(value) + " is not JSON serializable");
    }
  }

  void append_float(double value) {
    if (std::isfinite(value)) {
      out_ += repr_float(value);
    } else {
      out_ += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    }
  }

  void append_list(const std::vector<Value>& items, int depth) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out_ += comma_;
      line(depth + 1);
      append(items[i], depth + 1);
    }
    line(depth);
    out_ += ']';
  }

  void append_key(const Value& key) {
    switch (key.type()) {
      case Type::kStr:
        append_string(str_of(key));
        return;
      case Type::kNone:
      case Type::kBool:
      case Type::kInt:
      case Type::kBig:
      case Type::kFloat:
        out_ += '"';
        append(key, 0);
        out_ += '"';
        return;
      default:
        fail("TypeError: keys must be str, int, float, bool or None, not " + type_name(key));
    }
  }

  void append_dict(DictObject& dict, int depth) {
    const auto& entries = dict.entries();
    if (entries.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const DictObject::Entry*> order;
    order.reserve(entries.size());
    for (const auto& entry : entries) order.push_back(&entry);
    if (sort_keys_) {
      std::stable_sort(order.begin(), order.end(),
                       [](const auto* a, const auto* b) { return less(a->first, b->first); });
    }
    out_ += '{';
    for (size_t i = 0; i < order.size(); ++i) {
      if (i != 0) out_ += comma_;
      line(depth + 1);
      append_key(order[i]->first);
      out_ += colon_;
      append(order[i]->second, depth + 1);
    }
    line(depth);
    out_ += '}';
  }

  void append_escape(char32_t c) {
    char text[16];
    if (c >= 0x10000) {
      const unsigned offset = static_cast<unsigned>(c) - 0x10000;
      std::snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
    } else {
      std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
    }
    out_ += text;
  }

  void append_string(std::string_view text) {
    out_ += '"';
    size_t clean = 0;  // start of what is yet to be copied as it is
    for (size_t at = 0; at < text.size();) {
      const size_t start = at;
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7F || !ascii_)) {
        ++at;
        continue;
      }
      const char32_t c = next_code_point(text, at);
      out_ += text.substr(clean, start - clean);
      clean = at;
      static constexpr std::string_view kFrom = "\"\\\n\r\t\b\f";
      static constexpr std::string_view kTo = "\"\\nrtbf";
      if (const size_t found = c < 0x80 ? kFrom.find(static_cast<char>(c)) : kFrom.npos; found != kFrom.npos) {
        out_ += '\\';
        out_ += kTo[found];
      } else {
        append_escape(c);
      }
    }
    out_ += text.substr(clean);
    out_ += '"';
  }

  Interpreter& in_;
  bool ascii_ = false;
  bool pretty_ = false;
  bool sort_keys_ = false;
  std::string indent_;
  std::string comma_;
  std::string colon_ = ": ";
  std::string out_;
  size_t checked_ = 65536;
};

}  // namespace

std::string dump_json(Interpreter& in, const Value& value, Args& args) { return Writer(in, args).write(value); }

}  // namespace seraph::jinja
