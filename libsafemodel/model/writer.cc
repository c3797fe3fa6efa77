// SPDX-License-Identifier: Apache-2.0
#include "model/writer.h"

#include <algorithm>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "model/chunk.h"
#include "model/chunk_output.h"
#include "model/ordered.h"

namespace safemodel {
namespace {

using container::ChunkRecord;
using container::ObjectKind;
using container::ObjectRecord;
using container::StorageForm;

constexpr std::uint64_t kSampleBytes = 1u << 20;

// WriterScratch is what one thread needs to make chunks.
struct WriterScratch {
  explicit WriterScratch(int level) : encoder(level) {}
  codec::Encoder encoder;
  ByteBuffer plain;
  ByteBuffer encoded;
  ChunkScratch source;  // of chunks that are copied
  SealScratch seal;
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

  [[nodiscard]] std::optional<container::Encryption> Block() const {
    if (!options.cipher) return std::nullopt;
    return options.cipher->Block();
  }
  Result<std::uint32_t> NextNumber();
  void MakeScratch(unsigned workers);
  Result<codec::Codec> ChooseCodec(codec::ElementLayout layout, const ByteSource& source);
  Status Begin(ObjectRecord& object);
  void End(std::uint32_t number, const ObjectRecord& object);
  Result<WrittenObject> Write(std::uint32_t number, ObjectKind kind, codec::ElementLayout layout,
                              const ByteSource& source, const WriteProgress& progress);
  Result<Digest> Encode(std::uint32_t number, const ObjectRecord& object, codec::Codec wanted, const ByteSource& source,
                        const WriteProgress& progress);
  Status Copy(std::uint32_t number, const EncodedObject& source, const WriteProgress& progress);
  Result<container::Manifest> WriteIndexAndTable(const ModelIdentity& identity);
  Status CheckReadable(const WrittenManifest& written, ByteView table, const container::Directory& directory,
                       ByteView plain) const;
};

// EncodeJob is one object on its way from its plain bytes to the file.
class EncodeJob {
 public:
  EncodeJob(ChunkOutput& output, const ObjectRecord& object, std::uint32_t chunk_size, codec::Codec wanted,
            const ByteSource& source)
      : output_(output), object_(object), chunk_size_(chunk_size), wanted_(wanted), source_(source) {}

  // Run takes chunk `i` through its steps. Only reading from a sequential source, the hash of the whole object and
  // writing behind chunks of unknown length have an order; the hash of one chunk runs beside the write of another.
  // Leaving early, by an exception too, gives the tickets back: no other chunk waits for this one.
  Status Run(std::size_t i, WriterScratch& scratch, const ContainerWriter::WriteProgress& progress) {
    Turnstile::Ticket read(read_turn_, i);
    Turnstile::Ticket hash(hash_turn_, i);
    Turnstile::Ticket write(output_.turns(), i);
    SAFEMODEL_TRY(Read(i, read, scratch));
    if (source_.sequential() && !read.passed()) return {};  // a lower chunk failed
    const auto chunk = static_cast<std::uint32_t>(i);
    const Encoded encoded = Encode(scratch);
    SAFEMODEL_ASSIGN(const ByteView stored, output_.Put(chunk, encoded.codec, encoded.bytes, scratch.seal));
    SAFEMODEL_TRY(hash.InTurn([&]() -> Status {
      whole_.Update(scratch.plain);
      if (progress) progress(scratch.plain.size());
      return {};
    }));
    return output_.Append(chunk, stored, write);
  }

  [[nodiscard]] Digest plain_digest() const { return whole_.Finish(); }

 private:
  struct Encoded {
    std::uint8_t codec = container::kCodecRaw;
    ByteView bytes;
  };

  Status Read(std::size_t i, Turnstile::Ticket& turn, WriterScratch& scratch) {
    const auto chunk = static_cast<std::uint32_t>(i);
    const auto read = [&] {
      scratch.plain.resize(static_cast<std::size_t>(container::PlainLength(object_, chunk, chunk_size_)));
      return source_.ReadAt(std::uint64_t{chunk} * chunk_size_, scratch.plain);
    };
    return source_.sequential() ? turn.InTurn(read) : read();
  }

  [[nodiscard]] Encoded Encode(WriterScratch& scratch) const {
    if (wanted_ == codec::Codec::kRaw) return {container::kCodecRaw, scratch.plain};
    const auto layout = static_cast<codec::ElementLayout>(object_.element_layout);
    const codec::Codec used = scratch.encoder.Encode(wanted_, layout, scratch.plain, scratch.encoded);
    return {static_cast<std::uint8_t>(used), scratch.encoded};
  }

