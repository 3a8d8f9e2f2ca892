#include "daemon/api/errors.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace seraph {
namespace {

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kResourceExhausted:
      return 429;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return 500;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt:
    case ErrorCode::kOutOfMemory:
      return 400;
  }
  return 500;
}

const char* type_of_status(int status) {
  switch (status) {
    case 400:
      return "BadRequestError";
    case 404:
      return "NotFoundError";
    case 429:
      return "TooManyRequestsError";
    case 503:
      return "ServiceUnavailableError";
    default:
      return "InternalServerError";
  }
}

}  // namespace

std::string error_json(const ApiError& error) {
  std::string out;
  if (error.bare) {
    out += "{\"detail\":";
    append_json_string(out, error.message);
    out += '}';
    return out;
  }
  out += "{\"error\":{\"message\":";
  append_json_string(out, error.message);
  out += ",\"type\":";
  append_json_string(out, error.type);
  out += ",\"param\":";
  if (error.param) {
    append_json_string(out, *error.param);
  } else {
    out += "null";
  }
  out += ",\"code\":" + std::to_string(error.status) + "}}";
  return out;
}

ApiError bad_request(std::string message, std::optional<std::string> param) {
  return ApiError{.message = std::move(message), .param = std::move(param)};
}

ApiError bad_parameter(std::string message, std::string_view param, std::string_view value) {
  message += " (parameter=";
  message += param;
  message += ", value=";
  message += value;
  message += ')';
  return ApiError{.message = std::move(message), .param = std::string(param)};
}

ApiError worker_failed(const std::exception& error) {
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  spdlog::error("a request failed on a worker: {}", memory ? "out of memory" : error.what());
  return ApiError{.status = 500,
                  .type = "InternalServerError",
                  .message = memory ? "out of memory while the request was worked on" : "Internal server error",
                  .retry_after_s = memory ? 5 : 0};
}

ApiError from_error(const Error& error) {
  const int status = http_status(error.code);
  return ApiError{.status = status,
                  .type = type_of_status(status),
                  .message = error.text(),
                  .param = error.param.empty() ? std::nullopt : std::optional(error.param),
                  .retry_after_s = status == 429 || status == 503 ? 1 : 0};
}

ApiError schema_error(const std::vector<SchemaError>& errors) {
  constexpr size_t kLinesMax = 50;  // a hostile list of thousands of wrong items must not make a huge answer
  std::string message = errors.size() >= kSchemaErrorsMax ? "at least " : "";
  message += std::to_string(errors.size());
  message += errors.size() == 1 ? " validation error:" : " validation errors:";
  for (size_t i = 0; i < errors.size() && i < kLinesMax; ++i) {
    const SchemaError& e = errors[i];
    message += "\n  {'type': " + python_string(e.type) + ", 'loc': " + python_string(e.loc) +
               ", 'msg': " + python_string(e.msg) + ", 'input': " + python_string(e.input);
    if (!e.ctx.empty()) message += ", 'ctx': {" + e.ctx + '}';
    message += '}';
  }
  if (errors.size() > kLinesMax) message += "\n  <cut: " + std::to_string(errors.size() - kLinesMax) + " more>";
  return ApiError{.type = "Bad Request",
                  .message = std::move(message),
                  .param = errors.empty() ? std::nullopt : std::optional(errors.front().loc)};
}

std::string describe(const Json& value) {
  constexpr size_t kTextMax = 200;
  switch (value.kind()) {
    case Json::Kind::kNull:
      return "None";
    case Json::Kind::kBool:
      return value.as_bool() ? "True" : "False";
    case Json::Kind::kInt:
      return std::to_string(value.as_int());
    case Json::Kind::kDouble:
      if (const auto digits = value.integer_digits(); !digits.empty()) return std::string(digits.substr(0, kTextMax));
      return python_float(value.as_double());
    case Json::Kind::kString:
      return value.as_string().substr(0, kTextMax);
    case Json::Kind::kArray:
      return "<list of " + std::to_string(value.as_array().size()) + " items>";
    case Json::Kind::kObject:
      return "<dict of " + std::to_string(value.as_object().size()) + " items>";
  }
  return {};
}

std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[64];
  const double magnitude = std::abs(value);
  const bool scientific = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  const auto result = std::to_chars(text, text + sizeof text, value, format);
  std::string out(text, result.ptr);
  if (!scientific && out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string python_string(std::string_view text) {
  const bool use_double = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = use_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || c == quote) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  out += quote;
  return out;
}

}  // namespace seraph
