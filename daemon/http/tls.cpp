#include "daemon/http/tls.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>

#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr size_t kRecordBytes = 16 << 10;  // of plain text in a TLS record, the protocol's largest
/// Plain text encrypted at one time. A connection's background write is never smaller than what it was shown before,
/// so this also bounds `held_`.
constexpr int64_t kBatchBytes = 64 << 10;
/// Encrypted bytes that may wait for the socket beside one batch: answers to what the peer asked of TLS itself. More
/// means that it asks without reading.
constexpr size_t kCipherBytesMax = 256 << 10;

constexpr std::string_view kSpokeHttp =
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 43\r\n\r\n"
    "This port speaks TLS: the address is https.";

}  // namespace

TlsTransport::TlsTransport(const TlsContext& context, Transport& socket, MonotonicUs handshake_deadline)
    : socket_(socket), handshake_deadline_(handshake_deadline), session_(SSL_new(context.handle())) {
  from_peer_ = BIO_new(BIO_s_mem());
  to_peer_ = BIO_new(BIO_s_mem());
  SERAPH_CHECK(session_ != nullptr && from_peer_ != nullptr && to_peer_ != nullptr, "memory for a TLS session");
  SSL_set_bio(session_.get(), from_peer_, to_peer_);
  SSL_set_accept_state(session_.get());
}

void TlsTransport::on_bytes(std::string_view bytes, MonotonicUs now) {
  if (closed_ || eof_) return;
  BIO_write(from_peer_, bytes.data(), static_cast<int>(bytes.size()));
  read_plain(now);
  push();
}

/// Hands on all that can be decrypted. A handshake goes on inside SSL_read.
void TlsTransport::read_plain(MonotonicUs now) {
  std::array<char, kRecordBytes> plain;
  while (!closed_ && !eof_) {
    ERR_clear_error();
    const int count = SSL_read(session_.get(), plain.data(), static_cast<int>(plain.size()));
    if (count > 0) {
      connection_->on_bytes(std::string_view(plain.data(), static_cast<size_t>(count)), now);
      continue;
    }
    switch (SSL_get_error(session_.get(), count)) {
      case SSL_ERROR_WANT_READ:
        return;
      case SSL_ERROR_ZERO_RETURN:
        on_eof(now);
        return;
      default: {
        const bool spoke_http = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
        ERR_clear_error();
        fail(spoke_http);
        return;
      }
    }
  }
}

/// The peer does not speak TLS, or breaks it: what OpenSSL has to say about it leaves, as far as there is room.
void TlsTransport::fail(bool spoke_http) {
  if (!socket_pending_) {
    take_cipher();
    if (spoke_http) queued_ = kSpokeHttp;
    send_cipher();
  }
  broken_ = true;
  connection_->abort();
}

void TlsTransport::on_eof(MonotonicUs now) {
  if (closed_ || eof_) return;
  eof_ = true;
  connection_->on_eof(now);
}

void TlsTransport::sweep(MonotonicUs now) {
  if (!closed_ && !established() && now > handshake_deadline_) connection_->abort();
}

bool TlsTransport::encrypt(std::string_view plain) {
  ERR_clear_error();
  const int written = SSL_write(session_.get(), plain.data(), static_cast<int>(plain.size()));
  return written == static_cast<int>(plain.size());  // memory takes everything; anything else is a broken session
}

void TlsTransport::take_cipher() {
  const size_t waiting = BIO_ctrl_pending(to_peer_);
  const size_t before = queued_.size();
  queued_.resize(before + waiting);
  if (waiting > 0) BIO_read(to_peer_, queued_.data() + before, static_cast<int>(waiting));
}

/// Writes what is queued as far as the socket takes it now. False: the socket is broken.
bool TlsTransport::send_cipher() {
  if (queued_.empty()) return true;
  const std::string_view part = queued_;
  const int64_t sent = socket_.try_write({&part, 1});
  if (sent < 0) return false;
  queued_.erase(0, static_cast<size_t>(sent));
  return true;
}

