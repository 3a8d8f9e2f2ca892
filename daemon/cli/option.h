// One row per option, and tables of rows. A row is plain constant data: nothing runs before main(), so `--help`
// costs no more than printing. The same rows drive the command line, the environment, config files, the help texts
// and `seraph check`. Nothing here knows what an option does.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seraph {

/// Whose defaults apply. `run` alone reads the deployment's environment variables.
enum class Verb : uint8_t { kServe, kRun };

enum class OptionType : uint8_t {
  kBool,  // --x, --x true, --x=off, --no-x
  kInt,   // 4096, 8k (decimal), 8K (binary), 25.6k
  kFloat,
  kString,  // "" and None mean "not set"
  kList,    // --x a b c
  kJson,    // --x '{"a": 1}' or --x.a 1
  kBytes,   // like kInt, and 4GiB
};

enum class OptionUse : uint8_t {
  kActs,
  kAccepted,  // taken for the sake of existing command lines, changes nothing about answers; one log line when set
  kRefused,   // would change answers or break a promise: only the values of `allowed` pass
};

enum class OptionGroup : uint8_t { kModel, kEngine, kServer, kAccess, kApi, kLog, kHttpLimits, kTool, kVllm };

struct OptionRow {
  const char* name = "";  // without dashes, words joined by '-'
  OptionType type = OptionType::kString;
  OptionGroup group = OptionGroup::kVllm;
  OptionUse use = OptionUse::kActs;
  const char* help = "";              // one sentence; for kRefused: why
  const char* why = "";               // of kAccepted: why it has no effect here; continues a sentence
  const char* aliases = "";           // further names, separated by spaces; a leading '-' marks a short form
  const char* serve_default = "";     // "": not set
  const char* run_default = nullptr;  // null: as serve_default
  const char* env_run = nullptr;      // environment variable that `run` reads
  const char* env_always = nullptr;   // one of vLLM's own variables, read by every verb
  double min = -1e300;                // of numbers
  double max = 1e300;
  const char* choices = "";    // "auto|cpu": nothing else is taken
  const char* words = "";      // "auto=-1": words that stand for numbers
  const char* allowed = "";    // of kRefused: "1|auto"
  bool repeats_add = false;    // a list to which every occurrence adds (else the last one wins)
  bool splits_commas = false;  // a list whose items may also be separated by commas
  bool secret = false;         // never printed
};

/// An option's spelling as users type it: "--max-model-len".
std::string option_flag(const OptionRow& row);
/// True when `name` (dashes, no leading "--") is the row's name or one of its long aliases.
bool option_has_name(const OptionRow& row, std::string_view name);

/// Rows of one command. `positional` is the option that a bare word sets, "" when there is none.
struct OptionTable {
  std::string_view command;
  std::string_view positional;
  std::vector<const OptionRow*> rows;

  void add(std::span<const OptionRow> more);
  /// Exact name or long alias; null when there is none.
  const OptionRow* find(std::string_view name) const;
  /// "-tp" -> its row; null when there is none.
  const OptionRow* find_short(std::string_view spelling) const;
  /// Every row one of whose names begins with `prefix`.
  std::vector<const OptionRow*> find_prefix(std::string_view prefix) const;
  /// The spelling with the smallest edit distance, "" when nothing is near.
  std::string nearest(std::string_view name) const;
};

/// Options of `serve` and `run`: those that act, those of vLLM that are only accepted, those that are refused.
OptionTable server_options(Verb verb);
std::span<const OptionRow> acting_options();
std::span<const OptionRow> network_options();
std::span<const OptionRow> adapter_options();
std::span<const OptionRow> accepted_options();
std::span<const OptionRow> refused_options();

}  // namespace seraph
