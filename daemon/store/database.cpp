#include "daemon/store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace seraph {
namespace {

constexpr const char* kRemedy = "give another file with --db";
/// "srph": marks the file as ours.
constexpr const char* kSetApplicationId = "PRAGMA application_id = 1936879720";
constexpr const char* kApplicationId = "1936879720";
constexpr int kBusyTimeoutMs = 1000;

/// kMigrations[i] leads from schema version i to i + 1. What is released is never edited, only followed.
constexpr const char* kMigrations[] = {
    // Times in microseconds; NULL: that point was not reached.
    "CREATE TABLE requests ("
    "  id INTEGER PRIMARY KEY,"
    "  time_us INTEGER NOT NULL,"
    "  request_id TEXT NOT NULL,"
    "  model TEXT NOT NULL,"
    "  endpoint TEXT NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  finish_reason TEXT NOT NULL,"
    "  prompt_tokens INTEGER NOT NULL,"
    "  cached_tokens INTEGER NOT NULL,"
    "  completion_tokens INTEGER NOT NULL,"
    "  queue_us INTEGER,"
    "  ttft_us INTEGER,"
    "  tpot_us INTEGER,"
    "  total_us INTEGER NOT NULL"
    ");"
    "CREATE INDEX requests_time ON requests (time_us);",
    "CREATE TABLE responses ("
    "  number INTEGER PRIMARY KEY,"
    "  time_us INTEGER NOT NULL,"
    "  owner TEXT NOT NULL,"
    "  id TEXT NOT NULL,"
    "  body TEXT NOT NULL,"
    "  messages TEXT NOT NULL,"
    "  UNIQUE (owner, id)"
    ");",
    "CREATE TABLE adapters ("
    "  number INTEGER PRIMARY KEY,"
    "  time_us INTEGER NOT NULL,"
    "  name TEXT NOT NULL UNIQUE,"
    "  path TEXT NOT NULL,"
    "  base_model_name TEXT NOT NULL"
    ");",
};
constexpr int kSchemaVersion = static_cast<int>(std::size(kMigrations));

constexpr const char* kInsert =
    "INSERT INTO requests (time_us, request_id, model, endpoint, status, finish_reason, prompt_tokens, cached_tokens,"
    " completion_tokens, queue_us, ttft_us, tpot_us, total_us) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kTrim =
    "DELETE FROM requests WHERE id IN"
    " (SELECT id FROM requests WHERE id <= (SELECT max(id) FROM requests) - ? ORDER BY id LIMIT ?)";

constexpr const char* kSaveResponse =
    "INSERT OR REPLACE INTO responses (time_us, owner, id, body, messages) VALUES (?,?,?,?,?)";
constexpr const char* kDeleteResponse = "DELETE FROM responses WHERE owner = ? AND id = ?";
constexpr const char* kSaveAdapter =
    "INSERT OR REPLACE INTO adapters (time_us, name, path, base_model_name) VALUES (?,?,?,?)";
constexpr const char* kDeleteAdapter = "DELETE FROM adapters WHERE name = ?";
constexpr const char* kReadAdapters = "SELECT time_us, name, path, base_model_name FROM adapters ORDER BY number";
constexpr const char* kReadResponses = "SELECT time_us, owner, id, body, messages FROM responses ORDER BY number";

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kIo;
  }
}

/// A new file is readable for its owner only: it tells who asked what and when.
void create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);  // failures are reported by sqlite, which tries next
}

void bind_text(sqlite3_stmt* statement, int index, const std::string& text) {
  // Static: the row lives until the statement has run.
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

std::string column_text(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
}

void bind_time(sqlite3_stmt* statement, int index, int64_t us) {
  if (us < 0) {
    sqlite3_bind_null(statement, index);
  } else {
    sqlite3_bind_int64(statement, index, us);
  }
}

}  // namespace

void Database::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void Database::FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
Database::~Database() = default;

