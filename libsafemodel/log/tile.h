// SPDX-License-Identifier: Apache-2.0
// Tiles and entry bundles (C2SP tlog-tiles): the files of a log.
//
//   tile/L/N        256 hashes of level L: at level 0 of entries, above of full tiles of the level below
//   tile/entries/N  the entries of tile/0/N, each behind its length as big-endian u16
//   .../N.p/W       the same, of the last, partial tile, with W (1 to 255) hashes or entries
//
// N is written in groups of three digits, all but the last with an x in front: x001/x234/067.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::log {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr unsigned kTileHeight = 8;
inline constexpr std::uint64_t kMostEntryBytes = 0xFFFF;

// TilePath and BundlePath return paths below the log's folder; `width` is 1 to 256.
std::string TilePath(unsigned level, std::uint64_t number, std::uint64_t width);
std::string BundlePath(std::uint64_t number, std::uint64_t width);

// HashesAt returns how many hashes a level has in a tree of `size` entries.
[[nodiscard]] constexpr std::uint64_t HashesAt(unsigned level, std::uint64_t size) {
  return kTileHeight * level >= 64 ? 0 : size >> (kTileHeight * level);
}
// WidthOf returns the width of tile `number` of a level with `hashes` hashes; 0 when there is none.
[[nodiscard]] constexpr std::uint64_t WidthOf(std::uint64_t number, std::uint64_t hashes) {
  const std::uint64_t begin = number * kTileWidth;
  if (begin >= hashes) return 0;
  return hashes - begin < kTileWidth ? hashes - begin : kTileWidth;
}

// SplitTile returns the hashes of a tile. kDigestMismatch "tile_width" when it has not `width`.
Result<std::vector<Digest>> SplitTile(ByteView bytes, std::uint64_t width, const std::string& path);
ByteBuffer JoinTile(const std::vector<Digest>& hashes);

// SplitBundle returns as many whole entries as there are, at most 256: whoever compares them with their hashes tells
// which one is wrong.
std::vector<ByteBuffer> SplitBundle(ByteView bytes, bool& whole);
ByteBuffer JoinBundle(const std::vector<ByteBuffer>& entries);

}  // namespace safemodel::log
