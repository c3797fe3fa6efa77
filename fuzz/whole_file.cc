// SPDX-License-Identifier: Apache-2.0
// A whole container. Input: the file. Its digests are made right first, as an attacker who holds a key would, so that
// every parser behind them is reached. What is accepted can be read to the last byte; nothing ends in an error of our
// own.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <safemodel/export.h>
#include <safemodel/inspect.h>
#include <safemodel/unverified.h>

#include "base/cursor.h"
#include "base/file.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "fuzz/property.h"
#include "model/chunk.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kMostTensorBytes = 16u << 20;

// SmallLimits keep one input within milliseconds.
Limits SmallLimits() {
  Limits limits;
  limits.directory_bytes = 1u << 20;
  limits.total_plain_bytes = 64u << 20;
  limits.chunk_bytes_max = 1u << 20;
  return limits;
}

std::optional<ByteView> Part(ByteView file, std::uint64_t offset, std::uint64_t length) {
  if (offset > file.size() || length > file.size() - offset) return std::nullopt;
  return file.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

void Put(ByteBuffer& file, std::uint64_t offset, ByteView bytes) {
  std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
}

// RepairSlice makes the digests of an object's chunks right, and then the one of its slice.
void RepairSlice(ByteBuffer& file, const container::Manifest& manifest, std::uint32_t number,
                 container::ObjectRecord& object) {
  const std::uint64_t offset = manifest.index_offset + container::kChunkRecordBytes * object.first_chunk;
  for (std::uint64_t i = 0; i < object.chunk_count; ++i) {
    const std::uint64_t at = offset + container::kChunkRecordBytes * i;
    const auto record = Part(file, at, container::kChunkRecordBytes);
    if (!record) return;
    ByteReader reader(*record);
    const std::uint64_t stored_offset = reader.U64().value();
    const std::uint32_t stored_length = reader.U32().value();
    if (const auto stored = Part(file, stored_offset, stored_length)) Put(file, at + 16, crypto::Blake3Of(*stored));
  }
  const auto slice = Part(file, offset, container::kChunkRecordBytes * object.chunk_count);
  if (slice) object.slice_digest = SliceDigest(number, object, manifest.chunk_size, *slice);
}

// WithKeyWraps appends the items of an envelope, if `frame` is one, to a core with another manifest.
void WithKeyWraps(ByteBuffer& core, ByteView frame, ByteView manifest, const Limits& limits) {
  Digest stated{};
  if (frame.size() < stated.size()) return;
  std::copy_n(frame.end() - static_cast<std::ptrdiff_t>(stated.size()), stated.size(), stated.begin());
  auto envelope = container::ParseEnvelope(frame, stated, limits);
  if (!envelope.ok()) return;
  envelope.value().manifest_digest = crypto::Sha256Of(manifest);
  const ByteBuffer body = container::SerializeEnvelopeBody(envelope.value());
  const Digest digest = crypto::Blake3Of(body);
  core.insert(core.end(), body.begin(), body.end());
  core.insert(core.end(), digest.begin(), digest.end());
}

// Repair makes the digests of a file right, as far as its shape allows. Of what lies behind the core only an encrypted
// one keeps something: its key wraps.
ByteBuffer Repair(ByteView input, const Limits& limits) {
  ByteBuffer file(input.begin(), input.end());
  auto preamble =
      container::ParsePreamble(ByteView(file).first(std::min<std::size_t>(file.size(), 64)), file.size(), limits);
  if (!preamble.ok()) return file;
  const auto bytes = Part(file, preamble.value().manifest_offset, preamble.value().manifest_length);
  if (!bytes) return file;
  auto manifest = container::ParseManifest(*bytes, preamble.value(), limits);
  if (!manifest.ok()) return file;
  container::Manifest& fixed = manifest.value();
  const ByteView behind_core =
      input.subspan(static_cast<std::size_t>(preamble.value().manifest_offset + preamble.value().manifest_length));
  const auto table = Part(file, fixed.table_offset, container::kObjectRecordBytes * fixed.object_count);
  if (!table) return file;
  if (auto objects = container::ParseObjectTable(*table, fixed, limits); objects.ok()) {
    for (std::uint32_t i = 0; i < objects.value().size(); ++i) RepairSlice(file, fixed, i, objects.value()[i]);
    Put(file, fixed.table_offset, container::SerializeObjectTable(objects.value()));
  }
  crypto::Blake3 hash(container::kObjectTableContext);
  hash.Update(*Part(file, fixed.table_offset, container::kObjectRecordBytes * fixed.object_count));
  fixed.table_digest = hash.Finish();
  const auto written = container::SerializeManifest(fixed);
  if (!written.ok()) return file;
  file.resize(static_cast<std::size_t>(fixed.manifest_offset));
  file.insert(file.end(), written.value().begin(), written.value().end());
  preamble.value().manifest_length = written.value().size();
  Put(file, 0, container::SerializePreamble(preamble.value()));
  if (fixed.encryption) WithKeyWraps(file, behind_core, written.value(), limits);
  return file;
}

// SeedIdentities opens the key wraps of the seeds.
Result<std::vector<Identity>> SeedIdentities() {
  return Identity::FromText("AGE-SECRET-KEY-1G9Q5ZS2PG9Q5ZS2PG9Q5ZS2PG9Q5ZS2PG9Q5ZS2PG9Q5ZS2PG9QSC006VW\n");
}

// MemoryFile is a file without a disk.
class MemoryFile {
 public:
  explicit MemoryFile(ByteView bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    SAFEMODEL_PROPERTY(descriptor_.valid());
    SAFEMODEL_PROPERTY(write(descriptor_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_.get()); }

 private:
  Descriptor descriptor_;
};

void CheckRefusal(const Status& status) { SAFEMODEL_PROPERTY(status.ok() || status.error().stage != Stage::kInternal); }

void ReadAll(const VerifiedModel& model) {
  for (const Tensor& tensor : model.tensors()) {
    if (tensor.bytes > kMostTensorBytes) continue;
    ByteBuffer out(static_cast<std::size_t>(tensor.bytes), 0xA5);
    const Status status = model.Read(tensor, out);
    CheckRefusal(status);
    SAFEMODEL_PROPERTY(status.ok() || std::all_of(out.begin(), out.end(), [](std::uint8_t byte) { return byte == 0; }));
    if (status.ok() && tensor.digest && model.CheckContent().ok())
      SAFEMODEL_PROPERTY(crypto::Blake3Of(out) == *tensor.digest);
  }
  for (const PackedFile& file : model.files()) {
    if (file.bytes > kMostTensorBytes) continue;
    const auto bytes = model.ReadFile(file);
    SAFEMODEL_PROPERTY(bytes.ok() ? bytes.value().size() == file.bytes : bytes.error().stage != Stage::kInternal);
  }
}

}  // namespace
}  // namespace safemodel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;  // NOLINT(google-build-using-namespace)
  OpenOptions options;
  options.limits = SmallLimits();
  options.threads = 1;
  options.identities = &SeedIdentities;
  const MemoryFile file(Repair({data, size}, options.limits));
  const auto model = OpenUnverified(file.path(), InsecureSkipVerification(), options);
  const auto inspected = Inspect(file.path(), options);
  if (!model.ok()) {
    SAFEMODEL_PROPERTY(model.error().stage != Stage::kInternal);
    SAFEMODEL_PROPERTY(!inspected.ok());
    return 0;
  }
  const Status stored = model.value().CheckAll();
  const Status content = model.value().CheckContent();
  CheckRefusal(stored);
  CheckRefusal(content);
  if (inspected.ok()) {
    SAFEMODEL_PROPERTY(inspected.value().tensors.size() == model.value().tensors().size());
  } else {
    SAFEMODEL_PROPERTY(inspected.error().stage != Stage::kInternal && !stored.ok());
  }
  ReadAll(model.value());
  return 0;
}
