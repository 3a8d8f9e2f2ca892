// Which instruction sets the machine and its operating system offer, and the best table for them.
// Pure functions of the machine; any thread.
#pragma once

#include <string>

#include "kernels/cpu/kernels.h"

namespace seraph::cpu {

enum class IsaLevel : uint8_t { kNone, kAvx2, kAvx512, kAvx512Bf16 };

/// The best set that kernels exist for. VNNI is none of its own: it multiplies 8-bit integers, and every operand of
/// these kernels has 16 or 32 bits.
IsaLevel detect_isa();

/// The best table up to `isa_max` ("" for no bound). Errors: null and a sentence when the name is unknown or
/// the machine lacks it, or lacks even AVX2.
const Kernels* find_kernels(const std::string& isa_max, std::string& error);

}  // namespace seraph::cpu
