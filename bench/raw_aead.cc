// SPDX-License-Identifier: Apache-2.0
// The yardstick of encrypted loading: opens chunks of a MiB that lie in memory with XChaCha20-Poly1305, nothing else.
// Prints GB/s.
//
//   raw_aead MEBIBYTES THREADS
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"
#include "crypto/aead.h"

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::array<std::uint8_t, safemodel::crypto::kAeadKeyBytes> kKey{1, 2, 3};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto pieces = static_cast<std::size_t>(std::atoi(argv[1]));
  const auto threads = safemodel::ThreadCount(static_cast<unsigned>(std::atoi(argv[2])));
  safemodel::ByteBuffer sealed(kPiece + safemodel::crypto::kAeadTagBytes);
  const safemodel::crypto::AeadKey key(kKey);
  safemodel::crypto::SealXChaCha20Appended(key, {}, {}, safemodel::ByteBuffer(kPiece), sealed);
  std::vector<safemodel::ByteBuffer> plain(threads, safemodel::ByteBuffer(kPiece));
  const auto begin = std::chrono::steady_clock::now();
  const auto status = safemodel::ParallelFor(pieces, threads, [&](std::size_t, unsigned worker) -> safemodel::Status {
    if (safemodel::crypto::OpenXChaCha20Appended(key, {}, {}, sealed, plain[worker])) return {};
    return safemodel::Error{};
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (!status.ok()) return 1;
  std::printf("%.3f\n", static_cast<double>(pieces * kPiece) / took.count() / 1e9);
  return 0;
}
