// Who shares cached prompts with whom. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace seraph {

/// Separates prefix-cache tenants: by API key, and within a key by the client's own salt.
std::array<uint8_t, 16> tenant_salt(int32_t key_index, const std::string& cache_salt);

}  // namespace seraph
