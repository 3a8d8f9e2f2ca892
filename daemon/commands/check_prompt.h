// `seraph check prompt`: what the server would make of a conversation or a bare template, offline. One case or a file
// of them, one line of JSON each: {"prompt": ...} or {"error": ...}. One thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace seraph {

struct CheckPromptArgs {
  std::string json_path;      // a file with one case
  std::string jsonl_path;     // or a file with a case a line
  std::string model_dir;      // used by cases that name neither "model" nor "template"; "" for none
  std::string chat_template;  // a file or the text of a template that replaces every case's; "" for none
};

/// Answers cases; keeps what they share: compiled templates and opened model folders.
class PromptChecker {
 public:
  explicit PromptChecker(CheckPromptArgs args) : args_(std::move(args)) {}

  /// A case is {"template" or "model", "messages", "tools", "documents", "add_generation_prompt",
  /// "continue_final_message", "chat_template_kwargs", "special_tokens", "now"} or {"template" or "model", "context",
  /// "now"}. Gives {"prompt": ...} or {"error": ...}.
  Json answer(const Json& prompt_case);

 private:
  Result<std::string> render(const Json& prompt_case);
  Result<const Template*> find_template(const std::string& source);
  Result<const Tokenizer*> find_model(const std::string& dir);
  Result<std::string> template_source(const Json& prompt_case, const Tokenizer* tokenizer);

  const CheckPromptArgs args_;
  std::unordered_map<std::string, Result<std::unique_ptr<Template>>> templates_;  // by source
  std::unordered_map<std::string, Result<std::unique_ptr<Tokenizer>>> models_;    // by folder
};

/// Reads the file that the arguments name and prints the answers. Exit status: 0; 2 when the file cannot be read or
/// the only case of a json_path fails.
int run_check_prompt(const CheckPromptArgs& args);

}  // namespace seraph
