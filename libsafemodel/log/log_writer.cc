// SPDX-License-Identifier: Apache-2.0
#include "log/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <thread>

#include "base/cursor.h"
#include "base/folder.h"
#include "base/try.h"

namespace safemodel::log {
namespace {

constexpr const char* kCheckpointName = "checkpoint";
constexpr const char* kLockName = ".lock";
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(5);

// MakeFolder makes one folder, and its name durable.
Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0) return SyncFolder(FolderOf(path));
  if (errno == EEXIST) return {};
  return SystemError("write_failed", "a folder of the log could not be made", path);
}

// WriteFile writes a file of the log under its final name, and the folders that lead to it.
Status WriteFile(const std::string& root, const std::string& below, ByteView bytes) {
  for (auto slash = below.find('/'); slash != std::string::npos; slash = below.find('/', slash + 1)) {
    SAFEMODEL_TRY(MakeFolder(root + "/" + below.substr(0, slash)));
  }
  SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(root + "/" + below, OutputFile::Overwrite::kReplace));
  SAFEMODEL_TRY(output.Append(bytes));
  return output.Commit();
}

Result<Descriptor> Lock(const std::string& folder) {
  const std::string path = folder + "/" + kLockName;
  Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!lock.valid()) {
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "the log cannot be opened for writing", path);
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!TryLock(lock.get())) {
    if (errno != EWOULDBLOCK) return SystemError("open_failed", "the log cannot be locked", path);
    if (std::chrono::steady_clock::now() > end) {
      return Error{Stage::kIo, "locked", "another writer is at work on this log; try again", kNoOffset, folder};
    }
    std::this_thread::sleep_for(kPause);
  }
  return lock;
}

Error BadOrigin(const std::string& origin) {
  return {Stage::kUsage, "bad_origin",
          "the origin of a log is a name such as example.com/models: without spaces, controls or '+'", kNoOffset,
          origin};
}

}  // namespace

Result<LogCheckpoint> LogWriter::Init(const std::string& folder, const std::string& origin, const Signer& key) {
  if (!IsKeyName(origin) || origin.size() > 255) return BadOrigin(origin);
  SAFEMODEL_TRY(MakeFolder(folder));
  SAFEMODEL_ASSIGN(const auto opened, Folder::Open(folder));
  const auto there = opened->List({}, 2);
  if (!there.ok() && there.error().stage != Stage::kLimit) return there.error();
  // An earlier attempt may have left its lock.
  const bool fresh = there.ok() && std::all_of(there.value().begin(), there.value().end(),
                                               [](const auto& entry) { return entry.name == kLockName; });
  if (!fresh) {
    return Error{Stage::kUsage, "exists", "the folder is not empty; a log begins in a folder of its own", kNoOffset,
                 folder};
  }
  SAFEMODEL_ASSIGN(const Descriptor lock, Lock(folder));
  const LogCheckpoint empty = {origin, 0, EmptyRoot()};
  SAFEMODEL_ASSIGN(const ByteBuffer note, SignCheckpoint(empty, key));
  SAFEMODEL_ASSIGN(OutputFile output,
                   OutputFile::Create(folder + "/" + kCheckpointName, OutputFile::Overwrite::kRefuse));
  SAFEMODEL_TRY(output.Append(note));
  SAFEMODEL_TRY(output.Commit());
  return empty;
}

Result<LogWriter> LogWriter::Open(const std::string& folder, const Signer& key, const Limits& limits) {
  // Asked first, so that a wrong path does not get a lock file.
  SAFEMODEL_ASSIGN(const LogReader before, LogReader::Open(folder, limits));
  SAFEMODEL_ASSIGN(Descriptor lock, Lock(folder));
  SAFEMODEL_ASSIGN(LogReader reader, LogReader::Open(folder, limits));
  LogWriter writer(std::move(lock), std::move(reader));
  writer.folder_ = folder;
  writer.limits_ = limits;
  const LogTrust own = {{{writer.reader_.state().origin, key.public_key()}}};
  SAFEMODEL_TRY(CheckCheckpoint(writer.reader_.checkpoint(), own));
  SAFEMODEL_TRY(writer.reader_.CheckRoot());
  return writer;
}

Status LogWriter::WriteBundles(std::vector<ByteBuffer> entries, std::uint64_t first) {
  const std::uint64_t inside = first % kTileWidth;
  if (inside != 0) {
    SAFEMODEL_ASSIGN(std::vector<ByteBuffer> begun, reader_.Bundle(first / kTileWidth));
    entries.insert(entries.begin(), begun.begin(), begun.end());
  }
  for (std::uint64_t number = first / kTileWidth, done = 0; done < entries.size(); ++number) {
    const std::uint64_t width = std::min(kTileWidth, entries.size() - done);
    const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(done);
    const std::vector<ByteBuffer> bundle(begin, begin + static_cast<std::ptrdiff_t>(width));
    SAFEMODEL_TRY(WriteFile(folder_, BundlePath(number, width), JoinBundle(bundle)));
    done += width;
  }
  return {};
}

