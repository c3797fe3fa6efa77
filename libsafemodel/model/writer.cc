// SPDX-License-Identifier: Apache-2.0
#include "model/writer.h"

#include <algorithm>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "model/chunk.h"
#include "model/ordered.h"

namespace safemodel {
namespace {

using container::ChunkRecord;
using container::ObjectKind;
using container::ObjectRecord;
using container::StorageForm;

constexpr std::uint64_t kSampleBytes = 1u << 20;

// WriterScratch is what one thread needs to encode chunks.
struct WriterScratch {
  explicit WriterScratch(int level) : encoder(level) {}
  codec::Encoder encoder;
  ByteBuffer plain;
  ByteBuffer stored;
};

Error TooMuch() { return {Stage::kLimit, "too_large", "the model is larger than the limit of its readers"}; }

}  // namespace

struct ContainerWriter::State {
  OutputFile& output;
  WriterOptions options;
  std::vector<std::unique_ptr<WriterScratch>> scratch;  // one for each worker so far
  std::vector<ObjectRecord> objects;                    // 0 is the directory, filled in last
  std::vector<std::vector<ChunkRecord>> slices;
  std::uint64_t plain_bytes = 0;

  void MakeScratch(unsigned workers);
  Result<codec::Codec> ChooseCodec(codec::ElementLayout layout, const ByteSource& source);
  Status Pad(std::uint64_t alignment);
  Result<WrittenObject> Write(std::uint32_t number, ObjectKind kind, codec::ElementLayout layout,
                              const ByteSource& source, const WriteProgress& progress);
  Result<Digest> WriteChunks(ObjectRecord& object, codec::Codec wanted, const ByteSource& source,
                             const WriteProgress& progress, std::vector<ChunkRecord>& records);
  Result<container::Manifest> WriteIndexAndTable(const ModelIdentity& identity);
  Status CheckReadable(const WrittenManifest& written, ByteView table, const container::Directory& directory,
                       ByteView plain) const;
};

// ChunkJob is one object on its way to the file.
class ChunkJob {
 public:
  ChunkJob(OutputFile& output, const ObjectRecord& object, std::uint32_t chunk_size, codec::Codec wanted,
           const ByteSource& source)
      : output_(output),
        object_(object),
        chunk_size_(chunk_size),
        wanted_(wanted),
        source_(source),
        records_(object.chunk_count) {}

  // Prepare makes room for an object that is stored raw: where its chunks lie is known before they are written.
  Status Prepare() {
    if (object_.form != StorageForm::kRaw) return {};
    SAFEMODEL_TRY(output_.Extend(object_.plain_size));
    return {};
  }

  // Run takes chunk `i` through its steps. Only reading from a sequential source, the hash of the whole object and
  // writing behind chunks of unknown length have an order; the hash of one chunk runs beside the write of another.
  // Leaving early, by an exception too, gives the tickets back: no other chunk waits for this one.
  Status Run(std::size_t i, WriterScratch& scratch, const ContainerWriter::WriteProgress& progress) {
    Turnstile::Ticket read(read_turn_, i);
    Turnstile::Ticket hash(hash_turn_, i);
    Turnstile::Ticket write(write_turn_, i);
    SAFEMODEL_TRY(Read(i, read, scratch));
    if (source_.sequential() && !read.passed()) return {};  // a lower chunk failed
    const ByteView stored = Encode(i, scratch);
    if (object_.form == StorageForm::kRaw) SAFEMODEL_TRY(WriteRaw(i, stored));
    SAFEMODEL_TRY(hash.InTurn([&]() -> Status {
      whole_.Update(scratch.plain);
      if (progress) progress(scratch.plain.size());
      return {};
    }));
    if (object_.form == StorageForm::kRaw) return {};
    return write.InTurn([&]() -> Status {
      records_[i].stored_offset = output_.size();
      return output_.Append(stored);
    });
  }

  [[nodiscard]] Digest plain_digest() const { return whole_.Finish(); }
  [[nodiscard]] std::vector<ChunkRecord> TakeRecords() && { return std::move(records_); }

 private:
  Status Read(std::size_t i, Turnstile::Ticket& turn, WriterScratch& scratch) {
    const auto chunk = static_cast<std::uint32_t>(i);
    const auto read = [&] {
      scratch.plain.resize(static_cast<std::size_t>(container::PlainLength(object_, chunk, chunk_size_)));
      return source_.ReadAt(std::uint64_t{chunk} * chunk_size_, scratch.plain);
    };
    return source_.sequential() ? turn.InTurn(read) : read();
  }

  Status WriteRaw(std::size_t i, ByteView stored) {
    records_[i].stored_offset = object_.stored_offset + std::uint64_t{i} * chunk_size_;
    return output_.WriteAt(records_[i].stored_offset, stored);
  }

