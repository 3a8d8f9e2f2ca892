// What preparing functions need, made of the small recorded model.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "daemon/api/prepare.h"

namespace seraph {

class PreparedTest : public testing::Test {
 protected:
  PreparedTest() : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()) {
    info_.vocab_size = 777;
    info_.max_model_len = 512;
    info_.max_num_seqs = 8;
    options_.served_model_names = {"tiny"};
    reload();
  }
  void reload() { context_ = std::move(PrepareContext::make(*tokenizer_, info_, options_)).value(); }

  std::unique_ptr<Tokenizer> tokenizer_;
  EngineInfo info_;
  ApiOptions options_;
  std::unique_ptr<PrepareContext> context_;
};

}  // namespace seraph
