// SPDX-License-Identifier: Apache-2.0
// One chunk: read, compare with its digest, open, decode. The only way from stored bytes to plain ones.
#pragma once

#include <functional>

#include "base/source.h"
#include "codec/codec.h"
#include "container/format.h"
#include "encryption/chunk_cipher.h"

namespace safemodel {

// ChunkScratch is what one thread needs to read chunks.
struct ChunkScratch {
  codec::Decoder decoder;
  ByteBuffer stored;
  encryption::CipherScratch cipher;
};

using SharedCipher = std::shared_ptr<const encryption::ChunkCipher>;

// ChunkFile is where chunks lie and what opens them.
struct ChunkFile {
  const ByteSource& core;
  const encryption::ChunkCipher* cipher = nullptr;  // null: they are not sealed
};

// ChunkRef names one chunk of an object, with its records.
struct ChunkRef {
  std::uint32_t object_number = 0;
  std::uint32_t chunk = 0;
  const container::ObjectRecord& object;
  const container::ChunkRecord& record;
};

// PlaceOf returns what a sealed chunk is bound to.
encryption::ChunkPlace PlaceOf(std::uint32_t object_number, const container::ObjectRecord& object, std::uint32_t chunk,
                               std::uint64_t plain_length, std::uint8_t codec);

// CheckChunkDigest compares stored bytes with the digest of their record: kDigestMismatch "chunk_digest".
Status CheckChunkDigest(ByteView stored, const container::ChunkRecord& record);

// ReadChunk fills `plain`, which must have the chunk's plain length. The stored bytes are read once, to private memory,
// and what was hashed is what is decoded [I-FIRST]. On failure the content of `plain` is unspecified: callers zero it.
// Errors: kIo, kDigestMismatch "chunk_digest", those of the cipher and of the codec.
Status ReadChunk(const ChunkFile& file, const ChunkRef& ref, MutableBytes plain, ChunkScratch& scratch);

// ReadEncoded returns what the codec made of a chunk of `plain_length` bytes: the stored bytes after their digest was
// compared, and opened where they are sealed. They lie in `scratch`.
Result<ByteView> ReadEncoded(const ChunkFile& file, const ChunkRef& ref, std::uint64_t plain_length,
                             ChunkScratch& scratch);

// ChunkReader fills the plain bytes of one chunk of an object that it knows.
using ChunkReader = std::function<Status(std::uint32_t chunk, MutableBytes plain)>;

// MakePlainSource presents an object as its plain bytes. It keeps the last chunks that were read in part: ascending
// reads decode each chunk once, as do all reads of a small object. For one thread only.
SharedSource MakePlainSource(std::uint64_t plain_size, std::uint32_t chunk_size, ChunkReader reader);

// SliceDigest computes the digest that an object record states for its slice of the index [I-SLICE].
Digest SliceDigest(std::uint32_t object_number, const container::ObjectRecord& object, std::uint32_t chunk_size,
                   ByteView slice);

}  // namespace safemodel
