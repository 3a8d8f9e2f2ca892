#include "engine/base/shared_list.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(SharedList, CopiesShareTheItems) {
  const SharedList<int> list = {1, 2, 3};
  const SharedList<int> other = list;
  EXPECT_EQ(other.data(), list.data());
  EXPECT_EQ(other, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(other.back(), 3);
}

TEST(SharedList, WhoEditsChangesNobodyElsesItems) {
  SharedList<int> list = {1, 2};
  const SharedList<int> before = list;
  list.edit().push_back(3);
  EXPECT_EQ(before, (std::vector<int>{1, 2}));
  EXPECT_EQ(list, (std::vector<int>{1, 2, 3}));
  const int* const alone = list.data();
  list.edit()[0] = 7;
  EXPECT_EQ(list.data(), alone) << "nobody shares it: no copy";
}

TEST(SharedList, IsEmptyWithoutItems) {
  SharedList<int> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.begin(), list.end());
  list.edit();
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace seraph