Error Database::error(const char* doing) const {
  const int code = sqlite3_extended_errcode(handle_.get());
  std::string what = sqlite3_errmsg(handle_.get());
  const int system_code = sqlite3_system_errno(handle_.get());
  if ((code & 0xff) == SQLITE_CANTOPEN && system_code != 0) {
    what = std::strerror(system_code);
  } else if (code_of(code) == ErrorCode::kUnavailable) {
    what += " by another process";
  }
  return Error{code_of(code), "the database " + path_ + " cannot be " + doing + ": " + what, kRemedy, "--db"};
}

Status Database::execute(const char* sql, const char* doing) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return error(doing);
  }
  return {};
}

/// The first column of the first row, "" when there is none.
Result<std::string> Database::query(const char* sql, const char* doing) {
  Statement statement;
  SERAPH_RETURN_IF_ERROR(prepare(sql, statement));
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return error(doing);
  const unsigned char* text = sqlite3_column_text(statement.get(), 0);
  return std::string(text ? reinterpret_cast<const char*>(text) : "");
}

Status Database::prepare(const char* sql, Statement& statement) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_.get(), sql, -1, &raw, nullptr) != SQLITE_OK) {
    return error("read");
  }
  statement.reset(raw);
  return {};
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  if (path.empty()) {
    return Error{ErrorCode::kInvalidArgument, "the database has no file name", kRemedy, "--db"};
  }
  if (path != ":memory:") {
    create_private(path);
  }
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (code != SQLITE_OK) {
    return database->error("opened");
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  SERAPH_RETURN_IF_ERROR(database->check_owner());
  if (sqlite3_db_readonly(handle, "main") == 1) {
    return Error{ErrorCode::kIo, "the database " + path + " cannot be written: it is read-only", kRemedy, "--db"};
  }
  // WAL with NORMAL: a committed row survives the death of this process, and a power cut may cost the last few
  // commits but never the file.
  SERAPH_RETURN_IF_ERROR(database->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", "opened"));
  SERAPH_RETURN_IF_ERROR(database->migrate());
  SERAPH_RETURN_IF_ERROR(database->prepare(kInsert, database->insert_));
  SERAPH_RETURN_IF_ERROR(database->prepare(kTrim, database->trim_));
  SERAPH_RETURN_IF_ERROR(database->prepare(kSaveResponse, database->save_response_));
  SERAPH_RETURN_IF_ERROR(database->prepare(kDeleteResponse, database->delete_response_));
  SERAPH_RETURN_IF_ERROR(database->prepare(kSaveAdapter, database->save_adapter_));
  SERAPH_RETURN_IF_ERROR(database->prepare(kDeleteAdapter, database->delete_adapter_));
  return database;
}

/// Before anything is written: a file of another program, or of a later seraph, must stay as it is.
Status Database::check_owner() {
  SERAPH_ASSIGN_OR_RETURN(const std::string tables, query("SELECT count(*) FROM sqlite_schema", "read"));
  SERAPH_ASSIGN_OR_RETURN(const std::string application, query("PRAGMA application_id", "read"));
  SERAPH_ASSIGN_OR_RETURN(const std::string version, query("PRAGMA user_version", "read"));
  if (application != kApplicationId && (tables != "0" || application != "0")) {
    return Error{ErrorCode::kInvalidArgument, "the database " + path_ + " belongs to another program", kRemedy, "--db"};
  }
  if (std::stol(version) > kSchemaVersion) {
    return Error{ErrorCode::kUnsupported,
                 "the database " + path_ + " was written by a newer seraph (schema " + version + ", this one knows " +
                     std::to_string(kSchemaVersion) + ")",
                 "use that version, or give another file with --db", "--db"};
  }
  return {};
}

Status Database::migrate() {
  // IMMEDIATE: of two processes that start on one new file, the second waits and then finds the work done.
  SERAPH_RETURN_IF_ERROR(execute("BEGIN IMMEDIATE", "written"));
  SERAPH_ASSIGN_OR_RETURN(const std::string version, query("PRAGMA user_version", "read"));
  for (int from = static_cast<int>(std::stol(version)); from < kSchemaVersion; ++from) {
    SERAPH_RETURN_IF_ERROR(execute(kMigrations[from], "migrated"));
    const std::string set_version = "PRAGMA user_version = " + std::to_string(from + 1);
    SERAPH_RETURN_IF_ERROR(execute(set_version.c_str(), "migrated"));
    SERAPH_RETURN_IF_ERROR(execute(kSetApplicationId, "migrated"));
  }
  return execute("COMMIT", "written");
}

Result<std::vector<ResponseRow>> Database::read_responses() {
  Statement statement;
  SERAPH_RETURN_IF_ERROR(prepare(kReadResponses, statement));
  std::vector<ResponseRow> rows;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    rows.push_back({.time_us = sqlite3_column_int64(statement.get(), 0),
                    .owner = column_text(statement.get(), 1),
                    .id = column_text(statement.get(), 2),
                    .body = column_text(statement.get(), 3),
                    .messages = column_text(statement.get(), 4)});
  }
  if (code != SQLITE_DONE) return error("read");
  return rows;
}

