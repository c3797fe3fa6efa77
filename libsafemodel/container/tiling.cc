// SPDX-License-Identifier: Apache-2.0
// Spec sections 1 and 3: order, alignment and padding of objects.
#include "container/tiling.h"

#include "base/checked.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

// Span says where stored bytes can end. Both are equal once the end is known.
struct Span {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

std::optional<std::uint64_t> AlignUp(std::uint64_t offset, std::uint64_t alignment) {
  const auto sum = CheckedAdd<std::uint64_t>(offset, alignment - 1);
  if (!sum) return std::nullopt;
  return *sum / alignment * alignment;
}

Error ObjectMisplaced(std::uint64_t offset) {
  return Malformed("object_misplaced",
                   "an object does not start at the one place that its alignment and the object before it leave", {},
                   offset);
}

// FileOrder returns the number of the object that lies at place `place` of the file: 1, 2, ..., n - 1, 0.
std::size_t FileOrder(std::size_t place, std::size_t count) { return place + 1 < count ? place + 1 : 0; }

// CheckStart holds an object's offset against where the object before it can end.
Status CheckStart(const ObjectRecord& object, const Manifest& manifest, const Span& before) {
  if (object.plain_size == 0) {  // takes no bytes and no padding
    if (object.stored_offset < before.low || object.stored_offset > before.high)
      return ObjectMisplaced(object.stored_offset);
    return {};
  }
  const std::uint64_t alignment = AlignmentOf(object, manifest.encryption);
  const auto low = AlignUp(before.low, alignment);
  const auto high = AlignUp(before.high, alignment);
  if (!low || !high || object.stored_offset % alignment != 0 || object.stored_offset < *low ||
      object.stored_offset > *high) {
    return ObjectMisplaced(object.stored_offset);  // [O-PADDING]
  }
  return {};
}

Result<Span> EndOf(const ObjectRecord& object, const Manifest& manifest) {
  const StoredBounds bounds = ObjectBounds(object, manifest.chunk_size, manifest.encryption);
  const auto low = CheckedAdd(object.stored_offset, bounds.least);
  const auto high = CheckedAdd(object.stored_offset, bounds.most);
  if (!low || !high) return ObjectMisplaced(object.stored_offset);
  return Span{*low, *high};
}

Error IndexMisplaced(std::uint64_t offset) {
  return Malformed("index_misplaced", "the index does not start where the directory ends", {}, offset);
}

}  // namespace

Status CheckOffsets(const Manifest& manifest, const std::vector<ObjectRecord>& objects) {
  Span end{kPreambleBytes, kPreambleBytes};
  for (std::size_t place = 0; place < objects.size(); ++place) {
    const ObjectRecord& object = objects[FileOrder(place, objects.size())];
    SAFEMODEL_TRY(CheckStart(object, manifest, end));
    SAFEMODEL_ASSIGN(end, EndOf(object, manifest));
  }
  // [O-ORDER]
  if (manifest.index_offset < end.low || manifest.index_offset > end.high) return IndexMisplaced(manifest.index_offset);
  return {};
}

Result<std::vector<Range>> CheckTiling(const Manifest& manifest, const std::vector<ObjectRecord>& objects,
                                       const std::vector<std::uint64_t>& stored_ends) {
  if (stored_ends.size() != objects.size())
    return Error{Stage::kInternal, "internal", "one stored end for each object is needed"};
  std::vector<Range> padding;
  std::uint64_t end = kPreambleBytes;
  for (std::size_t place = 0; place < objects.size(); ++place) {
    const std::size_t number = FileOrder(place, objects.size());
    SAFEMODEL_TRY(CheckStart(objects[number], manifest, {end, end}));
    if (objects[number].stored_offset > end) padding.push_back({end, objects[number].stored_offset});
    end = stored_ends[number];
  }
  if (manifest.index_offset != end) return IndexMisplaced(manifest.index_offset);
  return padding;
}

}  // namespace safemodel::container
