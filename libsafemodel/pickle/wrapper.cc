// SPDX-License-Identifier: Apache-2.0
#include "pickle/wrapper.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/decoder.h"
#include "pickle/import.h"
#include "pickle/npy_header.h"
#include "pickle/pickle_probe.h"
#include "pickle/recognise.h"
#include "pickle/tar.h"
#include "pickle/wrapper_codecs.h"
#include "pickle/wrapper_zfile.h"
#include "pickle/zip.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kHeadBytes = 32;
constexpr std::uint64_t kFrameHeader = 8;  // of a frame that is skipped: its magic number, and how many bytes follow

struct Magic {
  WrapperKind kind;
  std::string_view bytes;
};

constexpr Magic kMagics[] = {
    {WrapperKind::kGzip, "\x1F\x8B"},
    {WrapperKind::kXz, std::string_view("\xFD"
                                        "7zXZ\0",
                                        6)},
    {WrapperKind::kLzma, std::string_view("\x5D\0", 2)},
    {WrapperKind::kLzip, std::string_view("LZIP\0", 5)},
    {WrapperKind::kLzip, "LZIP\1"},
    {WrapperKind::kLz4, "\x04\x22\x4D\x18"},
    {WrapperKind::kZFile, "ZF"},
};

Result<ByteBuffer> StartOf(const ByteSource& source) {
  return ReadRange(source, 0, std::min<std::uint64_t>(kHeadBytes, source.size()), kHeadBytes);
}

bool StartsWith(ByteView start, std::string_view magic) { return AsText(start).starts_with(magic); }

bool IsZlib(ByteView start) { return start.size() >= 2 && start[0] == 0x78 && (start[0] * 256u + start[1]) % 31 == 0; }

// IsBzip2 compares the magic of the first block (or of the end of an empty stream) too: BZ alone is also an opcode of
// pickle, BINBYTES, with the first byte of its length.
bool IsBzip2(ByteView start) {
  constexpr std::size_t kLevel = 3;
  if (!StartsWith(start, "BZh") || start.size() <= kLevel || start[kLevel] < '1' || start[kLevel] > '9') return false;
  const ByteView block = start.subspan(kLevel + 1);
  return StartsWith(block, "1AY&SY") || StartsWith(block, "\x17\x72\x45\x38\x50\x90");
}

// SkippedFrame returns the size of a frame that LZ4 and zstd skip, when one starts here.
std::optional<std::uint64_t> SkippedFrame(ByteView start) {
  constexpr std::uint32_t kMagic = 0x184D2A50, kAnyOf = 0xF;
  ByteReader reader(start);
  const auto magic = reader.U32();
  const auto size = reader.U32();
  if (!size.ok() || (magic.value() & ~kAnyOf) != kMagic) return std::nullopt;
  return kFrameHeader + size.value();
}

// IsLzmaHeader says whether liblzma takes these bytes for LZMA when it has to guess, as Python's lzma.open lets it: a
// byte of properties, a dictionary of 2^n or 2^n + 2^(n-1) bytes, and a size that is unknown or below 256 GiB. Nothing
// comes of a size of zero, which zeros state.
bool IsLzmaHeader(ByteView start) {
  constexpr std::uint64_t kUnknown = ~std::uint64_t{0}, kMostSize = std::uint64_t{1} << 38;
  ByteReader reader(start);
  const auto properties = reader.U8();
  const auto dictionary = reader.U32();
  const auto size = reader.U64();
  if (!size.ok() || properties.value() >= 225) return false;
  const unsigned literal_context = properties.value() % 9u, literal_position = properties.value() / 9u % 5u;
  if (literal_context + literal_position > 4) return false;
  std::uint32_t rounded = dictionary.value() - 1;
  for (const unsigned shift : {2u, 3u, 4u, 8u, 16u}) rounded |= rounded >> shift;
  if (rounded + 1 != dictionary.value() && dictionary.value() != ~std::uint32_t{0}) return false;
  return size.value() == kUnknown || (size.value() != 0 && size.value() < kMostSize);
}

