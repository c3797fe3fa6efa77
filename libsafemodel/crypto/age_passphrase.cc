// SPDX-License-Identifier: Apache-2.0
#include <sodium.h>

#include <algorithm>
#include <charconv>

#include "base/try.h"
#include "crypto/age_stanza.h"
#include "crypto/hash.h"
#include "crypto/not_null.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::string_view kLabel = "age-encryption.org/v1/scrypt";
constexpr std::size_t kSaltBytes = 16;
constexpr std::uint32_t kBlockSize = 8;
constexpr std::uint32_t kParallel = 1;

using Salt = std::array<std::uint8_t, kSaltBytes>;

Result<SecretBytes> KeyOf(const Passphrase& passphrase, const Salt& salt, unsigned work_factor) {
  ByteWriter labelled;
  labelled.Text(kLabel);
  labelled.Bytes(salt);
  SecretBytes key(32);
  const ByteView text = passphrase.bytes();
  if (crypto_pwhash_scryptsalsa208sha256_ll(NotNull(text), text.size(), labelled.view().data(), labelled.size(),
                                            std::uint64_t{1} << work_factor, kBlockSize, kParallel, key.bytes().data(),
                                            key.size()) != 0) {
    return Error{Stage::kIo, "no_memory", "there is not enough memory to derive a key from the passphrase"};
  }
  return key;
}

// WorkFactorOf reads a decimal number without sign and leading zeros.
Result<unsigned> WorkFactorOf(const std::string& text) {
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || text.front() == '0') return BadHeader("the work factor of a scrypt stanza is a decimal number");
  unsigned work_factor = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), work_factor);
  if (parsed.ec != std::errc() || work_factor > kMostWorkFactor) {
    return Error{Stage::kLimit, "scrypt_cost", "the age file asks for more than 1 GiB of work on its passphrase"};
  }
  return work_factor;
}

}  // namespace

Status CheckScryptStanza(const Stanza& stanza) {
  SAFEMODEL_TRY(CheckForm(stanza, 2));
  SAFEMODEL_TRY(BytesOf<kSaltBytes>(stanza.arguments[0]));
  SAFEMODEL_TRY(WorkFactorOf(stanza.arguments[1]));
  return {};
}

Result<Stanza> WrapFileKey(const PassphraseRecipient& recipient, ByteView file_key) {
  if (recipient.passphrase.empty()) {
    return Error{Stage::kUsage, "empty_passphrase", "an empty passphrase protects nothing"};
  }
  if (recipient.work_factor == 0 || recipient.work_factor > kWrittenWorkFactor) {
    return Error{Stage::kUsage, "work_factor", "the work factor of a passphrase is 1 to 18"};
  }
  Salt salt{};
  RandomBytes(salt);
  SAFEMODEL_ASSIGN(const SecretBytes key, KeyOf(recipient.passphrase, salt, recipient.work_factor));
  return Stanza{std::string(kScryptType),
                {EncodeUnpaddedBase64(salt), std::to_string(recipient.work_factor)},
                SealFileKey(key, file_key)};
}

Result<std::optional<SecretBytes>> UnwrapFileKey(const PassphraseIdentity& identity, const Stanza& stanza) {
  if (stanza.type != kScryptType) return std::optional<SecretBytes>();
  SAFEMODEL_ASSIGN(const Salt salt, BytesOf<kSaltBytes>(stanza.arguments[0]));
  SAFEMODEL_ASSIGN(const unsigned work_factor, WorkFactorOf(stanza.arguments[1]));
  if (!identity.ask) return Error{Stage::kKey, "passphrase_needed", "a passphrase protects this, and none was given"};
  SAFEMODEL_ASSIGN(const Passphrase passphrase, identity.ask());
  SAFEMODEL_ASSIGN(const SecretBytes key, KeyOf(passphrase, salt, work_factor));
  return OpenFileKey(key, stanza.body);
}

}  // namespace safemodel::crypto::age
