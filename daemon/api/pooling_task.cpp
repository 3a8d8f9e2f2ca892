#include "daemon/api/pooling_task.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "daemon/api/tenant.h"

namespace seraph {

PoolingTask::PoolingTask(Args args)
    : services_(*args.services),
      exchange_(std::move(args.exchange)),
      id_(std::move(args.id)),
      prepared_(std::make_shared<PreparedPooling>(std::move(args.prepared))),
      arrived_unix_us_(unix_time_us() - (now_us() - exchange_->request().arrived_us)),
      records_(prepared_->prompts.size()),
      requests_(prepared_->prompts.size()),
      vectors_(prepared_->prompts.size()) {
  for (size_t i = 0; i < records_.size(); ++i) {
    records_[i].arrived_us = exchange_->request().arrived_us;
    records_[i].prompt_tokens = static_cast<int64_t>(prepared_->prompts[i].size());
  }
}

std::unique_ptr<Request> PoolingTask::make_request(size_t sequence, RequestId id) {
  auto request = std::make_unique<Request>();
  request->id = id;
  request->prompt_ids = std::move(prepared_->prompts[sequence]);  // nobody else needs it
  request->pooling = services_.info->pooling.pooling;
  request->priority = prepared_->priority;
  request->cache_salt = tenant_salt(exchange_->request().key_index, prepared_->cache_salt);
  request->arrived_us = exchange_->request().arrived_us;
  requests_[sequence] = id;
  return request;
}

bool PoolingTask::on_event(size_t sequence, Event& event) {
  if (over_) return true;
  if (event.finish == FinishReason::kCancelled) {
    fail(shutting_down_error());
    return true;
  }
  if (event.pooled == nullptr) {
    fail(ApiError{.status = 500,
                  .type = "InternalServerError",
                  .message = event.error != nullptr ? *event.error : "the engine failed"});
    return true;
  }
  SequenceRecord& record = records_[sequence];
  record.scheduled_us = event.scheduled_us;
  record.cached_tokens = event.num_cached_tokens;
  record.first_token_us = record.last_token_us = event.published_us;
  services_.metrics->observe_finish(record);
  vectors_[sequence] = std::move(*event.pooled);
  requests_[sequence] = 0;
  if (++num_done_ == vectors_.size()) complete();
  return true;
}

void PoolingTask::complete() {
  over_ = true;
  record_end(200, "stop");
  struct Job {
    PoolingFacts facts;
    std::vector<std::vector<float>> vectors;
    std::optional<ApiError> error;
    PoolingAnswer answer;
  };
  auto job = std::make_shared<Job>();
  job->facts = {
      .id = id_, .model = services_.options->served_model_names.front(), .created = arrived_unix_us_ / 1'000'000};
  job->vectors = std::move(vectors_);
  services_.run(
      [job, prepared = prepared_, info = services_.info] {
        job->error = guarded(
            [&] { return answer_pooling(*prepared, info->pooling, job->facts, std::move(job->vectors), job->answer); });
      },
      [job, exchange = exchange_] {
        if (job->error) return respond_error(*exchange, *job->error);
        PoolingAnswer& answer = job->answer;
        exchange->respond(200, answer.content_type, std::move(answer.body), std::move(answer.headers));
      });
}

std::vector<RequestId> PoolingTask::open_requests() const {
  std::vector<RequestId> out;
  for (const RequestId request : requests_) {
    if (request != 0) out.push_back(request);
  }
  return out;
}

void PoolingTask::abandon() {
  if (over_) return;
  over_ = true;
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] == 0) continue;
    services_.cancel(requests_[i]);
    records_[i].kind = FinishKind::kAbort;
    services_.metrics->observe_finish(records_[i]);
  }
  record_end(499, "abort");
}

void PoolingTask::fail(const ApiError& error) {
  if (over_) return;
  over_ = true;
  for (const RequestId request : open_requests()) services_.cancel(request);
  respond_error(*exchange_, error);
  record_end(error.status, "error");
}

void PoolingTask::record_end(int status, std::string_view finish_reason) {
  const std::string_view path = exchange_->request().path;
  RequestRow row;
  row.time_us = arrived_unix_us_;
  row.request_id = id_;
  row.model = services_.options->served_model_names.front();
  row.endpoint = path;
  row.status = status;
  row.finish_reason = finish_reason;
  row.prompt_tokens = prepared_->prompt_tokens;
  for (const SequenceRecord& record : records_) row.cached_tokens += record.cached_tokens;
  row.total_us = now_us() - exchange_->request().arrived_us;
  if (services_.options->log_requests) {
    spdlog::info("{} {} {} {} {}: {} prompt tokens ({} cached) in {} texts, total {} ms", exchange_->request().peer,
                 path, id_, status, finish_reason, row.prompt_tokens, row.cached_tokens, records_.size(),
                 row.total_us / 1000);
  }
  if (services_.store != nullptr) services_.store->log_request(std::move(row));
}

}  // namespace seraph
