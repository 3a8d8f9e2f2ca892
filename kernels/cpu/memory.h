// Zeroed, 64-byte aligned memory from the system, in huge pages where it is large: a decode step reads
// every weight once, and 4 KiB pages would cost it a TLB miss every 64 lines. Any thread.
#pragma once

#include "kernels/backend.h"

namespace seraph::cpu {

/// Empty when the system refuses.
Buffer allocate_memory(int64_t bytes);

/// What the system says could be allocated without swapping, bounded by the process's cgroup.
int64_t memory_available_bytes();

}  // namespace seraph::cpu
