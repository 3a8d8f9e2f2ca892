#include "daemon/cli/preset.h"

#include <gtest/gtest.h>

#include <map>

#include "daemon/cli/settings.h"

namespace seraph {
namespace {

struct Case {
  const char* conv_template;
  const char* model_id;
  const char* preset;  // "": none fits
};

TEST(Preset, TheFirstFamilyThatFitsIsTaken) {
  constexpr Case kCases[] = {
      {"generate", "", "generate"},
      {"", "generate", ""},
      {"hunyuan", "", "hunyuan"},
      {"", "Tencent-Hunyuan-Large-Instruct", "hunyuan"},
      {"", "hunyuan-7b-instruct", ""},
      {"shennong_chat", "", "shennong_chat"},
      {"", "Shennong-13B", "shennong_chat"},
      {"", "sn-finance", "shennong_chat"},
      {"llama-3.2-vision", "", "llama-3.2-vision"},
      {"", "meta-llama/Llama-3.2-11B-Vision-Instruct", "llama-3.2-vision"},
      {"", "Llama-3.2-11B-Vision", ""},
      {"llama-3.2", "", "llama-3.2"},
      {"", "Llama-3.2-3B-Instruct", "llama-3.2"},
      {"", "Llama-3.2-3B", ""},
      {"llama-3.1", "", "llama-3.1"},
      {"", "Meta-Llama-3.1-8B-Instruct", "llama-3.1"},
      {"", "llama-3.1-8b-CHAT", "llama-3.1"},
      {"qwen2.5", "", "qwen2.5"},
      {"", "Qwen/Qwen2.5-7B-Instruct", "qwen2.5"},
      {"", "Qwen2.5-VL-7B-Instruct", "qwen2.5"},
      {"baichuan2-chat", "", "baichuan2-chat"},
      {"", "Baichuan2-13B-Chat", "baichuan2-chat"},
      {"", "Baichuan2-13B-Base", ""},
      {"llama-2", "", "llama-2"},
      {"", "Llama-2-7b-chat-hf", "llama-2"},
      {"llama-3", "", "llama-3"},
      {"", "Meta-Llama-3-8B-Instruct", "llama-3"},
      {"", "llama-3.3-70b-instruct", ""},
      {"qwen", "", "qwen"},
      {"qwen-7b-chat", "", "qwen"},
      {"", "Qwen-7B-Chat", "qwen"},
      {"", "Qwen2-7B-Instruct", "qwen"},
      {"", "Qwen2-VL-7B-Instruct", ""},
      {"", "Qwen2-7B", ""},
      {"LLAMA-3", "", "llama-3"},
      {"llama", "", ""},
      {"", "model", ""},
      {"", "", ""},
      // Either condition counts, and the order of the families decides between them.
      {"qwen", "Llama-3.1-8B-Instruct", "llama-3.1"},
      {"llama-3.1", "Qwen-7B-Chat", "llama-3.1"},
      {"unknown", "Qwen-7B-Chat", "qwen"},
  };
  for (const Case& row : kCases) {
    const auto match = find_preset(row.conv_template, row.model_id);
    EXPECT_STREQ(match ? match->preset->name : "", row.preset) << row.conv_template << " / " << row.model_id;
    EXPECT_TRUE(!match || !match->why.empty());
  }
}

Settings resolve(Verb verb, std::vector<std::string> args, std::map<std::string, std::string> variables) {
  Sources sources{std::move(args), [variables](const char* name) -> std::optional<std::string> {
                    const auto found = variables.find(name);
                    return found == variables.end() ? std::nullopt : std::optional(found->second);
                  }};
  auto settings = resolve_settings(server_options(verb), verb, sources);
  EXPECT_TRUE(settings.ok()) << settings.error().text();
  return std::move(*settings);
}

struct Effect {
  const char* conv_template;
  const char* chat_template;
  const char* tool_parser;
  std::vector<std::string> stop_ids;
};

TEST(Preset, SetsWhatTheFamilyNeeds) {
  const Effect kEffects[] = {
      {"generate", "template_generate", "auto", {}},
      {"hunyuan", "template_hunyuan", "auto", {"127960", "127967"}},
      {"shennong_chat", "", "auto", {}},
      {"llama-3.2-vision", "tool_chat_template_llama3.2_vision", "llama3_json", {}},
      {"llama-3.2", "tool_chat_template_llama3.2_json", "llama3_json", {}},
      {"llama-3.1", "tool_chat_template_llama3.1_json", "llama3_json", {}},
      {"qwen2.5", "", "hermes", {}},
      {"baichuan2-chat", "template_baichuan", "auto", {}},
      {"llama-2", "template_llama2", "auto", {}},
      {"llama-3", "template_llama3", "auto", {"128001", "128009"}},
      {"qwen", "template_qwen", "auto", {"151643", "151644", "151645"}},
  };
  EXPECT_EQ(std::size(kEffects), family_presets().size());
  for (const Effect& effect : kEffects) {
    const Settings settings = resolve(Verb::kRun, {}, {{"CONV_TEMPLATE", effect.conv_template}});
    EXPECT_EQ(settings.text("chat-template"), effect.chat_template) << effect.conv_template;
    EXPECT_EQ(settings.text("tool-call-parser"), effect.tool_parser) << effect.conv_template;
    EXPECT_EQ(settings.list("stop-token-ids"), effect.stop_ids) << effect.conv_template;
    EXPECT_TRUE(settings.flag("enable-auto-tool-choice"));
    EXPECT_NE(settings.notes().front().find(std::string("family preset ") + effect.conv_template), std::string::npos);
  }
  const Settings vision = resolve(Verb::kRun, {}, {{"CONV_TEMPLATE", "llama-3.2-vision"}});
  EXPECT_EQ(vision.number("max-num-seqs"), 8);
  EXPECT_TRUE(vision.flag("enforce-eager"));
  EXPECT_EQ(vision.at("max-num-seqs").where, "family preset llama-3.2-vision");
}

TEST(Preset, EverythingThatAUserSaysIsStronger) {
  const Settings settings = resolve(Verb::kRun, {"--chat-template", "{{ 1 }}", "--served-model-name", "mine"},
                                    {{"MODEL_ID", "Meta-Llama-3.1-8B-Instruct"}});
  EXPECT_EQ(settings.text("chat-template"), "{{ 1 }}");
  EXPECT_EQ(settings.text("tool-call-parser"), "llama3_json");
  EXPECT_EQ(settings.list("served-model-name"), std::vector<std::string>{"mine"});
  EXPECT_EQ(settings.notes().front(),
            "family preset llama-3.1: MODEL_ID Meta-Llama-3.1-8B-Instruct contains llama-3.1 and instruct");
}

TEST(Preset, ServeHasNone) {
  const Settings settings = resolve(Verb::kServe, {"m"}, {{"CONV_TEMPLATE", "llama-3"}, {"MODEL_ID", "Qwen-Chat"}});
  EXPECT_FALSE(settings.at("chat-template").set);
  EXPECT_TRUE(settings.notes().empty());
  const Settings asked = resolve(Verb::kServe, {"m", "--conv-template", "llama-3"}, {});
  EXPECT_FALSE(asked.at("chat-template").set);
  EXPECT_EQ(asked.notes(),
            std::vector<std::string>{"--conv-template has no effect: `serve` takes no family presets, `run` does"});
}

TEST(Preset, AnUnknownFamilyIsTold) {
  const Settings settings = resolve(Verb::kRun, {}, {{"CONV_TEMPLATE", "llama"}});
  ASSERT_EQ(settings.notes().size(), 1U);
  EXPECT_NE(settings.notes()[0].find("CONV_TEMPLATE llama names no family preset; there are generate, hunyuan"),
            std::string::npos);
  EXPECT_EQ(resolve(Verb::kRun, {}, {{"MODEL_ID", "gpt-oss"}}).notes(),
            std::vector<std::string>{"no family preset fits MODEL_ID gpt-oss"});
}

}  // namespace
}  // namespace seraph