// WriteLevel appends hashes to a level and returns the hashes of the tiles that became full.
Result<std::vector<Digest>> LogWriter::WriteLevel(unsigned level, const std::vector<Digest>& added) {
  const std::uint64_t first = HashesAt(level, reader_.state().size);
  std::vector<Digest> hashes;
  if (first % kTileWidth != 0) {
    SAFEMODEL_ASSIGN(hashes, reader_.Tile(level, first / kTileWidth));
  }
  hashes.insert(hashes.end(), added.begin(), added.end());
  std::vector<Digest> full;
  for (std::uint64_t number = first / kTileWidth, done = 0; done < hashes.size(); ++number) {
    const std::uint64_t width = std::min(kTileWidth, hashes.size() - done);
    const auto begin = hashes.begin() + static_cast<std::ptrdiff_t>(done);
    std::vector<Digest> tile(begin, begin + static_cast<std::ptrdiff_t>(width));
    SAFEMODEL_TRY(WriteFile(folder_, TilePath(level, number, width), JoinTile(tile)));
    done += width;
    if (width < kTileWidth) continue;
    for (; tile.size() > 1; tile.resize(tile.size() / 2)) {
      for (std::size_t i = 0; i < tile.size() / 2; ++i) tile[i] = NodeHash(tile[2 * i], tile[2 * i + 1]);
    }
    full.push_back(tile.front());
  }
  return full;
}

Result<std::uint64_t> LogWriter::Append(const std::vector<ByteBuffer>& entries, const Signer& key) {
  const std::uint64_t first = reader_.state().size;
  if (entries.empty()) return first;
  std::vector<Digest> hashes;
  for (const ByteBuffer& entry : entries) {
    if (entry.size() > kMostEntryBytes) return Error{Stage::kLimit, "large_entry", "a log entry is over 65535 bytes"};
    hashes.push_back(LeafHash(entry));
  }
  SAFEMODEL_TRY(WriteBundles(entries, first));
  for (unsigned level = 0; !hashes.empty(); ++level) {
    SAFEMODEL_ASSIGN(hashes, WriteLevel(level, hashes));
  }
  LogCheckpoint state = reader_.state();
  const Digest old_root = state.root;
  state.size = first + entries.size();
  SignedCheckpoint grown;
  grown.state = state;
  reader_.LookAt(grown, {});
  SAFEMODEL_ASSIGN(state.root, RangeRoot(0, state.size, reader_.Perfect()));
  // Tiles are read again as they are needed; what is signed has to continue the checkpoint that was checked.
  SAFEMODEL_ASSIGN(const auto growth, ConsistencyProof(first, state.size, reader_.Perfect()));
  if (!HoldsConsistency(first, state.size, old_root, state.root, growth)) {
    return Error{Stage::kDigestMismatch, "log_root",
                 "the log was changed while it was written to; check it with log verify", kNoOffset, state.origin};
  }
  SAFEMODEL_ASSIGN(ByteBuffer note, SignCheckpoint(state, key));
  SAFEMODEL_ASSIGN(grown, ParseSignedCheckpoint(note, limits_));
  SAFEMODEL_TRY(WriteFile(folder_, kCheckpointName, note));
  reader_.LookAt(grown, std::move(note));
  RemovePartial(first);
  return first;
}

// RemovePartial removes the partial tiles of those that are full now. What cannot be removed does no harm.
void LogWriter::RemovePartial(std::uint64_t old_size) const {
  const auto remove = [this](const std::string& full) {
    const std::string folder = folder_ + "/" + full + ".p";
    for (std::uint64_t width = 1; width < kTileWidth; ++width) unlink((folder + "/" + std::to_string(width)).c_str());
    rmdir(folder.c_str());
  };
  const std::uint64_t size = reader_.state().size;
  for (unsigned level = 0; HashesAt(level, size) != 0; ++level) {
    const std::uint64_t begun = HashesAt(level, old_size) / kTileWidth;
    if (WidthOf(begun, HashesAt(level, size)) < kTileWidth) continue;
    remove(TilePath(level, begun, kTileWidth));
    if (level == 0) remove(BundlePath(begun, kTileWidth));
  }
}

}  // namespace safemodel::log
