// Part of runtime.h for the simulator: the same calls, described there. Work is queued and runs as late as the rules
// of streams and events allow, in an order that a seed shuffles, so that a missing synchronisation shows.
#pragma once

namespace seraph::sim {
struct StreamState;
struct EventState;
struct GraphState;
struct GraphExecState;
}  // namespace seraph::sim

namespace seraph::cuda {

using Stream = sim::StreamState*;
using Event = sim::EventState*;
using Graph = sim::GraphState*;
using GraphExec = sim::GraphExecState*;

Status device_count(int32_t& count);
Status set_device(int32_t device);
Status device_properties(int32_t device, DeviceProperties& out);
Status memory_info(int64_t& free_bytes, int64_t& total_bytes);

Status allocate(void** data, int64_t bytes);
Status release(void* data);
Status allocate_pinned(void** data, int64_t bytes);
Status release_pinned(void* data);

Status copy_async(void* to, const void* from, int64_t bytes, CopyKind kind, Stream stream);
Status fill_async(void* data, uint8_t byte, int64_t bytes, Stream stream);

Status create_stream(Stream& stream);
Status destroy_stream(Stream stream);
Status synchronize(Stream stream);
Status synchronize_device();

Status create_event(Event& event);
Status destroy_event(Event event);
Status record(Event event, Stream stream);
Status wait(Stream stream, Event event);
Status query(Event event);
Status synchronize(Event event);
Status elapsed_ms(Event begin, Event end, float& ms);

Status begin_capture(Stream stream);
Status end_capture(Stream stream, Graph& graph);
Status instantiate(GraphExec& exec, Graph graph);
Status num_nodes(Graph graph, int64_t& count);
Status launch_graph(GraphExec exec, Stream stream);
Status destroy_graph(Graph graph);
Status destroy_graph_exec(GraphExec exec);

}  // namespace seraph::cuda
