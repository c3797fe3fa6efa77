// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/try.h"
#include "codec/codec.h"
#include "codec/format.h"
#include "codec/frame.h"
#include "codec/split.h"

namespace safemodel::codec {
namespace {

struct Plane {
  PlaneMethod method = PlaneMethod::kRaw;
  std::size_t plain_size = 0;
  ByteView stored;
};

// PlanesChunk is a chunk of codec 2, taken apart and checked but not decoded.
struct PlanesChunk {
  std::size_t count = 0;  // planes
  std::array<Plane, kMaxPlanes> planes;
  ByteView tail;
};

Error Malformed(const char* code, const char* text, std::uint64_t offset = kNoOffset) {
  return {Stage::kMalformed, code, text, offset};
}

// One entry of the head: method u8, stored length u32. The length is compared with the plane before anything is taken.
Result<std::uint32_t> ParsePlaneEntry(ByteReader& reader, Plane& plane) {
  const std::uint64_t offset = reader.offset();
  SAFEMODEL_ASSIGN(const std::uint8_t method, reader.U8());
  if (method > static_cast<std::uint8_t>(PlaneMethod::kZstd)) {
    return Error{Stage::kUnsupported, "plane_method",
                 "a plane uses a method that this version does not know; update safemodel", offset};
  }
  plane.method = PlaneMethod{method};
  SAFEMODEL_ASSIGN(const std::uint32_t length, reader.U32());
  const bool fits = plane.method == PlaneMethod::kRaw ? length == plane.plain_size : length < plane.plain_size;
  if (!fits) {
    return Malformed("plane_length",
                     "the stored length of a plane does not fit its elements; the file is damaged or forged", offset);
  }
  return length;
}

// Rule [C-PLANES].
Result<PlanesChunk> ParsePlanes(ElementLayout layout, ByteView stored, std::size_t plain_size) {
  PlanesChunk chunk;
  chunk.count = PlaneCount(layout);
  if (chunk.count == 0)
    return Malformed("planes_layout",
                     "planes are stored for an object whose elements have none; the writer is at fault");
  const std::size_t width = ElementWidth(layout);
  const std::size_t elements = plain_size / width;
  // [C-PLANES-EMPTY]
  if (elements == 0)
    return Malformed("planes_empty", "planes are stored for a chunk without a whole element; the writer is at fault");
  ByteReader reader(stored);
  SAFEMODEL_ASSIGN(const std::uint8_t count, reader.U8());
  if (count != chunk.count)
    return Malformed("plane_count",
                     "a chunk has another number of planes than its layout; the file is damaged or forged", 0);
  std::array<std::uint32_t, kMaxPlanes> lengths{};
  for (std::size_t p = 0; p < chunk.count; ++p) {
    chunk.planes[p].plain_size = elements * PlaneWidth(layout, p);
    SAFEMODEL_ASSIGN(lengths[p], ParsePlaneEntry(reader, chunk.planes[p]));
  }
  for (std::size_t p = 0; p < chunk.count; ++p) {
    SAFEMODEL_ASSIGN(chunk.planes[p].stored, reader.Take(lengths[p]));
  }
  SAFEMODEL_ASSIGN(chunk.tail, reader.Take(plain_size % width));
  SAFEMODEL_TRY(reader.ExpectEnd());
  return chunk;
}

}  // namespace

struct Decoder::State {
  FrameDecoder frames;
  ByteBuffer planes;  // planes that had to be decoded; never larger than the largest chunk asked for

  Status DecodePlanes(ElementLayout layout, ByteView stored, MutableBytes plain);
};

Status Decoder::State::DecodePlanes(ElementLayout layout, ByteView stored, MutableBytes plain) {
  SAFEMODEL_ASSIGN(const PlanesChunk chunk, ParsePlanes(layout, stored, plain.size()));
  if (planes.size() < plain.size()) planes.resize(plain.size());
  MutableBytes free_space = planes;
  ConstPlanePointers pointers{};
  for (std::size_t p = 0; p < chunk.count; ++p) {
    const Plane& plane = chunk.planes[p];
    pointers[p] = plane.stored.data();  // a raw plane is merged from where it lies
    if (plane.method == PlaneMethod::kRaw) continue;
    SAFEMODEL_TRY(frames.Decode(plane.stored, free_space.first(plane.plain_size)));
    pointers[p] = free_space.data();
    free_space = free_space.subspan(plane.plain_size);
  }
  Merge(layout, pointers, plain.first(plain.size() - chunk.tail.size()));
  std::copy(chunk.tail.begin(), chunk.tail.end(), plain.end() - static_cast<std::ptrdiff_t>(chunk.tail.size()));
  return {};
}

Decoder::Decoder() : state_(std::make_unique<State>()) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

Status Decoder::Decode(Codec codec, ElementLayout layout, ByteView stored, MutableBytes plain) {
  switch (codec) {
    case Codec::kRaw:
      if (stored.size() != plain.size()) {
        return Malformed("raw_length", "a raw chunk is not as long as its content; the file is damaged or forged");
      }
      std::copy(stored.begin(), stored.end(), plain.begin());
      return {};
    case Codec::kZstd: return state_->frames.Decode(stored, plain);
    case Codec::kPlanes: return state_->DecodePlanes(layout, stored, plain);
  }
  return Error{Stage::kUnsupported, "unknown_codec",
               "a chunk uses a codec that this version does not know; update safemodel"};
}

}  // namespace safemodel::codec
