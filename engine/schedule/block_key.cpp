#include "engine/schedule/block_key.h"

#include <bit>
#include <cstring>
#include <random>

#include "engine/base/check.h"

namespace seraph {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  SipState(const std::array<uint64_t, 2>& secret)
      : v0(secret[0] ^ 0x736f6d6570736575ULL),
        v1(secret[1] ^ 0x646f72616e646f6dULL ^ 0xee),  // 0xee: the variant with 128-bit output
        v2(secret[0] ^ 0x6c7967656e657261ULL),
        v3(secret[1] ^ 0x7465646279746573ULL) {}

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void absorb(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  BlockKey finish(uint64_t num_bytes) {
    absorb(num_bytes << 56);
    BlockKey key;
    v2 ^= 0xee;
    for (int i = 0; i < 4; ++i) round();
    key.low = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    for (int i = 0; i < 4; ++i) round();
    key.high = v0 ^ v1 ^ v2 ^ v3;
    return key;
  }
};

}  // namespace

BlockKey siphash128(const std::array<uint64_t, 2>& secret, std::span<const uint64_t> words) {
  SipState state(secret);
  for (const uint64_t word : words) state.absorb(word);
  return state.finish(words.size() * 8);
}

std::array<uint64_t, 2> BlockHasher::random_secret() {
  std::random_device device;
  std::array<uint64_t, 2> secret = {};
  for (uint64_t& word : secret) word = (uint64_t{device()} << 32) | device();
  return secret;
}

BlockKey BlockHasher::root(const std::array<uint8_t, 16>& salt, uint64_t prompt_tokens, uint64_t adapter) const {
  std::array<uint64_t, 4> words = {};
  std::memcpy(words.data(), salt.data(), salt.size());
  words[2] = prompt_tokens;
  words[3] = adapter;
  return siphash128(secret_, words);
}

BlockKey BlockHasher::block(const BlockKey& parent, std::span<const TokenId> tokens) const {
  SERAPH_CHECK(tokens.size() % 2 == 0, "KV blocks hold an even number of tokens");
  SipState state(secret_);
  state.absorb(parent.low);
  state.absorb(parent.high);
  for (size_t i = 0; i < tokens.size(); i += 2) {
    const uint64_t low = static_cast<uint32_t>(tokens[i]);
    state.absorb(low | (uint64_t{static_cast<uint32_t>(tokens[i + 1])} << 32));
  }
  return state.finish(16 + tokens.size() * 4);
}

}  // namespace seraph
