// SPDX-License-Identifier: Apache-2.0
// Spec section 15, "Digest of a file". Work is cut in chunks across files, so that one large file and many small ones
// keep all threads busy, and taken a window at a time, so that memory and open files are bounded whatever the sizes.
#include <algorithm>
#include <mutex>

#include "base/cursor.h"
#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/artifact_files.h"

namespace safemodel {
namespace {

constexpr std::size_t kWindowChunks = 4096;
constexpr std::size_t kWindowFiles = 128;  // open at once; a process may have 1024 descriptors

struct Piece {
  const File* file = nullptr;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  Digest digest{};
};

// Window is what is hashed at once: pieces in the order of files and offsets.
struct Window {
  std::vector<std::shared_ptr<const File>> files;
  std::vector<Piece> pieces;
};

ByteBuffer SizeBytes(std::uint64_t size) {
  ByteWriter writer;
  writer.U64(size);
  return std::move(writer).Finish();
}

class Digester {
 public:
  Digester(const ArtifactRoot& root, const std::vector<MeasuredFile>& files, unsigned threads, const Progress& progress)
      : root_(root), files_(files), threads_(threads), progress_(progress) {
    for (const MeasuredFile& file : files) total_ += file.state.size;
  }

  Result<std::vector<Digest>> Run() {
    // A file is folded when its window is hashed; `begun_` may be in the middle of one.
    while (begun_ < files_.size()) {
      Window window;
      const std::size_t first_file = begun_;
      const std::uint64_t first_offset = offset_;
      SAFEMODEL_TRY(Fill(window));
      SAFEMODEL_TRY(Hash(window));
      for (const auto& file : window.files) SAFEMODEL_TRY(file->CheckUnchanged());
      Fold(window, first_file, first_offset);
    }
    return std::move(digests_);
  }

 private:
  // Fill adds pieces and advances begun_ and offset_.
  Status Fill(Window& window) {
    while (begun_ < files_.size() && window.pieces.size() < kWindowChunks && window.files.size() < kWindowFiles) {
      SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, root_.OpenFile(files_[begun_].path));
      if (file->state() != files_[begun_].state) return Changed(files_[begun_].path);
      const std::uint64_t size = file->size();
      for (; offset_ < size && window.pieces.size() < kWindowChunks; offset_ += container::kFileChunkBytes) {
        const std::uint64_t length = std::min<std::uint64_t>(container::kFileChunkBytes, size - offset_);
        window.pieces.push_back({file.get(), offset_, static_cast<std::uint32_t>(length), {}});
      }
      window.files.push_back(std::move(file));
      if (offset_ < size) return {};
      ++begun_;
      offset_ = 0;
    }
    return {};
  }

  Status Hash(Window& window) {
    std::vector<ReadBuffer> buffers(WorkerCount(window.pieces.size(), threads_));
    return ParallelFor(window.pieces.size(), threads_, [&](std::size_t i, unsigned worker) -> Status {
      Piece& piece = window.pieces[i];
      const MutableBytes chunk = buffers[worker].First(piece.length);
      SAFEMODEL_TRY(piece.file->ReadAt(piece.offset, chunk));
      piece.digest = crypto::Blake3Of(chunk);
      if (!progress_) return {};
      const std::lock_guard lock(mutex_);
      done_ += piece.length;
      progress_(done_, total_);
      return {};
    });
  }

  // Fold puts the chunks' digests into those of their files, of which the first may have begun in an earlier window and
  // the last may go on in a later one.
  void Fold(const Window& window, std::size_t first_file, std::uint64_t first_offset) {
    auto piece = window.pieces.begin();
    for (std::size_t i = 0; i < window.files.size(); ++i) {
      if (i > 0 || first_offset == 0) {
        hash_ = crypto::Blake3(container::kFileDigestContext);
        hash_.Update(SizeBytes(files_[first_file + i].state.size));
      }
      for (; piece != window.pieces.end() && piece->file == window.files[i].get(); ++piece) hash_.Update(piece->digest);
      if (first_file + i < begun_) digests_.push_back(hash_.Finish());
    }
  }

  [[nodiscard]] Error Changed(const std::string& path) const {
    return {Stage::kIo, "changed", "the file changed while it was read; try again", kNoOffset, root_.PathOf(path)};
  }

  const ArtifactRoot& root_;
  const std::vector<MeasuredFile>& files_;
  unsigned threads_;
  const Progress& progress_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  std::size_t begun_ = 0;     // the next file to open
  std::uint64_t offset_ = 0;  // where to go on in it
  crypto::Blake3 hash_{container::kFileDigestContext};
  std::vector<Digest> digests_;
};

}  // namespace

Result<std::vector<Digest>> DigestArtifact(const ArtifactRoot& root, const std::vector<MeasuredFile>& files,
                                           unsigned threads, const Progress& progress) {
  return Digester(root, files, threads, progress).Run();
}

}  // namespace safemodel
