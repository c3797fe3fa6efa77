// SPDX-License-Identifier: Apache-2.0
// A log's folder, for reading. Nothing in it is followed if it is a link.
#pragma once

#include <memory>
#include <string>

#include "base/folder.h"
#include "log/checkpoint.h"
#include "log/merkle.h"
#include "log/tile.h"

namespace safemodel::log {

// LogReader reads a log as of one checkpoint. A tile is believed only through a root, so whoever uses hashes of it
// compares the outcome with one. Not safe to use from several threads.
class LogReader {
 public:
  // Open reads the folder's checkpoint. kIo, kMalformed.
  static Result<LogReader> Open(const std::string& folder, const Limits& limits);
  // LookAt looks at the log as of another checkpoint.
  void LookAt(const SignedCheckpoint& checkpoint, ByteBuffer note);

  [[nodiscard]] const SignedCheckpoint& checkpoint() const { return checkpoint_; }
  [[nodiscard]] const ByteBuffer& note() const { return note_; }
  [[nodiscard]] const LogCheckpoint& state() const { return checkpoint_.state; }

  // Tile and Bundle read what the present checkpoint demands; a partial tile that is gone because the full one is there
  // is read from that. Bundle checks each entry against the tile: kDigestMismatch names the first that is wrong.
  Result<std::vector<Digest>> Tile(unsigned level, std::uint64_t number);
  Result<std::vector<ByteBuffer>> Bundle(std::uint64_t number);
  Result<ByteBuffer> Entry(std::uint64_t index);
  // Perfect returns hashes from tiles. It refers to this reader.
  PerfectHash Perfect();
  // CheckRoot compares the root that the tiles have now with the checkpoint's. kDigestMismatch "log_root".
  Status CheckRoot();
  // ProofOf returns a proof that was checked. kUsage "no_such_entry".
  Result<ByteBuffer> ProofOf(std::uint64_t index);
  // CheckAll recomputes everything (spec 14.5).
  Status CheckAll(const LogVisitor& visit);
  // Find returns the index of the entry with this statement by this key, the newest first.
  Result<std::optional<std::uint64_t>> Find(const Digest& statement_digest, const std::string& key_id);

 private:
  LogReader() = default;
  Result<ByteBuffer> Read(const std::string& below, std::uint64_t most) const;
  struct Piece {
    ByteBuffer bytes;
    bool full = false;  // it is that of all 256, also where the checkpoint knows fewer
  };
  Result<Piece> ReadBundle(std::uint64_t number, std::uint64_t width) const;
  Result<Piece> ReadEither(const std::string& partial, const std::string& full, std::uint64_t most) const;
  Status CheckLevel(unsigned level);
  Status CheckBundle(std::uint64_t number, const LogVisitor& visit, GrowingRoot& root);

  std::string folder_;
  Descriptor descriptor_;
  Limits limits_;
  SignedCheckpoint checkpoint_;
  ByteBuffer note_;
  // The tiles on the way to one leaf: one of each level.
  struct Held {
    std::uint64_t number = 0;
    std::vector<Digest> hashes;
  };
  std::vector<Held> held_;
};

// EntryName is how errors name an entry: "entry 17".
std::string EntryName(std::uint64_t index);

}  // namespace safemodel::log
