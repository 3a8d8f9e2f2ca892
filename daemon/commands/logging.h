// spdlog as the process uses it: lines go to stderr by a thread of their own, so that neither the loop nor the engine
// waits for a terminal or a pipe. When the queue is full the oldest lines are dropped.
#pragma once

#include <string>

namespace seraph {

/// `level` is one of the option table's words; `json` makes every line a JSON object. A message is one line either way.
void start_logging(const std::string& level, bool json);
/// Writes what is queued and ends the thread.
void stop_logging();

}  // namespace seraph
