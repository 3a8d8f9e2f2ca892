#include "engine/grammar/rule_nodes.h"

#include <gtest/gtest.h>

#include "engine/grammar/failure.h"

namespace seraph::grammar {
namespace {

TEST(RuleNodes, ErrorsNameLineAndColumnInCharacters) {
  const GrammarSource source("a\n上b");
  try {
    source.fail_at(3, "wrong");
    FAIL() << "no error";
  } catch (const CompileFailure& failure) {
    EXPECT_EQ(failure.error.message, "invalid grammar at line 2, column 2: wrong");
  }
}

}  // namespace
}  // namespace seraph::grammar
