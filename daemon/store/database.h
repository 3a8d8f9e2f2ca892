// The sqlite file: opening, schema versions, rows. RAII around the handles; used by one thread at a time. Errors name
// the file, what is wrong with it and --db.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/store/store.h"
#include "engine/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace seraph {

class Database {
 public:
  /// Opens or creates, checks that the file is ours and not newer than this program, migrates.
  static Result<std::unique_ptr<Database>> open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// All rows or none, in one transaction.
  Status write(std::span<const StoreRow> rows);
  /// Oldest first.
  Result<std::vector<ResponseRow>> read_responses();
  Result<std::vector<AdapterRow>> read_adapters();
  /// Deletes the oldest rows beyond `rows_max`, at most `delete_max` of them at a time.
  Status trim(int64_t rows_max, int64_t delete_max);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

  Database(std::string path, sqlite3* handle);
  Error error(const char* doing) const;
  Status execute(const char* sql, const char* doing);
  Result<std::string> query(const char* sql, const char* doing);
  Status prepare(const char* sql, Statement& statement);
  Status check_owner();
  Status migrate();
  Status step(sqlite3_stmt* statement);
  Status write_row(const RequestRow& row);
  Status write_row(const ResponseRow& row);
  Status write_row(const ResponseKey& key);
  Status write_row(const AdapterRow& row);
  Status write_row(const AdapterKey& key);

  const std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> handle_;  // closed after the statements below are gone
  Statement insert_;
  Statement trim_;
  Statement save_response_;
  Statement delete_response_;
  Statement save_adapter_;
  Statement delete_adapter_;
};

}  // namespace seraph
