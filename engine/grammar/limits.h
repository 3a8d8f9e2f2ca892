// What one compilation may cost. Every compile function takes these limits; exceeding one is an Error that names it.
#pragma once

#include <cstdint>

namespace seraph {

struct CompileLimits {
  int64_t time_ms_max = 600;            // of the compiling thread
  int64_t work_max = 40'000'000;        // elementary steps, so that the verdict does not depend on the machine's load
  int64_t states_max = 400'000;         // automaton states of one grammar
  int64_t table_bytes_max = 128 << 20;  // transition table of one grammar
  int64_t source_bytes_max = 4 << 20;   // the constraint's text
  int32_t depth_max = 256;              // nesting of groups, schemas and references
};

}  // namespace seraph