// MayJoin: the tools of these formats read one member after the other.
bool MayJoin(WrapperKind kind) {
  return kind == WrapperKind::kGzip || kind == WrapperKind::kXz || kind == WrapperKind::kLzip;
}

std::unique_ptr<Decoder> MakeDecoder(WrapperKind kind, const WrapperLimits& limits) {
  switch (kind) {
    case WrapperKind::kZlib: return MakeZlibDecoder();
    case WrapperKind::kGzip: return MakeGzipDecoder();
    case WrapperKind::kBzip2: return MakeBzip2Decoder();
    case WrapperKind::kXz: return MakeXzDecoder(limits.lzma_memory);
    case WrapperKind::kLzma: return MakeLzmaDecoder(limits.lzma_memory);
    case WrapperKind::kLzip: return MakeLzipDecoder(limits.lzma_memory);
    case WrapperKind::kLz4: return MakeLz4Decoder();
    case WrapperKind::kZFile: return MakeZFileDecoder();
  }
  return nullptr;
}

// FileDecoder decodes a whole file: joined members, and what follows the last one.
class FileDecoder final : public Decoder {
 public:
  FileDecoder(WrapperKind kind, std::unique_ptr<Decoder> member) : kind_(kind), member_(std::move(member)) {}

 protected:
  Status Begin(CompressedInput& input) override {
    if (kind_ == WrapperKind::kLz4) SAFEMODEL_TRY(SkipFrames(input));
    return member_->Start(input);
  }

  Status Step(CompressedInput& input, MutableBytes& rest) override {
    SAFEMODEL_ASSIGN(const std::size_t made, member_->Decode(input, rest));
    rest = rest.subspan(made);
    if (made != 0) return {};
    SAFEMODEL_ASSIGN(const ByteView next, input.Window(kHeadBytes));
    if (MayJoin(kind_) && RecogniseWrapper(next) == kind_) return member_->Start(input);
    End();
    return ExpectZeros(input);
  }

 private:
  static Status SkipFrames(CompressedInput& input) {
    for (;;) {
      SAFEMODEL_ASSIGN(const ByteView start, input.Window(kFrameHeader));
      auto left = SkippedFrame(start);
      if (!left) return {};
      while (*left != 0) {
        SAFEMODEL_ASSIGN(const ByteView bytes, input.Window());
        if (bytes.empty()) return TruncatedStream(input);
        const auto used = static_cast<std::size_t>(std::min<std::uint64_t>(*left, bytes.size()));
        input.Use(used);
        *left -= used;
      }
    }
  }

  static Status ExpectZeros(CompressedInput& input) {
    while (!input.AtEnd()) {
      SAFEMODEL_ASSIGN(const ByteView bytes, input.Window());
      if (std::ranges::any_of(bytes, [](std::uint8_t byte) { return byte != 0; })) {
        return Error{Stage::kMalformed, "WRAP-OUTSIDE", "bytes follow the end of the compressed data",
                     input.position()};
      }
      input.Use(bytes.size());
    }
    return {};
  }

  WrapperKind kind_;
  std::unique_ptr<Decoder> member_;
};

// Budget is how many plain bytes a file may hold: in proportion to its size and, so that a bomb is met early, to what
// was used of it so far.
class Budget {
 public:
  Budget(std::uint64_t stored_size, const WrapperLimits& limits)
      : ratio_(limits.ratio),
        burst_(limits.burst_bytes),
        most_(std::max(InProportion(stored_size), limits.ratio_free_bytes)) {}
  [[nodiscard]] bool Allows(std::uint64_t made, std::uint64_t used) const {
    return made <= most_ && (made <= burst_ || made - burst_ <= InProportion(used));
  }

 private:
  [[nodiscard]] std::uint64_t InProportion(std::uint64_t stored) const {
    return CheckedMul(stored, ratio_).value_or(std::numeric_limits<std::uint64_t>::max());
  }
  std::uint64_t ratio_;
  std::uint64_t burst_;
  std::uint64_t most_;
};

// Measured is what one pass over the compressed data found.
struct Measured {
  std::uint64_t size = 0;
  ByteBuffer kept;  // all plain bytes, as long as they are few
};

