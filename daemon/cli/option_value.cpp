// Words to values: the types of the option table, with the limits and choices of the row.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

Error bad_value(const OptionRow& row, std::string what) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("argument {}: {}", option_flag(row), what), "",
               option_flag(row)};
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Calls `visit` with every item of "a|b|c".
template <typename Visit>
void each_item(std::string_view items, Visit visit) {
  while (!items.empty()) {
    const size_t end = items.find('|');
    visit(items.substr(0, end));
    items.remove_prefix(end == std::string_view::npos ? items.size() : end + 1);
  }
}

bool has_item(std::string_view items, std::string_view wanted) {
  bool found = false;
  each_item(items, [&](std::string_view item) { found = found || item == wanted; });
  return found;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lower;
}

/// 1048576 rather than 1.04858e+06: a limit that is told must also be one that is taken.
std::string number_text(double value) {
  const bool whole = value == std::trunc(value) && std::abs(value) < 0x1p53;
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{:g}", value);
}

Status check_range(const OptionRow& row, double value) {
  if (value >= row.min && value <= row.max) return {};
  return bad_value(row, fmt::format("{} is out of range, it must be from {} to {}", number_text(value),
                                    number_text(row.min), number_text(row.max)));
}

Status check_choice(const OptionRow& row, std::string& text) {
  if (*row.choices == '\0' || has_item(row.choices, text)) return {};
  // vLLM's own --log-level is upper case, its uvicorn twin lower case: case does not matter for the levels.
  if (std::string_view(row.name) == "log-level" && has_item(row.choices, to_lower(text))) {
    text = to_lower(text);
    return {};
  }
  std::string list;
  each_item(row.choices, [&](std::string_view item) { list += fmt::format("{}'{}'", list.empty() ? "" : ", ", item); });
  return bad_value(row, fmt::format("invalid choice: '{}' (choose from {})", text, list));
}

Status parse_number(const OptionRow& row, std::string_view text, Setting& out) {
  text = strip(text);
  std::string_view word_value;
  for (std::string_view rest = row.words; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('|'));
    const size_t equals = pair.find('=');
    if (to_lower(text) == pair.substr(0, equals)) word_value = pair.substr(equals + 1);
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
  }
  auto number = parse_human_int(word_value.empty() ? text : word_value, row.type == OptionType::kBytes);
  if (!number.ok()) return bad_value(row, number.error().message);
  SERAPH_RETURN_IF_ERROR(check_range(row, static_cast<double>(*number)));
  out.number = *number;
  return {};
}

/// Among several: a lone empty word means that the option is not set.
bool has_empty_part(const OptionRow& row, const std::vector<std::string>& words, std::string_view word) {
  if (word.empty()) return words.size() > 1;
  if (!row.splits_commas) return false;
  return word.starts_with(',') || word.ends_with(',') || word.find(",,") != std::string_view::npos;
}

