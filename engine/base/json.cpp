#include "engine/base/json.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <unordered_map>

namespace seraph {
namespace {

Json convert(simdjson::dom::element element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::ARRAY: {
      Json::Array out;
      const auto array = element.get_array().value_unsafe();
      out.reserve(array.size());
      for (auto child : array) out.push_back(convert(child));
      return Json(std::move(out));
    }
    case Type::OBJECT: {
      Json::Object out;
      // Linear search serves the usual dozen members; a large object gets an index, whose keys lie in the document.
      std::unordered_map<std::string_view, size_t> index;
      const auto object = element.get_object().value_unsafe();
      const bool large = object.size() > 32;
      for (auto [name, child] : object) {
        size_t at = out.size();
        if (!large) {
          for (size_t i = 0; i < out.size(); ++i) {
            if (out[i].first == name) at = i;
          }
        } else {
          auto [it, fresh] = index.emplace(name, out.size());
          at = fresh ? out.size() : it->second;
        }
        if (at == out.size()) {
          out.emplace_back(std::string(name), convert(child));
        } else {
          out[at].second = convert(child);
        }
      }
      return Json(std::move(out));
    }
    case Type::INT64:
      return Json(element.get_int64().value_unsafe());
    case Type::UINT64:
      return Json::big_integer(std::to_string(element.get_uint64().value_unsafe()));
    case Type::DOUBLE:
      return Json(element.get_double().value_unsafe());
    case Type::STRING:
      return Json(std::string_view(element.get_string().value_unsafe()));
    case Type::BOOL:
      return Json(element.get_bool().value_unsafe());
    case Type::NULL_VALUE:
      return Json(nullptr);
  }
  return Json(nullptr);
}

void append_value(std::string& out, const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull:
      out += "null";
      break;
    case Json::Kind::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case Json::Kind::kInt:
      out += std::to_string(value.as_int());
      break;
    case Json::Kind::kDouble:
      if (const std::string_view digits = value.integer_digits(); !digits.empty()) {
        out += digits;
      } else {
        append_json_double(out, value.as_double());
      }
      break;
    case Json::Kind::kString:
      append_json_string(out, value.as_string());
      break;
    case Json::Kind::kArray: {
      out += '[';
      bool first = true;
      for (const Json& item : value.as_array()) {
        if (!first) out += ',';
        first = false;
        append_value(out, item);
      }
      out += ']';
      break;
    }
    case Json::Kind::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [name, item] : value.as_object()) {
        if (!first) out += ',';
        first = false;
        append_json_string(out, name);
        out += ':';
        append_value(out, item);
      }
      out += '}';
      break;
    }
  }
}

/// Length of the valid UTF-8 sequence at text[at], 0 when there is none.
size_t utf8_sequence_bytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto tail = [&](size_t i) { return at + i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

/// The text with ".0" behind every integer of 19 digits or more: simdjson refuses what 64 bits cannot hold, and config
/// files do say 1000000000000000019884624838656.
std::string widen_integers(std::string_view text) {
  constexpr size_t kDigitsMin = 19;
  std::string out;
  out.reserve(text.size() + 16);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const auto is_digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (!in_string && is_digit(i)) {
      while (is_digit(i)) ++i;
      const bool fraction = begin > 0 && (text[begin - 1] == '.' || text[begin - 1] == '+' || text[begin - 1] == 'e' ||
                                          text[begin - 1] == 'E');
      const bool real = i < text.size() && (text[i] == '.' || text[i] == 'e' || text[i] == 'E');
      out += text.substr(begin, i - begin);
      if (i - begin >= kDigitsMin && !fraction && !real) out += ".0";
      continue;
    }
    if (in_string && text[i] == '\\') {
      ++i;  // with what it escapes
    } else if (text[i] == '"') {
      in_string = !in_string;
    }
    i = std::min(i + 1, text.size());
    out += text.substr(begin, i - begin);
  }
  return out;
}

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::dom::element root;
  auto error = parser.parse(padded).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    error = parser.parse(simdjson::padded_string(widen_integers(text))).get(root);
  }
  if (error != simdjson::SUCCESS) {
    return Error{ErrorCode::kInvalidArgument, std::string("not valid JSON: ") + simdjson::error_message(error)};
  }
  return convert(root);
}

Result<Json> Json::parse_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, "cannot read " + path, "check the path and its permissions"};
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return Error{ErrorCode::kIo, "reading " + path + " failed"};
  auto parsed = parse(text.str());
  if (!parsed.ok()) return Error{ErrorCode::kCorrupt, path + " is " + parsed.error().message};
  return parsed;
}

Json Json::big_integer(std::string digits) {
  double value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  Json out;
  out.state_ = BigInteger{value, std::move(digits)};
  return out;
}

const Json* Json::find(std::string_view name) const {
  if (!is_object()) return nullptr;
  for (const auto& [key, value] : as_object()) {
    if (key == name) return &value;
  }
  return nullptr;
}

Json* Json::find(std::string_view name) { return const_cast<Json*>(std::as_const(*this).find(name)); }

void Json::set(std::string_view name, Json value) {
  if (is_null()) state_ = Object{};
  if (Json* existing = find(name)) {
    *existing = std::move(value);
  } else {
    as_object().emplace_back(std::string(name), std::move(value));
  }
}

std::string Json::dump() const {
  std::string out;
  append_value(out, *this);
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  size_t clean_from = 0;
  const auto flush = [&](size_t to) { out.append(text.data() + clean_from, to - clean_from); };
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      if (const size_t length = utf8_sequence_bytes(text, i); length > 0) {
        i += length;
        continue;
      }
      flush(i);
      out += "\xEF\xBF\xBD";
      clean_from = ++i;
      continue;
    }
    flush(i);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default: {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", c);
        out += escape;
      }
    }
    clean_from = ++i;
  }
  flush(text.size());
  out += '"';
}

void append_json_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out += digits;
  if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

}  // namespace seraph
