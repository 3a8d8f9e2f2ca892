#include "kernels/cpu/isa.h"

#include <cpuid.h>

namespace seraph::cpu {
namespace {

struct Registers {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool has(uint32_t bits, uint32_t bit) { return (bits >> bit & 1U) != 0; }

/// What the operating system saves at a context switch (XCR0); the CPU's word alone is not enough.
uint32_t saved_state() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

}  // namespace

IsaLevel detect_isa() {
  const Registers one = cpuid(1, 0);
  const bool fma = has(one.ecx, 12);
  const bool osxsave = has(one.ecx, 27);
  const bool f16c = has(one.ecx, 29);
  if (!osxsave) return IsaLevel::kNone;
  const uint32_t state = saved_state();
  constexpr uint32_t kYmm = 0x06;
  constexpr uint32_t kZmm = 0xE6;
  const Registers seven = cpuid(7, 0);
  const Registers seven_one = cpuid(7, 1);
  if ((state & kYmm) != kYmm || !fma || !f16c || !has(seven.ebx, 5)) return IsaLevel::kNone;
  const bool f = has(seven.ebx, 16);
  const bool dq = has(seven.ebx, 17);
  const bool bw = has(seven.ebx, 30);
  const bool vl = has(seven.ebx, 31);
  if ((state & kZmm) != kZmm || !f || !dq || !bw || !vl) return IsaLevel::kAvx2;
  return has(seven_one.eax, 5) ? IsaLevel::kAvx512Bf16 : IsaLevel::kAvx512;
}

const Kernels* find_kernels(const std::string& isa_max, std::string& error) {
  const IsaLevel machine = detect_isa();
  if (machine == IsaLevel::kNone) {
    error = "this CPU lacks AVX2, FMA or F16C, which the CPU backend needs";
    return nullptr;
  }
  IsaLevel level = machine;
  if (isa_max == "avx2") {
    level = IsaLevel::kAvx2;
  } else if (isa_max == "avx512") {
    level = IsaLevel::kAvx512;
  } else if (isa_max == "avx512bf16") {
    level = IsaLevel::kAvx512Bf16;
  } else if (!isa_max.empty()) {
    error = "unknown instruction set \"" + isa_max + "\"; there are avx2, avx512 and avx512bf16";
    return nullptr;
  }
  if (level > machine) {
    error = "this CPU lacks " + isa_max;
    return nullptr;
  }
  if (level == IsaLevel::kAvx512Bf16) return &avx512bf16_kernels();
  if (level == IsaLevel::kAvx512) return &avx512_kernels();
  return &avx2_kernels();
}

}  // namespace seraph::cpu