  ByteView Encode(std::size_t i, WriterScratch& scratch) {
    ByteView stored = scratch.plain;
    if (wanted_ != codec::Codec::kRaw) {
      const auto layout = static_cast<codec::ElementLayout>(object_.element_layout);
      const codec::Codec used = scratch.encoder.Encode(wanted_, layout, scratch.plain, scratch.stored);
      records_[i].codec = static_cast<std::uint8_t>(used);
      stored = scratch.stored;
    }
    records_[i].stored_length = static_cast<std::uint32_t>(stored.size());
    records_[i].digest = crypto::Blake3Of(stored);
    return stored;
  }

  OutputFile& output_;
  const ObjectRecord& object_;
  std::uint32_t chunk_size_;
  codec::Codec wanted_;
  const ByteSource& source_;
  std::vector<ChunkRecord> records_;
  crypto::Blake3 whole_;
  Turnstile read_turn_;
  Turnstile hash_turn_;
  Turnstile write_turn_;
};

ContainerWriter::ContainerWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContainerWriter::ContainerWriter(ContainerWriter&&) noexcept = default;
ContainerWriter& ContainerWriter::operator=(ContainerWriter&&) noexcept = default;
ContainerWriter::~ContainerWriter() = default;

Result<ContainerWriter> ContainerWriter::Create(OutputFile& output, const WriterOptions& options) {
  const std::uint32_t chunk = options.chunk_bytes;
  if (chunk < options.limits.chunk_bytes_min || chunk > options.limits.chunk_bytes_max || (chunk & (chunk - 1)) != 0) {
    return Error{Stage::kUsage, "bad_chunk_size", "the chunk size must be a power of two between 4 KiB and 64 MiB"};
  }
  auto state = std::make_unique<State>(State{output, options, {}, {}, {}, 0});
  state->objects.resize(1);
  state->slices.resize(1);
  SAFEMODEL_TRY(output.Append(ByteBuffer(container::kPreambleBytes)));
  return ContainerWriter(std::move(state));
}

// MakeScratch is called before threads run: what they need is there, or nothing has begun.
void ContainerWriter::State::MakeScratch(unsigned workers) {
  while (scratch.size() < workers) scratch.push_back(std::make_unique<WriterScratch>(options.level));
}

// ChooseCodec looks at bytes from the middle of an object, where the padding rows and zeros that many tensors begin
// with are less likely; at the first ones where going back is slow.
Result<codec::Codec> ContainerWriter::State::ChooseCodec(codec::ElementLayout layout, const ByteSource& source) {
  if (options.codec == CodecChoice::kRaw || source.size() == 0) return codec::Codec::kRaw;
  if (options.codec == CodecChoice::kZstd) return codec::Codec::kZstd;
  const std::uint64_t length = std::min(kSampleBytes, source.size());
  std::uint64_t begin = source.sequential() ? 0 : (source.size() - length) / 2;
  begin -= begin % 64;  // keeps elements whole
  MakeScratch(1);
  WriterScratch& own = *scratch[0];
  own.plain.resize(static_cast<std::size_t>(length));
  SAFEMODEL_TRY(source.ReadAt(begin, own.plain));
  return own.encoder.Choose(layout, own.plain);
}

Status ContainerWriter::State::Pad(std::uint64_t alignment) {
  const std::uint64_t excess = output.size() % alignment;
  if (excess == 0) return {};
  return output.Append(ByteBuffer(static_cast<std::size_t>(alignment - excess)));
}

Result<Digest> ContainerWriter::State::WriteChunks(ObjectRecord& object, codec::Codec wanted, const ByteSource& source,
                                                   const WriteProgress& progress, std::vector<ChunkRecord>& records) {
  ChunkJob job(output, object, options.chunk_bytes, wanted, source);
  SAFEMODEL_TRY(job.Prepare());
  MakeScratch(WorkerCount(object.chunk_count, options.threads));
  SAFEMODEL_TRY(ParallelFor(object.chunk_count, options.threads,
                            [&](std::size_t i, unsigned worker) { return job.Run(i, *scratch[worker], progress); }));
  const Digest digest = job.plain_digest();
  records = std::move(job).TakeRecords();
  return digest;
}

Result<WrittenObject> ContainerWriter::State::Write(std::uint32_t number, ObjectKind kind, codec::ElementLayout layout,
                                                    const ByteSource& source, const WriteProgress& progress) {
  ObjectRecord object;
  object.kind = kind;
  object.plain_size = source.size();
  const auto total = CheckedAdd(plain_bytes, object.plain_size);
  const auto chunks = Narrow<std::uint32_t>(CeilDiv(object.plain_size, options.chunk_bytes));
  if (!total || *total > options.limits.total_plain_bytes || !chunks) return TooMuch();
  plain_bytes = *total;
  object.chunk_count = *chunks;
  SAFEMODEL_ASSIGN(const codec::Codec wanted, ChooseCodec(layout, source));
  object.form = wanted == codec::Codec::kRaw ? StorageForm::kRaw : StorageForm::kCoded;
  object.element_layout = static_cast<std::uint8_t>(layout);
  if (object.plain_size > 0) SAFEMODEL_TRY(Pad(container::AlignmentOf(object.form, object.plain_size)));
  object.stored_offset = output.size();
  WrittenObject written{number, {}};
  SAFEMODEL_ASSIGN(written.plain_digest, WriteChunks(object, wanted, source, progress, slices[number]));
  object.slice_digest =
      SliceDigest(number, object, options.chunk_bytes, container::SerializeChunkRecords(slices[number]));
  objects[number] = object;
  return written;
}

Result<WrittenObject> ContainerWriter::AddObject(ObjectKind kind, codec::ElementLayout layout, const ByteSource& source,
                                                 const WriteProgress& progress) {
  const auto number = static_cast<std::uint32_t>(state_->objects.size());
  if (number >= state_->options.limits.objects) return TooMuch();
  state_->objects.emplace_back();
  state_->slices.emplace_back();
  return state_->Write(number, kind, layout, source, progress);
}

Result<SharedSource> ContainerWriter::ReadBack(std::uint32_t number) const {
  SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, state_->output.Reader());
  const State* state = state_.get();
  auto scratch = std::make_shared<ChunkScratch>();
  return MakePlainSource(state->objects[number].plain_size, state->options.chunk_bytes,
                         [file = std::move(file), state, number, scratch](std::uint32_t chunk, MutableBytes plain) {
                           return ReadChunk(*file, state->objects[number], state->slices[number][chunk], plain,
                                            *scratch);
                         });
}

