// SPDX-License-Identifier: Apache-2.0
#include "log/log_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "log/entry.h"
#include "log/proof.h"

namespace safemodel::log {
namespace {

constexpr std::uint64_t kTileBytes = kTileWidth * 32;
constexpr std::uint64_t kBundleBytes = kTileWidth * (2 + kMostEntryBytes);

Error WrongEntry(const char* text, std::uint64_t index) {
  return {Stage::kDigestMismatch, "log_entry", text, kNoOffset, EntryName(index)};
}

PerfectHash HashesOf(const std::vector<Digest>& hashes) {
  return [&hashes](unsigned height, std::uint64_t index) -> Result<Digest> {
    std::vector<Digest> row(hashes.begin() + static_cast<std::ptrdiff_t>(index << height),
                            hashes.begin() + static_cast<std::ptrdiff_t>((index + 1) << height));
    for (; row.size() > 1; row.resize(row.size() / 2)) {
      for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = NodeHash(row[2 * i], row[2 * i + 1]);
    }
    return row.front();
  };
}

Error WrongRoot(std::string subject) {
  return {Stage::kDigestMismatch, "log_root", "the tiles of the log do not lead to the root of its checkpoint",
          kNoOffset, std::move(subject)};
}

}  // namespace

std::string EntryName(std::uint64_t index) { return "entry " + std::to_string(index); }

Result<LogReader> LogReader::Open(const std::string& folder, const Limits& limits) {
  LogReader reader;
  reader.folder_ = folder;
  reader.limits_ = limits;
  reader.descriptor_ = Descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!reader.descriptor_.valid()) {
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "the log's folder cannot be opened", folder);
  }
  SAFEMODEL_ASSIGN(reader.note_, reader.Read("checkpoint", limits.log_note_bytes));
  SAFEMODEL_ASSIGN(reader.checkpoint_, ParseSignedCheckpoint(reader.note_, limits));
  return reader;
}

void LogReader::LookAt(const SignedCheckpoint& checkpoint, ByteBuffer note) {
  checkpoint_ = checkpoint;
  note_ = std::move(note);
  held_.clear();
}

Result<ByteBuffer> LogReader::Read(const std::string& below, std::uint64_t most) const {
  SAFEMODEL_ASSIGN(auto components, ComponentsBelow(below));
  const std::string name = components.back();
  components.pop_back();
  const std::string shown = folder_ + "/" + below;
  SAFEMODEL_ASSIGN(const Descriptor parent, OpenFolderBelow(descriptor_.get(), components, shown));
  Descriptor file(openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    return SystemError(errno == ENOENT ? "not_found" : "open_failed", "a file of the log cannot be opened", shown);
  }
  SAFEMODEL_ASSIGN(const auto opened, File::FromDescriptor(std::move(file), shown));
  return ReadRange(*opened, 0, opened->size(), most);
}

Result<LogReader::Piece> LogReader::ReadEither(const std::string& partial, const std::string& full,
                                               std::uint64_t most) const {
  auto bytes = Read(partial, most);
  if (bytes.ok()) return Piece{std::move(bytes).value(), partial == full};
  if (partial == full || std::string_view(bytes.error().code) != "not_found") return bytes.error();
  auto other = Read(full, most);
  if (other.ok()) return Piece{std::move(other).value(), true};
  return std::string_view(other.error().code) == "not_found" ? bytes.error() : other.error();
}

Result<std::vector<Digest>> LogReader::Tile(unsigned level, std::uint64_t number) {
  if (held_.size() <= level) held_.resize(level + 1);
  Held& held = held_[level];
  if (held.number == number && !held.hashes.empty()) return held.hashes;
  const std::uint64_t width = WidthOf(number, HashesAt(level, state().size));
  const std::string path = TilePath(level, number, width);
  SAFEMODEL_ASSIGN(const Piece piece, ReadEither(path, TilePath(level, number, kTileWidth), kTileBytes));
  held.hashes.clear();
  SAFEMODEL_ASSIGN(held.hashes, SplitTile(piece.bytes, piece.full ? kTileWidth : width, path));
  held.hashes.resize(static_cast<std::size_t>(width));
  held.number = number;
  return held.hashes;
}

Result<LogReader::Piece> LogReader::ReadBundle(std::uint64_t number, std::uint64_t width) const {
  return ReadEither(BundlePath(number, width), BundlePath(number, kTileWidth), kBundleBytes);
}

Result<std::vector<ByteBuffer>> LogReader::Bundle(std::uint64_t number) {
  SAFEMODEL_ASSIGN(const std::vector<Digest> hashes, Tile(0, number));
  const std::uint64_t width = hashes.size();
  SAFEMODEL_ASSIGN(const Piece piece, ReadBundle(number, width));
  bool whole = false;
  std::vector<ByteBuffer> entries = SplitBundle(piece.bytes, whole);
  const std::uint64_t first = number * kTileWidth;
  for (std::uint64_t i = 0; i < width; ++i) {
    if (i >= entries.size()) return WrongEntry("an entry of the log is missing or cut", first + i);
    if (LeafHash(entries[i]) != hashes[i])
      return WrongEntry("an entry of the log is not the one it has hashed", first + i);
  }
  if (!whole || entries.size() != (piece.full ? kTileWidth : width)) {
    return WrongEntry("the log has an entry more than its checkpoint counts", first + width);
  }
  entries.resize(static_cast<std::size_t>(width));
  return entries;
}

