// SPDX-License-Identifier: Apache-2.0
// Is it a pickle? Nothing marks one, so the machine is asked.
#pragma once

#include <cstdint>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel::pickle {

// MayStartPickle says whether a first byte is an instruction that works on an empty stack: the quickest no.
bool MayStartPickle(std::uint8_t byte);

// ProbeDepth bounds how far a stream without any sign of being one is followed.
enum class ProbeDepth : std::uint8_t {
  kWhole,    // to its end
  kShallow,  // a few thousand instructions: for bytes that a reader claims already
};

// ProbePickle says whether the bytes from `begin` on are a pickle for some loader: they declare a protocol and go on
// with three instructions, or end with STOP at the last byte, or import a name of the shape of names or look up
// an extension and then call or build, whatever breaks later. Errors: those of the source, with stage kIo.
Result<bool> ProbePickle(const SharedSource& source, std::uint64_t begin, ProbeDepth depth, const Limits& limits);

// FindPickle returns where, from `begin` on, the next pickle starts; the size of the source when there is none. Bytes
// far behind `begin` count only where a protocol is declared, and the work is bounded.
Result<std::uint64_t> FindPickle(const SharedSource& source, std::uint64_t begin, const Limits& limits);

}  // namespace safemodel::pickle
