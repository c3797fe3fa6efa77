// SPDX-License-Identifier: Apache-2.0
#include "log/tile.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::log {
namespace {

constexpr std::uint64_t kGroup = 1000;
constexpr std::size_t kGroupDigits = 3;
constexpr std::size_t kHashBytes = std::tuple_size_v<Digest>;

std::string Numbered(const std::string& folder, std::uint64_t number, std::uint64_t width) {
  std::string path;
  bool last = true;
  do {
    const std::string digits = std::to_string(number % kGroup);
    path = std::string(last ? "/" : "/x") + std::string(kGroupDigits - digits.size(), '0') + digits + path;
    last = false;
    number /= kGroup;
  } while (number != 0);
  return folder + path + (width < kTileWidth ? ".p/" + std::to_string(width) : "");
}

}  // namespace

std::string TilePath(unsigned level, std::uint64_t number, std::uint64_t width) {
  return Numbered("tile/" + std::to_string(level), number, width);
}

std::string BundlePath(std::uint64_t number, std::uint64_t width) { return Numbered("tile/entries", number, width); }

Result<std::vector<Digest>> SplitTile(ByteView bytes, std::uint64_t width, const std::string& path) {
  if (bytes.size() != width * kHashBytes) {
    return Error{Stage::kDigestMismatch, "tile_width", "a tile of the log has not as many hashes as it should",
                 kNoOffset, path};
  }
  ByteReader reader(bytes);
  std::vector<Digest> hashes;
  for (std::uint64_t i = 0; i < width; ++i) {
    SAFEMODEL_ASSIGN(const Digest hash, reader.TakeArray<kHashBytes>());
    hashes.push_back(hash);
  }
  return hashes;
}

ByteBuffer JoinTile(const std::vector<Digest>& hashes) {
  ByteWriter writer;
  for (const Digest& hash : hashes) writer.Bytes(hash);
  return std::move(writer).Finish();
}

std::vector<ByteBuffer> SplitBundle(ByteView bytes, bool& whole) {
  std::vector<ByteBuffer> entries;
  ByteReader reader(bytes);
  while (!reader.empty() && entries.size() < kTileWidth) {
    const auto high = reader.U8();
    const auto low = reader.U8();
    if (!high.ok() || !low.ok()) break;
    const auto entry = reader.Take(static_cast<std::uint64_t>(high.value()) << 8 | low.value());
    if (!entry.ok()) break;
    entries.emplace_back(entry.value().begin(), entry.value().end());
    whole = reader.empty();
  }
  if (entries.empty()) whole = bytes.empty();
  return entries;
}

ByteBuffer JoinBundle(const std::vector<ByteBuffer>& entries) {
  ByteWriter writer;
  for (const ByteBuffer& entry : entries) {
    writer.U8(static_cast<std::uint8_t>(entry.size() >> 8));
    writer.U8(static_cast<std::uint8_t>(entry.size()));
    writer.Bytes(entry);
  }
  return std::move(writer).Finish();
}

}  // namespace safemodel::log
