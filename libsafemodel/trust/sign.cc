// SPDX-License-Identifier: Apache-2.0
#include <safemodel/sign.h>

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/file.h"
#include "base/try.h"
#include "container/parse.h"
#include "trust/dsse.h"
#include "trust/envelope_store.h"
#include "trust/sign_core.h"
#include "trust/timestamp.h"

namespace safemodel {
namespace trust {
namespace {

constexpr std::uint64_t kLastGeneration = ~std::uint64_t{0} - 1;

Status CheckOptions(const SignOptions& options, std::int64_t issued_at) {
  if (!IsRole(options.role))
    return Error{Stage::kUsage, "bad_role", "a role is 1 to 64 of a-z, 0-9, '-', '_' and '.'", kNoOffset, options.role};
  if (options.requires_roles.size() > kRequiresMost)
    return Error{Stage::kUsage, "too_many_roles", "a statement requires at most 16 roles"};
  for (const std::string& role : options.requires_roles) {
    if (!IsRole(role))
      return Error{Stage::kUsage, "bad_role", "a role is 1 to 64 of a-z, 0-9, '-', '_' and '.'", kNoOffset, role};
  }
  const auto in_range = [](std::int64_t time) { return time >= 0 && time <= kLatestTimestamp; };
  if (!in_range(issued_at) ||
      (options.not_after && (!in_range(*options.not_after) || *options.not_after < issued_at))) {
    return Error{Stage::kUsage, "bad_time", "a signature must end after it was issued, and before the year 10000"};
  }
  return {};
}

}  // namespace

Result<container::EnvelopeItem> MakeStatementItem(const container::Manifest& manifest, const Digest& manifest_digest,
                                                  const SecretKey& key, const SignOptions& options, Checked checked) {
  const std::int64_t issued_at = options.issued_at.value_or(std::time(nullptr));
  SAFEMODEL_TRY(CheckOptions(options, issued_at));
  Statement statement;
  statement.subject_name = manifest.name + "@" + manifest.version;
  statement.subject_digest = manifest_digest;
  statement.role = options.role;
  statement.model = manifest.name;
  statement.version = manifest.version;
  statement.sequence = manifest.sequence;
  statement.file_id = manifest.file_id;
  statement.issued_at = issued_at;
  statement.not_after = options.not_after;
  statement.verified = checked;
  statement.requires_roles = options.requires_roles;
  SignedPayload payload{std::string(kPayloadType), SerializeStatement(statement), {}, key.public_key().KeyId()};
  const ByteBuffer message = PreAuthEncoding(payload.payload_type, payload.payload);
  payload.signature = key.SignBytes(message);
  // A fault while signing could give away the key or write a statement that nobody accepts.
  if (!crypto::VerifyEd25519(message, payload.signature, key.public_key().bytes())) {
    return Error{Stage::kKey, "signing_failed", "the new signature does not verify; the key or the machine is damaged"};
  }
  return container::EnvelopeItem{static_cast<std::uint16_t>(container::ItemKind::kStatement), SerializeDsse(payload)};
}

Result<ByteBuffer> MakeSignedEnvelope(const container::Manifest& manifest, const Digest& manifest_digest,
                                      const SecretKey& key, const SignOptions& options) {
  container::Envelope envelope;
  envelope.manifest_digest = manifest_digest;
  SAFEMODEL_ASSIGN(auto item, MakeStatementItem(manifest, manifest_digest, key, options, Checked::kFull));
  envelope.items.push_back(std::move(item));
  return SerializeEnvelope(envelope);
}

namespace {

// Locks a container against other signers for as long as its descriptor is open.
Status LockExclusively(const File& file) {
  if (flock(file.descriptor(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK) {
    return Error{Stage::kIo, "locked", "another signer is at work on this container; try again", kNoOffset,
                 file.path()};
  }
  return SystemError("lock_failed", "the container cannot be locked", file.path());
}

Status CheckRoom(const container::Envelope& envelope, const Limits& limits) {
  const auto statements =
      std::count_if(envelope.items.begin(), envelope.items.end(), [](const container::EnvelopeItem& item) {
        return item.kind == static_cast<std::uint16_t>(container::ItemKind::kStatement);
      });
  if (statements >= static_cast<std::ptrdiff_t>(limits.statements)) {
    return Error{Stage::kLimit, "too_many_statements", "the envelope is full of signatures"};
  }
  if (envelope.generation >= kLastGeneration)
    return Error{Stage::kLimit, "generation_used_up", "the envelope cannot be changed again"};
  return {};
}

Fold FoldOf(Placement placement, OpenedContainer::EnvelopePlace place) {
  if (placement == Placement::kDetached) return Fold::kLeaveBeside;
  const bool beside = placement == Placement::kKeep && place == OpenedContainer::EnvelopePlace::kSidecar;
  return beside ? Fold::kLeaveBeside : Fold::kIntoFile;
}

}  // namespace
}  // namespace trust

Result<SignReport> Sign(const std::string& path, const SecretKey& key, const SignOptions& options) {
  const auto access = options.placement == Placement::kDetached ? File::Access::kRead : File::Access::kReadWrite;
  SAFEMODEL_ASSIGN(const auto file, File::Open(path, access));
  SAFEMODEL_TRY(trust::LockExclusively(*file));
  SAFEMODEL_TRY(file->CheckUnchanged());  // somebody may have signed between the opening and the lock
  SAFEMODEL_ASSIGN(const trust::OpenedContainer opened, trust::OpenFraming(file, {}, options.limits));
  SAFEMODEL_ASSIGN(const auto manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, options.limits));
  container::Envelope envelope = opened.envelope.value_or(container::Envelope{0, opened.manifest_digest, {}});
  SAFEMODEL_TRY(trust::CheckRoom(envelope, options.limits));
  SAFEMODEL_ASSIGN(auto item,
                   trust::MakeStatementItem(manifest, opened.manifest_digest, key, options, trust::Checked::kNone));
  envelope.items.push_back(std::move(item));
  ++envelope.generation;
  const trust::Fold fold = trust::FoldOf(options.placement, opened.envelope_place);
  const std::uint64_t core_bytes = opened.preamble.manifest_offset + opened.preamble.manifest_length;
  SAFEMODEL_TRY(trust::StoreEnvelope(*file, core_bytes, envelope, fold));
  return SignReport{manifest.name,
                    manifest.version,
                    manifest.sequence,
                    opened.manifest_digest,
                    key.public_key().KeyId(),
                    options.role,
                    envelope.items.size(),
                    fold == trust::Fold::kLeaveBeside ? trust::SidecarOf(path) : path};
}

}  // namespace safemodel
