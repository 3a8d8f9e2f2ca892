#include "daemon/api/refusal_log.h"

#include "daemon/api/prepare.h"

namespace seraph {

void RefusalLog::record(const HttpRequest& request, int status, std::string_view reason) {
  RequestRow row;
  row.request_id = request.header("x-request-id").substr(0, kNameBytesMax);
  row.endpoint = request.path;
  row.status = status;
  row.finish_reason = reason;
  row.total_us = now_us() - request.arrived_us;
  record(std::move(row));
}

void RefusalLog::record(std::string_view path, int status) {
  if (!paths_.contains(std::string(path))) return;
  RequestRow row;
  row.endpoint = path;
  row.status = status;
  row.finish_reason = "error";
  record(std::move(row));
}

void RefusalLog::record(RequestRow row) {
  if (store_ == nullptr) return;
  row.time_us = unix_time_us() - row.total_us;
  row.model = model_;
  store_->log_request(std::move(row));
}

}  // namespace seraph
