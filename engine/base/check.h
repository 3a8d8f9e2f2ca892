// Broken assumptions of our own end the process, in release builds too: a server that goes on with
// a wrong block table answers one user with another user's text. Never for input of the world
// (result.h). Usable on every thread.
#pragma once

namespace seraph {

/// Prints the failed condition with its place to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace seraph

/// SERAPH_CHECK(cond, "why it must hold"): the text is for whoever reads the core dump at night.
#define SERAPH_CHECK(cond, why)                               \
  do {                                                        \
    if (!(cond)) [[unlikely]] {                               \
      ::seraph::check_failed(__FILE__, __LINE__, #cond, why); \
    }                                                         \
  } while (false)
