// SPDX-License-Identifier: Apache-2.0
#include "encryption/key_wraps.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/age_stanza.h"
#include "crypto/age_wrap.h"
#include "crypto/recipients.h"

namespace safemodel::encryption {
namespace {

namespace age = crypto::age;

constexpr std::string_view kLabel = "safemodel 2026 v1 key wrap";
constexpr std::size_t kContentBytes = kLabel.size() + std::tuple_size_v<FileId> + kDataKeyBytes;
constexpr std::size_t kPassphraseWraps = 2;  // each costs whoever tries it up to seconds and 1 GiB

Error KeyError(const char* code, const char* text) { return {Stage::kKey, code, text}; }

crypto::SecretBytes ContentOf(const DataKey& key) {
  crypto::SecretBytes content(kContentBytes);
  auto next = std::copy(kLabel.begin(), kLabel.end(), content.bytes().begin());
  next = std::copy(key.file_id().begin(), key.file_id().end(), next);
  std::copy(key.bytes().begin(), key.bytes().end(), next);
  return content;
}

// TakeKey takes the content of a wrap apart. [K-WRAP]
Result<DataKey> TakeKey(ByteView content, const WrapTarget& target) {
  ByteReader reader(content);
  const auto label = reader.Take(kLabel.size());
  const auto file_id = reader.Take(target.file_id.size());
  const auto secret = reader.Take(kDataKeyBytes);
  if (!label.ok() || !file_id.ok() || !secret.ok() || !reader.ExpectEnd().ok() || AsText(label.value()) != kLabel ||
      !std::equal(target.file_id.begin(), target.file_id.end(), file_id.value().begin())) {
    return KeyError("foreign_wrap", "a key wrap holds no key of this container; it was made for another one");
  }
  DataKey key = DataKey::Of(secret.value(), target.file_id);
  if (!crypto::EqualSecrets(key.Commitment(), target.commitment)) {
    return KeyError("wrong_data_key", "a key wrap holds another data key than the one that was signed");
  }
  return key;
}

// CountPassphrases counts the wraps that a passphrase opens, and finds those over the limits. kLimit.
Result<std::size_t> CountPassphrases(std::span<const container::EnvelopeItem> items) {
  std::size_t passphrases = 0;
  for (const container::EnvelopeItem& item : items) {
    if (!IsKeyWrap(item)) continue;
    SAFEMODEL_ASSIGN(const bool for_passphrase, age::IsForPassphrase(item.bytes));
    if (for_passphrase) ++passphrases;
  }
  return passphrases;
}

// IsUnfit tells the refusals of TakeKey: the wrap opened, which says more than that another one did not.
bool IsUnfit(const Error& error) {
  const std::string_view code = error.code;
  return code == "foreign_wrap" || code == "wrong_data_key";
}

std::vector<const age::Identity*> AgeIdentities(std::span<const Identity> identities) {
  std::vector<const age::Identity*> found;
  for (const Identity& identity : identities) found.push_back(&IdentityAccess::Of(identity));
  return found;
}

}  // namespace

bool IsKeyWrap(const container::EnvelopeItem& item) {
  return item.kind == static_cast<std::uint16_t>(container::ItemKind::kKeyWrap);
}

Result<container::EnvelopeItem> WrapKey(const DataKey& key, const Recipient& recipient) {
  const crypto::SecretBytes content = ContentOf(key);
  SAFEMODEL_ASSIGN(ByteBuffer wrap, age::SealWrap({&RecipientAccess::Of(recipient), 1}, content.bytes()));
  return container::EnvelopeItem{static_cast<std::uint16_t>(container::ItemKind::kKeyWrap), std::move(wrap)};
}

Status CheckRoomForPassphrase(std::span<const container::EnvelopeItem> items) {
  SAFEMODEL_ASSIGN(const std::size_t passphrases, CountPassphrases(items));
  if (passphrases < kPassphraseWraps) return {};
  return Error{Stage::kUsage, "many_passphrases", "a container has at most two passphrases; remove one first"};
}

Result<DataKey> OpenOneWrap(ByteView wrap, std::span<const Identity> identities, const WrapTarget& target) {
  const auto content = age::OpenWrap(wrap, AgeIdentities(identities));
  if (content.ok()) return TakeKey(content.value().bytes(), target);
  Error error = content.error();
  // Whoever can write the envelope can write what is no wrap at all; to the reader it is one that does not open.
  if (error.stage == Stage::kMalformed) error.stage = Stage::kKey;
  return error;
}

Result<DataKey> OpenKey(std::span<const container::EnvelopeItem> items, std::span<const Identity> identities,
                        const WrapTarget& target) {
  if (identities.empty())
    return KeyError("identity_needed", "this container is encrypted; say with which identity to open it");
  if (std::none_of(items.begin(), items.end(), IsKeyWrap))
    return KeyError(
        "no_key_wraps",
        "the envelope has no key wrap, so nobody can read this container; get the file again, or its envelope");
  // Before one is opened: trying them all must not cost more than that.
  SAFEMODEL_ASSIGN(const std::size_t passphrases, CountPassphrases(items));
  if (passphrases > kPassphraseWraps)
    return Error{Stage::kLimit, "many_passphrases",
                 "more than two key wraps are for passphrases; remove some by number, with recipients remove"};
  std::optional<Error> unfit, refusal;  // of a wrap that opened, and of one that did not
  for (const container::EnvelopeItem& item : items) {
    if (!IsKeyWrap(item)) continue;
    auto key = OpenOneWrap(item.bytes, identities, target);
    if (key.ok() || key.error().stage != Stage::kKey) return key;
    // One bad wrap must not hide a good one.
    if (!unfit && IsUnfit(key.error())) unfit = key.error();
    if (!refusal && std::string_view(key.error().code) != "no_identity") refusal = key.error();
  }
  if (unfit) return *unfit;
  return refusal.value_or(KeyError("no_identity", "none of the identities can open this container"));
}

std::vector<std::string> StanzaKinds(ByteView wrap) {
  std::vector<std::string> kinds;
  ByteReader reader(wrap);
  const auto header = age::ParseHeader(reader, {});
  if (!header.ok()) return kinds;
  for (const age::Stanza& stanza : header.value().stanzas) kinds.push_back(stanza.type);
  return kinds;
}

}  // namespace safemodel::encryption
