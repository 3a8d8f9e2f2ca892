#include "daemon/api/adapter_routes.h"

#include <utility>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"

namespace seraph {
namespace {

constexpr const char* kJsonType = "application/json";
constexpr size_t kWaitingMax = 64;

std::string text_of(const Json& body, std::string_view name) {
  const std::string* text = find_string(body, name);
  return text == nullptr ? std::string() : *text;
}

void refuse(Exchange& exchange, const ApiError& error) { exchange.respond(error.status, kJsonType, error_json(error)); }

}  // namespace

std::optional<ApiError> answer_load_adapter(std::string_view bytes, AdapterRegistry& registry, std::string& answer) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kLoadAdapter, {})) return error;
  const AdapterModule module{.name = text_of(body, "lora_name"),
                             .path = text_of(body, "lora_path"),
                             .base_model_name = text_of(body, "base_model_name")};
  if (auto error = registry.load(module, get_bool(body, "load_inplace", false))) return error;
  answer = "Success: LoRA adapter '" + module.name + "' added successfully.";
  return std::nullopt;
}

std::optional<ApiError> answer_unload_adapter(std::string_view bytes, AdapterRegistry& registry, std::string& answer) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kUnloadAdapter, {})) return error;
  const std::string name = text_of(body, "lora_name");
  if (auto error = registry.unload(name)) return error;
  answer = "Success: LoRA adapter '" + name + "' removed successfully.";
  return std::nullopt;
}

void AdapterRoutes::add_routes(Router& router) {
  router.add("POST", "/v1/load_lora_adapter", Access::kKey,
             [this](auto exchange) { enqueue(std::move(exchange), answer_load_adapter); });
  router.add("POST", "/v1/unload_lora_adapter", Access::kKey,
             [this](auto exchange) { enqueue(std::move(exchange), answer_unload_adapter); });
}

void AdapterRoutes::enqueue(std::shared_ptr<Exchange> exchange, Change change) {
  if (!is_json_media_type(exchange->request().header("content-type"))) return refuse(*exchange, media_type_error());
  if (waiting_.size() == kWaitingMax) {
    return refuse(*exchange, ApiError{.status = 503,
                                      .type = "ServiceUnavailableError",
                                      .message = "other changes of adapters are waiting; try again",
                                      .retry_after_s = 1});
  }
  waiting_.push_back({std::move(exchange), change});
  if (waiting_.size() == 1) run_next();
}

void AdapterRoutes::run_next() {
  struct Job {
    std::optional<ApiError> error;
    std::string answer;
  };
  auto job = std::make_shared<Job>();
  args_.pool->run(
      [this, job, next = waiting_.front()] {
        job->error = guarded([&] { return next.change(next.exchange->request().body, *args_.registry, job->answer); });
      },
      [this, job] {
        const std::shared_ptr<Exchange> exchange = std::move(waiting_.front().exchange);
        waiting_.pop_front();
        if (job->error) {
          refuse(*exchange, *job->error);
        } else {
          exchange->respond(200, "", std::move(job->answer));
        }
        if (!waiting_.empty()) run_next();
      });
}

}  // namespace seraph
