// SPDX-License-Identifier: Apache-2.0
// Spec section 5. The bytes are parsed where they lie and never made again from the struct to be compared: FlatBuffers
// is not canonical.
#include "base/checked.h"
#include "base/clock.h"
#include "container/names.h"
#include "container/parse.h"
#include "container/wire.h"

namespace safemodel::container {
namespace {

// DecodeNumbers takes over the required scalars; [M-REQUIRED].
Status DecodeNumbers(const wire::Manifest& root, Manifest& manifest) {
  SAFEMODEL_ASSIGN(manifest.major, Required(root.major()));
  SAFEMODEL_ASSIGN(manifest.minor, Required(root.minor()));
  SAFEMODEL_ASSIGN(manifest.flags, Required(root.flags()));
  SAFEMODEL_ASSIGN(manifest.suite, Required(root.suite()));
  SAFEMODEL_ASSIGN(manifest.manifest_offset, Required(root.manifest_offset()));
  SAFEMODEL_ASSIGN(manifest.sequence, Required(root.sequence()));
  SAFEMODEL_ASSIGN(manifest.created, Required(root.created()));
  SAFEMODEL_ASSIGN(manifest.chunk_size, Required(root.chunk_size()));
  SAFEMODEL_ASSIGN(manifest.object_count, Required(root.object_count()));
  SAFEMODEL_ASSIGN(manifest.chunk_count, Required(root.chunk_count()));
  SAFEMODEL_ASSIGN(manifest.index_offset, Required(root.index_offset()));
  SAFEMODEL_ASSIGN(manifest.table_offset, Required(root.table_offset()));
  SAFEMODEL_ASSIGN(manifest.table_digest, DigestOf(root.table_digest()));
  if (root.file_id() == nullptr) return MissingField();
  std::copy_n(root.file_id()->bytes()->Data(), manifest.file_id.size(), manifest.file_id.begin());
  return {};
}

// [M-COPY] The preamble is not signed; its copy in the manifest is.
Status CheckCopy(const Manifest& manifest, const Preamble& preamble) {
  const auto differs = [](const char* code) {
    return Malformed(code, "the preamble differs from the manifest's copy of it");
  };
  if (manifest.major != preamble.major) return differs("copy_major");
  if (manifest.minor != preamble.minor) return differs("copy_minor");
  if (manifest.flags != preamble.flags) return differs("copy_flags");
  if (manifest.file_id != preamble.file_id) return differs("copy_file_id");
  if (manifest.manifest_offset != preamble.manifest_offset) return differs("copy_manifest_offset");
  return {};
}

// CheckExtension sees the extensions in their order.
Status CheckExtension(const Extension& extension, const std::string& last_name, const Limits& limits) {
  SAFEMODEL_TRY(CheckLabel(extension.name, limits));
  if (extension.name.empty() || extension.name <= last_name) {
    return Malformed("extension_order", "names of extensions are not strictly ascending, or one is empty",
                     extension.name);
  }
  if (extension.critical) {  // [M-CRITICAL] none is known
    return Unsupported("unknown_critical_extension",
                       "this container needs an extension that this version does not have", extension.name);
  }
  return {};
}

Result<std::vector<Extension>> DecodeExtensions(WireReader& reader, const wire::Manifest& root, const Limits& limits) {
  std::vector<Extension> extensions;
  std::string last_name;
  const auto* entries = root.extensions();
  for (std::uint32_t i = 0; i < SizeOf(entries); ++i) {
    const wire::Extension* entry = entries->Get(i);
    SAFEMODEL_TRY(reader.CheckTable(entry));
    Extension extension;
    SAFEMODEL_ASSIGN(extension.name, reader.Text(entry->name(), limits.name_bytes));
    SAFEMODEL_ASSIGN(extension.critical, Required(entry->critical()));
    SAFEMODEL_TRY(CheckExtension(extension, last_name, limits));
    if (entry->data() != nullptr) extension.data.assign(entry->data()->begin(), entry->data()->end());
    last_name = extension.name;
    extensions.push_back(std::move(extension));
  }
  return extensions;
}

Status CheckIdentity(const Manifest& manifest, const Limits& limits) {
  SAFEMODEL_TRY(CheckModelName(manifest.name, limits));
  SAFEMODEL_TRY(CheckModelVersion(manifest.version, limits));
  if (manifest.sequence > limits.json_integer_max) {  // statements repeat it as a JSON number
    return OverLimit("large_sequence", "the release sequence is more than 2^53-1");
  }
  if (manifest.created < 0 || manifest.created > kLastSecond) {
    return Malformed("bad_created", "the time of creation does not lie between the years 1970 and 9999");
  }
  return {};
}

Status CheckChunkSize(std::uint32_t chunk_size, const Limits& limits) {
  if (chunk_size == 0 || (chunk_size & (chunk_size - 1)) != 0)
    return Malformed("bad_chunk_size", "the chunk size is no power of two");
  if (chunk_size < limits.chunk_bytes_min || chunk_size > limits.chunk_bytes_max) {
    return OverLimit("chunk_size_limit", "the chunk size is outside its limits");
  }
  return {};
}

// [M-REGIONS] Index, object table and manifest follow each other without a gap.
Status CheckRegions(const Manifest& manifest, const Limits& limits) {
  if (manifest.object_count == 0) return Malformed("no_objects", "there is no object, not even a directory");
  if (manifest.object_count > limits.objects) return OverLimit("many_objects", "there are more objects than the limit");
  if (manifest.chunk_count > limits.chunks) return OverLimit("many_chunks", "there are more chunks than the limit");
  const auto index_bytes = CheckedMul(kChunkRecordBytes, manifest.chunk_count);
  const auto table_bytes = CheckedMul<std::uint64_t>(kObjectRecordBytes, manifest.object_count);
  const auto table_offset = index_bytes ? CheckedAdd(manifest.index_offset, *index_bytes) : std::nullopt;
  const auto manifest_offset = table_bytes ? CheckedAdd(manifest.table_offset, *table_bytes) : std::nullopt;
  if (manifest.index_offset < kPreambleBytes || table_offset != manifest.table_offset ||
      manifest_offset != manifest.manifest_offset) {
    return Malformed("bad_regions", "index, object table and manifest do not follow each other as their counts demand");
  }
  return {};
}

// [M-ENCRYPTION], [M-BUCKET]
Status CheckEncryption(const Encryption& encryption, const Limits& limits) {
  if (encryption.algorithm != kXChaCha20Poly1305) {
    return Unsupported("unknown_encryption",
                       "this container is encrypted with an algorithm that this version does not have");
  }
  const std::uint32_t bucket = encryption.bucket_bytes;
  if (bucket == 0 || (bucket & (bucket - 1)) != 0)
    return Malformed("bad_bucket", "the bucket of stored lengths is no power of two");
  if (bucket > limits.bucket_bytes_max) return OverLimit("large_bucket", "the bucket is larger than its limit");
  return {};
}

Result<std::optional<Encryption>> DecodeEncryption(WireReader& reader, const wire::Encryption* table) {
  if (table == nullptr) return std::optional<Encryption>();
  SAFEMODEL_TRY(reader.CheckTable(table));
  Encryption encryption;
  SAFEMODEL_ASSIGN(encryption.algorithm, Required(table->algorithm()));
  SAFEMODEL_ASSIGN(encryption.commitment, DigestOf(table->commitment()));
  SAFEMODEL_ASSIGN(encryption.bucket_bytes, Required(table->bucket()));
  return std::optional<Encryption>(encryption);
}

// CheckManifest holds the rules that reader and writer share. Extensions and metadata have theirs.
Status CheckManifest(const Manifest& manifest, const Limits& limits) {
  if (manifest.suite != kSuite)
    return Unsupported("unknown_suite", "this container uses a suite of algorithms that this version does not have");
  SAFEMODEL_TRY(CheckIdentity(manifest, limits));
  SAFEMODEL_TRY(CheckChunkSize(manifest.chunk_size, limits));
  if (manifest.encryption) SAFEMODEL_TRY(CheckEncryption(*manifest.encryption, limits));
  return CheckRegions(manifest, limits);
}

Result<const wire::Manifest*> VerifyManifest(ByteView bytes, const Limits& limits) {
  const VectorBound vectors[] = {
      {wire::Manifest::VT_METADATA, limits.metadata_entries, "many_metadata",
       "the metadata has more entries than the limit"},
      {wire::Manifest::VT_EXTENSIONS, limits.extensions, "many_extensions", "there are more extensions than the limit"},
  };
  SAFEMODEL_ASSIGN(const std::uint64_t entries,
                   CheckRootVectors(bytes, {wire::ManifestIdentifier(), limits.manifest_bytes, vectors}));
  constexpr std::uint64_t kRootAndEncryption = 2;
  return VerifyWire<wire::Manifest>(bytes, wire::ManifestIdentifier(), kRootAndEncryption + entries);
}

}  // namespace

Result<Manifest> ParseManifest(ByteView bytes, const Preamble& preamble, const Limits& limits) {
  const AlignedBytes aligned(bytes);
  SAFEMODEL_ASSIGN(const wire::Manifest* root, VerifyManifest(aligned.view(), limits));
  WireReader reader(bytes.size(), preamble.minor);
  Manifest manifest;
  SAFEMODEL_TRY(DecodeNumbers(*root, manifest));
  SAFEMODEL_TRY(CheckCopy(manifest, preamble));
  SAFEMODEL_TRY(reader.CheckTable(root));
  SAFEMODEL_ASSIGN(manifest.encryption, DecodeEncryption(reader, root->encryption()));
  SAFEMODEL_ASSIGN(manifest.name, reader.Text(root->name(), limits.model_name_bytes));
  SAFEMODEL_ASSIGN(manifest.version, reader.Text(root->version(), limits.model_name_bytes));
  SAFEMODEL_TRY(CheckManifest(manifest, limits));
  SAFEMODEL_ASSIGN(manifest.metadata, DecodeMetadata(reader, root->metadata(), limits));
  SAFEMODEL_ASSIGN(manifest.extensions, DecodeExtensions(reader, *root, limits));
  return manifest;
}

namespace {

Status CheckForWriting(const Manifest& manifest, const Limits& limits) {
  if (manifest.major != kMajor || manifest.flags != 0) {
    return Unsupported("unknown_major", "only manifests of this major version without flags can be written");
  }
  SAFEMODEL_TRY(CheckManifest(manifest, limits));
  SAFEMODEL_TRY(CheckMetadata(manifest.metadata, limits));
  if (manifest.extensions.size() > limits.extensions)
    return OverLimit("many_extensions", "there are more extensions than the limit");
  std::string last_name;
  for (const Extension& extension : manifest.extensions) {
    SAFEMODEL_TRY(CheckExtension(extension, last_name, limits));
    // FlatBufferBuilder asserts that a buffer stays below 2 GiB.
    if (extension.data.size() > limits.manifest_bytes)
      return OverLimit("large_manifest", "the manifest is longer than its limit");
    last_name = extension.name;
  }
  return {};
}

using WireExtensions = flatbuffers::Vector<flatbuffers::Offset<wire::Extension>>;

flatbuffers::Offset<WireExtensions> EncodeExtensions(flatbuffers::FlatBufferBuilder& builder,
                                                     const std::vector<Extension>& extensions) {
  std::vector<flatbuffers::Offset<wire::Extension>> entries;
  for (const Extension& extension : extensions) {
    const auto name = builder.CreateString(extension.name);
    const auto data = builder.CreateVector(extension.data);
    entries.push_back(wire::CreateExtension(builder, name, extension.critical, data));
  }
  return builder.CreateVector(entries);
}

flatbuffers::Offset<wire::Encryption> EncodeEncryption(flatbuffers::FlatBufferBuilder& builder,
                                                       const std::optional<Encryption>& encryption) {
  if (!encryption) return 0;
  const wire::Hash commitment = WireDigest(encryption->commitment);
  return wire::CreateEncryption(builder, encryption->algorithm, &commitment, encryption->bucket_bytes);
}

}  // namespace

Result<ByteBuffer> SerializeManifest(const Manifest& manifest) {
  const Limits limits;
  SAFEMODEL_TRY(CheckForWriting(manifest, limits));
  flatbuffers::FlatBufferBuilder builder;
  const wire::Id file_id(flatbuffers::span<const std::uint8_t, 16>(manifest.file_id.data(), manifest.file_id.size()));
  const wire::Hash table_digest = WireDigest(manifest.table_digest);
  const auto name = builder.CreateString(manifest.name);
  const auto version = builder.CreateString(manifest.version);
  // Empty tables are left out, so that a small manifest says nothing twice.
  const auto metadata = manifest.metadata.empty() ? 0 : EncodeMetadata(builder, manifest.metadata);
  const auto extensions = manifest.extensions.empty() ? 0 : EncodeExtensions(builder, manifest.extensions);
  const auto encryption = EncodeEncryption(builder, manifest.encryption);
  const auto root = wire::CreateManifest(
      builder, manifest.major, manifest.minor, manifest.flags, manifest.suite, &file_id, manifest.manifest_offset, name,
      version, manifest.sequence, manifest.created, manifest.chunk_size, manifest.object_count, manifest.chunk_count,
      manifest.index_offset, manifest.table_offset, &table_digest, encryption, metadata, extensions);
  wire::FinishManifestBuffer(builder, root);
  if (builder.GetSize() > limits.manifest_bytes)
    return OverLimit("large_manifest", "the manifest is longer than its limit");
  return FinishedBytes(builder);
}

}  // namespace safemodel::container
