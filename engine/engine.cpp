// The engine thread and its two doors: the submit ring and the event ring. The thread loads the model itself,
// so that memory is touched first and the backend is used only where it is needed.
#include "engine/engine.h"

#include <pthread.h>

#include <atomic>
#include <exception>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "engine/engine_load.h"
#include "engine/engine_loop.h"
#include "engine/model/adapter.h"
#include "engine/shared_stats.h"

namespace seraph {
namespace {

constexpr MonotonicUs kStepStallUs = 300LL * 1000 * 1000;  // a step that takes longer than this is a hang

Result<LoadedModel> load_without_exceptions(const EngineOptions& options) {
  try {
    return load_model(options);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kOutOfMemory, "memory ran out while loading " + options.model_dir,
                 "use a smaller checkpoint or a smaller --dtype"};
  } catch (const std::exception& error) {
    return Error{ErrorCode::kInternal, "loading " + options.model_dir + " failed: " + error.what()};
  }
}

/// Without an id.
Result<Adapter> read_adapter(const std::string& dir, const DecoderSpec& spec, int32_t rank_max) {
  SERAPH_ASSIGN_OR_RETURN(
      auto folder,
      PeftFolder::open(dir, {.rank_max = rank_max, .file_bytes_max = adapter_file_bytes_max(spec, rank_max)}));
  Adapter adapter{.rank = folder->rank_max(), .bytes = folder->bytes(), .version = folder->version()};
  SERAPH_ASSIGN_OR_RETURN(adapter.weights, fit_adapter(std::move(folder), spec));
  return adapter;
}

}  // namespace

Result<std::shared_ptr<const Adapter>> check_adapter(const EngineOptions& options, const std::string& dir) {
  SERAPH_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::open(options.model_dir, Checkpoint::Weights::kIgnored,
                                                                  false, options.config_overrides));
  SERAPH_ASSIGN_OR_RETURN(const DecoderSpec spec, read_decoder_spec(*checkpoint));
  SERAPH_ASSIGN_OR_RETURN(Adapter adapter, read_adapter(dir, spec, options.max_lora_rank));
  return std::make_shared<const Adapter>(std::move(adapter));
}

class Engine::Impl {
 public:
  Impl(const EngineOptions& options, std::function<void()> on_events)
      : options_(options), on_events_(std::move(on_events)) {}

  ~Impl() {
    stopping_.store(true, std::memory_order_release);
    doorbell_.ring();
    if (thread_.joinable()) thread_.join();
  }

  /// Starts the thread and waits until it has loaded the model.
  Status start() {
    std::promise<Status> loaded;
    std::future<Status> result = loaded.get_future();
    thread_ = std::thread([this, &loaded] { run(loaded); });
    return result.get();
  }

  Status submit(std::unique_ptr<Request> request) {
    const int64_t num_open = stats_.num_open.load(std::memory_order_relaxed);
    if (options_.queued_requests_max > 0 && num_open >= options_.queued_requests_max) {
      return Error{ErrorCode::kResourceExhausted,
                   std::to_string(num_open) + " sequences are unfinished, the limit set by --max-num-queued-reqs is " +
                       std::to_string(options_.queued_requests_max),
                   "try again later"};
    }
    if (num_open == 0) stats_.last_sign_us.store(now_us(), std::memory_order_relaxed);
    stats_.num_open.fetch_add(1, std::memory_order_relaxed);  // before the engine can finish it
    if (!submissions_->try_submit(request)) {
      stats_.num_open.fetch_sub(1, std::memory_order_relaxed);
      return Error{ErrorCode::kResourceExhausted,
                   "the queue of " + std::to_string(options_.submit_ring_slots) + " submissions is full",
                   "try again later"};
    }
    return {};
  }

  void cancel(RequestId id) { submissions_->cancel(id); }

  void drain_events(std::vector<Event>& out) {
    events_->drain(out);
    submissions_->flush_cancels();
  }

  Result<std::shared_ptr<const Adapter>> load_adapter(const std::string& dir, const Adapter* known) const {
    SERAPH_ASSIGN_OR_RETURN(Adapter adapter, read_adapter(dir, spec_, options_.max_lora_rank));
    const bool same = known != nullptr && known->version == adapter.version;
    adapter.id = same ? known->id : adapters_.fetch_add(1, std::memory_order_relaxed) + 1;
    return std::make_shared<const Adapter>(std::move(adapter));
  }

