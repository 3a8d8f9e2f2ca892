#include <gtest/gtest.h>

#include "daemon/commands/commands.h"

namespace seraph {
namespace {

const std::string kGolden = SERAPH_TEST_DATA "/golden/api";

TEST(LoraCommand, ChecksAFolderAgainstABaseOffline) {
  EXPECT_EQ(run_lora({"check", kGolden + "/lora", "--model", kGolden + "/model"}), 0);
  EXPECT_EQ(run_lora({"check", kGolden + "/lora", "--model", kGolden + "/model", "--max-lora-rank", "4"}), 2);
  EXPECT_EQ(run_lora({"check", kGolden + "/model", "--model", kGolden + "/model"}), 2);
  EXPECT_EQ(run_lora({"check", kGolden + "/lora"}), 2);
}

TEST(LoraCommand, SaysHowItIsUsed) {
  EXPECT_EQ(run_lora({}), 0);
  EXPECT_EQ(run_lora({"--help"}), 0);
  EXPECT_EQ(run_lora({"load", "--help"}), 0);
  EXPECT_EQ(run_lora({"sing"}), 2);
}

TEST(LoraCommand, AServerThatIsNotThereIsAFailure) {
  EXPECT_EQ(run_lora({"list", "--url", "http://127.0.0.1:1"}), 1);
  EXPECT_EQ(run_lora({"load", "a", "--path", "/p", "--url", "nonsense"}), 2);
}

}  // namespace
}  // namespace seraph
