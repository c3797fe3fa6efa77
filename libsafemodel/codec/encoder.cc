// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/little_endian.h"
#include "codec/codec.h"
#include "codec/format.h"
#include "codec/frame.h"
#include "codec/split.h"

namespace safemodel::codec {
namespace {

// What a plane is probed with: enough to see whether repetitions pay, little enough to cost a few per cent of the time.
constexpr std::size_t kProbePieces = 2;
constexpr std::size_t kProbeBytes = 8u << 10;
// What an object is judged by: two pieces of one zstd block each.
constexpr std::size_t kSamplePieces = 2;
constexpr std::size_t kSampleBytes = 128u << 10;

// Gains says whether storing `stored` bytes instead of `plain` is worth a decoder's time: 2 % at least.
bool Gains(std::uint64_t stored, std::uint64_t plain) { return stored * 50 <= plain * 49; }

// Piece returns the middle of the i-th of `pieces` equal parts, `size` bytes of it, on an element boundary.
ByteView Piece(ByteView bytes, std::size_t i, std::size_t pieces, std::size_t size, std::size_t width) {
  size = std::min(size, bytes.size());
  const std::size_t part = bytes.size() / pieces;
  const std::size_t middle = part * i + part / 2;
  const std::size_t start = std::min(middle - std::min(middle, size / 2), bytes.size() - size);
  return bytes.subspan(start / width * width, size);
}

void Append(ByteBuffer& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

}  // namespace

struct Encoder::State {
  explicit State(int level) : frames(level) {}

  bool MatchingPays(ByteView plane);
  void EncodeBest(ByteView plain);
  Matching AppendPlane(ByteView plane, std::size_t entry, ByteBuffer& out);
  Matching EncodePlanes(ElementLayout layout, ByteView plain, ByteBuffer& out);

  FrameEncoder frames;
  ByteBuffer planes;     // the planes of the current chunk, one behind the other
  ByteBuffer frame;      // the best frame so far
  ByteBuffer candidate;  // a frame that may replace it
};

// MatchingPays says whether a plane has repetitions: runs of zeros, equal rows, structured low bits.
bool Encoder::State::MatchingPays(ByteView plane) {
  std::uint64_t without = 0;
  std::uint64_t with = 0;
  for (std::size_t i = 0; i < kProbePieces; ++i) {
    const ByteView probe = Piece(plane, i, kProbePieces, kProbeBytes, 1);
    frames.Encode(Matching::kNone, probe, candidate);
    without += candidate.size();
    frames.Encode(Matching::kLevel, probe, candidate);
    with += candidate.size();
  }
  return with * 100 < without * 97;
}

// EncodeBest leaves the smaller of the two frames of `plain` in `frame`; the one without matches, which decodes faster,
// when it is within 1 %.
void Encoder::State::EncodeBest(ByteView plain) {
  frames.Encode(Matching::kNone, plain, frame);
  frames.Encode(Matching::kLevel, plain, candidate);
  if (candidate.size() * 101 < frame.size() * 100) std::swap(frame, candidate);
}

// AppendPlane adds a plane to the chunk and fills its entry in the head. The answer says whether matches were worth a
// try.
Matching Encoder::State::AppendPlane(ByteView plane, std::size_t entry, ByteBuffer& out) {
  const Matching matching = MatchingPays(plane) ? Matching::kLevel : Matching::kNone;
  if (matching == Matching::kLevel) {
    EncodeBest(plane);
  } else {
    frames.Encode(Matching::kNone, plane, frame);
  }
  const bool pays = Gains(frame.size(), plane.size());
  const ByteView stored = pays ? ByteView(frame) : plane;
  out[entry] = static_cast<std::uint8_t>(pays ? PlaneMethod::kZstd : PlaneMethod::kRaw);
  StoreLittleEndian(MutableBytes(out).subspan(entry + 1), static_cast<std::uint32_t>(stored.size()));
  Append(out, stored);
  return matching;
}

// EncodePlanes writes a whole chunk of codec 2. The answer says whether matches were worth a try in any plane.
Matching Encoder::State::EncodePlanes(ElementLayout layout, ByteView plain, ByteBuffer& out) {
  const std::size_t width = ElementWidth(layout);
  const std::size_t elements = plain.size() / width;
  const std::size_t count = PlaneCount(layout);
  if (planes.size() < elements * width) planes.resize(elements * width);
  PlanePointers pointers{};
  std::size_t offset = 0;
  for (std::size_t p = 0; p < count; ++p) {
    pointers[p] = planes.data() + offset;
    offset += elements * PlaneWidth(layout, p);
  }
  Split(layout, plain.first(elements * width), pointers);
  out.assign(PlanesHeadBytes(count), 0);
  out[0] = static_cast<std::uint8_t>(count);
  Matching matching = Matching::kNone;
  for (std::size_t p = 0; p < count; ++p) {
    const ByteView plane(pointers[p], elements * PlaneWidth(layout, p));
    if (AppendPlane(plane, PlanesHeadBytes(p), out) == Matching::kLevel) matching = Matching::kLevel;
  }
  Append(out, plain.subspan(elements * width));
  return matching;
}

Encoder::Encoder(int level) : state_(std::make_unique<State>(level)) {}
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

Codec Encoder::Encode(Codec wanted, ElementLayout layout, ByteView plain, ByteBuffer& out) {
  if (wanted == Codec::kPlanes && PlaneCount(layout) != 0 && plain.size() >= ElementWidth(layout)) {
    static_cast<void>(state_->EncodePlanes(layout, plain, out));
    if (Gains(out.size(), plain.size())) return Codec::kPlanes;
  } else if (wanted == Codec::kZstd) {
    state_->EncodeBest(plain);
    out.assign(state_->frame.begin(), state_->frame.end());
    if (!plain.empty() && Gains(out.size(), plain.size())) return Codec::kZstd;
  }
  out.assign(plain.begin(), plain.end());
  return Codec::kRaw;
}

// The sample is really encoded: estimates from histograms are blind to repetitions, and entropy to what a frame costs.
// zstd is slow on weights and gains nothing there, so it is tried only where a plane, or the lack of planes, speaks for
// it.
Codec Encoder::Choose(ElementLayout layout, ByteView sample) {
  const std::size_t pieces = sample.size() <= kSamplePieces * kSampleBytes ? 1 : kSamplePieces;
  const std::size_t size = pieces == 1 ? sample.size() : kSampleBytes;
  const bool has_planes = PlaneCount(layout) != 0 && size >= ElementWidth(layout);
  const std::uint64_t plain = pieces * size;
  std::uint64_t planes = has_planes ? 0 : plain;
  Matching matching = has_planes ? Matching::kNone : Matching::kLevel;
  ByteBuffer stored;
  for (std::size_t i = 0; i < pieces && has_planes; ++i) {
    const ByteView piece = Piece(sample, i, pieces, size, ElementWidth(layout));
    if (state_->EncodePlanes(layout, piece, stored) == Matching::kLevel) matching = Matching::kLevel;
    planes += stored.size();
  }
  std::uint64_t zstd = matching == Matching::kLevel ? 0 : plain;
  for (std::size_t i = 0; i < pieces && matching == Matching::kLevel; ++i) {
    state_->EncodeBest(Piece(sample, i, pieces, size, ElementWidth(layout)));
    zstd += state_->frame.size();
  }
  if (!Gains(std::min(zstd, planes), plain) || plain == 0) return Codec::kRaw;
  // Within 1 % the planes win: without matches they are several times faster to write and to read.
  return planes * 100 <= zstd * 101 ? Codec::kPlanes : Codec::kZstd;
}

}  // namespace safemodel::codec
