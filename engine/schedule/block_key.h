// The name of a full KV block in the prefix cache: a keyed 128-bit hash of everything its keys and
// values depend on: the parent block's name (and so all tokens before), its own token ids, the salt of the
// tenant and the adapter. The key is random per process, so nobody can construct two prompts that collide.
// Source: Aumasson & Bernstein 2012, SipHash (2-4 rounds, 128-bit output).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/request.h"

namespace seraph {

struct BlockKey {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

class BlockHasher {
 public:
  explicit BlockHasher(std::array<uint64_t, 2> secret) : secret_(secret) {}
  /// A key that no one outside knows, from the system's random source.
  static std::array<uint64_t, 2> random_secret();

  /// The parent of a first block: separates tenants, adapters (0: none), and prompt lengths where keys depend on them
  /// (0: they don't).
  BlockKey root(const std::array<uint8_t, 16>& salt, uint64_t prompt_tokens, uint64_t adapter = 0) const;
  BlockKey block(const BlockKey& parent, std::span<const TokenId> tokens) const;

 private:
  const std::array<uint64_t, 2> secret_;
};

/// SipHash-2-4 with 128-bit output over whole 8-byte words (little endian; the reference's byte count is 8 * words).
BlockKey siphash128(const std::array<uint64_t, 2>& secret, std::span<const uint64_t> words);

}  // namespace seraph
