#include "daemon/cli/settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "daemon/cli/preset.h"
#include "daemon/cli/yaml.h"
#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr size_t kConfigBytesMax = 1 << 20;

/// The words that a Json value of a config file stands for.
std::vector<std::string> words_of(const Json& value, OptionType type) {
  const auto word = [](const Json& item) { return item.is_string() ? item.as_string() : item.dump(); };
  if (value.is_array() && type == OptionType::kList) {
    std::vector<std::string> words;
    for (const Json& item : value.as_array()) words.push_back(word(item));
    return words;
  }
  return {word(value)};
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::kNotFound, fmt::format("the config file {} cannot be read", path), "check --config",
                 "--config"};
  }
  std::ostringstream text;
  text << file.rdbuf();
  if (text.str().size() > kConfigBytesMax) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("the config file {} is larger than 1 MiB", path), "",
                 "--config"};
  }
  return text.str();
}

Result<std::vector<Assignment>> read_config_file(const OptionTable& table, const std::string& path) {
  if (!path.ends_with(".yaml") && !path.ends_with(".yml")) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("config file {} must end in .yaml or .yml", path), "",
                 "--config"};
  }
  SERAPH_ASSIGN_OR_RETURN(const std::string text, read_text(path));
  return parse_config_text(table, text, path);
}

std::vector<Assignment> read_environment(const OptionTable& table, Verb verb, const Sources& sources) {
  std::vector<Assignment> found;
  if (!sources.environment) return found;
  for (const OptionRow* row : table.rows) {
    for (const char* name : {row->env_always, verb == Verb::kRun ? row->env_run : nullptr}) {
      if (name == nullptr) continue;
      const auto value = sources.environment(name);
      // An empty variable is how containers say "not set".
      if (!value || value->empty()) continue;
      found.push_back(Assignment{
          .row = row, .words = {*value}, .origin = Origin::kEnvironment, .where = fmt::format("environment {}", name)});
    }
  }
  return found;
}

/// ti_model_config.json of the model folder: option names or environment names as keys, whatever their case.
Result<std::vector<Assignment>> read_model_config(const OptionTable& table, const std::string& model_dir,
                                                  std::vector<std::string>& notes) {
  const std::string path = model_dir + "/ti_model_config.json";
  std::vector<Assignment> found;
  if (model_dir.empty() || !std::ifstream(path)) return found;
  SERAPH_ASSIGN_OR_RETURN(const Json json, Json::parse_file(path));
  if (!json.is_object()) {
    return Error{ErrorCode::kCorrupt, path + " must hold a JSON object", "correct or remove the file"};
  }
  for (const auto& [key, value] : json.as_object()) {
    std::string name = key;
    for (char& c : name) c = static_cast<char>(c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? c + 32 : c));
    const OptionRow* row = table.find(name);
    if (row == nullptr || name == "model" || name == "config" || value.is_null()) {
      notes.push_back(fmt::format("{}: '{}' means nothing here", path, key));
      continue;
    }
    found.push_back(Assignment{.row = row,
                               .words = words_of(value, row->type),
                               .origin = Origin::kModelConfig,
                               .where = "ti_model_config.json"});
    // As in the environment, the id is also the name that is served.
    if (name != "model-id") continue;
    found.push_back(found.back());
    found.back().row = table.find("served-model-name");
  }
  return found;
}

void set_at_path(Json& object, std::string_view path, Json value) {
  const size_t dot = path.find('.');
  const std::string_view head = path.substr(0, dot);
  if (!object.is_object()) object = Json(Json::Object{});
  if (dot == std::string_view::npos) {
    object.set(head, std::move(value));
    return;
  }
  if (object.find(head) == nullptr) object.set(head, Json(Json::Object{}));
  set_at_path(*object.find(head), path.substr(dot + 1), std::move(value));
}

/// The object as it stands, with the member of --x.a.b replaced.
Result<Setting> merge_member(const Assignment& assignment, const Setting& before) {
  Json merged = before.json;
  const std::string& word = assignment.words.front();
  auto value = Json::parse(word);
  set_at_path(merged, assignment.json_path, value.ok() ? std::move(*value) : Json(word));
  return parse_option_value(*assignment.row, {merged.dump()});
}

std::string note_of(const Assignment& assignment) {
  return fmt::format("{} ({}) has no effect: {}", option_flag(*assignment.row), assignment.where, assignment.row->why);
}

/// What the strongest of the sources that name the option says, as text; for the options needed before the others.
std::string early_text(std::string_view name, std::initializer_list<const std::vector<Assignment>*> weakest_first,
                       std::string fallback) {
  for (const auto* source : weakest_first) {
    for (const Assignment& assignment : *source) {
      if (assignment.row->name == name && !assignment.words.empty()) fallback = assignment.words.front();
    }
  }
  return fallback;
}

/// The options of the family that CONV_TEMPLATE or MODEL_ID names, and a note that says which one and why.
std::vector<Assignment> preset_assignments(const OptionTable& table, const std::string& conv_template,
                                           const std::string& model_id, std::vector<std::string>& notes) {
  std::vector<Assignment> found;
  const auto match = find_preset(conv_template, model_id);
  if (!match) {
    if (!conv_template.empty()) {
      notes.push_back(
          fmt::format("CONV_TEMPLATE {} names no family preset; there are {}", conv_template, preset_names()));
    }
    if (!model_id.empty()) notes.push_back(fmt::format("no family preset fits MODEL_ID {}", model_id));
    return found;
  }
  notes.push_back(fmt::format("family preset {}: {}", match->preset->name, match->why));
  if (*match->preset->note != '\0') notes.back() += fmt::format("; {}", match->preset->note);
  for (const PresetValue& value : match->preset->values) {
    if (value.option == nullptr) break;
    found.push_back(Assignment{.row = table.find(value.option),
                               .words = {value.text},
                               .origin = Origin::kPreset,
                               .where = fmt::format("family preset {}", match->preset->name)});
  }
  return found;
}

}  // namespace

