#include "daemon/http/keys.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Keys, SchemeInAnyCaseAndExactlyOneSpace) {
  const KeyRing keys({"secret-1", "secret-2"});
  EXPECT_EQ(keys.find("Bearer secret-1"), 0);
  EXPECT_EQ(keys.find("Bearer secret-2"), 1);
  EXPECT_EQ(keys.find("bearer secret-1"), 0);
  EXPECT_EQ(keys.find("BEARER secret-2"), 1);
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer  secret-1", "Bearer secret-1 ", " Bearer secret-1",
                            "secret-1", "Basic c2VjcmV0LTE=", "Bearer secret", "Bearer secret-12", "Bearer\tsecret-1",
                            "Bearer SECRET-1", "Bearer secret-1,secret-2"}) {
    EXPECT_EQ(keys.find(wrong), -1) << wrong;
  }
}

TEST(Keys, WithoutKeysNothingMatchesAndNothingIsNeeded) {
  const KeyRing keys({});
  EXPECT_TRUE(keys.empty());
  EXPECT_EQ(keys.find("Bearer EMPTY"), -1);
}

}  // namespace
}  // namespace seraph
