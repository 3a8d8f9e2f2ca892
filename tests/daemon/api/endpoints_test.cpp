#include "daemon/api/endpoints.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace seraph {
namespace {

TEST(Endpoints, EveryRowHasItsOwnPathAndAWayToPrepare) {
  std::set<std::string> paths;
  for (const GenerationEndpoint& row : generation_endpoints()) {
    EXPECT_TRUE(paths.insert(row.path).second) << row.path;
    EXPECT_NE(row.prepare, nullptr) << row.path;
    EXPECT_EQ(&generation_endpoint(row.endpoint), &row) << row.path;
    EXPECT_EQ(row.make_format == nullptr, row.endpoint == kInvocations) << row.path;
  }
  EXPECT_STREQ(id_prefix(kCompletions), "cmpl-");
  EXPECT_STREQ(id_prefix(kRerank), "score-");
}

}  // namespace
}  // namespace seraph
