#include "engine/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace seraph {

void check_failed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "seraph: internal check failed at %s:%d: %s (%s)\n", file, line, condition, why);
  std::fflush(stderr);
  std::abort();
}

}  // namespace seraph
