#include "daemon/api/tenant.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(Tenant, KeysAndSaltsSeparate) {
  const std::array<uint8_t, 16> common{};
  EXPECT_EQ(tenant_salt(-1, ""), common);
  EXPECT_NE(tenant_salt(0, ""), common);
  EXPECT_NE(tenant_salt(0, ""), tenant_salt(1, ""));
  EXPECT_NE(tenant_salt(-1, "a"), tenant_salt(-1, "b"));
  EXPECT_EQ(tenant_salt(2, "a"), tenant_salt(2, "a"));
}

}  // namespace
}  // namespace seraph
