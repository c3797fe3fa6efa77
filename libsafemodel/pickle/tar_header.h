// SPDX-License-Identifier: Apache-2.0
// The records of tar archives. Only tar*.cc include this header.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::pickle {

inline constexpr std::uint64_t kTarBlock = 512;

// TarHeader is one header block.
struct TarHeader {
  std::string name;  // with its prefix
  std::uint64_t size = 0;
  char type = '0';
};

// HasTarChecksum says whether the sum of a block's bytes stands in it, as a lenient reader would see it.
bool HasTarChecksum(ByteView block);

// IsPythonTarHeader says whether Python's tarfile takes a block for a header: all of its numbers have to be some.
bool IsPythonTarHeader(ByteView block);

// ReadTarHeader reads a block. Every number in it must be one: tarfile takes a header with a broken number for the end
// of the archive. kMalformed TAR-MALFORMED; kUnsafe TAR-NAME when readers put the name together differently.
Result<TarHeader> ReadTarHeader(ByteView block, std::uint64_t offset);

// ReadPaxRecords reads the `LENGTH KEY=VALUE\n` of a pax header. kMalformed TAR-MALFORMED; kUnsafe TAR-NAME when a key
// is given twice.
Result<std::map<std::string, std::string>> ReadPaxRecords(ByteView bytes, std::uint64_t offset);

// ParseTarSize reads decimal digits, nothing when they are none or too many.
std::optional<std::uint64_t> ParseTarSize(std::string_view digits);

}  // namespace safemodel::pickle
