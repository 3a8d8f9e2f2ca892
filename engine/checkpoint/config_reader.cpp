#include "engine/checkpoint/config_reader.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "engine/checkpoint/safetensors.h"

namespace seraph {
Result<Json> read_config_file(const std::string& path) {
  constexpr const char* kRemedy = "take the file from the model's publisher again";
  auto json = Json::parse_file(path);
  if (!json.ok()) {
    if (json.error().remedy.empty()) json.error().remedy = kRemedy;
    return json;
  }
  if (!json->is_object()) return Error{ErrorCode::kCorrupt, path + " must hold one JSON object", kRemedy};
  return json;
}

const Json* ConfigReader::find(std::string_view key) const {
  const Json* value = object_ == nullptr ? nullptr : object_->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool ConfigReader::is_null(std::string_view key) const {
  const Json* value = object_ == nullptr ? nullptr : object_->find(key);
  return value != nullptr && value->is_null();
}

void ConfigReader::fail(Error error) {
  if (!error_.has_value()) error_ = std::move(error);
}

void ConfigReader::fail(std::string_view key, std::string_view what, std::string remedy) {
  const std::string name = full_key(key);
  if (remedy.empty()) remedy = "take the file from the model's publisher again";
  fail(Error{ErrorCode::kCorrupt, fmt::format("{}: {} {}", file_, name, what), std::move(remedy), name});
}

void ConfigReader::take_error(const ConfigReader& nested) {
  if (nested.error_.has_value()) fail(*nested.error_);
}

int64_t ConfigReader::required_integer(std::string_view key, int64_t min, int64_t max) {
  if (!has(key)) fail(key, "is missing");
  return integer(key, min, min, max);
}

int64_t ConfigReader::integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->as_double() : std::nan("");
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) || number != std::floor(number)) {
    fail(key, fmt::format("is {}, it must be a whole number from {} to {}", in_quotes(value->dump()), min, max));
    return fallback;
  }
  return value->is_int() ? value->as_int() : static_cast<int64_t>(number);
}

double ConfigReader::required_number(std::string_view key, double min, double max) {
  if (!has(key)) fail(key, "is missing");
  return number(key, min, min, max);
}

double ConfigReader::number(std::string_view key, double fallback, double min, double max) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !(value->as_double() >= min && value->as_double() <= max)) {
    fail(key, fmt::format("is {}, it must be a number from {} to {}", in_quotes(value->dump()), min, max));
    return fallback;
  }
  return value->as_double();
}

bool ConfigReader::boolean(std::string_view key, bool fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) {
    fail(key, fmt::format("is {}, it must be true or false", in_quotes(value->dump())));
    return fallback;
  }
  return value->as_bool();
}

std::string ConfigReader::text(std::string_view key, std::string_view fallback) {
  const Json* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) {
    fail(key, fmt::format("is {}, it must be text", in_quotes(value->dump())));
    return std::string(fallback);
  }
  return value->as_string();
}

ConfigReader ConfigReader::object(std::string_view key) {
  const Json* value = find(key);
  if (value != nullptr && !value->is_object()) {
    fail(key, fmt::format("is {}, it must be an object", in_quotes(value->dump())));
    value = nullptr;
  }
  ConfigReader nested = *this;
  nested.object_ = value;
  nested.error_.reset();
  nested.prefix_ = full_key(key) + ".";
  return nested;
}

}  // namespace seraph
