// What the dispatcher (api.cpp) knows of an HTTP request that the engine works for, whether it generates or pools: its
// engine requests go out, events come in, it ends by itself, by its client or by the server. Loop thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/api/errors.h"
#include "daemon/api/fields.h"
#include "daemon/http/server.h"
#include "engine/request.h"

namespace seraph {

class Task {
 public:
  virtual ~Task() = default;

  /// Engine requests so far. A task may grow by some in on_event(); they are then submitted like the first ones.
  virtual size_t num_sequences() const = 0;
  /// The engine's request for one sequence; `id` is remembered for cancelling.
  virtual std::unique_ptr<Request> make_request(size_t sequence, RequestId id) = 0;
  /// True when no further event of this sequence is wanted.
  virtual bool on_event(size_t sequence, Event& event) = 0;
  /// Sends what the events since the last call gave.
  virtual void flush() = 0;
  /// Ids of the sequences that may still run.
  virtual std::vector<RequestId> open_requests() const = 0;
  virtual bool over() const = 0;
  /// The id of the answer, and whose key asked for it; "" where nobody asks by it.
  virtual std::string_view answer_id() const { return {}; }
  virtual std::string_view owner() const { return {}; }
  /// Ends the request from outside: the client is gone (no answer), or an error that it is told.
  virtual void abandon() = 0;
  virtual void fail(const ApiError& error) = 0;
  /// The adapter that it asks for by name; "": the model's own weights.
  virtual std::string_view adapter() const { return {}; }
  /// The socket has room again.
  virtual void resume() {}

  // The dispatcher's own marks.
  bool flush_wanted = false;  // already on its list
  size_t num_submitted = 0;
  bool begun = false;  // an event came: it was scheduled
};

/// The error as a whole answer, with Retry-After where it says so.
void respond_error(Exchange& exchange, const ApiError& error);
/// Likewise, in the shape of the endpoint.
void respond_error(Exchange& exchange, const ApiError& error, Endpoint endpoint);
ApiError shutting_down_error();

}  // namespace seraph