Status Measure(Decoder& decoder, CompressedInput& input, const Budget& budget, std::uint64_t most_kept, Measured& out) {
  SAFEMODEL_TRY(decoder.Start(input));
  ByteBuffer piece(kDecodedPieceBytes);
  for (;;) {
    SAFEMODEL_ASSIGN(const std::size_t made, decoder.Decode(input, piece));
    if (made == 0) return {};
    if (!budget.Allows(out.size + made, input.position())) {
      return Error{Stage::kLimit, "LIMIT-RATIO", "a compressed file holds far more bytes than honest data does",
                   input.position()};
    }
    out.size += made;
    if (out.size <= most_kept) {
      out.kept.insert(out.kept.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(made));
    } else {
      out.kept = {};
    }
  }
}

Error ChangedMeanwhile() {
  return {Stage::kIo, "changed", "the compressed file changed while it was read; try again once nothing writes to it"};
}

}  // namespace

const char* WrapperName(WrapperKind kind) {
  constexpr std::array<const char*, 8> kNames = {"zlib", "gzip", "bzip2", "xz", "lzma", "lzip", "lz4", "Z-file"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool HasShortMagic(WrapperKind kind) {
  return kind == WrapperKind::kZlib || kind == WrapperKind::kLzma || kind == WrapperKind::kZFile;
}

std::optional<WrapperKind> RecogniseWrapper(ByteView start) {
  if (IsZlib(start)) return WrapperKind::kZlib;
  if (IsBzip2(start)) return WrapperKind::kBzip2;
  for (const Magic& magic : kMagics) {
    if (StartsWith(start, magic.bytes)) return magic.kind;
  }
  return std::nullopt;
}

Result<Decoded> DecodeAll(SharedSource source, std::unique_ptr<Decoder> decoder, std::uint64_t stored_size,
                          const WrapperLimits& limits) {
  CompressedInput input(source);
  Measured measured;
  const Status status = Measure(*decoder, input, Budget(stored_size, limits), limits.kept_bytes, measured);
  if (!status.ok() && status.error().stage == Stage::kIo) return status.error();
  Decoded decoded;
  if (!status.ok()) decoded.fault = status.error();
  if (measured.kept.size() == measured.size) {
    decoded.plain = MakeMemorySource(std::move(measured.kept));
  } else {
    decoded.plain = MakeDecodingSource(std::move(source), std::move(decoder), measured.size,
                                       status.ok() ? StreamEnd::kCheck : StreamEnd::kIgnore, ChangedMeanwhile());
  }
  return decoded;
}

Result<std::optional<std::uint64_t>> BehindSkippedFrames(const ByteSource& source) {
  const ReadAhead frames(source);
  std::uint64_t at = 0;
  std::array<std::uint8_t, kFrameHeader> header{};
  while (at < source.size()) {
    const auto start = MutableBytes(header).first(std::min<std::uint64_t>(kFrameHeader, source.size() - at));
    SAFEMODEL_TRY(frames.ReadAt(at, start));
    const auto frame = SkippedFrame(start);
    if (!frame) return at == 0 ? std::optional<std::uint64_t>() : std::optional(at);
    at += *frame;
  }
  return std::optional<std::uint64_t>();
}

namespace {

// KindOf tells the kind of a file, and whether that is a guess.
struct Recognised {
  std::optional<WrapperKind> kind;
  bool guess = false;
};

Result<Recognised> KindOf(const ByteSource& source) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, StartOf(source));
  if (const auto marked = RecogniseWrapper(head)) return Recognised{marked};
  if (IsLzmaHeader(head)) return Recognised{WrapperKind::kLzma, true};
  SAFEMODEL_ASSIGN(const auto behind, BehindSkippedFrames(source));
  if (!behind) return Recognised{};
  SAFEMODEL_ASSIGN(const ByteBuffer magic,
                   ReadRange(source, *behind, std::min<std::uint64_t>(4, source.size() - *behind), 4));
  return RecogniseWrapper(magic) == WrapperKind::kLz4 ? Recognised{WrapperKind::kLz4} : Recognised{};
}

Result<std::optional<Unwrapped>> UnwrapWithin(SharedSource source, std::uint64_t stored_size,
                                              const WrapperLimits& limits, std::size_t depth);

// HoldsKnown says whether bytes are something that is read, or known not to be.
Result<bool> HoldsKnown(const SharedSource& source, const WrapperLimits& limits, std::size_t depth) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  if (LooksLikeZip(head) || LooksLikeTar(head) || LooksLikeNpy(head) || RecogniseWrapper(head)) return true;
  SAFEMODEL_ASSIGN(const char* foreign, ForeignFormat(*source));
  if (foreign != nullptr) return true;
  if (depth < limits.depth) {
    SAFEMODEL_ASSIGN(const auto inner, UnwrapWithin(source, source->size(), limits, depth + 1));
    if (inner) return true;
  }
  return ProbePickle(source, 0, ProbeDepth::kWhole, {});
}

