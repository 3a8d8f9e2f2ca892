// Errors of the world as values. A function that can fail because of its input, the disk or the
// machine returns Result<T> (or Status, a Result without a value); broken assumptions of ours are
// SERAPH_CHECK (check.h). An Error says what is wrong and, in `remedy`, what the reader can do.
// Values: copy and move freely, no thread rules.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace seraph {

enum class ErrorCode {
  kInvalidArgument,    // the caller's input is wrong               HTTP 400, exit 2
  kNotFound,           // a named thing does not exist              HTTP 404, exit 2
  kUnsupported,        // understood, but not offered               HTTP 400, exit 2
  kCorrupt,            // a file contradicts itself or its format   HTTP 400, exit 2
  kIo,                 // the operating system refused              HTTP 500, exit 2
  kOutOfMemory,        // does not fit; the remedy names a number   HTTP 400, exit 2
  kResourceExhausted,  // a queue or a limit is full: try later     HTTP 429, exit 1
  kUnavailable,        // shutting down or not ready                HTTP 503, exit 1
  kInternal,           // device fault or a bug                     HTTP 500, exit 1
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;      // one sentence, names the value and the limit; no trailing newline
  std::string remedy = {};  // what to do about it, "" when there is nothing to say
  std::string param = {};   // the request field, option or file key at fault, "" when none

  /// "message; remedy" as one line for a terminal or a log.
  std::string text() const { return remedy.empty() ? message : message + "; " + remedy; }
};

/// A T or an Error. `ok()` must be checked before `value()`; SERAPH_ASSIGN_OR_RETURN does both.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace seraph

#define SERAPH_CONCAT_INNER(a, b) a##b
#define SERAPH_CONCAT(a, b) SERAPH_CONCAT_INNER(a, b)

/// Returns the error of a Status (or Result) expression from the enclosing function.
#define SERAPH_RETURN_IF_ERROR(expr)                      \
  if (auto seraph_status = (expr); !seraph_status.ok()) { \
    return std::move(seraph_status.error());              \
  }

/// SERAPH_ASSIGN_OR_RETURN(auto plan, plan_kv_blocks(...)): declares `plan` or returns the error.
#define SERAPH_ASSIGN_OR_RETURN(lhs, expr)                             \
  auto SERAPH_CONCAT(seraph_result_, __LINE__) = (expr);               \
  if (!SERAPH_CONCAT(seraph_result_, __LINE__).ok()) {                 \
    return std::move(SERAPH_CONCAT(seraph_result_, __LINE__).error()); \
  }                                                                    \
  lhs = std::move(SERAPH_CONCAT(seraph_result_, __LINE__)).value()
