// SPDX-License-Identifier: Apache-2.0
// Bytes to structs and back. Nothing here computes a digest or knows a key: digests that must hold are received.
#pragma once

#include "container/format.h"

namespace safemodel::container {

// Preamble. `file_bytes` is the size of the file; [P-*] of the spec.
Result<Preamble> ParsePreamble(ByteView bytes, std::uint64_t file_bytes, const Limits& limits);
ByteBuffer SerializePreamble(const Preamble& preamble);

// Manifest. Call only when a signature over `bytes` was verified, or with a token that says nobody did. `bytes` may lie
// at any address (it is copied to aligned memory). The copy of the preamble's fields is compared.
Result<Manifest> ParseManifest(ByteView bytes, const Preamble& preamble, const Limits& limits);
Result<ByteBuffer> SerializeManifest(const Manifest& manifest);

// Object table: `bytes` has the digest that the manifest states. Checks every record and that the objects tile the core
// in their one legal layout, as far as sizes and offsets tell without the index.
Result<std::vector<ObjectRecord>> ParseObjectTable(ByteView bytes, const Manifest& manifest, const Limits& limits);
ByteBuffer SerializeObjectTable(const std::vector<ObjectRecord>& objects);
// SliceHead returns what stands before the records in the input of a slice digest.
ByteBuffer SliceHead(std::uint32_t object_number, const ObjectRecord& object, std::uint32_t chunk_size);

// Index slice of one object, whose digest holds. Chunks must follow each other from the object's offset on and end
// before the index.
Result<std::vector<ChunkRecord>> ParseIndexSlice(ByteView bytes, const ObjectRecord& object, const Manifest& manifest);
ByteBuffer SerializeChunkRecords(const std::vector<ChunkRecord>& records);
// StoredEnd returns the end of an object's stored bytes, given its parsed slice.
std::uint64_t StoredEnd(const ObjectRecord& object, const std::vector<ChunkRecord>& slice);
// StoredBounds says how long the stored bytes of a chunk, or of an object, can be.
struct StoredBounds {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};
// ChunkBounds: a raw chunk is as long as it can be, and no codec is used that makes it longer.
StoredBounds ChunkBounds(std::uint64_t plain_length, const std::optional<Encryption>& encryption);
StoredBounds ObjectBounds(const ObjectRecord& object, std::uint32_t chunk_size,
                          const std::optional<Encryption>& encryption);
// PlainLength returns the plain length of chunk `i` of an object.
std::uint64_t PlainLength(const ObjectRecord& object, std::uint32_t i, std::uint32_t chunk_size);

// CheckTiling: with all slices known (full verify), the objects tile the core exactly. Returns the padding ranges that
// must be zero.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
Result<std::vector<Range>> CheckTiling(const Manifest& manifest, const std::vector<ObjectRecord>& objects,
                                       const std::vector<std::uint64_t>& stored_ends);

// Directory: the plain bytes of object 0.
Result<Directory> ParseDirectory(ByteView bytes, const Manifest& manifest, const std::vector<ObjectRecord>& objects,
                                 const Limits& limits);
// SerializeDirectory refuses what ParseDirectory would, as far as that can be told without the objects; a writer parses
// what it wrote to be sure of the rest.
Result<ByteBuffer> SerializeDirectory(const Directory& directory);

// Envelope. Two steps, so that the length is known before anything is read: Measure looks at the head.
// Returns the total length; [E-FRAME] checks of magic, version, reserved, length against limit and `available`.
Result<std::uint64_t> MeasureEnvelope(ByteView head, std::uint64_t available, const Limits& limits);
// Parse takes the whole frame and the BLAKE3 of all but its last 32 bytes.
Result<Envelope> ParseEnvelope(ByteView frame, const Digest& body_digest, const Limits& limits);
// SerializeEnvelopeBody returns the frame without its last 32 bytes, which are the BLAKE3 of it.
ByteBuffer SerializeEnvelopeBody(const Envelope& envelope);

}  // namespace safemodel::container