int64_t TlsTransport::try_write(std::span<const std::string_view> parts) {
  if (!established() || socket_pending_) return closed_ ? -1 : 0;
  take_cipher();
  if (!send_cipher()) return -1;
  if (!queued_.empty()) return 0;  // what the handshake left goes first
  int64_t taken = 0;
  int64_t batch = 0;
  const auto send_batch = [&] {
    take_cipher();
    if (!send_cipher()) return false;
    // In part, or not at all: the rest leaves in the background, and the connection shows these bytes once more.
    if (!queued_.empty()) {
      held_ = batch;
    } else {
      taken += batch;
    }
    batch = 0;
    return true;
  };
  for (std::string_view part : parts) {
    while (!part.empty() && held_ == 0) {
      const std::string_view record = part.substr(0, kRecordBytes);
      if (!encrypt(record)) return -1;
      part.remove_prefix(record.size());
      batch += static_cast<int64_t>(record.size());
      if (batch >= kBatchBytes - static_cast<int64_t>(kRecordBytes) && !send_batch()) return -1;
    }
  }
  if (batch > 0 && !send_batch()) return -1;
  return taken;
}

void TlsTransport::start_write(std::span<const std::string_view> parts) {
  write_pending_ = true;
  write_bytes_ = 0;
  plain_.clear();
  for (std::string_view part : parts) {
    write_bytes_ += static_cast<int64_t>(part.size());
    const auto skipped = std::min<size_t>(part.size(), static_cast<size_t>(held_));
    held_ -= static_cast<int64_t>(skipped);
    part.remove_prefix(skipped);
    if (!part.empty()) plain_.push_back(part);
    plain_bytes_ += static_cast<int64_t>(part.size());
  }
  SERAPH_CHECK(held_ == 0, "a background write begins with the bytes that were shown before");
  if (!socket_pending_) start_next();
}

/// Begins the background write of what waits: first what is encrypted already, then a batch of the connection's write.
/// False: nothing waits. REQUIRES: no write of the socket is pending.
bool TlsTransport::start_next() {
  take_cipher();
  int64_t batch = 0;
  size_t done = 0;
  while (established() && done < plain_.size() && batch < kBatchBytes) {
    std::string_view& part = plain_[done];
    const std::string_view record = part.substr(0, kRecordBytes);
    if (!encrypt(record)) break;  // reading meets the same broken session, and ends the connection
    part.remove_prefix(record.size());
    batch += static_cast<int64_t>(record.size());
    if (part.empty()) ++done;
  }
  plain_.erase(plain_.begin(), plain_.begin() + static_cast<std::ptrdiff_t>(done));
  plain_bytes_ -= batch;
  take_cipher();
  if (queued_.empty()) return false;
  sending_.swap(queued_);
  queued_.clear();
  socket_pending_ = true;
  const std::string_view part = sending_;
  socket_.start_write({&part, 1});
  return true;
}

void TlsTransport::on_written(bool ok, MonotonicUs now) {
  socket_pending_ = false;
  if (closed_) return;
  sending_.clear();
  if (!ok) {
    connection_->abort();
    return;
  }
  if (start_next()) return;
  if (write_pending_ && plain_.empty()) {
    write_pending_ = false;
    connection_->on_written(true, now);
  }
  if (shutdown_wanted_ && !socket_pending_ && !closed_) socket_.shutdown_write();
}

/// After reading: TLS's own answers leave, and a write that waited for the end of the handshake begins.
void TlsTransport::push() {
  if (closed_) return;
  if (queued_.size() + BIO_ctrl_pending(to_peer_) > kCipherBytesMax) {
    connection_->abort();
    return;
  }
  if (socket_pending_) return;
  take_cipher();
  if (!send_cipher()) {
    connection_->abort();
    return;
  }
  start_next();
}

int64_t TlsTransport::unsent_bytes() const {
  const int64_t encrypted = static_cast<int64_t>(queued_.size()) + (socket_pending_ ? socket_.unsent_bytes() : 0);
  return std::min(write_bytes_, plain_bytes_ + encrypted);
}

void TlsTransport::shutdown_write() {
  if (established() && !broken_) SSL_shutdown(session_.get());
  shutdown_wanted_ = true;
  if (socket_pending_) return;  // on_written goes on
  push();
  if (!socket_pending_ && !closed_) socket_.shutdown_write();
}

void TlsTransport::close() {
  if (closed_) return;
  closed_ = true;
  if (established() && !broken_) SSL_shutdown(session_.get());
  if (!socket_pending_ && !broken_) {
    take_cipher();
    send_cipher();  // a peer that is gone, or has no room, does without
  }
  socket_.close();
}

}  // namespace seraph
