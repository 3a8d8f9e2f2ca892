#include "daemon/api/api.h"

#include <atomic>
#include <random>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "daemon/api/adapter_routes.h"
#include "daemon/api/adapters.h"
#include "daemon/api/anthropic.h"
#include "daemon/api/body.h"
#include "daemon/api/detached_exchange.h"
#include "daemon/api/endpoints.h"
#include "daemon/api/errors.h"
#include "daemon/api/fields.h"
#include "daemon/api/generation.h"
#include "daemon/api/metrics.h"
#include "daemon/api/models.h"
#include "daemon/api/openapi.h"
#include "daemon/api/operations.h"
#include "daemon/api/pool.h"
#include "daemon/api/pooling.h"
#include "daemon/api/pooling_task.h"
#include "daemon/api/prepare.h"
#include "daemon/api/refusal_log.h"
#include "daemon/api/refusals.h"
#include "daemon/api/render.h"
#include "daemon/api/response_store.h"
#include "daemon/api/responses.h"
#include "daemon/api/search_task.h"
#include "daemon/api/token_generation.h"
#include "daemon/api/tokenize.h"

namespace seraph {
namespace {

constexpr const char* kJsonType = "application/json";

/// One HTTP request from its first byte to its last: shared with the exchange's callbacks.
struct Ticket {
  std::shared_ptr<Task> task;     // once prepared
  std::atomic<bool> gone{false};  // the client left before; set by the loop, a worker looks before it begins
};

class ApiImpl : public Api {
 public:
  ApiImpl(ApiArgs args, std::unique_ptr<PrepareContext> context)
      : options_(std::move(args.options)),
        engine_(*args.engine),
        tokenizer_(*args.tokenizer),
        metrics_(options_.served_model_names.front(), args.engine->info()),
        context_(std::move(context)),
        adapters_({.read = [engine = args.engine](const std::string& dir,
                                                  const Adapter* known) { return engine->load_adapter(dir, known); },
                   .base_names = options_.served_model_names,
                   .resident_max = options_.adapters_resident_max,
                   .store = args.store}),
        adapter_routes_({.registry = &adapters_, .pool = &pool_}),
        responses_({options_.stored_responses_max, options_.stored_responses_bytes_max}, args.store),
        operations_({.engine = args.engine,
                     .tokenizer = args.tokenizer,
                     .options = &options_,
                     .metrics = &metrics_,
                     .num_in_progress = [this] { return num_in_progress_; },
                     .adapter_use = [this] { return adapter_use(); },
                     .abort_all = [this](const ApiError& error) { end_all(error); },
                     .drain = [this](std::function<void()> done) { drain(std::move(done)); },
                     .resume = [this] { release_held(); }}),
        random_engine_(std::random_device{}()),
        refusals_(options_.served_model_names.front(), args.store),
        pool_(args.loop) {
    context_->options = &options_;
    context_->responses = &responses_;
    if (options_.enable_lora) context_->adapters = &adapters_;
    metrics_.set_store(args.store);
    random_ = [this] { return random_engine_(); };
    services_.cancel = [engine = args.engine](RequestId id) { engine->cancel(id); };
    services_.tokenizer = args.tokenizer;
    services_.options = &options_;
    services_.metrics = &metrics_;
    services_.store = args.store;
    services_.responses = &responses_;
    services_.fingerprint =
        options_.system_fingerprint.empty() ? "seraph-" + options_.version : options_.system_fingerprint;
    pooling_services_ = {
        .cancel = services_.cancel,
        .run = [this](std::function<void()> work,
                      std::function<void()> done) { pool_.run(std::move(work), std::move(done)); },
        .info = &args.engine->info(),
        .options = &options_,
        .metrics = &metrics_,
        .store = args.store,
    };
    services_.eos_id = tokenizer_.eos_id();
  }

  Status load_adapters() { return options_.enable_lora ? adapters_.load_initial(options_.lora_modules) : Status(); }
  void add_routes(Router& router) override;
  void set_http_counters(std::function<HttpCounters()> counters) override {
    operations_.set_http_counters(std::move(counters));
  }
  void on_engine_events() override;
  void on_refused(std::string_view path, int status) override { refusals_.record(path, status); }
  void begin_shutdown() override { shutting_down_ = true; }
  bool idle() const override { return pool_.num_pending() == 0 && active_.empty(); }
  void cancel_all() override;

 private:
  struct Target {
    Task* task = nullptr;  // in active_
    size_t sequence = 0;
  };
  using Answer = std::optional<ApiError> (*)(std::string_view, const PrepareContext&, std::string&);

