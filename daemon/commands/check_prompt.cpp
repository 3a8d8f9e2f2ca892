#include "daemon/commands/check_prompt.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/commands/commands.h"
#include "daemon/commands/json_lines.h"

namespace seraph {
namespace {

Error wrong(std::string message, std::string param) {
  return Error{ErrorCode::kInvalidArgument, std::move(message), "", std::move(param)};
}

Result<std::string> string_member(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  if (member == nullptr || member->is_null()) return std::string();
  if (!member->is_string()) return wrong(std::string(name) + " must be a string", std::string(name));
  return member->as_string();
}

Result<bool> bool_member(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  if (member == nullptr || member->is_null()) return false;
  if (!member->is_bool()) return wrong(std::string(name) + " must be true or false", std::string(name));
  return member->as_bool();
}

/// Null when absent.
Json any_member(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? Json() : *member;
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, "cannot read " + path, "check the path and its permissions"};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<ChatInput> read_input(const Json& prompt_case) {
  ChatInput input;
  input.messages = any_member(prompt_case, "messages");
  input.tools = any_member(prompt_case, "tools");
  input.documents = any_member(prompt_case, "documents");
  input.kwargs = any_member(prompt_case, "chat_template_kwargs");
  input.special_tokens = any_member(prompt_case, "special_tokens");
  for (const char* name : {"chat_template_kwargs", "special_tokens"}) {
    const Json* member = prompt_case.find(name);
    if (member != nullptr && !member->is_null() && !member->is_object())
      return wrong(std::string(name) + " must be an object", name);
  }
  SERAPH_ASSIGN_OR_RETURN(input.add_generation_prompt, bool_member(prompt_case, "add_generation_prompt"));
  SERAPH_ASSIGN_OR_RETURN(input.continue_final_message, bool_member(prompt_case, "continue_final_message"));
  return input;
}

}  // namespace

Json PromptChecker::answer(const Json& prompt_case) {
  auto prompt = render(prompt_case);
  Json out;
  if (prompt.ok()) {
    out.set("prompt", *prompt);
  } else {
    out.set("error", prompt.error().text());
  }
  return out;
}

Result<std::string> PromptChecker::render(const Json& prompt_case) {
  if (!prompt_case.is_object()) return wrong("a case must be a JSON object", "");
  SERAPH_ASSIGN_OR_RETURN(std::string model, string_member(prompt_case, "model"));
  if (model.empty()) model = args_.model_dir;
  const Tokenizer* tokenizer = nullptr;
  if (!model.empty()) {
    SERAPH_ASSIGN_OR_RETURN(tokenizer, find_model(model));
  }
  SERAPH_ASSIGN_OR_RETURN(const std::string source, template_source(prompt_case, tokenizer));
  SERAPH_ASSIGN_OR_RETURN(const Template* chat_template, find_template(source));
  TemplateClock clock;
  SERAPH_ASSIGN_OR_RETURN(const std::string now, string_member(prompt_case, "now"));
  if (!now.empty()) {
    SERAPH_ASSIGN_OR_RETURN(clock, TemplateClock::parse(now));
  }
  if (const Json* context = prompt_case.find("context")) {
    if (!context->is_object()) return wrong("context must be an object", "context");
    return chat_template->render(*context, TemplateLimits{}, clock);
  }
  SERAPH_ASSIGN_OR_RETURN(ChatInput input, read_input(prompt_case));
  if (input.special_tokens.is_null() && tokenizer != nullptr) input.special_tokens = tokenizer->special_tokens();
  return render_chat(*chat_template, input, TemplateLimits{}, clock);
}

Result<std::string> PromptChecker::template_source(const Json& prompt_case, const Tokenizer* tokenizer) {
  if (!args_.chat_template.empty()) {
    std::error_code none;
    const bool is_file =
        args_.chat_template.size() < 4096 && std::filesystem::is_regular_file(args_.chat_template, none);
    return is_file ? read_text(args_.chat_template) : args_.chat_template;
  }
  if (prompt_case.find("template") != nullptr) return string_member(prompt_case, "template");
  if (tokenizer == nullptr) return wrong("a case needs \"template\" or \"model\"", "template");
  const Json* tools = prompt_case.find("tools");
  std::string source = tokenizer->chat_template(tools != nullptr && !tools->is_null());
  if (source.empty()) return wrong("the model folder has no chat template", "model");
  return source;
}

Result<const Template*> PromptChecker::find_template(const std::string& source) {
  auto it = templates_.find(source);
  if (it == templates_.end()) it = templates_.emplace(source, Template::compile(source)).first;
  if (!it->second.ok()) return it->second.error();
  return static_cast<const Template*>(it->second.value().get());
}

Result<const Tokenizer*> PromptChecker::find_model(const std::string& dir) {
  auto it = models_.find(dir);
  if (it == models_.end()) it = models_.emplace(dir, Tokenizer::load(dir)).first;
  if (!it->second.ok()) return it->second.error();
  return static_cast<const Tokenizer*>(it->second.value().get());
}

int run_check_prompt(const CheckPromptArgs& args) {
  if (args.json_path.empty() == args.jsonl_path.empty()) {
    return report_error("check prompt", wrong("give one JSON file or --jsonl FILE", ""));
  }
  PromptChecker checker(args);
  if (!args.json_path.empty()) {
    auto prompt_case = Json::parse_file(args.json_path);
    if (!prompt_case.ok()) return report_error("check prompt", prompt_case.error());
    const Json answer = checker.answer(*prompt_case);
    print_json_line(answer);
    return answer.find("prompt") != nullptr ? 0 : 2;
  }
  std::ifstream file(args.jsonl_path, std::ios::binary);
  if (!file) {
    return report_error("check prompt", Error{ErrorCode::kNotFound, "cannot read " + args.jsonl_path,
                                              "check the path and its permissions"});
  }
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto prompt_case = Json::parse(line);
    if (prompt_case.ok()) {
      print_json_line(checker.answer(*prompt_case));
    } else {
      Json answer;
      answer.set("error", prompt_case.error().text());
      print_json_line(answer);
    }
  }
  return 0;
}

}  // namespace seraph
