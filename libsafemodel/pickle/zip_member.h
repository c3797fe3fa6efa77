// SPDX-License-Identifier: Apache-2.0
// Sources over the data of one zip member.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

// MakeCheckedSource returns the bytes of a stored member and compares their CRC once each of them has been read, in any
// order and from any thread: the read that completes the last gap fails with kMalformed ZIP-CRC. Bytes that are read
// twice count once; reads that overlap others only in part do not count.
Result<SharedSource> MakeCheckedSource(SharedSource archive, std::shared_ptr<const ZipEntry> entry);

// MakeInflatingSource inflates raw deflate data of `size` plain bytes. kLimit LIMIT-RATIO at once when size and stored
// size are out of proportion. Reads fail with kMalformed ZIP-MALFORMED (broken or wrong length) and ZIP-CRC.
// Reading backwards starts again. Safe to use from several threads, one at a time.
Result<SharedSource> MakeInflatingSource(SharedSource stored, std::uint64_t size, std::optional<std::uint32_t> crc,
                                         std::string name, const ZipLimits& limits);

}  // namespace safemodel::pickle