  void add_model_routes(Router& router);
  void add_chat_routes(Router& router);
  void add_scale_out_routes(Router& router);
  void handle_abort(Exchange& exchange);
  void handle_generation(std::shared_ptr<Exchange> exchange, Endpoint endpoint);
  void handle_answer(std::shared_ptr<Exchange> exchange, Answer answer, Endpoint endpoint);
  std::shared_ptr<Task> make_search(std::shared_ptr<Generation> answer);
  void handle_pooling(std::shared_ptr<Exchange> exchange, Endpoint endpoint);
  /// Prepares on a worker, then makes the task of what came out and submits it.
  template <typename Prepared, typename PrepareIt, typename Make>
  void handle_task(std::shared_ptr<Exchange> exchange, Endpoint endpoint, Prepared prepared, PrepareIt prepare,
                   Make make);
  std::string answer_id(const Exchange& exchange, Endpoint endpoint, const std::string& asked);
  void begin_task(const std::shared_ptr<Ticket>& ticket, Exchange& exchange, std::shared_ptr<Task> task);
  bool submit(Task& task);
  void retire(const std::shared_ptr<Task>& task);
  void drop(const std::shared_ptr<Task>& task);
  void end_all(const ApiError& error);
  void end_task(const std::shared_ptr<Task>& task, const ApiError& error);
  void drain(std::function<void()> done);
  void finish_drain();
  void release_held();
  std::shared_ptr<Generation> make_generation(std::shared_ptr<Exchange> exchange, Endpoint endpoint,
                                              PreparedGeneration prepared);
  void begin_background(Exchange& exchange, PreparedGeneration prepared);
  void end_background(const Generation& generation, const char* status);
  bool store_pending(const Generation& generation, const char* status);
  void refuse_task(Exchange& exchange, const ApiError& error, Endpoint endpoint);
  void handle_models(Exchange& exchange);
  AdapterUse adapter_use() const;
  void handle_response(Exchange& exchange);

