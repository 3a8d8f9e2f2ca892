#include "daemon/api/refusals.h"

#include <algorithm>

#include "tests/daemon/api/prepared.h"

namespace seraph {
namespace {

class RefusalsTest : public PreparedTest {};

TEST_F(RefusalsTest, StructuredDecisionsAreCheckedAndNotServed) {
  std::string out;
  EXPECT_EQ(answer_systemone(R"({"state":{},"questions":{"a":{"type":"boolean"}}})", *context_, out)->status, 501);
  EXPECT_EQ(answer_systemone(R"({"state":"x","questions":{}})", *context_, out)->status, 501);
  EXPECT_EQ(answer_systemone(R"({"state":{}})", *context_, out)->param, "body.questions");
  EXPECT_EQ(answer_systemone(R"({"state":{},"questions":{"a":{}}})", *context_, out)->param, "body.questions.a.type");
  EXPECT_EQ(answer_systemone(R"({"state":{},"questions":{"a":5}})", *context_, out)->param, "body.questions.a");
}

TEST_F(RefusalsTest, TheTokenRoutesAreRefusedUnlessTheyAreSwitchedOn) {
  const auto has = [&](bool scale_out, const std::string& path) {
    Router router;
    options_.enable_scale_out = scale_out;
    add_refused_routes(router, options_);
    const auto routes = router.routes();
    return std::any_of(routes.begin(), routes.end(), [&](const auto& route) { return route.path == path; });
  };
  EXPECT_TRUE(has(false, "/inference/v1/generate"));
  EXPECT_FALSE(has(true, "/inference/v1/generate"));
  EXPECT_TRUE(has(true, "/v1/audio/speech"));
}

}  // namespace
}  // namespace seraph
