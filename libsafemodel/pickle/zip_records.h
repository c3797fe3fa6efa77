// SPDX-License-Identifier: Apache-2.0
// The records of a zip archive, field by field (APPNOTE 4.3). What their values must satisfy is checked in zip.cc.
#pragma once

#include <cstdint>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "base/cursor.h"
#include "base/source.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

inline constexpr std::uint32_t kLocalSignature = 0x04034B50;
inline constexpr std::uint32_t kCentralSignature = 0x02014B50;
inline constexpr std::uint32_t kEndSignature = 0x06054B50;
inline constexpr std::uint32_t kZip64EndSignature = 0x06064B50;
inline constexpr std::uint32_t kZip64LocatorSignature = 0x07064B50;
inline constexpr std::uint32_t kDescriptorSignature = 0x08074B50;

// Bytes of the records at the end, without what may vary.
inline constexpr std::uint64_t kEndSize = 22;
inline constexpr std::uint64_t kLocatorSize = 20;
inline constexpr std::uint64_t kZip64EndSize = 56;

// Bits of the general purpose flags.
inline constexpr unsigned kFlagEncrypted = 0x0001;
inline constexpr unsigned kFlagDeflateLevel = 0x0006;  // says nothing about the data
inline constexpr unsigned kFlagDescriptor = 0x0008;    // sizes and CRC follow the data
inline constexpr unsigned kFlagPatch = 0x0020;
inline constexpr unsigned kFlagStrong = 0x0040;
inline constexpr unsigned kFlagUtf8 = 0x0800;
inline constexpr unsigned kFlagMasked = 0x2000;  // local headers are masked: PyTorch refuses, Python reads

// EndOfArchive is where the central directory lies.
struct EndOfArchive {
  std::uint64_t entries = 0;
  std::uint64_t directory_offset = 0;
  std::uint64_t directory_size = 0;
  std::uint64_t end_offset = 0;  // of the first end record, just behind the directory
};

// ZipHeader is a local header, or the same part of a central record.
struct ZipHeader {
  std::uint16_t version = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::string name;
  // Central records only.
  std::uint32_t attributes = 0;
  std::uint64_t header_offset = 0;
  // Local headers only: where the data starts.
  std::uint64_t data_offset = 0;
};

// ReadEnd finds the end records at the exact end of the source. Codes: ZIP-OUTSIDE, ZIP-END, FILE-MALFORMED when
// there is no end record at all.
Result<EndOfArchive> ReadEnd(const ByteSource& source);
// ReadCentralRecord reads one record of the directory.
Result<ZipHeader> ReadCentralRecord(ByteReader& reader);
// ReadLocalHeader reads the local header at `offset` into `out`, of which all is set. What is wrong with its extra
// fields hides no member from those who look for all of them.
enum class ExtraFaults : std::uint8_t { kRefuse, kIgnore };
Status ReadLocalHeader(const ByteSource& source, std::uint64_t offset, ZipHeader& out,
                       ExtraFaults faults = ExtraFaults::kRefuse);
// ReadDescriptor returns the number of bytes of the data descriptor at `offset`, which must repeat the CRC and the
// sizes of the directory, or 0 when none does.
Result<std::uint64_t> ReadDescriptor(const ByteSource& source, std::uint64_t offset, const ZipEntry& member);

}  // namespace safemodel::pickle
