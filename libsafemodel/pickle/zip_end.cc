// SPDX-License-Identifier: Apache-2.0
// Archives that readers find by the end of a file, whatever stands in front of them.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/zip.h"
#include "pickle/zip_records.h"

namespace safemodel::pickle {
namespace {

// Python's zipfile looks one byte further than a comment is long.
constexpr std::uint64_t kMostTail = kEndSize + 0x10000;
constexpr std::uint64_t kMostDirectory = 256u << 20;

// View is what some reader takes for the directory, and what it adds to the offsets in it.
struct View {
  std::uint64_t directory = 0;
  std::uint64_t directory_size = 0;
  std::uint64_t base = 0;
  friend bool operator==(const View&, const View&) = default;
};

// IsAt says whether a record with this signature stands somewhere.
Result<bool> IsAt(const ByteSource& source, std::uint64_t offset, std::uint32_t signature) {
  if (offset > source.size() || source.size() - offset < 4) return false;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(source, offset, 4, 4));
  SAFEMODEL_ASSIGN(const std::uint32_t found, ByteReader(bytes).U32());
  return found == signature;
}

// AddViews adds those of a directory that ends at `anchor`, of which an end record states size and offset: Python
// believes the size and moves all offsets, PyTorch believes the offset.
Status AddViews(const ByteSource& source, std::uint64_t anchor, std::uint64_t size, std::uint64_t offset,
                std::vector<View>& views) {
  if (size == 0) return {};
  const auto add = [&](View view) -> Status {
    SAFEMODEL_ASSIGN(const bool there, IsAt(source, view.directory, kCentralSignature));
    if (there && std::find(views.begin(), views.end(), view) == views.end()) views.push_back(view);
    return {};
  };
  if (size <= anchor && offset <= anchor - size) SAFEMODEL_TRY(add({anchor - size, size, anchor - size - offset}));
  return add({offset, size, 0});
}

// AddZip64 adds the views of a 64-bit end record, if one stands there.
Status AddZip64(const ByteSource& source, std::uint64_t at, std::vector<View>& views) {
  SAFEMODEL_ASSIGN(const bool there, IsAt(source, at, kZip64EndSignature));
  if (!there || source.size() - at < kZip64EndSize) return {};
  SAFEMODEL_ASSIGN(const ByteBuffer record, ReadRange(source, at, kZip64EndSize, kZip64EndSize));
  ByteReader fields(record, at);
  constexpr std::size_t kInFront = 40;
  SAFEMODEL_TRY(fields.Take(kInFront));
  SAFEMODEL_ASSIGN(const std::uint64_t size, fields.U64());
  SAFEMODEL_ASSIGN(const std::uint64_t offset, fields.U64());
  return AddViews(source, at, size, offset, views);
}

// ViewsOf returns what readers make of the end record at `end`: the 64-bit record stands in front of its locator for
// some, where that says for others.
Result<std::vector<View>> ViewsOf(const ByteSource& source, std::uint64_t end) {
  SAFEMODEL_ASSIGN(const ByteBuffer record, ReadRange(source, end, kEndSize, kEndSize));
  ByteReader fields(record, end);
  constexpr std::size_t kInFront = 12;
  SAFEMODEL_TRY(fields.Take(kInFront));
  SAFEMODEL_ASSIGN(const std::uint32_t size, fields.U32());
  SAFEMODEL_ASSIGN(const std::uint32_t offset, fields.U32());
  std::vector<View> views;
  SAFEMODEL_TRY(AddViews(source, end, size, offset, views));
  if (end < kLocatorSize) return views;
  SAFEMODEL_ASSIGN(const bool located, IsAt(source, end - kLocatorSize, kZip64LocatorSignature));
  if (!located) return views;
  if (end >= kLocatorSize + kZip64EndSize) {
    SAFEMODEL_TRY(AddZip64(source, end - kLocatorSize - kZip64EndSize, views));
  }
  constexpr std::uint64_t kPlace = 8;
  SAFEMODEL_ASSIGN(const ByteBuffer place, ReadRange(source, end - kLocatorSize + kPlace, 8, 8));
  SAFEMODEL_ASSIGN(const std::uint64_t stated, ByteReader(place).U64());
  SAFEMODEL_TRY(AddZip64(source, stated, views));
  return views;
}

// Opens says whether a reader with this view finds the header of a member. A directory that cannot be read here may be
// read by others.
Result<bool> Opens(const ByteSource& source, const View& view) {
  const std::uint64_t size = std::min(view.directory_size, source.size() - view.directory);
  if (size > kMostDirectory) return true;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(source, view.directory, size, kMostDirectory));
  ByteReader directory(bytes, view.directory);
  while (!directory.empty()) {
    const auto record = ReadCentralRecord(directory);
    if (!record.ok()) return true;
    const auto at = CheckedAdd(view.base, record.value().header_offset);
    if (!at) continue;
    SAFEMODEL_ASSIGN(const bool there, IsAt(source, *at, kLocalSignature));
    if (there) return true;
  }
  return false;
}

// Describe says what is known of the archive whose end record stands at `end`.
Result<FoundArchive> Describe(const ByteSource& source, std::uint64_t end, const std::vector<View>& views) {
  FoundArchive found;
  found.end_record = end;
  SAFEMODEL_ASSIGN(const ByteBuffer comment, ReadRange(source, end + kEndSize - 2, 2, 2));
  SAFEMODEL_ASSIGN(const std::uint16_t comment_size, ByteReader(comment).U16());
  const std::uint64_t behind = end + kEndSize + comment_size;
  SAFEMODEL_ASSIGN(const bool member_first, IsAt(source, views.front().base, kLocalSignature));
  if (views.size() == 1 && member_first) {
    found.begin = views.front().base;
    found.size = std::min(behind, source.size()) - found.begin;
    return found;
  }
  for (const View& view : views) {
    SAFEMODEL_ASSIGN(const bool opens, Opens(source, view));
    found.scattered = found.scattered || opens;
  }
  return found;
}

}  // namespace

Result<std::optional<FoundArchive>> FindArchive(const ByteSource& source) {
  const std::uint64_t size = std::min(source.size(), kMostTail);
  if (size < kEndSize) return std::optional<FoundArchive>();
  const std::uint64_t begin = source.size() - size;
  SAFEMODEL_ASSIGN(const ByteBuffer tail, ReadRange(source, begin, size, kMostTail));
  for (std::uint64_t at = size - kEndSize + 1; at-- > 0;) {
    SAFEMODEL_ASSIGN(const std::uint32_t signature,
                     ByteReader(ByteView(tail).subspan(static_cast<std::size_t>(at))).U32());
    if (signature != kEndSignature) continue;
    SAFEMODEL_ASSIGN(const std::vector<View> views, ViewsOf(source, begin + at));
    if (views.empty()) continue;
    SAFEMODEL_ASSIGN(FoundArchive found, Describe(source, begin + at, views));
    return std::optional(found);
  }
  return std::optional<FoundArchive>();
}

}  // namespace safemodel::pickle
