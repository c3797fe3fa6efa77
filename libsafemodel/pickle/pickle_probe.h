// SPDX-License-Identifier: Apache-2.0
// Is it a pickle? Nothing marks one, so the machine is asked.
#pragma once

#include <cstddef>
#include <cstdint>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel::pickle {

// MayStartPickle says whether a first byte is an instruction that works on an empty stack: the quickest no.
bool MayStartPickle(std::uint8_t byte);

// ProbeDepth says how many bytes are looked at before a stream that has not broken yet is followed to its end.
enum class ProbeDepth : std::uint8_t {
  kWhole,    // for files, which are likely to be pickles
  kShallow,  // a few thousand: for bytes that a reader claims already
};

// ProbePickle says whether the bytes from `begin` on are a pickle for some loader: they declare a protocol and go on
// with three instructions, or end with STOP at the last byte, or import a name of the shape of names or an extension
// and then call or change it, whatever breaks later, or are what torch.save once began with, or such a stream stands
// behind one that says nothing. No is said only of a stream that stopped at something that every reader of Python
// refuses: one that the machine gave up, for a limit of its own or because readers may go on, is a pickle too. Elements
// of tensors begin like each of these now and then, but do not go on so. Errors: those of the source, with stage kIo.
// `opcodes`, if given, becomes larger by the instructions that it took to tell.
Result<bool> ProbePickle(const SharedSource& source, std::uint64_t begin, ProbeDepth depth, const Limits& limits,
                         std::uint64_t* opcodes = nullptr);

// StreamBudget is how many streams that follow others are judged in one input, all its members together, and how many
// bytes other readers of joblib files are followed beyond the end of a stream.
struct StreamBudget {
  std::size_t streams = 100'000;
  std::uint64_t beyond = 16u << 20;
};

// FindPickle returns where, from `begin` on, the next pickle starts; the size of the source when there is none. What
// only begins like one is none, unless it imports and calls: no reader goes on behind bytes that are no pickle, and the
// numbers of a model begin like each kind. Bytes far behind `begin` count only where a protocol is declared. Searches
// that share a budget do together no more than one may: an input could ask for one after each of its bytes.
struct SearchBudget {
  std::uint64_t opcodes = 1u << 22;
};
Result<std::uint64_t> FindPickle(const SharedSource& source, std::uint64_t begin, const Limits& limits,
                                 SearchBudget& budget);

}  // namespace safemodel::pickle
