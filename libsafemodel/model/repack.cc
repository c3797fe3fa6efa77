// SPDX-License-Identifier: Apache-2.0
// The same model in a new container: encrypted, decrypted, or under another data key. Spec: section 16.
#include <safemodel/encrypt.h>

#include <mutex>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "crypto/recipients.h"
#include "encryption/key_wraps.h"
#include "encryption/recipient_notes.h"
#include "model/container_output.h"
#include "model/loaded_model.h"
#include "model/new_encryption.h"

namespace safemodel {
namespace {

Error Usage(const char* code, const char* text) { return {Stage::kUsage, code, text}; }

// Repack is one container on its way into another.
class Repack {
 public:
  Repack(const LoadedModel& model, NewEncryption encryption, const RepackOptions& options)
      : store_(*model.store), info_(model.info), encryption_(std::move(encryption)), options_(options) {
    for (const container::ObjectRecord& object : store_.objects()) report_.plain_bytes += object.plain_size;
  }

  Result<RepackReport> Write(const std::string& path) {
    const bool replace = options_.overwrite == RepackOptions::Overwrite::kReplace;
    SAFEMODEL_ASSIGN(
        ContainerOutput output,
        ContainerOutput::Create(path, replace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse,
                                {&store_.file().state().identity, 1}));
    SAFEMODEL_ASSIGN(ContainerWriter writer, ContainerWriter::Create(output.file(), WriterOptionsHere()));
    for (std::uint32_t number = 1; number < store_.objects().size(); ++number)
      SAFEMODEL_TRY(CopyObject(writer, number));
    SAFEMODEL_TRY(Finish(writer, output.file()));
    SAFEMODEL_TRY(store_.file().CheckUnchanged());
    report_.container_bytes = output.file().size();
    SAFEMODEL_TRY(output.Commit());
    return report_;
  }

 private:
  [[nodiscard]] WriterOptions WriterOptionsHere() const {
    WriterOptions options;
    options.chunk_bytes = store_.chunk_size();
    options.threads = options_.threads;
    options.limits = options_.limits;
    options.cipher = encryption_.cipher;
    return options;
  }

  Status CopyObject(ContainerWriter& writer, std::uint32_t number) {
    SAFEMODEL_ASSIGN(const Slice* slice, store_.SliceOf(number));
    const EncodedObject object{store_.objects()[number], *slice, [&](std::uint32_t chunk, ChunkScratch& scratch) {
                                 return store_.ReadEncoded(number, chunk, scratch);
                               }};
    return writer.CopyObject(object, [&](std::uint64_t bytes) { Advance(bytes); });
  }

  void Advance(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    if (options_.progress) options_.progress(done_, report_.plain_bytes);
  }

  [[nodiscard]] ModelIdentity IdentityHere() const {
    ModelIdentity identity;
    identity.name = info_.name;
    identity.version = info_.version;
    // 0 is unsequenced, and stays so; [M-SEQUENCE].
    identity.sequence = options_.sequence.value_or(info_.sequence == 0 ? 0 : info_.sequence + 1);
    identity.created = NowUnless({});
    identity.metadata = info_.metadata;
    if (encryption_.cipher) {
      identity.file_id = encryption_.cipher->key().file_id();
    } else {
      crypto::RandomBytes(identity.file_id);
    }
    return identity;
  }

  Status Finish(ContainerWriter& writer, OutputFile& output) {
    SAFEMODEL_ASSIGN(container::Directory directory, DirectoryOf(store_, options_.limits));
    ModelIdentity identity = IdentityHere();
    if (encryption_.cipher) HideSource(identity, directory);
    SAFEMODEL_ASSIGN(const WrittenManifest written, writer.Finish(directory, identity));
    Advance(store_.objects()[0].plain_size);
    report_.name = identity.name;
    report_.version = identity.version;
    report_.sequence = identity.sequence;
    report_.content_digest = directory.content_digest;
    report_.manifest_digest = written.digest;
    for (const container::EnvelopeItem& item : encryption_.items) report_.recipients += encryption::IsKeyWrap(item);
    SignOptions signature;
    signature.limits = options_.limits;
    return AppendEnvelope(output, written, std::move(encryption_.items), options_.sign_with, signature);
  }

  const ObjectStore& store_;
  const ModelInfo& info_;
  NewEncryption encryption_;
  const RepackOptions& options_;
  RepackReport report_;
  std::mutex mutex_;
  std::uint64_t done_ = 0;
};

// SameRecipients makes recipients of those whom the notes of a container name.
Result<std::vector<Recipient>> SameRecipients(const ObjectStore& store) {
  const auto& items = store.trusted().key_items();
  const auto notes = encryption::ReadNotes(store.cipher()->key(), items);
  std::vector<Recipient> recipients;
  for (const container::EnvelopeItem& item : items) {
    if (!encryption::IsKeyWrap(item)) continue;
    const auto note = notes.find(crypto::Blake3Of(item.bytes));
    if (note == notes.end() || note->second == kPassphraseText) {
      return Error{Stage::kKey, "unnamed_recipient",
                   "a key wrap does not tell for whom it is, or is for a passphrase; say for whom to encrypt"};
    }
    SAFEMODEL_ASSIGN(Recipient recipient, Recipient::FromText(note->second));
    recipients.push_back(std::move(recipient));
  }
  return recipients;
}

Result<RepackReport> ReencryptModel(const LoadedModel& model, const std::string& output,
                                    std::span<const Recipient> recipients, const RepackOptions& options) {
  if (!model.info.encrypted) return Usage("not_encrypted", "this container is not encrypted; encrypt does that");
  std::vector<Recipient> same;
  if (recipients.empty()) {
    SAFEMODEL_ASSIGN(same, SameRecipients(*model.store));
  }
  SAFEMODEL_ASSIGN(NewEncryption encryption,
                   EncryptFor(recipients.empty() ? same : recipients, options.bucket_bytes, options.limits));
  return Repack(model, std::move(encryption), options).Write(output);
}

}  // namespace

Result<RepackReport> Encrypt(const VerifiedModel& model, const std::string& output,
                             std::span<const Recipient> recipients, const RepackOptions& options) {
  return CatchOutOfMemory([&]() -> Result<RepackReport> {
    const LoadedModel& loaded = VerifiedModelAccess::Of(model);
    if (loaded.info.encrypted)
      return Usage("already_encrypted", "this container is encrypted already; reencrypt gives it another key");
    SAFEMODEL_ASSIGN(NewEncryption encryption, EncryptFor(recipients, options.bucket_bytes, options.limits));
    return Repack(loaded, std::move(encryption), options).Write(output);
  });
}

Result<RepackReport> Reencrypt(const VerifiedModel& model, const std::string& output,
                               std::span<const Recipient> recipients, const RepackOptions& options) {
  return CatchOutOfMemory([&] { return ReencryptModel(VerifiedModelAccess::Of(model), output, recipients, options); });
}

Result<RepackReport> Decrypt(const VerifiedModel& model, const std::string& output, const RepackOptions& options) {
  return CatchOutOfMemory([&]() -> Result<RepackReport> {
    const LoadedModel& loaded = VerifiedModelAccess::Of(model);
    if (!loaded.info.encrypted) return Usage("not_encrypted", "this container is not encrypted");
    return Repack(loaded, {}, options).Write(output);
  });
}

}  // namespace safemodel
