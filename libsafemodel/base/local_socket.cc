// SPDX-License-Identifier: Apache-2.0
#include "base/local_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

#include "base/try.h"

namespace safemodel {
namespace {

Error Closed() { return {Stage::kIo, "closed", "the other side closed the connection"}; }

}  // namespace

Result<LocalSocket> LocalSocket::Connect(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Error{Stage::kIo, "open_failed", "this is no path of a socket", kNoOffset, path};
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  Descriptor descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor.valid()) return SystemError("open_failed", "no socket can be made", path);
  LocalSocket connection(std::move(descriptor), deadline);
  // A full queue of a local socket is no wait but an error, EAGAIN.
  while (connect(connection.descriptor_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno != EINTR) return SystemError("open_failed", "the socket cannot be connected to", path);
  }
  return connection;
}

Status LocalSocket::WaitFor(short events) const {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Error{Stage::kIo, "timeout", "the other side did not answer in time"};
    pollfd waiting{descriptor_.get(), events, 0};
    if (poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1000))) > 0) return {};
  }
}

Status LocalSocket::Send(ByteView bytes) const {
  while (!bytes.empty()) {
    SAFEMODEL_TRY(WaitFor(POLLOUT));
    const ssize_t n = send(descriptor_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return Closed();
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status LocalSocket::Receive(MutableBytes out) const {
  while (!out.empty()) {
    SAFEMODEL_TRY(WaitFor(POLLIN));
    const ssize_t n = recv(descriptor_.get(), out.data(), out.size(), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return Closed();
    out = out.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace safemodel
