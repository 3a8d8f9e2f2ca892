#include "daemon/http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "daemon/http/socket.h"

namespace seraph {
namespace {

constexpr int kBacklog = 1024;

Error listen_error(const std::string& where, int code, const char* remedy) {
  return Error{ErrorCode::kIo, "cannot listen on " + where + ": " + uv_strerror(code), remedy};
}

/// A socket file that nobody listens on is left over from a process that was killed.
bool is_stale_socket(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return refused;
}

}  // namespace

Listener::Listener(uv_loop_t* loop, bool is_pipe) : loop_(loop), is_pipe_(is_pipe) {
  if (is_pipe_) {
    uv_pipe_init(loop, &handle_.pipe, 0);
  } else {
    uv_tcp_init(loop, &handle_.tcp);
  }
  handle_.any.data = this;
}

Status Listener::open(const HttpOptions& options, std::function<void()> on_connection) {
  on_connection_ = std::move(on_connection);
  SERAPH_RETURN_IF_ERROR(is_pipe_ ? open_pipe(options) : open_tcp(options));
  const int code = uv_listen(stream(), kBacklog, [](uv_stream_t* listener, int status) {
    // A failed accept (no file descriptors left) concerns one client; the others go on.
    if (status == 0) static_cast<Listener*>(listener->data)->on_connection_();
  });
  if (code != 0) {
    return listen_error(is_pipe_ ? options.uds : options.host + ":" + std::to_string(options.port), code,
                        is_pipe_ ? "choose another --uds" : "choose another --port, or stop the program that uses it");
  }
  if (!is_pipe_) {
    sockaddr_storage bound{};
    int size = sizeof bound;
    bool is_loopback = false;
    uv_tcp_getsockname(&handle_.tcp, reinterpret_cast<sockaddr*>(&bound), &size);
    address_ = (options.tls_wanted() ? "https://" : "http://") + address_text(bound, is_loopback);
    port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                              : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  }
  return {};
}

Status Listener::open_tcp(const HttpOptions& options) {
  const std::string where = options.host + ":" + std::to_string(options.port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const std::string host = options.host.empty() ? "0.0.0.0" : options.host;
  uv_getaddrinfo_t lookup;
  // Synchronous: the loop does not run yet, and there is nothing else to do before the address is known.
  const int found = uv_getaddrinfo(loop_, &lookup, nullptr, host.c_str(), std::to_string(options.port).c_str(), &hints);
  if (found != 0) {
    return listen_error(where, found, "give --host a name or address of this machine, or 0.0.0.0 for all");
  }
  const int code = uv_tcp_bind(&handle_.tcp, lookup.addrinfo->ai_addr, 0);
  uv_freeaddrinfo(lookup.addrinfo);
  if (code != 0) {
    return listen_error(where, code, "give --host a name or address of this machine, or choose another --port");
  }
  return {};
}

Status Listener::open_pipe(const HttpOptions& options) {
  if (options.uds.size() >= sizeof(sockaddr_un::sun_path)) {
    return listen_error(options.uds, UV_ENAMETOOLONG, "choose a shorter --uds");
  }
  // libuv reports a missing folder as a lack of permission.
  const std::filesystem::path folder = std::filesystem::path(options.uds).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    return Error{ErrorCode::kIo, "cannot listen on " + options.uds + ": there is no folder " + folder.string(),
                 "make it, or choose another --uds"};
  }
  if (is_stale_socket(options.uds)) {
    ::unlink(options.uds.c_str());
  }
  const int code = uv_pipe_bind(&handle_.pipe, options.uds.c_str());
  if (code != 0) {
    return listen_error(options.uds, code, "choose another --uds, or stop the program that uses it");
  }
  address_ = "unix:" + options.uds;
  return {};
}

void Listener::close(std::function<void()> done) {
  on_closed_ = std::move(done);
  uv_close(&handle_.any, [](uv_handle_t* handle) {
    const std::function<void()> callback = std::move(static_cast<Listener*>(handle->data)->on_closed_);
    callback();
  });
}

}  // namespace seraph
