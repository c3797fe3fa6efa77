// SPDX-License-Identifier: Apache-2.0
// The compressed formats, one decoder each. Only wrapper*.cc and zip_member.cc include this header.
#pragma once

#include <cstdint>
#include <memory>

#include "pickle/decoder.h"

namespace safemodel::pickle {

// A decoder of raw deflate data, without header and checksum.
std::unique_ptr<Decoder> MakeInflateDecoder();
// RFC 1950: kMalformed WRAP-CRC when the Adler-32 is wrong.
std::unique_ptr<Decoder> MakeZlibDecoder();
// RFC 1952, one member: kMalformed WRAP-CRC when the CRC-32 or the length is wrong.
std::unique_ptr<Decoder> MakeGzipDecoder();
// One bzip2 stream. The library does not tell a wrong checksum from other damage: both are WRAP-CRC.
std::unique_ptr<Decoder> MakeBzip2Decoder();
// One .xz stream (damage of any kind is WRAP-CRC) and the older .lzma, which has no checksum. kLimit LIMIT-BYTES when
// the header asks for more than `memory` bytes.
std::unique_ptr<Decoder> MakeXzDecoder(std::uint64_t memory);
std::unique_ptr<Decoder> MakeLzmaDecoder(std::uint64_t memory);
// .lzma that is only a guess: it takes no more than `memory`, whatever the header asks for.
std::unique_ptr<Decoder> MakeUnmarkedLzmaDecoder(std::uint64_t memory);
// One member of lzip; kUnsupported FILE-UNSUPPORTED where liblzma is older than 5.4.
std::unique_ptr<Decoder> MakeLzipDecoder(std::uint64_t memory);
// One LZ4 frame.
std::unique_ptr<Decoder> MakeLz4Decoder();

// What decoders have in common to say.
Error BrokenStream(const CompressedInput& input);
Error TruncatedStream(const CompressedInput& input);
Error WrongChecksum(const CompressedInput& input);
Error NoMemory(const CompressedInput& input);

}  // namespace safemodel::pickle
