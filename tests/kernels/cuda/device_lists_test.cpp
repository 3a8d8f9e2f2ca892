#include "kernels/cuda/device_lists.h"

#include <gtest/gtest.h>

#include "tests/kernels/cuda/device.h"

namespace seraph::cuda {
namespace {

class DeviceListsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(work_.open() && staging_.open(256) && lists_.plan(64)); }

  std::vector<int32_t> read(const int32_t* device, size_t count) {
    std::vector<int32_t> out(count);
    work_.copy(out.data(), device, static_cast<int64_t>(count * 4), CopyKind::kDeviceToHost);
    work_.wait();
    EXPECT_EQ(work_.fault(), "");
    return out;
  }

  cuda_test::TestDevice device_;
  StreamWork work_;
  Staging staging_{work_};
  DeviceLists lists_{work_, staging_};
};

TEST_F(DeviceListsTest, StagedListsKeepTheirPlaceFromStepToStep) {
  const std::vector<int32_t> a = {1, 2, 3}, b = {4, 5, 6, 7, 8}, c = {9, 10, 11}, d = {12, 13, 14, 15, 16};
  lists_.stage(std::vector<std::span<const int32_t>>{a, b});
  const int32_t* first = lists_.find(a);
  const int32_t* second = lists_.find(b);
  EXPECT_EQ(read(first, 3), a);
  EXPECT_EQ(read(second, 5), b);
  lists_.stage(std::vector<std::span<const int32_t>>{c, d});
  EXPECT_EQ(lists_.find(c), first);
  EXPECT_EQ(lists_.find(d), second);
  EXPECT_EQ(read(second, 5), d);
  EXPECT_EQ(lists_.find({}), nullptr);
}

TEST_F(DeviceListsTest, AnOperationMovesListsThatWereNotStaged) {
  const std::vector<int32_t> a = {1, 2, 3}, b = {4, 5};
  lists_.begin_operation();
  const int32_t* first = lists_.find(a);
  const int32_t* second = lists_.find(b);
  EXPECT_EQ(read(first, 3), a);
  EXPECT_EQ(read(second, 2), b);
  lists_.begin_operation();
  EXPECT_EQ(lists_.find(b), first);
}

TEST_F(DeviceListsTest, WhatDoesNotFitOrIsRecordedUnstagedIsAFault) {
  lists_.set_recording(true);
  EXPECT_EQ(lists_.find(std::vector<int32_t>{1}), nullptr);
  EXPECT_NE(work_.fault().find("not staged"), std::string::npos);

  StreamWork work;
  Staging staging(work);
  DeviceLists lists(work, staging);
  ASSERT_TRUE(work.open() && staging.open(256) && lists.plan(64));
  const std::vector<int32_t> large(65);
  lists.stage(std::vector<std::span<const int32_t>>{large});
  EXPECT_NE(work.fault().find("plan_scratch"), std::string::npos);
}

}  // namespace
}  // namespace seraph::cuda
