#include "daemon/api/operations.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(OperationsTest, QueryValuesAreFoundByTheirWholeName) {
  EXPECT_EQ(query_value("level=2&mode=keep", "level"), "2");
  EXPECT_EQ(query_value("level=2&mode=keep", "mode"), "keep");
  EXPECT_EQ(query_value("sublevel=2", "level"), "");
  EXPECT_EQ(query_value("level", "level"), "");
  EXPECT_EQ(query_value("", "level"), "");
  EXPECT_EQ(query_value("a=1&level=", "level"), "");
}

}  // namespace
}  // namespace seraph
