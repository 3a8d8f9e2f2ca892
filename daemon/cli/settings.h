// The effective value of every option and where it came from. Sources, strongest first: command line, environment,
// --config file, ti_model_config.json of the model folder, the preset of the model's family, the verb's defaults. This
// is the only place that looks at the environment, and it does so through `Sources::environment`, so that tests bring
// their own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/option.h"
#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph {

enum class Origin : uint8_t { kDefault, kDemo, kPreset, kModelConfig, kConfigFile, kEnvironment, kCommandLine };

/// What one source says about one option: the words as written.
struct Assignment {
  const OptionRow* row = nullptr;
  std::vector<std::string> words;
  std::string json_path = {};  // "a.b" of --x.a.b VALUE
  Origin origin = Origin::kDefault;
  std::string where = {};  // "environment MAX_MODEL_LEN", "seraph.yaml"
};

/// A value of the type that the row names; only that member is filled. `set` is false for "not given, no default".
struct Setting {
  bool set = false;
  bool flag = false;
  int64_t number = 0;
  double real = 0;
  std::string text = {};
  std::vector<std::string> list = {};
  Json json = {};
  Origin origin = Origin::kDefault;
  std::string where = "default";
};

class Settings {
 public:
  explicit Settings(const OptionTable& table) : table_(table), values_(table.rows.size()) {}

  // REQUIRES: the table has a row of that name and type.
  bool flag(std::string_view name) const { return get(name, OptionType::kBool).flag; }
  int64_t number(std::string_view name) const;  // kInt and kBytes; 0 when not set
  double real(std::string_view name) const { return get(name, OptionType::kFloat).real; }
  const std::string& text(std::string_view name) const { return get(name, OptionType::kString).text; }
  const std::vector<std::string>& list(std::string_view name) const { return get(name, OptionType::kList).list; }
  const Json& json(std::string_view name) const { return get(name, OptionType::kJson).json; }
  const Setting& at(std::string_view name) const;

  const OptionTable& table() const { return table_; }
  const std::vector<Setting>& values() const { return values_; }
  /// Lines for the log: options that were taken without effect, keys of ti_model_config.json that mean nothing here.
  const std::vector<std::string>& notes() const { return notes_; }
  void add_note(std::string note) { notes_.push_back(std::move(note)); }

  /// Parses the words and replaces the value (or adds to it, where the row says so and the origin is the same).
  Status assign(const Assignment& assignment);

 private:
  const Setting& get(std::string_view name, OptionType type) const;
  size_t index_of(const OptionRow* row) const;

  OptionTable table_;
  std::vector<Setting> values_;
  std::vector<std::string> notes_;
};

struct Sources {
  std::vector<std::string> args;  // after the verb
  std::function<std::optional<std::string>(const char* name)> environment;
};

/// The process's environment. The only call of getenv in the project.
std::optional<std::string> process_environment(const char* name);

/// Splits a command line into assignments by the rules of vLLM's parser (prefixes, '_' for '-', =, lists, --no-x) plus
/// its older boolean spellings. `-h` and `--help` are the caller's. Errors name the argument and the nearest option.
Result<std::vector<Assignment>> parse_command_line(const OptionTable& table, const std::vector<std::string>& args);

/// The options of a YAML text. `path` is for messages.
Result<std::vector<Assignment>> parse_config_text(const OptionTable& table, std::string_view text,
                                                  const std::string& path);

/// All sources in order of strength. Errors carry one sentence and the option in `param`.
Result<Settings> resolve_settings(const OptionTable& table, Verb verb, const Sources& sources);

/// Parses the words of one option. Exposed for tests.
Result<Setting> parse_option_value(const OptionRow& row, const std::vector<std::string>& words);
/// "8k" = 8000, "8K" = 8192, "25.6k" = 25600; with `units` also "4GiB" and "512MB".
Result<int64_t> parse_human_int(std::string_view text, bool units);
std::optional<bool> parse_bool(std::string_view text);

/// "8192", "[a, b]", "***" for secrets, "not set".
std::string setting_text(const OptionRow& row, const Setting& setting);

}  // namespace seraph
