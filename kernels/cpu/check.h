// Promises between the engine and the backend, checked in release builds too: a wrong shape reads foreign
// memory. A breach prints and ends the process. Any thread.
#pragma once

namespace seraph::cpu {

[[noreturn]] void broken_promise(const char* file, int line, const char* condition, const char* why);

}  // namespace seraph::cpu

#define SERAPH_CPU_CHECK(cond, why)                                  \
  do {                                                               \
    if (!(cond)) [[unlikely]] {                                      \
      ::seraph::cpu::broken_promise(__FILE__, __LINE__, #cond, why); \
    }                                                                \
  } while (false)
