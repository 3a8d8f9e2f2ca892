// Real chat templates, in place in the folder of recorded truths.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "engine/text/chat_template.h"

namespace seraph {
namespace {

std::string golden_dir() {
  const char* named = std::getenv("SERAPH_GOLDEN_DIR");
  return (named != nullptr ? std::string(named) : std::string(SERAPH_SOURCE_DIR) + "/../shared/golden") + "/templates";
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Loaded {
  std::unique_ptr<Template> compiled;
  Json special_tokens;
};

std::map<std::string, Loaded> load_templates(const std::string& folder) {
  std::map<std::string, Loaded> out;
  const Json list = Json::parse_file(folder + "/templates.json").value();
  for (const Json& entry : list.as_array()) {
    const std::string& name = entry.find("name")->as_string();
    auto compiled = Template::compile(read(folder + "/real/" + name + ".jinja"));
    EXPECT_TRUE(compiled.ok()) << name << ": " << compiled.error().message;
    if (compiled.ok()) out[name] = {std::move(*compiled), *entry.find("special_tokens")};
  }
  return out;
}

/// The arguments of apply_chat_template: the conversation's own, then the record's.
ChatInput input_of(const Json& conversation, const Json& record, const Json& special_tokens) {
  ChatInput input{.messages = *conversation.find("messages"), .special_tokens = special_tokens};
  if (const Json* tools = conversation.find("tools")) input.tools = *tools;
  if (const Json* documents = conversation.find("documents")) input.documents = *documents;
  Json kwargs = conversation.find("kwargs") != nullptr ? *conversation.find("kwargs") : Json(Json::Object{});
  for (const auto& [name, value] : record.find("kwargs")->as_object()) kwargs.set(name, value);
  Json::Object rest;
  for (const auto& [name, value] : kwargs.as_object()) {
    if (name == "tools") {
      input.tools = value;
    } else if (name == "documents") {
      input.documents = value;
    } else if (name == "add_generation_prompt") {
      input.add_generation_prompt = value.as_bool();
    } else if (name == "continue_final_message") {
      input.continue_final_message = value.as_bool();
    } else {
      rest.emplace_back(name, value);
    }
  }
  input.kwargs = Json(std::move(rest));
  return input;
}

void check(const std::string& file_name, const char* template_key) {
  const std::string folder = golden_dir();
  if (!std::filesystem::exists(folder + "/" + file_name)) GTEST_SKIP() << folder << " is absent";
  const auto templates = load_templates(folder);
  const Json conversations = Json::parse_file(folder + "/conversations.json").value();
  const auto clock = TemplateClock::parse(conversations.find("clock")->as_string()).value();
  std::ifstream file(folder + "/" + file_name);
  size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const Json record = Json::parse(line).value();
    const Loaded& loaded = templates.at(record.find(template_key)->as_string());
    const std::string& id = record.find("conversation")->as_string();
    const ChatInput input = input_of(*conversations.find("conversations")->find(id), record, loaded.special_tokens);
    const auto got = render_chat(*loaded.compiled, input, TemplateLimits{}, clock);
    const std::string where = record.find(template_key)->as_string() + " on " + id;
    if (record.find("error") != nullptr) {
      EXPECT_FALSE(got.ok()) << where;
    } else if (got.ok()) {
      EXPECT_EQ(*got, record.find("output")->as_string()) << where;
    } else {
      ADD_FAILURE() << where << ": " << got.error().message;
    }
  }
  std::cout << file_name << ": " << count << " renderings\n";
}

TEST(ChatTemplateGolden, RendersRealTemplatesAsTransformersDoes) { check("truth.jsonl", "template"); }
TEST(ChatTemplateGolden, RendersPresetsAsTransformersDoes) { check("presets.jsonl", "source"); }

}  // namespace
}  // namespace seraph
