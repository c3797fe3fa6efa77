// SPDX-License-Identifier: Apache-2.0
#include "model/new_encryption.h"

#include <algorithm>

#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "encryption/recipient_notes.h"
#include "model/identity.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

Status CheckBucket(std::uint32_t bucket_bytes, const Limits& limits) {
  if (bucket_bytes != 0 && (bucket_bytes & (bucket_bytes - 1)) == 0 && bucket_bytes <= limits.bucket_bytes_max)
    return {};
  return Error{
      Stage::kUsage, "bad_bucket",
      "the bucket of stored lengths must be a power of two within its limit, 1 MiB unless set; 16384 is usual"};
}

}  // namespace

Result<NewEncryption> EncryptFor(std::span<const Recipient> recipients, std::uint32_t bucket_bytes,
                                 const Limits& limits) {
  if (recipients.empty())
    return Error{Stage::kUsage, "no_recipients", "there is nobody to encrypt for; name a recipient"};
  if (recipients.size() > limits.key_wraps)
    return Error{Stage::kLimit, "too_many_recipients",
                 "more recipients than the limit of key wraps; encrypt for fewer, or for a key that they share"};
  SAFEMODEL_TRY(CheckBucket(bucket_bytes, limits));
  FileId file_id{};
  crypto::RandomBytes(file_id);
  NewEncryption made;
  made.cipher = std::make_shared<const encryption::ChunkCipher>(encryption::DataKey::Generate(file_id), bucket_bytes);
  for (const Recipient& recipient : recipients)
    SAFEMODEL_TRY(encryption::AddRecipient(made.cipher->key(), recipient, made.items));
  return made;
}

void HideSource(ModelIdentity& identity, container::Directory& directory) {
  const auto hidden = std::stable_partition(identity.metadata.begin(), identity.metadata.end(),
                                            [](const auto& entry) { return !entry.first.starts_with(kSourcePrefix); });
  directory.metadata.insert(directory.metadata.end(), std::move_iterator(hidden),
                            std::move_iterator(identity.metadata.end()));
  identity.metadata.erase(hidden, identity.metadata.end());
  std::sort(directory.metadata.begin(), directory.metadata.end());
}

Status AppendEnvelope(OutputFile& output, const WrittenManifest& written,
                      std::vector<container::EnvelopeItem> key_items, const Signer* key, const SignOptions& options) {
  if (key == nullptr && key_items.empty()) return {};
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(written.bytes, written.preamble, options.limits));
  SAFEMODEL_ASSIGN(const ByteBuffer envelope,
                   trust::MakeFirstEnvelope(manifest, written.digest, std::move(key_items), key, options));
  return output.Append(envelope);
}

}  // namespace safemodel
