// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_wrap.h"

#include <algorithm>

#include "base/try.h"
#include "crypto/age_program.h"
#include "crypto/age_stanza.h"
#include "crypto/age_stream.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"

namespace safemodel::crypto::age {
namespace {

// Any tells whether one of the keys is of a kind.
template <typename Kind>
bool Any(std::span<const Recipient> recipients) {
  return std::any_of(recipients.begin(), recipients.end(),
                     [](const Recipient& recipient) { return std::holds_alternative<Kind>(recipient); });
}

// Identities are secrets, which nobody copies.
using Identities = std::span<const Identity* const>;

template <typename Kind>
bool AnyIdentity(Identities identities) {
  return std::any_of(identities.begin(), identities.end(),
                     [](const Identity* identity) { return std::holds_alternative<Kind>(*identity); });
}

Digest MacOf(const Header& header, ByteView file_key) {
  return HmacSha256(DeriveKey(file_key, {}, "header").bytes(), AuthenticatedPart(header));
}

Error TooLong() { return {Stage::kLimit, "age_size", "the age file is too long for one that holds a key"}; }

Status CheckRecipients(std::span<const Recipient> recipients, const FileLimits& limits) {
  if (recipients.empty()) return Error{Stage::kUsage, "no_recipients", "there is nobody to encrypt for"};
  if (recipients.size() > limits.stanzas) {
    return Error{Stage::kLimit, "too_many_recipients", "one age file has at most 64 recipients"};
  }
  if (recipients.size() > 1 && Any<PassphraseRecipient>(recipients)) {
    return Error{Stage::kUsage, "passphrase_not_alone", "a passphrase is the only recipient of its age file"};
  }
  return {};
}

Result<Stanza> WrapFor(const Recipient& recipient, ByteView file_key) {
  if (const auto* x25519 = std::get_if<X25519Recipient>(&recipient)) return WrapFileKey(*x25519, file_key);
  if (const auto* ssh = std::get_if<SshRecipient>(&recipient)) return WrapFileKey(*ssh, file_key);
  if (const auto* passphrase = std::get_if<PassphraseRecipient>(&recipient)) return WrapFileKey(*passphrase, file_key);
  return Error{Stage::kInternal, "internal", "a recipient of the program was not given to it"};
}

Result<ByteBuffer> SealOurselves(std::span<const Recipient> recipients, ByteView plain) {
  SecretBytes file_key(kFileKeyBytes);
  RandomBytes(file_key.bytes());
  Header header;
  for (const Recipient& recipient : recipients) {
    SAFEMODEL_ASSIGN(Stanza stanza, WrapFor(recipient, file_key.bytes()));
    header.stanzas.push_back(std::move(stanza));
  }
  header.mac = MacOf(header, file_key.bytes());
  ByteWriter file;
  file.Bytes(SerializeHeader(header));
  file.Bytes(SealPayload(file_key.bytes(), plain));
  return std::move(file).Finish();
}

Result<std::optional<SecretBytes>> UnwrapWith(const Identity& identity, const Stanza& stanza) {
  if (const auto* x25519 = std::get_if<X25519Identity>(&identity)) return UnwrapFileKey(*x25519, stanza);
  if (const auto* ssh = std::get_if<SshIdentity>(&identity)) return UnwrapFileKey(*ssh, stanza);
  if (const auto* passphrase = std::get_if<PassphraseIdentity>(&identity)) return UnwrapFileKey(*passphrase, stanza);
  return std::optional<SecretBytes>();
}

// FindFileKey returns the file key of the first stanza that is for one of the identities, in their order.
Result<std::optional<SecretBytes>> FindFileKey(const Header& header, Identities identities) {
  for (const Identity* identity : identities) {
    for (const Stanza& stanza : header.stanzas) {
      SAFEMODEL_ASSIGN(std::optional<SecretBytes> file_key, UnwrapWith(*identity, stanza));
      if (file_key.has_value()) return file_key;
    }
  }
  return std::optional<SecretBytes>();
}

bool IsPassphraseFile(const Header& header) {
  return header.stanzas.size() == 1 && header.stanzas.front().type == kScryptType;
}

Error NoMatch(const Header& header, Identities identities) {
  if (IsPassphraseFile(header) && AnyIdentity<PassphraseIdentity>(identities)) {
    return {Stage::kKey, "wrong_passphrase", "this is not the passphrase"};
  }
  return {Stage::kKey, "no_identity", "none of the identities can open this"};
}

}  // namespace

Result<ByteBuffer> SealWrap(std::span<const Recipient> recipients, ByteView plain, const FileLimits& limits) {
  SAFEMODEL_TRY(CheckRecipients(recipients, limits));
  if (plain.size() > limits.file_bytes) return TooLong();
  if (Any<ProgramRecipient>(recipients)) return SealWithProgram(recipients, plain, limits);
  SAFEMODEL_ASSIGN(ByteBuffer file, SealOurselves(recipients, plain));
  if (file.size() > limits.file_bytes) return TooLong();
  return file;
}

Result<SecretBytes> OpenWrap(ByteView file, Identities identities, const FileLimits& limits) {
  if (file.size() > limits.file_bytes) return TooLong();
  ByteReader reader(file);
  SAFEMODEL_ASSIGN(const Header header, ParseHeader(reader, limits));
  SAFEMODEL_TRY(CheckStanzas(header.stanzas));
  SAFEMODEL_ASSIGN(const std::optional<SecretBytes> file_key, FindFileKey(header, identities));
  if (!file_key.has_value()) {
    if (AnyIdentity<ProgramIdentity>(identities) && !IsPassphraseFile(header)) return OpenWithProgram(file, identities);
    return NoMatch(header, identities);
  }
  if (!EqualSecrets(MacOf(header, file_key->bytes()), header.mac)) {
    return Error{Stage::kKey, "age_mac", "the header of the age file was changed"};
  }
  const auto nonce = reader.Take(kPayloadNonceBytes);
  if (!nonce.ok()) return BadHeader("the age file ends in the nonce of its contents", reader.offset());
  return OpenPayload(file_key->bytes(), nonce.value(), reader.TakeRest());
}

Result<SecretBytes> OpenWrap(ByteView file, std::span<const Identity> identities, const FileLimits& limits) {
  std::vector<const Identity*> pointers;
  for (const Identity& identity : identities) pointers.push_back(&identity);
  return OpenWrap(file, pointers, limits);
}

Result<bool> IsForPassphrase(ByteView file, const FileLimits& limits) {
  if (file.size() > limits.file_bytes) return TooLong();
  ByteReader reader(file);
  const auto header = ParseHeader(reader, limits);
  const Status status = header.ok() ? CheckStanzas(header.value().stanzas) : Status(header.error());
  if (!status.ok() && status.error().stage == Stage::kLimit) return status.error();
  return status.ok() && IsPassphraseFile(header.value());
}

}  // namespace safemodel::crypto::age
