#include "engine/model/lora_banks.h"

#include <gtest/gtest.h>

#include <string>

namespace seraph {
namespace {

DecoderSpec spec_of() {
  DecoderSpec spec;
  spec.num_layers = 2;
  spec.hidden = 16;
  spec.intermediate = 24;
  spec.num_heads = 4;
  spec.num_kv_heads = 2;
  spec.head_dim = 8;
  return spec;
}

class LoraBanksTest : public testing::Test {
 protected:
  LoraBanksTest() { backend_ = make_cpu_backend({.threads = 1, .pin_threads = false}, why_); }

  LoraBanks make(int32_t num_slots) {
    return LoraBanks::make({.backend = backend_.get(), .spec = &spec_, .num_slots = num_slots, .rank_max = 4}).value();
  }

  const DecoderSpec spec_ = spec_of();
  std::string why_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(LoraBanksTest, EveryLinearOfEveryLayerHasSlots) {
  const LoraBanks banks = make(3);
  for (int32_t i = 0; i < 2; ++i) {
    const LayerBanks& layer = banks.layer(i, true);
    for (const LoraBank* bank :
         {layer.qkv.get(), layer.attention_output.get(), layer.mlp.gate_up.get(), layer.mlp.down.get()}) {
      ASSERT_NE(bank, nullptr);
      EXPECT_EQ(bank->num_slots(), 3);
      EXPECT_EQ(bank->rank_max(), 4);
    }
  }
  EXPECT_GT(banks.bytes(), 0);
  EXPECT_GT(make(4).bytes(), banks.bytes());
}

TEST_F(LoraBanksTest, StepsWithoutAdaptersSeeNone) {
  const LoraBanks banks = make(3);
  EXPECT_EQ(banks.layer(1, false).qkv, nullptr);
  const LoraBanks none = make(0);
  EXPECT_EQ(none.layer(0, false).mlp.down, nullptr);
  EXPECT_EQ(none.bytes(), 0);
}

}  // namespace
}  // namespace seraph