size_t Settings::index_of(const OptionRow* row) const {
  const auto found = std::find(table_.rows.begin(), table_.rows.end(), row);
  SERAPH_CHECK(found != table_.rows.end(), "settings are asked for an option that the command's table has");
  return static_cast<size_t>(found - table_.rows.begin());
}

const Setting& Settings::at(std::string_view name) const { return values_[index_of(table_.find(name))]; }

const Setting& Settings::get(std::string_view name, OptionType type) const {
  const size_t index = index_of(table_.find(name));
  SERAPH_CHECK(table_.rows[index]->type == type, "settings are read with the type of the option's row");
  return values_[index];
}

int64_t Settings::number(std::string_view name) const {
  const size_t index = index_of(table_.find(name));
  const OptionType type = table_.rows[index]->type;
  SERAPH_CHECK(type == OptionType::kInt || type == OptionType::kBytes, "settings are read with the option's type");
  return values_[index].number;
}

Status Settings::assign(const Assignment& assignment) {
  Setting& current = values_[index_of(assignment.row)];
  // Of an option that is only taken, a member needs no place to go.
  const bool member = !assignment.json_path.empty() && assignment.row->type == OptionType::kJson;
  auto parsed = member ? merge_member(assignment, current) : parse_option_value(*assignment.row, assignment.words);
  if (!parsed.ok()) {
    if (assignment.origin != Origin::kCommandLine && assignment.origin != Origin::kDefault) {
      parsed.error().message = fmt::format("{}: {}", assignment.where, parsed.error().message);
    }
    return parsed.error();
  }
  if (assignment.row->repeats_add && assignment.origin == current.origin && current.set) {
    parsed->list.insert(parsed->list.begin(), current.list.begin(), current.list.end());
    parsed->set = true;
  }
  current = std::move(*parsed);
  current.origin = assignment.origin;
  current.where = assignment.where;
  if (assignment.row->use == OptionUse::kAccepted && assignment.origin != Origin::kDefault) {
    const std::string note = note_of(assignment);
    if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(note);
  }
  return {};
}

Result<std::vector<Assignment>> parse_config_text(const OptionTable& table, std::string_view text,
                                                  const std::string& path) {
  auto yaml = parse_yaml(text);
  if (!yaml.ok()) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, yaml.error().message), "", "--config"};
  }
  std::vector<Assignment> found;
  if (yaml->is_null()) return found;
  if (!yaml->is_object()) {
    return Error{ErrorCode::kInvalidArgument, path + ": the file must be a mapping of option names to values", "",
                 "--config"};
  }
  for (const auto& [key, value] : yaml->as_object()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    const OptionRow* row = table.find(name);
    if (row == nullptr || name == "config") {
      const std::string nearest = table.nearest(name);
      return Error{ErrorCode::kInvalidArgument, fmt::format("{}: unrecognized option '{}'", path, key),
                   nearest.empty() ? "" : fmt::format("did you mean {}?", nearest.substr(2)), key};
    }
    if (value.is_null() || (value.is_array() && value.as_array().empty())) continue;
    found.push_back(
        Assignment{.row = row, .words = words_of(value, row->type), .origin = Origin::kConfigFile, .where = path});
  }
  return found;
}

Result<Settings> resolve_settings(const OptionTable& table, Verb verb, const Sources& sources) {
  SERAPH_ASSIGN_OR_RETURN(const auto from_args, parse_command_line(table, sources.args));
  const auto from_environment = read_environment(table, verb, sources);

  std::vector<Assignment> from_file;
  if (const std::string path = early_text("config", {&from_args}, ""); !path.empty()) {
    SERAPH_ASSIGN_OR_RETURN(from_file, read_config_file(table, path));
  }

  Settings settings(table);
  std::vector<Assignment> from_model;
  std::vector<Assignment> from_preset;
  if (const OptionRow* model = table.find("model"); verb == Verb::kRun && model != nullptr) {
    const auto early = [&](std::string_view name, std::string fallback) {
      return early_text(name, {&from_model, &from_file, &from_environment, &from_args}, std::move(fallback));
    };
    const std::string folder = early("model", model->run_default != nullptr ? model->run_default : "");
    std::vector<std::string> notes;
    SERAPH_ASSIGN_OR_RETURN(from_model, read_model_config(table, folder, notes));
    from_preset = preset_assignments(table, early("conv-template", ""), early("model-id", ""), notes);
    for (std::string& note : notes) settings.add_note(std::move(note));
  }
  for (const char* name : {"conv-template", "model-id"}) {
    if (verb == Verb::kServe && table.find(name) != nullptr &&
        !early_text(name, {&from_file, &from_args}, "").empty()) {
      settings.add_note(fmt::format("--{} has no effect: `serve` takes no family presets, `run` does", name));
    }
  }

  for (const OptionRow* row : table.rows) {
    const char* value = verb == Verb::kRun && row->run_default != nullptr ? row->run_default : row->serve_default;
    if (*value == '\0') continue;
    SERAPH_RETURN_IF_ERROR(settings.assign(Assignment{.row = row, .words = {value}, .where = "default"}));
  }
  const std::vector<Assignment>* const weakest_first[] = {&from_preset, &from_model, &from_file, &from_environment,
                                                          &from_args};
  for (const auto* source : weakest_first) {
    for (const Assignment& assignment : *source) SERAPH_RETURN_IF_ERROR(settings.assign(assignment));
  }
  return settings;
}

}  // namespace seraph