  const ApiOptions options_;
  Engine& engine_;
  const Tokenizer& tokenizer_;
  GenerationServices services_;
  PoolingServices pooling_services_;
  ApiMetrics metrics_;
  std::unique_ptr<PrepareContext> context_;  // constant after construction; read by workers
  AdapterRegistry adapters_;
  AdapterRoutes adapter_routes_;
  ResponseStore responses_;
  Operations operations_;
  std::mt19937_64 random_engine_;
  std::function<uint64_t()> random_;
  RefusalLog refusals_;
  std::unordered_map<RequestId, Target> targets_;
  std::unordered_map<Task*, std::shared_ptr<Task>> active_;
  std::unordered_map<std::string, std::shared_ptr<Generation>> background_;  // by owner, line break, id of the response
  std::vector<std::shared_ptr<Task>> held_;  // begun while older ones are waited for; in active_ too
  std::function<void()> drained_;            // not null: that waiting goes on
  std::vector<Event> events_;
  std::vector<Task*> touched_;
  RequestId next_request_ = 1;
  int64_t num_in_progress_ = 0;
  bool shutting_down_ = false;  // no new generations
  bool cancelled_ = false;      // nor those that a worker still prepares
  WorkPool pool_;               // last: its destructor waits for workers that read the members above
};

/// What the model is for: paths of the other kind are unknown, as vLLM has it.
void ApiImpl::add_model_routes(Router& router) {
  for (const PoolingRoute& route : pooling_routes(engine_.info().pooling)) {
    refusals_.add_path(route.path);
    router.add("POST", route.path, Access::kKey,
               [this, endpoint = route.endpoint](auto exchange) { handle_pooling(std::move(exchange), endpoint); });
  }
  if (engine_.info().pooling.pools()) return;
  add_chat_routes(router);
  if (options_.enable_lora && options_.runtime_adapters) adapter_routes_.add_routes(router);
}

void ApiImpl::add_chat_routes(Router& router) {
  for (const GenerationEndpoint& row : generation_endpoints()) {
    if (row.endpoint == kTokens && !options_.enable_scale_out) continue;
    refusals_.add_path(row.path);
    router.add("POST", row.path, row.endpoint == kMessages ? Access::kAnyHeader : Access::kKey,
               [this, endpoint = row.endpoint](auto exchange) { handle_generation(std::move(exchange), endpoint); });
  }
  for (const char* method : {"GET", "DELETE", "POST"}) {
    router.add(method, "/v1/responses/*", Access::kKey, [this](auto exchange) { handle_response(*exchange); });
  }
  router.add("POST", "/v1/messages/count_tokens", Access::kAnyHeader,
             [this](auto exchange) { handle_answer(std::move(exchange), answer_count_tokens, kCountTokens); });
  if (options_.enable_scale_out) add_scale_out_routes(router);
  add_refused_routes(router, options_);
}

void ApiImpl::add_scale_out_routes(Router& router) {
  const auto add = [&](const char* path, Answer answer, Endpoint endpoint) {
    router.add("POST", path, Access::kKey,
               [this, answer, endpoint](auto exchange) { handle_answer(std::move(exchange), answer, endpoint); });
  };
  add("/v1/chat/completions/render", answer_render_chat, kChat);
  add("/v1/completions/render", answer_render_completion, kCompletions);
  add("/v1/messages/render", answer_render_messages, kMessages);
  add("/v1/responses/render", answer_render_responses, kResponses);
  add("/v1/chat/completions/derender", answer_derender_chat, kChat);
  add("/v1/completions/derender", answer_derender_completion, kCompletions);
  router.add("POST", "/inference/v1/abort_requests", Access::kKey, [this](auto exchange) { handle_abort(*exchange); });
}

/// Ends requests of the same key by the ids of their answers; unknown ids are nothing to worry about.
void ApiImpl::handle_abort(Exchange& exchange) {
  std::unordered_set<std::string> ids;
  if (const auto error = read_abort(exchange.request().body, ids)) return respond_error(exchange, *error);
  std::vector<std::shared_ptr<Task>> named;
  for (const auto& [pointer, task] : active_) {
    if (ids.contains(std::string(task->answer_id())) && task->owner() == exchange.request().key_owner) {
      named.push_back(task);
    }
  }
  for (const auto& task : named) end_task(task, bad_request("the request was aborted by its client"));
  exchange.respond(200, "", "");
}

void ApiImpl::add_routes(Router& router) {
  add_model_routes(router);
  router.add("POST", "/tokenize", Access::kKey,
             [this](auto exchange) { handle_answer(std::move(exchange), answer_tokenize, kTokenizeText); });
  router.add("POST", "/v1/systemone", Access::kKey,
             [this](auto exchange) { handle_answer(std::move(exchange), answer_systemone, kSystemOne); });
  router.add("POST", "/detokenize", Access::kKey,
             [this](auto exchange) { handle_answer(std::move(exchange), answer_detokenize, kDetokenize); });
  for (const char* path : {"/v1/models", "/v1/models/*"}) {
    router.add("GET", path, Access::kKey, [this](std::shared_ptr<Exchange> exchange) { handle_models(*exchange); });
  }
  operations_.add_routes(router);
  add_openapi_routes(router, options_.version);
}

void ApiImpl::handle_models(Exchange& exchange) {
  const std::string& name = exchange.request().path_tail;
  const int64_t created = unix_time_us() / 1'000'000;
  auto body = models_answer(name, options_, adapters_.list(), engine_.info(), created, random_);
  if (body) return exchange.respond(200, kJsonType, std::move(*body));
  respond_error(exchange, unknown_model(name, options_));
}

/// GET and DELETE of a stored response, POST of its /cancel.
void ApiImpl::handle_response(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  constexpr std::string_view kCancel = "/cancel";
  std::string_view id = request.path_tail;
  const bool cancels = id.ends_with(kCancel);
  if (cancels) id.remove_suffix(kCancel.size());
  if (cancels != (request.method == "POST") || id.find('/') != std::string_view::npos) {
    return exchange.respond(404, kJsonType, "{\"detail\":\"Not Found\"}");
  }
  const auto row = responses_.find(request.key_owner, id);
  if (row == nullptr) return respond_error(exchange, unknown_response(id));
  const auto running = background_.find(request.key_owner + '\n' + row->id);
  if (running != background_.end() && request.method != "GET") {
    const std::shared_ptr<Generation> generation = running->second;
    drop(generation);
    end_background(*generation, "cancelled");
    if (cancels) return exchange.respond(200, kJsonType, generation->pending_body("cancelled"));
  }
  if (cancels) {
    const auto body = Json::parse(row->body);
    if (body.ok() && get_bool(*body, "background", false)) return exchange.respond(200, kJsonType, row->body);
    return respond_error(exchange, ApiError{.type = "invalid_request_error",
                                            .message = "Cannot cancel a synchronous response.",
                                            .param = "response_id"});
  }
  if (request.method == "GET") return exchange.respond(200, kJsonType, row->body);
  responses_.erase(request.key_owner, id);
  exchange.respond(200, kJsonType, deleted_response_json(row->id));
}

void ApiImpl::handle_answer(std::shared_ptr<Exchange> exchange, Answer answer, Endpoint endpoint) {
  if (!is_json_media_type(exchange->request().header("content-type"))) {
    return respond_error(*exchange, media_type_error(), endpoint);
  }
  struct Job {
    std::atomic<bool> gone{false};  // the client left: a worker has better things to do
    std::optional<ApiError> error;
    std::string body;
  };
  auto job = std::make_shared<Job>();
  exchange->on_closed([job] { job->gone.store(true, std::memory_order_relaxed); });
  pool_.run(
      [this, job, exchange, answer] {
        if (job->gone.load(std::memory_order_relaxed)) return;
        job->error = guarded([&] { return answer(exchange->request().body, *context_, job->body); });
      },
      [job, exchange, endpoint] {
        if (job->error) return respond_error(*exchange, *job->error, endpoint);
        exchange->respond(200, kJsonType, std::move(job->body));
      });
}

template <typename Prepared, typename PrepareIt, typename Make>
void ApiImpl::handle_task(std::shared_ptr<Exchange> exchange, Endpoint endpoint, Prepared prepared, PrepareIt prepare,
                          Make make) {
  if (!is_json_media_type(exchange->request().header("content-type"))) {
    return refuse_task(*exchange, media_type_error(), endpoint);
  }
  if (shutting_down_) {
    return refuse_task(*exchange, shutting_down_error(), endpoint);
  }
  struct Job {
    std::optional<ApiError> error;
    Prepared prepared;
  };
  auto job = std::make_shared<Job>();
  job->prepared = std::move(prepared);
  auto ticket = std::make_shared<Ticket>();
  ++num_in_progress_;
  exchange->on_closed([this, ticket] {
    ticket->gone.store(true, std::memory_order_relaxed);
    if (ticket->task != nullptr) drop(std::exchange(ticket->task, nullptr));
  });
  pool_.run(
      [this, job, ticket, exchange, prepare] {
        if (ticket->gone.load(std::memory_order_relaxed)) return;
        job->error = guarded([&] { return prepare(exchange->request().body, *context_, job->prepared); });
      },
      [this, job, ticket, exchange, endpoint, make] {
        exchange->drop_body();
        // What a worker still prepared when everything was cancelled must not start now.
        if (cancelled_ && !job->error) job->error = shutting_down_error();
        if (job->error || ticket->gone.load(std::memory_order_relaxed)) {
          --num_in_progress_;
          if (job->error) return refuse_task(*exchange, *job->error, endpoint);
          return refusals_.record(exchange->request(), 499, "abort");
        }
        std::shared_ptr<Task> task = make(exchange, std::move(job->prepared));
        if (task != nullptr) begin_task(ticket, *exchange, std::move(task));
      });
}

void ApiImpl::refuse_task(Exchange& exchange, const ApiError& error, Endpoint endpoint) {
  respond_error(exchange, error, endpoint);
  refusals_.record(exchange.request(), error.status, "error");
}

void ApiImpl::handle_generation(std::shared_ptr<Exchange> exchange, Endpoint endpoint) {
  const auto make = [this, endpoint](const std::shared_ptr<Exchange>& from,
                                     PreparedGeneration prepared) -> std::shared_ptr<Task> {
    if (prepared.responses != nullptr && prepared.responses->background && !prepared.params.stream) {
      begin_background(*from, std::move(prepared));
      return nullptr;
    }
    const Endpoint answers_as = prepared.endpoint.value_or(endpoint);
    return make_search(make_generation(from, answers_as, std::move(prepared)));
  };
  PreparedGeneration prepared;
  prepared.owner = exchange->request().key_owner;
  handle_task(std::move(exchange), endpoint, std::move(prepared), generation_endpoint(endpoint).prepare, make);
}

/// The generation itself, or the search whose outcome it shows.
std::shared_ptr<Task> ApiImpl::make_search(std::shared_ptr<Generation> answer) {
  const GenerationParams& params = answer->prepared().params;
  const bool beams = params.beam_search;
  if (!beams && params.best_of <= params.n) return answer;
  SearchTask::Args search{.answer = std::move(answer),
                          .cancel = services_.cancel,
                          .tokenizer = &tokenizer_,
                          .eos_ids = engine_.info().eos_ids,
                          .random = random_};
  if (beams) return std::make_shared<BeamTask>(std::move(search));
  return std::make_shared<BestOfTask>(std::move(search));
}

void ApiImpl::handle_pooling(std::shared_ptr<Exchange> exchange, Endpoint endpoint) {
  const auto make = [this, endpoint](const std::shared_ptr<Exchange>& from, PreparedPooling prepared) {
    std::string id = answer_id(*from, endpoint, prepared.request_id);
    return std::make_shared<PoolingTask>(PoolingTask::Args{
        .services = &pooling_services_, .exchange = from, .id = std::move(id), .prepared = std::move(prepared)});
  };
  handle_task(std::move(exchange), endpoint, PreparedPooling{.endpoint = endpoint}, prepare_pooling, make);
}

void ApiImpl::begin_task(const std::shared_ptr<Ticket>& ticket, Exchange& exchange, std::shared_ptr<Task> task) {
  active_.emplace(task.get(), task);
  ticket->task = task;
  exchange.on_drained([weak = std::weak_ptr<Task>(task)] {
    if (const auto alive = weak.lock()) alive->resume();
  });
  if (drained_ != nullptr) {
    held_.push_back(std::move(task));
    return;
  }
  if (!submit(*task)) retire(task);
}

/// `done` is called when every request that has begun by now has ended; those that begin meanwhile wait.
void ApiImpl::drain(std::function<void()> done) {
  if (drained_ != nullptr) {
    done = [before = std::move(drained_), done = std::move(done)] {
      before();
      done();
    };
  }
  drained_ = std::move(done);
  finish_drain();
}

void ApiImpl::finish_drain() {
  if (drained_ == nullptr || active_.size() > held_.size()) return;
  std::exchange(drained_, nullptr)();
  release_held();
}

void ApiImpl::release_held() {
  if (drained_ != nullptr) std::exchange(drained_, nullptr)();
  for (const auto& task : std::exchange(held_, {})) {
    if (!task->over() && !submit(*task)) retire(task);
  }
}

std::shared_ptr<Generation> ApiImpl::make_generation(std::shared_ptr<Exchange> exchange, Endpoint endpoint,
                                                     PreparedGeneration prepared) {
  std::string id = answer_id(*exchange, endpoint, prepared.request_id);
  return std::make_shared<Generation>(Generation::Args{.services = &services_,
                                                       .exchange = std::move(exchange),
                                                       .endpoint = endpoint,
                                                       .id = std::move(id),
                                                       .prepared = std::move(prepared),
                                                       .random = random_});
}

/// The client is told that the response is queued; what becomes of it is in the response store.
void ApiImpl::begin_background(Exchange& exchange, PreparedGeneration prepared) {
  if (static_cast<int64_t>(background_.size()) >= options_.background_responses_max) {
    --num_in_progress_;
    return refuse_task(exchange, too_many_responses(options_.background_responses_max), kResponses);
  }
  struct Outcome {
    std::weak_ptr<Generation> generation;
    int status = 0;
    std::string body;
  };
  auto outcome = std::make_shared<Outcome>();
  const auto done = [this, outcome](int status, std::string body) {
    outcome->status = status;
    outcome->body = std::move(body);
    const auto generation = outcome->generation.lock();
    if (generation != nullptr) end_background(*generation, status == 200 ? nullptr : "failed");
  };
  const auto generation =
      make_generation(std::make_shared<DetachedExchange>(exchange.request(), done), kResponses, std::move(prepared));
  active_.emplace(generation.get(), generation);
  if (!submit(*generation)) {
    retire(generation);
    return exchange.respond(outcome->status, kJsonType, std::move(outcome->body));
  }
  outcome->generation = generation;
  background_[generation->prepared().owner + '\n' + generation->id()] = generation;
  if (!store_pending(*generation, "queued")) {
    drop(generation);
    end_background(*generation, nullptr);
    return respond_error(exchange, bad_request("the response would be too large to be kept"), kResponses);
  }
  exchange.respond(200, kJsonType, generation->pending_body("queued"));
}

/// `status`: of a response that did not come to its end; null: it did, and is stored.
void ApiImpl::end_background(const Generation& generation, const char* status) {
  const auto found = background_.find(generation.prepared().owner + '\n' + generation.id());
  if (found != background_.end() && found->second.get() == &generation) background_.erase(found);
  if (status != nullptr) store_pending(generation, status);
}

/// False: the request is too large to be kept.
bool ApiImpl::store_pending(const Generation& generation, const char* status) {
  return responses_.put({.time_us = unix_time_us(),
                         .owner = generation.prepared().owner,
                         .id = generation.id(),
                         .body = generation.pending_body(status),
                         .messages = ""});
}

/// Ends a request whose outcome nobody waits for.
void ApiImpl::drop(const std::shared_ptr<Task>& task) {
  const std::vector<RequestId> open = task->open_requests();
  task->abandon();
  for (const RequestId request : open) targets_.erase(request);
  retire(task);
}

/// The client's id where it sent one, with the prefix of the endpoint. Responses are looked up by their id later, so
/// that an id given in the body is taken as it is, and one of a header is not: it names a request, not its answer. A
/// header that is too long for an id is passed over.
std::string ApiImpl::answer_id(const Exchange& exchange, Endpoint endpoint, const std::string& asked) {
  if (endpoint == kResponses) return asked.empty() ? "resp_" + hex16(random_engine_()) : asked;
  std::string id(exchange.request().header("x-request-id"));
  if (id.empty() || id.size() > kNameBytesMax) id = asked;
  if (id.empty()) id = hex16(random_engine_());
  return id_prefix(endpoint) + id;
}

/// All sequences or none: what was accepted before a refusal is cancelled again.
bool ApiImpl::submit(Task& task) {
  while (task.num_submitted < task.num_sequences()) {
    const size_t i = task.num_submitted++;
    const RequestId id = next_request_++;
    const Status accepted = engine_.submit(task.make_request(i, id));
    if (accepted.ok()) {
      targets_.emplace(id, Target{&task, i});
      continue;
    }
    metrics_.count_rejection();
    for (const RequestId request : task.open_requests()) targets_.erase(request);
    task.fail(from_error(accepted.error()));
    task.flush();
    return false;
  }
  return true;
}

void ApiImpl::retire(const std::shared_ptr<Task>& task) {
  if (active_.erase(task.get()) == 0) return;
  --num_in_progress_;
  std::erase(held_, task);
  finish_drain();
}

void ApiImpl::on_engine_events() {
  events_.clear();
  engine_.drain_events(events_);
  for (Event& event : events_) {
    const auto found = targets_.find(event.id);
    if (found == targets_.end()) continue;  // cancelled since
    Task* const task = found->second.task;
    task->begun = true;
    const bool sequence_over = task->on_event(found->second.sequence, event);
    if (sequence_over || event.finish != FinishReason::kNone) targets_.erase(found);
    if (!task->flush_wanted) {
      task->flush_wanted = true;
      touched_.push_back(task);
    }
  }
  for (Task* task : touched_) {
    task->flush_wanted = false;
    const std::shared_ptr<Task> alive = active_.at(task);
    alive->flush();
    if (!alive->over() && submit(*alive)) continue;
    for (const RequestId request : alive->open_requests()) targets_.erase(request);
    retire(alive);
  }
  touched_.clear();
  metrics_.observe_steps(engine_.stats());
}

AdapterUse ApiImpl::adapter_use() const {
  AdapterUse use;
  for (const auto& [pointer, task] : active_) {
    if (!task->adapter().empty()) (task->begun ? use.running : use.waiting).emplace(task->adapter());
  }
  return use;
}

void ApiImpl::cancel_all() {
  cancelled_ = true;
  end_all(shutting_down_error());
}

void ApiImpl::end_all(const ApiError& error) {
  std::vector<std::shared_ptr<Task>> all;
  for (const auto& [pointer, task] : active_) all.push_back(task);
  for (const auto& task : all) end_task(task, error);
}

void ApiImpl::end_task(const std::shared_ptr<Task>& task, const ApiError& error) {
  for (const RequestId request : task->open_requests()) targets_.erase(request);
  task->fail(error);
  task->flush();
  retire(task);
}

}  // namespace

Result<std::unique_ptr<Api>> Api::make(ApiArgs args) {
  SERAPH_RETURN_IF_ERROR(choose_parsers(*args.tokenizer, args.options));
  SERAPH_ASSIGN_OR_RETURN(auto context, PrepareContext::make(*args.tokenizer, args.engine->info(), args.options));
  auto api = std::make_unique<ApiImpl>(std::move(args), std::move(context));
  SERAPH_RETURN_IF_ERROR(api->load_adapters());
  return std::unique_ptr<Api>(std::move(api));
}

}  // namespace seraph
