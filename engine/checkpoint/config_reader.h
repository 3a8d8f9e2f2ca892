// Values of a config file with their types and ranges checked. The first error is kept and everything
// after it reads as the fallback, so that a family file is a list of facts and asks once, at the end.
// A number may be written as 64 or 64.0; null counts as absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

/// Reads a file that holds one JSON object. Errors: kNotFound, kIo, kCorrupt; they name the file.
Result<Json> read_config_file(const std::string& path);

class ConfigReader {
 public:
  /// `object` outlives the reader; `file` names it in messages ("DIR/config.json").
  ConfigReader(const Json& object, std::string file) : object_(&object), file_(std::move(file)) {}

  /// The member, or null when it is absent or JSON's null.
  const Json* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Present, and written as null.
  bool is_null(std::string_view key) const;

  /// A whole number in [min, max].
  int64_t required_integer(std::string_view key, int64_t min, int64_t max);
  int64_t integer(std::string_view key, int64_t fallback, int64_t min, int64_t max);
  /// A finite number in [min, max].
  double required_number(std::string_view key, double min, double max);
  double number(std::string_view key, double fallback, double min, double max);
  bool boolean(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  /// A reader of the object under `key` (of an empty one when absent); its error must be handed back to take_error().
  ConfigReader object(std::string_view key);

  /// Keeps an error unless there is one already.
  void fail(Error error);
  /// kCorrupt: "FILE: KEY <what>".
  void fail(std::string_view key, std::string_view what, std::string remedy = {});
  void take_error(const ConfigReader& nested);
  Status status() const { return error_.has_value() ? Status(*error_) : Status(); }

  /// The key with the keys of the objects around it: "rope_scaling.factor".
  std::string full_key(std::string_view key) const { return prefix_ + std::string(key); }
  const std::string& file() const { return file_; }

 private:
  const Json* object_;  // null: an object without members
  std::string file_;
  std::string prefix_ = {};
  std::optional<Error> error_ = {};
};

}  // namespace seraph
