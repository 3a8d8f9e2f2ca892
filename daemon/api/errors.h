// What a client reads when a request is refused: OpenAI's shape with vLLM's status, type, param and wording
// (checked against recorded exchanges). Values; any thread.
#pragma once

#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/regex.h"

namespace seraph {

struct ApiError {
  int status = 400;
  std::string type = "BadRequestError";
  std::string message;
  std::optional<std::string> param = {};  // JSON null when absent
  bool bare = false;                      // the body is {"detail": message}, as FastAPI answers unreadable bodies
  int retry_after_s = 0;                  // > 0: a Retry-After header
};

/// {"error":{"message","type","param","code"}}, or {"detail":...} when bare.
std::string error_json(const ApiError& error);

/// 400 BadRequestError: a value that the schema admits but a later rule refuses.
ApiError bad_request(std::string message, std::optional<std::string> param = {});
/// 400 BadRequestError whose message ends in "(parameter=P, value=V)".
ApiError bad_parameter(std::string message, std::string_view param, std::string_view value);
/// An engine, template or tokenizer error as HTTP.
ApiError from_error(const Error& error);

/// 500 for what a worker threw; logged, since the client can do nothing about it.
ApiError worker_failed(const std::exception& error);

/// What `work` returns. A request that memory or a pattern's steps do not suffice for, or that a defect of ours meets,
/// fails alone; the server goes on.
template <typename Work>
std::optional<ApiError> guarded(const Work& work) {
  try {
    return work();
  } catch (const text::PatternLimit& limit) {
    return bad_request(limit.what());
  } catch (const std::exception& error) {
    return worker_failed(error);
  }
}

/// One refusal of the request schema, in the words of vLLM's schema library.
struct SchemaError {
  std::string type;      // "int_parsing"
  std::string loc;       // "body.max_tokens"
  std::string msg;       // "Input should be a valid integer, ..."
  std::string input;     // the value as text
  std::string ctx = {};  // "'ge': 1", printed inside braces; "" when there is none
};
/// Checks of lists stop when so many errors are collected: a body holds millions of wrong items, and each error is some
/// hundred bytes.
inline constexpr size_t kSchemaErrorsMax = 1000;

/// 400 Bad Request with "N validation error(s):" ("at least N" when checks stopped there) and one line each; param is
/// the first one's place.
ApiError schema_error(const std::vector<SchemaError>& errors);

/// A value as the errors print it: "<list of 3 items>", "<dict of 1 items>", None, True, 1.5, text itself.
std::string describe(const Json& value);
/// Python's repr of a float: 2.1, 100.0, 1e+308, nan, inf.
std::string python_float(double value);
/// Python's repr of a string, with quotes.
std::string python_string(std::string_view text);

}  // namespace seraph