Status parse_list(const OptionRow& row, const std::vector<std::string>& words, Setting& out) {
  // One word that is a JSON array is the array: --allowed-origins '["*"]'.
  if (words.size() == 1 && words[0].starts_with("[")) {
    auto json = Json::parse(words[0]);
    if (!json.ok() || !json->is_array()) return bad_value(row, fmt::format("'{}' is no JSON list", words[0]));
    for (const Json& item : json->as_array()) {
      if (!item.is_string()) return bad_value(row, "the JSON list must hold strings");
      out.list.push_back(item.as_string());
    }
    return {};
  }
  for (const std::string& word : words) {
    // Nobody types an empty key: a variable was not set, or a comma is one too many.
    if (row.secret && has_empty_part(row, words, word)) return bad_value(row, "one of the values is empty");
    std::string_view rest = word;
    while (!rest.empty()) {
      const size_t end = row.splits_commas ? rest.find(',') : std::string_view::npos;
      const std::string_view item = row.splits_commas ? strip(rest.substr(0, end)) : rest.substr(0, end);
      if (!item.empty()) out.list.emplace_back(item);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  out.set = !out.list.empty();
  return {};
}

Status parse_typed(const OptionRow& row, const std::vector<std::string>& words, Setting& out) {
  const std::string& text = words.front();
  switch (row.type) {
    case OptionType::kBool: {
      const auto flag = parse_bool(text);
      if (!flag) {
        return bad_value(row, fmt::format("invalid boolean value '{}', expected 'true' or 'false'", text));
      }
      out.flag = *flag;
      return {};
    }
    case OptionType::kInt:
    case OptionType::kBytes:
      return parse_number(row, text, out);
    case OptionType::kFloat: {
      const auto value = parse_double(strip(text));
      if (!value) return bad_value(row, fmt::format("invalid float value: '{}'", text));
      out.real = *value;
      return check_range(row, *value);
    }
    case OptionType::kString:
      out.text = text == "None" ? "" : text;
      out.set = !out.text.empty();
      return out.set ? check_choice(row, out.text) : Status{};
    case OptionType::kList:
      return parse_list(row, words, out);
    case OptionType::kJson: {
      auto json = Json::parse(text);
      if (!json.ok()) return bad_value(row, fmt::format("'{}' is no JSON: {}", text, json.error().message));
      if (!json->is_object() && !json->is_null()) return bad_value(row, "the JSON value must be an object");
      out.set = json->is_object();
      out.json = std::move(*json);
      return {};
    }
  }
  return {};
}

}  // namespace

std::optional<bool> parse_bool(std::string_view text) {
  const std::string lower = to_lower(strip(text));
  if (has_item("true|1|yes|on", lower)) return true;
  if (has_item("false|0|no|off", lower)) return false;
  return std::nullopt;
}

Result<int64_t> parse_human_int(std::string_view text, bool units) {
  const auto invalid = [&] { return Error{ErrorCode::kInvalidArgument, fmt::format("invalid int value: '{}'", text)}; };
  std::string_view digits = text;
  double scale = 1;
  bool binary = false;
  if (units && digits.ends_with("iB") && digits.size() > 2) {
    digits.remove_suffix(2);
    binary = true;
  } else if (units && digits.ends_with("B") && digits.size() > 1) {
    digits.remove_suffix(1);
  }
  static constexpr std::string_view kLower = "kmgt";
  static constexpr std::string_view kUpper = "KMGT";
  const char suffix = digits.empty() ? '\0' : digits.back();
  if (const size_t power = kLower.find(suffix); power != std::string_view::npos && suffix != '\0') {
    scale = std::pow(binary ? 1024.0 : 1000.0, static_cast<double>(power + 1));
    digits.remove_suffix(1);
  } else if (const size_t binary_power = kUpper.find(suffix);
             binary_power != std::string_view::npos && suffix != '\0') {
    scale = std::pow(1024.0, static_cast<double>(binary_power + 1));
    digits.remove_suffix(1);
    if (!units && digits.find('.') != std::string_view::npos) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("Decimals are not allowed with binary suffixes like {}. Did you mean to use {}{} instead?",
                      suffix, digits, static_cast<char>(suffix + 32))};
    }
  }
  if (scale == 1) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty()) return invalid();
    return value;
  }
  if (digits.empty() || digits.find_first_not_of("0123456789.-") != std::string_view::npos) return invalid();
  const auto value = parse_double(digits);
  if (!value || std::abs(*value * scale) > 9e18) return invalid();
  return static_cast<int64_t>(std::llround(*value * scale));
}

Result<Setting> parse_option_value(const OptionRow& row, const std::vector<std::string>& words) {
  Setting setting;
  setting.set = true;
  if (words.empty()) {
    if (row.type != OptionType::kList) return bad_value(row, "expected one argument");
    setting.set = false;
    return setting;
  }
  SERAPH_RETURN_IF_ERROR(parse_typed(row, words, setting));
  if (row.use != OptionUse::kRefused || !setting.set) return setting;
  const std::string text = setting_text(row, setting);
  if (has_item(row.allowed, text) || (row.type == OptionType::kJson && setting.json.as_object().empty()))
    return setting;
  const std::string_view why(row.help);
  return Error{ErrorCode::kUnsupported,
               fmt::format("{} {} cannot be used here: {}", option_flag(row), text, why.substr(0, why.size() - 1)), "",
               option_flag(row)};
}

std::string setting_text(const OptionRow& row, const Setting& setting) {
  if (!setting.set) return "not set";
  if (row.secret) return setting.list.size() == 1 ? "1 key" : fmt::format("{} keys", setting.list.size());
  switch (row.type) {
    case OptionType::kBool:
      return setting.flag ? "true" : "false";
    case OptionType::kInt:
    case OptionType::kBytes:
      return fmt::format("{}", setting.number);
    case OptionType::kFloat:
      return fmt::format("{:g}", setting.real);
    case OptionType::kString:
      return setting.text;
    case OptionType::kList: {
      std::string text;
      for (const std::string& item : setting.list) text += (text.empty() ? "" : ", ") + item;
      return text;
    }
    case OptionType::kJson:
      return setting.json.dump();
  }
  return "";
}

}  // namespace seraph
