// SPDX-License-Identifier: Apache-2.0
// Writing containers: one pass over the content, bounded memory, the same bytes for any number of threads.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <safemodel/convert.h>

#include "base/file.h"
#include "codec/codec.h"
#include "container/format.h"
#include "model/chunk.h"

namespace safemodel {

struct WriterOptions {
  std::uint32_t chunk_bytes = 1u << 20;
  CodecChoice codec = CodecChoice::kAuto;
  int level = 3;
  unsigned threads = 0;
  Limits limits = {};
  SharedCipher cipher = {};  // null: the container is not encrypted. Its file id is that of the identity
};

// ModelIdentity is the part of a manifest that people choose.
struct ModelIdentity {
  FileId file_id{};
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  std::int64_t created = 0;
  container::KeyValues metadata;
};

struct WrittenObject {
  std::uint32_t number = 0;
  Digest plain_digest{};  // BLAKE3 of the plain bytes
};

// EncodedObject is an object of another container with the same chunk size, as its codecs made it.
struct EncodedObject {
  const container::ObjectRecord& record;
  std::span<const container::ChunkRecord> chunks;
  // read returns the encoded bytes of a chunk, which lie in the scratch. Several threads call it, each with its own.
  std::function<Result<ByteView>(std::uint32_t chunk, ChunkScratch& scratch)> read;
};

struct WrittenManifest {
  container::Preamble preamble;
  ByteBuffer bytes;
  Digest digest{};  // SHA-256
};

// ContainerWriter writes a core in the order of the format: objects, directory, index, object table, manifest; the
// preamble last, in the place kept for it. Not thread-safe; it uses threads itself.
class ContainerWriter {
 public:
  // Create keeps the place of the preamble. `output` must be empty and outlive the writer.
  static Result<ContainerWriter> Create(OutputFile& output, const WriterOptions& options);
  ContainerWriter(ContainerWriter&&) noexcept;
  ContainerWriter& operator=(ContainerWriter&&) noexcept;
  ~ContainerWriter();

  // WriteProgress is called with the plain bytes of each chunk that was written, from several threads when an object is
  // copied.
  using WriteProgress = std::function<void(std::uint64_t plain_bytes)>;
  // AddObject writes the next object. Storage form and codec are chosen from a sample. A sequential source is read in
  // order by one thread at a time.
  Result<WrittenObject> AddObject(container::ObjectKind kind, codec::ElementLayout layout, const ByteSource& source,
                                  const WriteProgress& progress = {});
  // CopyObject writes the next object from another container, without decoding it.
  [[nodiscard]] Status CopyObject(const EncodedObject& source, const WriteProgress& progress = {});
  // ReadBack presents a written object as its plain bytes again, for one thread.
  Result<SharedSource> ReadBack(std::uint32_t number) const;
  // Finish writes everything else. The parts are parsed again, with the reader's limits, before the preamble is
  // written: what no reader would open is never finished.
  Result<WrittenManifest> Finish(const container::Directory& directory, const ModelIdentity& identity);

 private:
  struct State;
  explicit ContainerWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace safemodel