// WriteIndexAndTable writes the index and the object table, and returns the manifest that commits to them.
Result<container::Manifest> ContainerWriter::State::WriteIndexAndTable(const ModelIdentity& identity) {
  container::Manifest manifest;
  manifest.index_offset = output.size();
  for (std::size_t number = 0; number < objects.size(); ++number) {
    objects[number].first_chunk = manifest.chunk_count;
    manifest.chunk_count += objects[number].chunk_count;
    SAFEMODEL_TRY(output.Append(container::SerializeChunkRecords(slices[number])));
  }
  manifest.table_offset = output.size();
  const ByteBuffer table = container::SerializeObjectTable(objects);
  SAFEMODEL_TRY(output.Append(table));
  crypto::Blake3 hash(container::kObjectTableContext);
  hash.Update(table);
  manifest.table_digest = hash.Finish();
  manifest.object_count = static_cast<std::uint32_t>(objects.size());
  manifest.chunk_size = options.chunk_bytes;
  manifest.manifest_offset = output.size();
  manifest.file_id = identity.file_id;
  manifest.name = identity.name;
  manifest.version = identity.version;
  manifest.sequence = identity.sequence;
  manifest.created = identity.created;
  manifest.metadata = identity.metadata;
  return manifest;
}

Status ContainerWriter::State::CheckReadable(const WrittenManifest& written, ByteView table,
                                             const container::Directory& directory, ByteView plain) const {
  const Limits& limits = options.limits;
  SAFEMODEL_TRY(container::ParsePreamble(container::SerializePreamble(written.preamble), output.size(), limits));
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(written.bytes, written.preamble, limits));
  SAFEMODEL_ASSIGN(const auto parsed_objects, container::ParseObjectTable(table, manifest, limits));
  SAFEMODEL_ASSIGN(const container::Directory parsed,
                   container::ParseDirectory(plain, manifest, parsed_objects, limits));
  if (parsed != directory || parsed_objects != objects) {
    return Error{Stage::kInternal, "internal", "what was written does not read back as it was"};
  }
  return {};
}

Result<WrittenManifest> ContainerWriter::Finish(const container::Directory& directory, const ModelIdentity& identity) {
  State& state = *state_;
  SAFEMODEL_ASSIGN(ByteBuffer plain, container::SerializeDirectory(directory));
  const SharedSource source = MakeMemorySource(plain);
  SAFEMODEL_TRY(state.Write(0, ObjectKind::kDirectory, codec::ElementLayout::kBytes, *source, {}));
  SAFEMODEL_ASSIGN(const container::Manifest manifest, state.WriteIndexAndTable(identity));
  WrittenManifest written;
  SAFEMODEL_ASSIGN(written.bytes, container::SerializeManifest(manifest));
  SAFEMODEL_TRY(state.output.Append(written.bytes));
  written.digest = crypto::Sha256Of(written.bytes);
  written.preamble.file_id = manifest.file_id;
  written.preamble.manifest_offset = manifest.manifest_offset;
  written.preamble.manifest_length = written.bytes.size();
  SAFEMODEL_TRY(state.CheckReadable(written, container::SerializeObjectTable(state.objects), directory, plain));
  SAFEMODEL_TRY(state.output.WriteAt(0, container::SerializePreamble(written.preamble)));
  return written;
}

}  // namespace safemodel
