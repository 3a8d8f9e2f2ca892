#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "engine/text/chat_template.h"

namespace seraph {
namespace {

Result<std::string> render(std::string_view source, const Json& context = Json(Json::Object{}),
                           TemplateLimits limits = {}) {
  auto compiled = Template::compile(source);
  if (!compiled.ok()) return compiled.error();
  return (*compiled)->render(context, limits, TemplateClock{});
}

/// Every case of a file of recorded truths; returns how many there were.
size_t check_recorded(const std::string& name) {
  const std::string folder = std::string(SERAPH_TEST_DATA) + "/golden/jinja/";
  const Json meta = Json::parse_file(folder + "contexts.json").value();
  const auto clock = TemplateClock::parse(meta.find("clock")->as_string()).value();
  std::ifstream file(folder + name);
  size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const Json record = Json::parse(line).value();
    const Json& context = meta.find("contexts")->as_array()[static_cast<size_t>(record.find("context")->as_int())];
    auto compiled = Template::compile(record.find("template")->as_string());
    Result<std::string> got = compiled.ok() ? (*compiled)->render(context, TemplateLimits{}, clock) : compiled.error();
    if (record.find("error") != nullptr) {
      EXPECT_FALSE(got.ok()) << line << "\ngave " << *got;
    } else if (got.ok()) {
      EXPECT_EQ(*got, record.find("output")->as_string()) << line;
    } else {
      ADD_FAILURE() << line << "\nfailed: " << got.error().message;
    }
  }
  return count;
}

TEST(JinjaTemplate, AnswersTheConformanceSetAsJinjaDoes) { EXPECT_GE(check_recorded("cases.jsonl"), 520U); }
TEST(JinjaTemplate, AnswersRandomTemplatesAsJinjaDoes) { EXPECT_GE(check_recorded("more.jsonl"), 400U); }

TEST(JinjaTemplate, ErrorsSayLineAndColumn) {
  EXPECT_EQ(render("a\n{{ 1 + }}").error().message, "line 2, column 8: unexpected 'end of print statement'");
  EXPECT_EQ(render("x\n  {{ raise_exception('no') }}").error().message, "line 2, column 21: no");
  EXPECT_EQ(render("{{ nosuch.x }}").error().message, "line 1, column 10: 'nosuch' is undefined");
}

TEST(JinjaTemplate, RefusesASliceInsideATupleOfKeys) { EXPECT_FALSE(render("{% set l = [1] %}{{ l[0, 1:2] }}").ok()); }

TEST(JinjaTemplate, StopsAtItsLimits) {
  const std::string loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
  EXPECT_NE(render(loops, Json(Json::Object{}), {.time_max_ms = 600'000}).error().message.find("steps"),
            std::string::npos);
  EXPECT_NE(
      render(loops, Json(Json::Object{}), {.steps_max = 1LL << 60, .time_max_ms = 20}).error().message.find("20 ms"),
      std::string::npos);
  EXPECT_FALSE(
      render("{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x * 2 %}{% endfor %}").ok());
  EXPECT_FALSE(render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").ok());
  EXPECT_FALSE(render("{% for x in range(9) %}aaaa{% endfor %}", Json(Json::Object{}), {.output_bytes_max = 20}).ok());
  EXPECT_FALSE(render("{{ '%99999999d' % 1 }}").ok());
  EXPECT_FALSE(render("{{ " + std::string(1000, '(') + "1" + std::string(1000, ')') + " }}").ok());
  std::string chain = "{{ 1";
  for (int i = 0; i < 5000; ++i) chain += "+1";
  EXPECT_FALSE(render(chain + " }}").ok());
}

TEST(JinjaTemplate, SurvivesCyclesAndDeepChainsOfValues) {
  EXPECT_FALSE(render("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}").ok());
  EXPECT_EQ(
      render("{% set ns = namespace() %}{% set ns.a = [ns] %}{% macro m() %}{{ ns }}{% endmacro %}{% set ns.m = m %}ok")
          .value(),
      "ok");
  EXPECT_EQ(
      render("{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}ok").value(),
      "ok");
}

TEST(JinjaTemplate, OneTemplateRendersOnManyThreads) {
  const auto compiled =
      Template::compile("{% for i in l %}{{ 'é' ~ i ~ 'abc'[1:] }}{{ {'k': i}|tojson }}{% endfor %}").value();
  const Json context = Json::parse(R"({"l":[1,2,3]})").value();
  std::vector<std::string> out(4);
  std::vector<std::thread> threads;
  for (std::string& text : out) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) text = compiled->render(context, TemplateLimits{}, TemplateClock{}).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : out) EXPECT_EQ(text, "é1bc{\"k\": 1}é2bc{\"k\": 2}é3bc{\"k\": 3}");
}

TEST(TemplateClock, ReadsIsoTimesAndRefusesOthers) {
  const auto clock = TemplateClock::parse("2024-07-26T10:20:30.25");
  ASSERT_TRUE(clock.ok());
  EXPECT_EQ(clock->second, 30);
  EXPECT_EQ(clock->microsecond, 250000);
  for (const char* bad : {"", "2024-07-26", "2024-13-26T10:20:30", "2024-07-26T10:20:30Z", "2024-07-26T10:20:30."}) {
    EXPECT_FALSE(TemplateClock::parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace seraph
