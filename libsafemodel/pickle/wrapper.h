// SPDX-License-Identifier: Apache-2.0
// Files that are compressed as a whole: zlib, gzip, bzip2, xz, LZMA, lzip, LZ4, and the Z-files of joblib up to
// 0.9.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/decoder.h"

namespace safemodel::pickle {

enum class WrapperKind : std::uint8_t { kZlib, kGzip, kBzip2, kXz, kLzma, kLzip, kLz4, kZFile };

// WrapperName returns the name of the format, such as "gzip".
const char* WrapperName(WrapperKind kind);

// HasShortMagic says whether so few bytes begin a format that other files begin so too.
bool HasShortMagic(WrapperKind kind);

// WrapperLimits bound what a compressed file may make its reader do.
struct WrapperLimits {
  std::uint64_t ratio = 250;  // plain bytes from one byte of the file, beyond the bytes below
  std::uint64_t ratio_free_bytes = 16ull << 20;
  std::uint64_t burst_bytes = 32ull << 20;   // that may run ahead of the ratio, such as an array of zeros at the front
  std::uint64_t lzma_memory = 128ull << 20;  // what xz -9 writes needs 65 MiB
  std::uint64_t kept_bytes = 16ull << 20;    // plain bytes that stay in memory; more are decoded again when read
  std::size_t depth = 8;                     // wrappers inside wrappers
};

// Unwrapped is the content of a wrapper, together with what is wrong with it: `plain` holds what stands in front of the
// fault. A reader that takes the bytes as they come has used those already, so they are judged first.
struct Unwrapped {
  WrapperKind kind = WrapperKind::kZlib;
  SharedSource plain;
  // kMalformed WRAP-MALFORMED, WRAP-CRC (the checksum does not hold), WRAP-OUTSIDE (other bytes than zeros follow the
  // end); kLimit LIMIT-RATIO, LIMIT-BYTES; kUnsupported FILE-UNSUPPORTED.
  std::optional<Error> fault;
};

// RecogniseWrapper tells the kind by the magic number at the start of a file, of which 32 bytes suffice; nothing when
// it has none. Two kinds have none there: see Unwrap.
std::optional<WrapperKind> RecogniseWrapper(ByteView start);

// BehindSkippedFrames returns where the first frame of LZ4 or zstd stands behind frames that both skip; nothing when
// the file does not begin with those, or ends in them.
Result<std::optional<std::uint64_t>> BehindSkippedFrames(const ByteSource& source);

// Unwrap decodes a file once to learn its size and whether it is whole; the plain bytes are sequential() unless they
// are few. Members of gzip and xz may be joined; zeros may follow the end. Nothing when the file is no wrapper. Other
// data begin like LZMA by chance, whose header is numbers only: unless it is the usual one, the file is a wrapper when
// something that is read here comes out. Frames that are skipped may stand in front of LZ4. Errors: those of the
// source. `stored_size` is the size that the ratio compares with: of the outermost file.
Result<std::optional<Unwrapped>> Unwrap(SharedSource source, std::uint64_t stored_size, const WrapperLimits& limits);

// Decoded is what a decoder makes of bytes, up to the first fault.
struct Decoded {
  SharedSource plain;
  std::optional<Error> fault;
};

// DecodeAll decodes once to learn how much there is, whatever anybody has said about it; see Unwrap.
Result<Decoded> DecodeAll(SharedSource source, std::unique_ptr<Decoder> decoder, std::uint64_t stored_size,
                          const WrapperLimits& limits);

// Peeled is a file without its wrappers, outermost first, and the first fault that was met.
struct Peeled {
  SharedSource plain;
  std::vector<WrapperKind> wrappers;
  std::optional<Error> fault;
};

// PeelWrappers unwraps until the content is no wrapper; fault kLimit LIMIT-DEPTH when there are too many.
Result<Peeled> PeelWrappers(SharedSource source, const WrapperLimits& limits);

}  // namespace safemodel::pickle
