#include "daemon/cli/help.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

namespace seraph {
namespace {

constexpr size_t kTextColumn = 34;
constexpr size_t kPageWidth = 110;

constexpr GroupTitle kGroups[] = {{OptionGroup::kModel, "Model"},       {OptionGroup::kEngine, "Engine"},
                                  {OptionGroup::kServer, "Server"},     {OptionGroup::kAccess, "Who may call"},
                                  {OptionGroup::kApi, "API"},           {OptionGroup::kLog, "Records and logs"},
                                  {OptionGroup::kTool, "Options"},      {OptionGroup::kHttpLimits, "Limits of HTTP"},
                                  {OptionGroup::kVllm, "Other options"}};

const char* type_word(const OptionRow& row) {
  switch (row.type) {
    case OptionType::kBool:
      return "";
    case OptionType::kInt:
      return "N";
    case OptionType::kFloat:
      return "X";
    case OptionType::kString:
      return *row.choices != '\0' ? "WORD" : "TEXT";
    case OptionType::kList:
      return "A [B ...]";
    case OptionType::kJson:
      return "JSON";
    case OptionType::kBytes:
      return "BYTES";
  }
  return "";
}

std::string with_bars(std::string_view items) {
  std::string text;
  for (const char c : items) text += c == '|' ? std::string(", ") : std::string(1, c);
  return text;
}

/// Appends `text` behind `head`, wrapped into a column of its own.
void append_columns(std::string& out, std::string head, std::string_view text) {
  if (head.size() + 2 > kTextColumn) {
    out += head + "\n";
    head.clear();
  }
  head.resize(kTextColumn, ' ');
  out += head;
  size_t column = kTextColumn;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (column > kTextColumn && column + word.size() + 1 > kPageWidth) {
      out += "\n" + std::string(kTextColumn, ' ');
      column = kTextColumn;
    }
    if (column > kTextColumn) out += ' ';
    out += word;
    column += word.size() + 1;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  out += '\n';
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lower;
}

/// True when one of the words of `title` is `word`: "api" names "API", "logs" names "Records and logs".
bool contains_word(const std::string& title, const std::string& word) {
  return (" " + title + " ").find(" " + word + " ") != std::string::npos;
}

std::string defaults_text(const OptionRow& row) {
  if (row.run_default != nullptr && *row.serve_default != '\0') {
    return fmt::format(" [{}; run: {}]", row.serve_default, row.run_default);
  }
  if (row.run_default != nullptr) return fmt::format(" [run: {}]", row.run_default);
  return *row.serve_default != '\0' ? fmt::format(" [{}]", row.serve_default) : "";
}

void append_option(std::string& out, const OptionRow& row) {
  std::string text = row.help;
  if (row.use == OptionUse::kAccepted) text += fmt::format(" No effect: {}.", row.why);
  if (*row.choices != '\0') text += fmt::format(" One of: {}.", with_bars(row.choices));
  const std::string type = type_word(row);
  append_columns(out, "  " + option_flag(row) + (type.empty() ? "" : " " + type), text + defaults_text(row));
}

}  // namespace

std::span<const GroupTitle> option_groups() { return kGroups; }

std::string overview_help() {
  return "seraph " SERAPH_VERSION
         ": an inference server for language models with OpenAI's HTTP API, in one binary.\n"
         "\n"
         "usage: seraph COMMAND [options]\n"
         "\n"
         "  run [options]             serve with a deployment's defaults: port 8501, float16, /data/model, "
         "environment\n"
         "                            variables; without a model it serves the demo checkpoint\n"
         "  serve [MODEL] [options]   serve with vLLM's defaults: port 8000, dtype auto\n"
         "  bench [options]           measure a server: throughput, time to first token, time per token\n"
         "  plan [MODEL] [options]    how much memory a model needs, and on how many cards it fits\n"
         "  check [options]           every option's value and where it comes from; nothing is started\n"
         "  check prompt|tools|grammar ...\n"
         "                            templates, tool calls and structured output, offline\n"
         "  lora list|load|unload|check\n"
         "                            adapters of a running server; whether a folder would be taken\n"
         "  help [COMMAND | OPTION | all]\n"
         "  version\n"
         "\n"
         "examples:\n"
         "  seraph run\n"
         "  seraph run --model DIR --api-key SECRET --host 0.0.0.0\n"
         "  seraph serve DIR --served-model-name chat --max-model-len 8K\n"
         "  seraph help run\n"
         "  seraph help max-model-len\n";
}

std::string table_help(const OptionTable& table, bool everything) {
  std::string out = fmt::format("usage: seraph {}{} [options]\n", table.command,
                                table.positional.empty() ? "" : fmt::format(" [{}]", table.positional));
  size_t not_shown = 0;
  for (const auto& [group, title] : kGroups) {
    std::string section;
    for (const OptionRow* row : table.rows) {
      if (row->group != group) continue;
      if (row->use == OptionUse::kActs || everything) {
        append_option(section, *row);
      } else {
        ++not_shown;
      }
    }
    if (!section.empty()) out += fmt::format("\n{}\n{}", title, section);
  }
  if (not_shown > 0) {
    out += fmt::format(
        "\n{} more options of vLLM are taken without effect, or refused with a reason: seraph help all\n", not_shown);
  }
  out +=
      "\nSwitches also take true, false, yes, no, on, off, 1, 0 and --no-NAME. Numbers take 8k (8000) and 8K (8192).\n"
      "--help=GROUP shows one group, --help=WORD the options about a word, --help=all every option.\n";
  return out;
}

std::string topic_help(const OptionTable& table, std::string_view topic) {
  if (topic.empty() || topic == "all" || topic == "page") return table_help(table, !topic.empty());
  const std::string wanted = lower_case(topic);
  std::string out;
  for (const auto& [group, title] : kGroups) {
    const bool whole_group = contains_word(lower_case(title), wanted);
    std::string section;
    for (const OptionRow* row : table.rows) {
      const bool fits =
          whole_group ? row->use == OptionUse::kActs || group == OptionGroup::kVllm
                      : (std::string(row->name) + " " + row->aliases + " " + lower_case(row->help)).find(wanted) !=
                            std::string::npos;
      if (row->group == group && fits) append_option(section, *row);
    }
    if (!section.empty()) out += fmt::format("{}{}\n{}", out.empty() ? "" : "\n", title, section);
  }
  if (!out.empty()) return out;
  std::string titles;
  for (const auto& [group, title] : kGroups) titles += fmt::format("{}{}", titles.empty() ? "" : ", ", title);
  return fmt::format("No option is about '{}'. Groups are: {}.\n", topic, titles);
}

std::string settings_report(const Settings& settings) {
  std::string out;
  for (const auto& [group, title] : kGroups) {
    std::string section;
    for (size_t i = 0; i < settings.table().rows.size(); ++i) {
      const OptionRow& row = *settings.table().rows[i];
      const Setting& setting = settings.values()[i];
      // Options that do nothing are of interest only when somebody set them.
      if (row.group != group || (row.use != OptionUse::kActs && setting.origin == Origin::kDefault)) continue;
      section += fmt::format("{:<32} {:<28} ({}){}\n", row.name, setting_text(row, setting), setting.where,
                             row.use == OptionUse::kAccepted ? fmt::format(" no effect: {}", row.why) : "");
    }
    if (!section.empty()) out += fmt::format("{}# {}\n{}", out.empty() ? "" : "\n", title, section);
  }
  return out;
}

std::string option_help(const OptionRow& row) {
  const std::string type = type_word(row);
  std::string out = fmt::format("{}{}\n  {}\n", option_flag(row), type.empty() ? "" : " " + type, row.help);
  const auto line = [&](const char* title, std::string_view text) {
    if (!text.empty()) out += fmt::format("  {:<14}{}\n", title, text);
  };
  if (row.use == OptionUse::kAccepted) line("effect", fmt::format("none: {}", row.why));
  if (row.use == OptionUse::kRefused) line("effect", "refused, except for the values below");
  line("allowed", with_bars(row.allowed));
  line("also", row.aliases);
  line("default", *row.serve_default != '\0' ? row.serve_default : "not set");
  if (row.run_default != nullptr) line("under run", row.run_default);
  if (row.env_run != nullptr) line("environment", fmt::format("{} (run only)", row.env_run));
  if (row.env_always != nullptr) line("environment", row.env_always);
  line("one of", with_bars(row.choices));
  if (row.min > -1e300) line("range", fmt::format("{:.10g} to {:.10g}", row.min, row.max));
  return out;
}

}  // namespace seraph