Result<std::optional<Unwrapped>> UnwrapWithin(SharedSource source, std::uint64_t stored_size,
                                              const WrapperLimits& limits, std::size_t depth) {
  SAFEMODEL_ASSIGN(const Recognised found, KindOf(*source));
  if (!found.kind) return std::optional<Unwrapped>();
  auto member = found.guess ? MakeUnmarkedLzmaDecoder(limits.lzma_memory) : MakeDecoder(*found.kind, limits);
  auto decoder = std::make_unique<FileDecoder>(*found.kind, std::move(member));
  SAFEMODEL_ASSIGN(Decoded decoded, DecodeAll(std::move(source), std::move(decoder), stored_size, limits));
  if (found.guess) {
    SAFEMODEL_ASSIGN(const bool known, HoldsKnown(decoded.plain, limits, depth));
    if (!known) return std::optional<Unwrapped>();
  }
  return std::optional(Unwrapped{*found.kind, std::move(decoded.plain), std::move(decoded.fault)});
}

}  // namespace

Result<std::optional<Unwrapped>> Unwrap(SharedSource source, std::uint64_t stored_size, const WrapperLimits& limits) {
  return UnwrapWithin(std::move(source), stored_size, limits, 0);
}

Result<bool> IsUnmarkedLzma(const SharedSource& source) {
  SAFEMODEL_ASSIGN(const Recognised found, KindOf(*source));
  if (!found.guess) return false;
  SAFEMODEL_ASSIGN(const auto unwrapped, Unwrap(source, source->size(), {}));
  return unwrapped.has_value();
}

Result<Peeled> PeelWrappers(SharedSource source, const WrapperLimits& limits) {
  const std::uint64_t stored_size = source->size();
  Peeled peeled{std::move(source), {}, {}};
  for (;;) {
    SAFEMODEL_ASSIGN(std::optional<Unwrapped> inner, Unwrap(peeled.plain, stored_size, limits));
    if (!inner) return peeled;
    if (peeled.wrappers.size() == limits.depth) {
      if (!peeled.fault)
        peeled.fault =
            Error{Stage::kLimit, "LIMIT-DEPTH", "compressed files are nested too deeply inside each other", kNoOffset};
      return peeled;
    }
    peeled.plain = std::move(inner->plain);
    peeled.wrappers.push_back(inner->kind);
    if (!peeled.fault) peeled.fault = std::move(inner->fault);
  }
}

Error BrokenStream(const CompressedInput& input) {
  return {Stage::kMalformed, "WRAP-MALFORMED", "the compressed bytes are broken; get a fresh copy", input.position()};
}

Error TruncatedStream(const CompressedInput& input) {
  return {Stage::kMalformed, "WRAP-MALFORMED", "the compressed file ends too early; get a fresh copy",
          input.position()};
}

Error WrongChecksum(const CompressedInput& input) {
  return {Stage::kMalformed, "WRAP-CRC",
          "the compressed bytes do not have the checksum that stands in the file; get a fresh copy", input.position()};
}

Error NoMemory(const CompressedInput& input) {
  return {Stage::kIo, "out_of_memory", "a decoder could not start", input.position()};
}

}  // namespace safemodel::pickle