Result<std::vector<AdapterRow>> Database::read_adapters() {
  Statement statement;
  SERAPH_RETURN_IF_ERROR(prepare(kReadAdapters, statement));
  std::vector<AdapterRow> rows;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    rows.push_back({.time_us = sqlite3_column_int64(statement.get(), 0),
                    .name = column_text(statement.get(), 1),
                    .path = column_text(statement.get(), 2),
                    .base_model_name = column_text(statement.get(), 3)});
  }
  if (code != SQLITE_DONE) return error("read");
  return rows;
}

Status Database::step(sqlite3_stmt* statement) {
  Status status;
  if (sqlite3_step(statement) != SQLITE_DONE) status = error("written");
  sqlite3_reset(statement);
  return status;
}

Status Database::write_row(const ResponseRow& row) {
  sqlite3_stmt* statement = save_response_.get();
  sqlite3_bind_int64(statement, 1, row.time_us);
  bind_text(statement, 2, row.owner);
  bind_text(statement, 3, row.id);
  bind_text(statement, 4, row.body);
  bind_text(statement, 5, row.messages);
  return step(statement);
}

Status Database::write_row(const ResponseKey& key) {
  bind_text(delete_response_.get(), 1, key.owner);
  bind_text(delete_response_.get(), 2, key.id);
  return step(delete_response_.get());
}

Status Database::write_row(const AdapterRow& row) {
  sqlite3_stmt* statement = save_adapter_.get();
  sqlite3_bind_int64(statement, 1, row.time_us);
  bind_text(statement, 2, row.name);
  bind_text(statement, 3, row.path);
  bind_text(statement, 4, row.base_model_name);
  return step(statement);
}

Status Database::write_row(const AdapterKey& key) {
  bind_text(delete_adapter_.get(), 1, key.name);
  return step(delete_adapter_.get());
}

Status Database::write_row(const RequestRow& row) {
  sqlite3_stmt* statement = insert_.get();
  sqlite3_bind_int64(statement, 1, row.time_us);
  bind_text(statement, 2, row.request_id);
  bind_text(statement, 3, row.model);
  bind_text(statement, 4, row.endpoint);
  sqlite3_bind_int(statement, 5, row.status);
  bind_text(statement, 6, row.finish_reason);
  sqlite3_bind_int64(statement, 7, row.prompt_tokens);
  sqlite3_bind_int64(statement, 8, row.cached_tokens);
  sqlite3_bind_int64(statement, 9, row.completion_tokens);
  bind_time(statement, 10, row.queue_us);
  bind_time(statement, 11, row.ttft_us);
  bind_time(statement, 12, row.tpot_us);
  sqlite3_bind_int64(statement, 13, row.total_us);
  return step(statement);
}

Status Database::write(std::span<const StoreRow> rows) {
  SERAPH_RETURN_IF_ERROR(execute("BEGIN IMMEDIATE", "written"));
  Status status;
  for (const StoreRow& row : rows) {
    status = std::visit([this](const auto& one) { return write_row(one); }, row);
    if (!status.ok()) break;
  }
  if (status.ok()) status = execute("COMMIT", "written");
  if (!status.ok()) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return status;
}

Status Database::trim(int64_t rows_max, int64_t delete_max) {
  sqlite3_bind_int64(trim_.get(), 1, rows_max);
  sqlite3_bind_int64(trim_.get(), 2, delete_max);
  return step(trim_.get());
}

}  // namespace seraph