  ChunkOutput& output_;
  const ObjectRecord& object_;
  std::uint32_t chunk_size_;
  codec::Codec wanted_;
  const ByteSource& source_;
  crypto::Blake3 whole_;
  Turnstile read_turn_;
  Turnstile hash_turn_;
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

// Begin finds the place of an object whose kind, form and size are known.
Status ContainerWriter::State::Begin(ObjectRecord& object) {
  const auto total = CheckedAdd(plain_bytes, object.plain_size);
  const auto chunks = Narrow<std::uint32_t>(CeilDiv(object.plain_size, options.chunk_bytes));
  if (!total || *total > options.limits.total_plain_bytes || !chunks) return TooMuch();
  plain_bytes = *total;
  object.chunk_count = *chunks;
  if (options.cipher) crypto::RandomBytes(object.salt);
  if (object.plain_size > 0) {
    const std::uint64_t alignment = container::AlignmentOf(object, Block());
    const std::uint64_t excess = output.size() % alignment;
    if (excess != 0) SAFEMODEL_TRY(output.Append(ByteBuffer(static_cast<std::size_t>(alignment - excess))));
  }
  object.stored_offset = output.size();
  return {};
}

void ContainerWriter::State::End(std::uint32_t number, const ObjectRecord& object) {
  objects[number] = object;
  objects[number].slice_digest =
      SliceDigest(number, object, options.chunk_bytes, container::SerializeChunkRecords(slices[number]));
}

Result<Digest> ContainerWriter::State::Encode(std::uint32_t number, const ObjectRecord& object, codec::Codec wanted,
                                              const ByteSource& source, const WriteProgress& progress) {
  ChunkOutput chunks(output, number, object, options.chunk_bytes, options.cipher.get());
  EncodeJob job(chunks, object, options.chunk_bytes, wanted, source);
  SAFEMODEL_TRY(chunks.Prepare());
  MakeScratch(WorkerCount(object.chunk_count, options.threads));
  SAFEMODEL_TRY(ParallelFor(object.chunk_count, options.threads,
                            [&](std::size_t i, unsigned worker) { return job.Run(i, *scratch[worker], progress); }));
  slices[number] = std::move(chunks).TakeRecords();
  return job.plain_digest();
}

Result<WrittenObject> ContainerWriter::State::Write(std::uint32_t number, ObjectKind kind, codec::ElementLayout layout,
                                                    const ByteSource& source, const WriteProgress& progress) {
  ObjectRecord object;
  object.kind = kind;
  object.plain_size = source.size();
  object.element_layout = static_cast<std::uint8_t>(layout);
  SAFEMODEL_ASSIGN(const codec::Codec wanted, ChooseCodec(layout, source));
  object.form = wanted == codec::Codec::kRaw ? StorageForm::kRaw : StorageForm::kCoded;
  SAFEMODEL_TRY(Begin(object));
  WrittenObject written{number, {}};
  SAFEMODEL_ASSIGN(written.plain_digest, Encode(number, object, wanted, source, progress));
  End(number, object);
  return written;
}

Status ContainerWriter::State::Copy(std::uint32_t number, const EncodedObject& source, const WriteProgress& progress) {
  ObjectRecord object;
  object.kind = source.record.kind;
  object.form = source.record.form;
  object.element_layout = source.record.element_layout;
  object.plain_size = source.record.plain_size;
  SAFEMODEL_TRY(Begin(object));
  ChunkOutput chunks(output, number, object, options.chunk_bytes, options.cipher.get());
  SAFEMODEL_TRY(chunks.Prepare());
  MakeScratch(WorkerCount(object.chunk_count, options.threads));
  const auto copy = [&](std::size_t i, unsigned worker) -> Status {
    Turnstile::Ticket write(chunks.turns(), i);
    const auto chunk = static_cast<std::uint32_t>(i);
    SAFEMODEL_ASSIGN(const ByteView encoded, source.read(chunk, scratch[worker]->source));
    SAFEMODEL_ASSIGN(const ByteView stored,
                     chunks.Put(chunk, source.chunks[chunk].codec, encoded, scratch[worker]->seal));
    if (progress) progress(container::PlainLength(object, chunk, options.chunk_bytes));
    return chunks.Append(chunk, stored, write);
  };
  SAFEMODEL_TRY(ParallelFor(object.chunk_count, options.threads, copy));
  slices[number] = std::move(chunks).TakeRecords();
  End(number, object);
  return {};
}

Result<std::uint32_t> ContainerWriter::State::NextNumber() {
  const auto number = static_cast<std::uint32_t>(objects.size());
  if (number >= options.limits.objects) return TooMuch();
  objects.emplace_back();
  slices.emplace_back();
  return number;
}

Result<WrittenObject> ContainerWriter::AddObject(ObjectKind kind, codec::ElementLayout layout, const ByteSource& source,
                                                 const WriteProgress& progress) {
  SAFEMODEL_ASSIGN(const std::uint32_t number, state_->NextNumber());
  return state_->Write(number, kind, layout, source, progress);
}

Status ContainerWriter::CopyObject(const EncodedObject& source, const WriteProgress& progress) {
  SAFEMODEL_ASSIGN(const std::uint32_t number, state_->NextNumber());
  return state_->Copy(number, source, progress);
}

Result<SharedSource> ContainerWriter::ReadBack(std::uint32_t number) const {
  SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, state_->output.Reader());
  const State* state = state_.get();
  auto scratch = std::make_shared<ChunkScratch>();
  return MakePlainSource(state->objects[number].plain_size, state->options.chunk_bytes,
                         [file = std::move(file), state, number, scratch](std::uint32_t chunk, MutableBytes plain) {
                           const ChunkRef ref{number, chunk, state->objects[number], state->slices[number][chunk]};
                           return ReadChunk({*file, state->options.cipher.get()}, ref, plain, *scratch);
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
  manifest.encryption = Block();
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
