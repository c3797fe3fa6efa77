// SPDX-License-Identifier: Apache-2.0
// One chunk: read, compare with its digest, decode. The only way from stored bytes to plain ones.
#pragma once

#include <functional>

#include "base/source.h"
#include "codec/codec.h"
#include "container/format.h"

namespace safemodel {

// ChunkScratch is what one thread needs to read chunks.
struct ChunkScratch {
  codec::Decoder decoder;
  ByteBuffer stored;
};

// ReadChunk fills `plain`, which must have the chunk's plain length. The stored bytes are read once, to private memory,
// and what was hashed is what is decoded [I-FIRST]. On failure the content of `plain` is unspecified: callers zero it.
// Errors: kIo, kDigestMismatch "chunk_digest", those of the codec.
Status ReadChunk(const ByteSource& core, const container::ObjectRecord& object, const container::ChunkRecord& record,
                 MutableBytes plain, ChunkScratch& scratch);

// ChunkReader fills the plain bytes of one chunk of an object that it knows.
using ChunkReader = std::function<Status(std::uint32_t chunk, MutableBytes plain)>;

// MakePlainSource presents an object as its plain bytes. It keeps the last chunks that were read in part: ascending
// reads decode each chunk once, as do all reads of a small object. For one thread only.
SharedSource MakePlainSource(std::uint64_t plain_size, std::uint32_t chunk_size, ChunkReader reader);

// SliceDigest computes the digest that an object record states for its slice of the index [I-SLICE].
Digest SliceDigest(std::uint32_t object_number, const container::ObjectRecord& object, std::uint32_t chunk_size,
                   ByteView slice);

}  // namespace safemodel
