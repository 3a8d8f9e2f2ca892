#include "daemon/http/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>

#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr size_t kPartsMax = 64;
constexpr unsigned kTcpKeepAliveSeconds = 60;

size_t to_buffers(std::span<const std::string_view> parts, std::array<uv_buf_t, kPartsMax>& buffers) {
  SERAPH_CHECK(parts.size() <= buffers.size(), "a connection writes at most kPartsMax parts at once");
  for (size_t i = 0; i < parts.size(); ++i) {
    // libuv's buffers are not const; writing does not change them.
    buffers[i] = uv_buf_init(const_cast<char*>(parts[i].data()), static_cast<unsigned>(parts[i].size()));
  }
  return parts.size();
}

}  // namespace

std::string address_text(const sockaddr_storage& address, bool& is_loopback) {
  char text[INET6_ADDRSTRLEN] = "";
  is_loopback = false;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    is_loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    return std::string(text) + ':' + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    // An IPv4 client of a dual-stack listener appears as ::ffff:127.0.0.1.
    is_loopback =
        IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) || (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
    return '[' + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "";
}

Socket::Socket(uv_loop_t* loop, SocketOwner& owner, bool is_pipe) : owner_(owner), is_pipe_(is_pipe) {
  if (is_pipe_) {
    uv_pipe_init(loop, &handle_.pipe, 0);
  } else {
    uv_tcp_init(loop, &handle_.tcp);
  }
  handle_.any.data = this;
}

void Socket::peer_name(std::string& name, bool& is_loopback) const {
  sockaddr_storage address{};
  int size = sizeof address;
  name = "unix";
  is_loopback = true;
  if (!is_pipe_) {
    uv_tcp_getpeername(&handle_.tcp, reinterpret_cast<sockaddr*>(&address), &size);
    name = address_text(address, is_loopback);
  }
}

bool Socket::accept(uv_stream_t* listener, HttpShared& shared, const TlsContext* tls) {
  if (uv_accept(listener, stream()) != 0) {
    close();
    return false;
  }
  if (!is_pipe_) {
    uv_tcp_nodelay(&handle_.tcp, 1);
    uv_tcp_keepalive(&handle_.tcp, 1, kTcpKeepAliveSeconds);
  }
  std::string peer;
  bool is_loopback = false;
  peer_name(peer, is_loopback);
  const MonotonicUs now = now_us();
  if (tls != nullptr) tls_.emplace(*tls, *this, now + shared.options.header_timeout_ms * 1000);
  Transport& transport = tls_ ? static_cast<Transport&>(*tls_) : *this;
  connection_.emplace(shared, transport, std::move(peer), is_loopback, now);
  if (tls_) tls_->attach(*connection_);
  set_reading(true);
  return !connection_->closed();
}

void Socket::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  auto& socket = *static_cast<Socket*>(stream->data);
  if (!socket.connection_ || socket.connection_->closed()) {
    return;
  }
  if (count > 0) {
    const std::string_view bytes(buffer->base, static_cast<size_t>(count));
    socket.tls_ ? socket.tls_->on_bytes(bytes, now_us()) : socket.connection_->on_bytes(bytes, now_us());
  } else if (count < 0) {
    uv_read_stop(stream);
    socket.tls_ ? socket.tls_->on_eof(now_us()) : socket.connection_->on_eof(now_us());
  }
}

void Socket::sweep(MonotonicUs now) {
  if (tls_) tls_->sweep(now);
  if (connection_) connection_->sweep(now);
}

void Socket::set_reading(bool on) {
  if (uv_is_closing(handle())) return;
  if (!on) {
    uv_read_stop(stream());
    return;
  }
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    const std::span<char> memory = static_cast<Socket*>(handle->data)->owner_.read_buffer();
    *buffer = uv_buf_init(memory.data(), static_cast<unsigned>(memory.size()));
  };
  if (uv_read_start(stream(), allocate, on_read) != 0) {
    connection_->abort();
  }
}

int64_t Socket::try_write(std::span<const std::string_view> parts) {
  std::array<uv_buf_t, kPartsMax> buffers;
  const size_t count = to_buffers(parts, buffers);
  const int sent = uv_try_write(stream(), buffers.data(), static_cast<unsigned>(count));
  return sent == UV_EAGAIN ? 0 : sent;
}

void Socket::start_write(std::span<const std::string_view> parts) {
  std::array<uv_buf_t, kPartsMax> buffers;
  const size_t count = to_buffers(parts, buffers);
  const auto written = [](uv_write_t* request, int status) {
    auto& socket = *static_cast<Socket*>(request->handle->data);
    if (!socket.connection_) return;
    socket.tls_ ? socket.tls_->on_written(status == 0, now_us())
                : socket.connection_->on_written(status == 0, now_us());
  };
  if (uv_write(&write_, stream(), buffers.data(), static_cast<unsigned>(count), written) != 0) {
    connection_->abort();
  }
}

int64_t Socket::unsent_bytes() const { return static_cast<int64_t>(uv_stream_get_write_queue_size(&handle_.stream)); }

void Socket::shutdown_write() {
  if (shutdown_sent_ || uv_is_closing(handle())) return;
  shutdown_sent_ = true;
  // A failure needs no care: the connection ends by its linger time.
  uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {});
}

void Socket::close() {
  if (uv_is_closing(handle())) return;
  uv_close(handle(), [](uv_handle_t* handle) {
    auto& socket = *static_cast<Socket*>(handle->data);
    socket.owner_.socket_closed(socket);
  });
}

void Socket::request_flush() { owner_.flush_later(*this); }

}  // namespace seraph