  const EngineInfo& info() const { return info_; }
  EngineStats stats() const {
    EngineStats stats = stats_.load();
    stats.sleep_level = control_.sleep_level.load(std::memory_order_relaxed);
    stats.paused = control_.paused.load(std::memory_order_relaxed);
    return stats;
  }

  void sleep(int32_t level) {
    control_.sleep_level.store(level, std::memory_order_release);
    doorbell_.ring();
  }

  void wake_up() {
    stats_.last_sign_us.store(now_us(), std::memory_order_relaxed);
    sleep(0);
  }

  void pause(bool paused) {
    if (!paused) stats_.last_sign_us.store(now_us(), std::memory_order_relaxed);
    control_.paused.store(paused, std::memory_order_release);
    doorbell_.ring();
  }

  void reset_prefix_cache() {
    control_.prefix_resets.fetch_add(1, std::memory_order_release);
    doorbell_.ring();
  }

  bool healthy(MonotonicUs now) const {
    if (stats_.failed.load(std::memory_order_acquire)) return false;
    if (stats_.num_open.load(std::memory_order_relaxed) == 0) return true;
    if (control_.sleep_level.load(std::memory_order_relaxed) > 0) return true;
    if (control_.paused.load(std::memory_order_relaxed)) return true;
    return now - stats_.last_sign_us.load(std::memory_order_relaxed) < kStepStallUs;
  }

 private:
  void run(std::promise<Status>& loaded) {
    pthread_setname_np(pthread_self(), "seraph-engine");
    Result<LoadedModel> model = load_without_exceptions(options_);
    if (!model.ok()) {
      loaded.set_value(std::move(model.error()));
      return;
    }
    info_ = model->info;
    spec_ = model->decoder->spec();
    submissions_.emplace(static_cast<size_t>(std::max(options_.submit_ring_slots, 1)), doorbell_);
    events_.emplace(EventRing::Limits{.drained_max = submissions_->drain_max(),
                                      .events_per_step_max = static_cast<size_t>(info_.max_num_seqs)},
                    doorbell_);
    EngineLoop loop({.limits = model->limits,
                     .executor = model->executor.get(),
                     .submissions = &*submissions_,
                     .events = &*events_,
                     .stats = &stats_,
                     .control = &control_,
                     .wake = on_events_});
    loaded.set_value(Status());  // `loaded` is gone from here on
    while (!stopping_.load(std::memory_order_acquire)) {
      doorbell_.begin_round();
      if (!stopping_.load(std::memory_order_acquire) && !loop.run_round()) doorbell_.sleep();
    }
    loop.cancel_all();
  }

  // Constant after construction, or after start() returned.
  const EngineOptions options_;
  const std::function<void()> on_events_;
  EngineInfo info_;
  DecoderSpec spec_;

  // Where the two threads meet.
  Doorbell doorbell_;
  std::optional<SubmitRing> submissions_;
  std::optional<EventRing> events_;
  SharedStats stats_;
  EngineControl control_;
  std::atomic<bool> stopping_{false};
  mutable std::atomic<uint64_t> adapters_{0};  // versions loaded so far

  std::thread thread_;
};

Result<std::unique_ptr<Engine>> Engine::make(const EngineOptions& options, std::function<void()> on_events) {
  auto impl = std::make_unique<Impl>(options, std::move(on_events));
  SERAPH_RETURN_IF_ERROR(impl->start());
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Status Engine::submit(std::unique_ptr<Request> request) { return impl_->submit(std::move(request)); }
void Engine::cancel(RequestId id) { impl_->cancel(id); }
void Engine::drain_events(std::vector<Event>& out) { impl_->drain_events(out); }
Result<std::shared_ptr<const Adapter>> Engine::load_adapter(const std::string& dir, const Adapter* known) const {
  return impl_->load_adapter(dir, known);
}
const EngineInfo& Engine::info() const { return impl_->info(); }
EngineStats Engine::stats() const { return impl_->stats(); }
void Engine::sleep(int32_t level) { impl_->sleep(level); }
void Engine::pause(bool paused) { impl_->pause(paused); }
void Engine::wake_up() { impl_->wake_up(); }
void Engine::reset_prefix_cache() { impl_->reset_prefix_cache(); }
bool Engine::healthy(MonotonicUs now) const { return impl_->healthy(now); }

}  // namespace seraph
