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

TEST(WebPage, TheIconThatBrowsersAskForIsNoError) {
  Router router;
  add_web_page(router);
  EXPECT_NE(router.find("GET", "/favicon.ico").handler, nullptr);
}

TEST(WebPage, ABrowserIsSentToAnAddressThatExists) {
  EXPECT_EQ(browser_address("http://0.0.0.0:8501", "box"), "http://box:8501");
  EXPECT_EQ(browser_address("https://[::]:1", "box"), "https://box:1");
  EXPECT_EQ(browser_address("http://0.0.0.0:8501", ""), "http://127.0.0.1:8501");
  EXPECT_EQ(browser_address("http://127.0.0.1:8501", "box"), "http://127.0.0.1:8501");
  EXPECT_EQ(browser_address("unix:/s", "box"), "unix:/s");
}

}  // namespace
}  // namespace seraph
