// The table of one instruction set. Included by instances only.
#pragma once

#include "kernels/cpu/ops/attention.h"
#include "kernels/cpu/ops/linear.h"
#include "kernels/cpu/ops/logits.h"
#include "kernels/cpu/ops/lora.h"

namespace seraph::cpu::SERAPH_ISA {

constexpr Kernels make_table(const char* name) {
  return Kernels{.name = name,
                 .bf16_inputs = SERAPH_ISA_BF16 != 0,
                 .linear = linear,
                 .lora_delta = lora_delta,
                 .embed = embed,
                 .rms_norm = rms_norm,
                 .rope_cache_write = rope_cache_write,
                 .attention_scratch_bytes = attention_scratch_bytes,
                 .attention = attention,
                 .argmax = argmax,
                 .exp_sum = exp_sum,
                 .count_at_least = count_at_least,
                 .select_at_least = select_at_least,
                 .divide = divide,
                 .profile = profile,
                 .draw = draw};
}

}  // namespace seraph::cpu::SERAPH_ISA
