// SPDX-License-Identifier: Apache-2.0
// The yardstick of verification: reads a file with several threads and hashes every MiB of it with BLAKE3, nothing
// else.
//
//   raw_blake3 FILE THREADS
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "crypto/hash.h"

namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
constexpr std::uint64_t kRead = 4 * kPiece;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto file = safemodel::File::Open(argv[1]);
  if (!file.ok()) return 4;
  const auto threads = safemodel::ThreadCount(static_cast<unsigned>(std::atoi(argv[2])));
  const std::uint64_t size = file.value()->size();
  const std::uint64_t reads = (size + kRead - 1) / kRead;
  std::vector<safemodel::ByteBuffer> buffers(threads, safemodel::ByteBuffer(kRead));
  std::vector<safemodel::Digest> digests((size + kPiece - 1) / kPiece);
  const auto status = safemodel::ParallelFor(reads, threads, [&](std::size_t i, unsigned worker) -> safemodel::Status {
    const std::uint64_t begin = i * kRead;
    const safemodel::MutableBytes out = safemodel::MutableBytes(buffers[worker]).first(std::min(kRead, size - begin));
    if (auto read = file.value()->ReadAt(begin, out); !read.ok()) return read;
    for (std::uint64_t at = 0; at < out.size(); at += kPiece) {
      digests[(begin + at) / kPiece] =
          safemodel::crypto::Blake3Of(out.subspan(at, std::min<std::uint64_t>(kPiece, out.size() - at)));
    }
    return {};
  });
  if (!status.ok()) return 4;
  std::printf("%s\n", safemodel::crypto::Hex(digests.back()).c_str());
  return 0;
}