Result<ByteBuffer> LogReader::Entry(std::uint64_t index) {
  if (index >= state().size) {
    return Error{Stage::kUsage, "no_such_entry", "the log has no entry of this number", kNoOffset, EntryName(index)};
  }
  const auto inside = static_cast<std::size_t>(index % kTileWidth);
  SAFEMODEL_ASSIGN(const std::vector<Digest> hashes, Tile(0, index / kTileWidth));
  SAFEMODEL_ASSIGN(const Piece piece, ReadBundle(index / kTileWidth, hashes.size()));
  bool whole = false;
  std::vector<ByteBuffer> entries = SplitBundle(piece.bytes, whole);
  if (inside >= entries.size()) return WrongEntry("an entry of the log is missing or cut", index);
  if (LeafHash(entries[inside]) != hashes[inside]) {
    return WrongEntry("an entry of the log is not the one it has hashed", index);
  }
  return std::move(entries[inside]);
}

PerfectHash LogReader::Perfect() {
  return [this](unsigned height, std::uint64_t index) -> Result<Digest> {
    const unsigned level = height / kTileHeight;
    const unsigned inside = height % kTileHeight;
    const std::uint64_t first = index << inside;
    SAFEMODEL_ASSIGN(const std::vector<Digest> hashes, Tile(level, first / kTileWidth));
    const std::uint64_t at = (first % kTileWidth) >> inside;
    if (((at + 1) << inside) > hashes.size())
      return Error{Stage::kInternal, "internal", "a subtree is not in its tile"};
    return HashesOf(hashes)(inside, at);
  };
}

Status LogReader::CheckRoot() {
  SAFEMODEL_ASSIGN(const Digest root, RangeRoot(0, state().size, Perfect()));
  if (root == state().root) return {};
  return WrongRoot(state().origin);
}

Result<ByteBuffer> LogReader::ProofOf(std::uint64_t index) {
  Proof proof;
  SAFEMODEL_ASSIGN(proof.extra, Entry(index));
  proof.index = index;
  SAFEMODEL_ASSIGN(proof.hashes, InclusionProof(index, state().size, Perfect()));
  if (!HoldsInclusion(index, state().size, LeafHash(*proof.extra), proof.hashes, state().root)) {
    return WrongRoot(EntryName(index));
  }
  proof.note = note_;
  return SerializeProof(proof);
}

// CheckLevel compares each hash of a level with the tile below that it stands for.
Status LogReader::CheckLevel(unsigned level) {
  const std::uint64_t hashes = HashesAt(level, state().size);
  for (std::uint64_t i = 0; i < hashes; ++i) {
    SAFEMODEL_ASSIGN(const std::vector<Digest> above, Tile(level, i / kTileWidth));
    SAFEMODEL_ASSIGN(const std::vector<Digest> below, Tile(level - 1, i));
    SAFEMODEL_ASSIGN(const Digest root, HashesOf(below)(kTileHeight, 0));
    if (root == above[static_cast<std::size_t>(i % kTileWidth)]) continue;
    const std::uint64_t first = i << (kTileHeight * level);
    const std::uint64_t last = ((i + 1) << (kTileHeight * level)) - 1;
    return Error{Stage::kDigestMismatch, "log_tile", "entries of the log are not those that a tile above has hashed",
                 kNoOffset, "entries " + std::to_string(first) + " to " + std::to_string(last)};
  }
  return {};
}

Status LogReader::CheckBundle(std::uint64_t number, const LogVisitor& visit, GrowingRoot& root) {
  SAFEMODEL_ASSIGN(const auto entries, Bundle(number));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t index = number * kTileWidth + i;
    auto entry = ParseEntry(entries[i], limits_);
    if (!entry.ok()) {
      return Error{entry.error().stage, entry.error().code, entry.error().text, kNoOffset, EntryName(index)};
    }
    root.Add(LeafHash(entries[i]));
    if (visit) visit(index, entry.value());
  }
  return {};
}

Status LogReader::CheckAll(const LogVisitor& visit) {
  const std::uint64_t bundles = CeilDiv(state().size, kTileWidth);
  GrowingRoot visited;
  for (std::uint64_t number = 0; number < bundles; ++number) SAFEMODEL_TRY(CheckBundle(number, visit, visited));
  for (unsigned level = 1; HashesAt(level, state().size) != 0; ++level) SAFEMODEL_TRY(CheckLevel(level));
  SAFEMODEL_TRY(CheckRoot());
  // The levels were read after the entries, which somebody may have exchanged in between: what was visited has to be
  // under the root itself.
  if (visited.Root() == state().root) return {};
  return WrongRoot(state().origin);
}

Result<std::optional<std::uint64_t>> LogReader::Find(const Digest& statement_digest, const std::string& key_id) {
  const std::string hex = crypto::Hex(statement_digest);
  for (std::uint64_t number = CeilDiv(state().size, kTileWidth); number > 0; --number) {
    SAFEMODEL_ASSIGN(const auto entries, Bundle(number - 1));
    for (std::size_t i = entries.size(); i > 0; --i) {
      if (AsText(entries[i - 1]).find(hex) == std::string_view::npos) continue;
      const auto entry = ParseEntry(entries[i - 1], limits_);
      if (!entry.ok() || entry.value().statement_digest != statement_digest || entry.value().key_id != key_id) continue;
      return std::optional((number - 1) * kTileWidth + i - 1);
    }
  }
  return std::optional<std::uint64_t>();
}

}  // namespace safemodel::log
