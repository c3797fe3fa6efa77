// SPDX-License-Identifier: Apache-2.0
// The yardstick of verification: reads files with several threads and hashes every MiB of them with BLAKE3, nothing
// else.
//
//   raw_blake3 FILE... THREADS
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "crypto/hash.h"

namespace {

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;

struct Piece {
  const safemodel::File* file = nullptr;
  std::uint64_t offset = 0;
  safemodel::Digest digest{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::vector<std::shared_ptr<const safemodel::File>> files;
  std::vector<Piece> pieces;
  for (int i = 1; i + 1 < argc; ++i) {
    const auto file = safemodel::File::Open(argv[i]);
    if (!file.ok()) return 4;
    files.push_back(file.value());
    for (std::uint64_t at = 0; at < files.back()->size(); at += kPiece) pieces.push_back({files.back().get(), at, {}});
  }
  const auto threads = safemodel::ThreadCount(static_cast<unsigned>(std::atoi(argv[argc - 1])));
  std::vector<safemodel::ReadBuffer> buffers(threads);
  const auto status =
      safemodel::ParallelFor(pieces.size(), threads, [&](std::size_t i, unsigned worker) -> safemodel::Status {
        Piece& piece = pieces[i];
        const auto out =
            buffers[worker].First(static_cast<std::size_t>(std::min(kPiece, piece.file->size() - piece.offset)));
        if (auto read = piece.file->ReadAt(piece.offset, out); !read.ok()) return read;
        piece.digest = safemodel::crypto::Blake3Of(out);
        return {};
      });
  if (!status.ok() || pieces.empty()) return 4;
  std::printf("%s\n", safemodel::crypto::Hex(pieces.back().digest).c_str());
  return 0;
}
