#include "daemon/commands/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace seraph {
namespace {

std::string logged(bool json, const std::string& message) {
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  testing::internal::CaptureStderr();
  start_logging("info", json);
  spdlog::info("{}", message);
  stop_logging();
  spdlog::set_default_logger(before);  // the tests after this one log too
  return testing::internal::GetCapturedStderr();
}

TEST(Logging, AMessageIsOneLineWhateverAClientPutIntoIt) {
  const std::string hostile = "id x\n2026-01-01 00:00:00.000 error   forged\r\x1b[2J\x7f";
  for (const bool json : {false, true}) {
    const std::string text = logged(json, hostile);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    EXPECT_EQ(text.back(), '\n');
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
  }
  EXPECT_NE(logged(false, hostile).find("id x\\n2026-01-01 00:00:00.000 error   forged\\r\\x1b[2J\\x7f\n"),
            std::string::npos);
}

TEST(Logging, AMessageAfterTheEndIsStillWritten) {
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  testing::internal::CaptureStderr();
  start_logging("info", false);
  stop_logging();
  spdlog::warn("late");
  const std::string text = testing::internal::GetCapturedStderr();
  spdlog::set_default_logger(before);
  EXPECT_NE(text.find("late"), std::string::npos);
}

TEST(Logging, PlainTextStaysAsItIs) {
  const std::string text = logged(false, "caf\u00e9 \"quoted\" back\\slash\ttab");
  EXPECT_TRUE(text.ends_with(" info    caf\u00e9 \"quoted\" back\\slash\ttab\n")) << text;
}

}  // namespace
}  // namespace seraph
