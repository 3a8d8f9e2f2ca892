// A store in memory that keeps what it is told.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/store/store.h"

namespace seraph {

class FakeStore : public Store {
 public:
  void log_request(RequestRow row) override { requests.push_back(std::move(row)); }
  void save_response(ResponseRow row) override { saved.push_back(row.id); }
  void delete_response(std::string_view owner, std::string_view id) override {
    deleted.push_back(std::string(owner) + '/' + std::string(id));
  }
  std::vector<ResponseRow> take_responses() override { return std::move(kept); }
  std::vector<AdapterRow> take_adapters() override { return std::move(kept_adapters); }
  Status commit(StoreRow row) override {
    if (!disk.ok()) return disk;
    if (const auto* adapter = std::get_if<AdapterRow>(&row)) adapters[adapter->name] = adapter->path;
    if (const auto* key = std::get_if<AdapterKey>(&row)) adapters.erase(key->name);
    return {};
  }
  int64_t rows_dropped() const override { return 0; }
  int64_t rows_committed() const override { return 0; }

  std::vector<ResponseRow> kept;
  std::vector<RequestRow> requests;
  std::vector<AdapterRow> kept_adapters;
  std::map<std::string, std::string> adapters;  // committed
  Status disk;                                  // what commit() answers
  std::vector<std::string> saved, deleted;
};

}  // namespace seraph
