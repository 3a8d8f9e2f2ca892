// config/OPTIONS.md, made from the option table; a test compares the file with it.
#include <spdlog/fmt/fmt.h>

#include "daemon/cli/help.h"

namespace seraph {
namespace {

const char* value_text(OptionType type) {
  switch (type) {
    case OptionType::kBool:
      return "switch";
    case OptionType::kInt:
      return "number";
    case OptionType::kFloat:
      return "decimal";
    case OptionType::kString:
      return "text";
    case OptionType::kList:
      return "list";
    case OptionType::kJson:
      return "JSON";
    case OptionType::kBytes:
      return "bytes";
  }
  return "";
}

/// A cell must not end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string spelling(const OptionRow& row) {
  std::string out = fmt::format("`{}`", option_flag(row));
  for (std::string_view rest = row.aliases; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    out += fmt::format(", `{}{}`", word.front() == '-' ? "" : "--", word);
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return out;
}

std::string defaults(const OptionRow& row) {
  std::string out = *row.serve_default == '\0' ? "" : fmt::format("{}", row.serve_default);
  if (row.run_default != nullptr) out += fmt::format("{}run: {}", out.empty() ? "" : "; ", row.run_default);
  return out;
}

std::string variables(const OptionRow& row) {
  std::string out = row.env_always == nullptr ? "" : fmt::format("{}", row.env_always);
  if (row.env_run != nullptr) out += fmt::format("{}{} (run)", out.empty() ? "" : ", ", row.env_run);
  return out;
}

std::string acting_row(const OptionRow& row) {
  std::string values = *row.choices == '\0' ? value_text(row.type) : row.choices;
  if (row.min > -1e300) values += fmt::format(" {:.10g} to {:.10g}", row.min, row.max);
  return fmt::format("| {} | {} | {} | {} | {} |\n", spelling(row), cell(values), cell(defaults(row)), variables(row),
                     cell(row.help));
}

}  // namespace

std::string options_markdown() {
  const OptionTable table = server_options(Verb::kRun);
  std::string out =
      "# Options of `seraph run` and `seraph serve`\n"
      "Made from the option table: `seraph help markdown > config/OPTIONS.md`. How values are written, and which "
      "source\n"
      "wins, is in README.md. Variables marked (run) are read by `run` only.\n";
  for (const auto& [group, title] : option_groups()) {
    std::string rows;
    for (const OptionRow* row : table.rows) {
      if (row->group == group && row->use == OptionUse::kActs) rows += acting_row(*row);
    }
    if (rows.empty()) continue;
    out += fmt::format(
        "\n## {}\n| option | values | default | environment | what it does |\n| --- | --- | --- | --- | --- |\n{}",
        title, rows);
  }
  out +=
      "\n## Refused\nThe process does not start with another value than those, and says why.\n\n"
      "| option | values that pass | why |\n| --- | --- | --- |\n";
  for (const OptionRow& row : refused_options()) {
    out += fmt::format("| {} | {} | {} |\n", spelling(row), cell(row.allowed), cell(row.help));
  }
  out +=
      "\n## Taken without effect\nOne log line says so when one is set.\n\n"
      "| option | environment | meaning in vLLM | why it has no effect |\n| --- | --- | --- | --- |\n";
  for (const OptionRow& row : accepted_options()) {
    out += fmt::format("| {} | {} | {} | {} |\n", spelling(row), variables(row), cell(row.help), cell(row.why));
  }
  return out;
}

}  // namespace seraph
