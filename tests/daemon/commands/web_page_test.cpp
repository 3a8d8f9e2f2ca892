#include "daemon/commands/web_page.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

TEST(WebPage, ThePageIsOpenAndAnswersWhoAsksOnlyForItsHeaders) {
  Router router;
  add_web_page(router);
  for (const char* method : {"GET", "HEAD"}) {
    const Router::Match match = router.find(method, "/");
    EXPECT_NE(match.handler, nullptr) << method;
    EXPECT_EQ(match.access, Access::kOpen);
  }
  EXPECT_EQ(router.find("POST", "/").handler, nullptr);
}

}  // namespace
}  // namespace seraph
