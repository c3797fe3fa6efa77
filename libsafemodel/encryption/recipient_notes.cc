// SPDX-License-Identifier: Apache-2.0
#include "encryption/recipient_notes.h"

#include <algorithm>
#include <set>

#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "encryption/key_wraps.h"

namespace safemodel::encryption {
namespace {

constexpr std::size_t kTextBytes = 4096;

crypto::AeadKey KeyOf(const crypto::SecretBytes& key) {
  return crypto::AeadKey(key.bytes().data(), crypto::kAeadKeyBytes);
}

ByteBuffer AssociatedData(const DataKey& key, ByteView wrap_digest) {
  ByteWriter writer;
  writer.Bytes(key.file_id());
  writer.Bytes(wrap_digest);
  return std::move(writer).Finish();
}

std::optional<std::string> OpenNote(const DataKey& key, const Digest& wrap_digest, const crypto::XChaCha20Nonce& nonce,
                                    ByteView sealed) {
  if (sealed.size() <= crypto::kAeadTagBytes || sealed.size() > kTextBytes + crypto::kAeadTagBytes) return std::nullopt;
  std::string text(sealed.size() - crypto::kAeadTagBytes, '\0');
  const MutableBytes plain(reinterpret_cast<std::uint8_t*>(text.data()), text.size());
  if (!crypto::OpenXChaCha20Appended(KeyOf(key.NoteKey()), nonce, AssociatedData(key, wrap_digest), sealed, plain))
    return std::nullopt;
  if (!IsUtf8(text) || HasControls(text)) return std::nullopt;
  return text;
}

std::set<Digest> DigestsOfWraps(std::span<const container::EnvelopeItem> items) {
  std::set<Digest> digests;
  for (const container::EnvelopeItem& item : items) {
    if (IsKeyWrap(item)) digests.insert(crypto::Blake3Of(item.bytes));
  }
  return digests;
}

bool IsNamed(const DataKey& key, const std::string& recipient, std::span<const container::EnvelopeItem> items) {
  const auto notes = ReadNotes(key, items);
  return std::any_of(notes.begin(), notes.end(), [&](const auto& note) { return note.second == recipient; });
}

}  // namespace

Result<Added> AddRecipient(const DataKey& key, const Recipient& recipient,
                           std::vector<container::EnvelopeItem>& items) {
  if (!recipient.is_passphrase() && IsNamed(key, recipient.ToText(), items)) return Added::kNo;
  if (recipient.is_passphrase()) SAFEMODEL_TRY(CheckRoomForPassphrase(items));
  SAFEMODEL_ASSIGN(container::EnvelopeItem wrap, WrapKey(key, recipient));
  container::EnvelopeItem note = MakeNote(key, wrap.bytes, recipient.ToText());
  items.push_back(std::move(wrap));
  items.push_back(std::move(note));
  return Added::kYes;
}

container::EnvelopeItem MakeNote(const DataKey& key, ByteView wrap, std::string_view recipient) {
  const Digest digest = crypto::Blake3Of(wrap);
  crypto::XChaCha20Nonce nonce{};
  crypto::RandomBytes(nonce);  // of 24 random bytes no two are ever equal
  ByteBuffer sealed(recipient.size() + crypto::kAeadTagBytes);
  crypto::SealXChaCha20Appended(KeyOf(key.NoteKey()), nonce, AssociatedData(key, digest), AsBytes(recipient), sealed);
  ByteWriter writer;
  writer.Bytes(digest);
  writer.Bytes(nonce);
  writer.Bytes(sealed);
  return {static_cast<std::uint16_t>(container::ItemKind::kRecipientNote), std::move(writer).Finish()};
}

std::map<Digest, std::string> ReadNotes(const DataKey& key, std::span<const container::EnvelopeItem> items) {
  const std::set<Digest> wraps = DigestsOfWraps(items);
  std::map<Digest, std::string> notes;
  for (const container::EnvelopeItem& item : items) {
    if (!IsRecipientNote(item)) continue;
    ByteReader reader(item.bytes);
    const auto digest = reader.TakeArray<std::tuple_size_v<Digest>>();
    const auto nonce = reader.TakeArray<std::tuple_size_v<crypto::XChaCha20Nonce>>();
    if (!digest.ok() || !nonce.ok() || !wraps.contains(digest.value())) continue;
    const auto text = OpenNote(key, digest.value(), nonce.value(), reader.TakeRest());
    if (text) notes.emplace(digest.value(), *text);
  }
  return notes;
}

bool IsRecipientNote(const container::EnvelopeItem& item) {
  return item.kind == static_cast<std::uint16_t>(container::ItemKind::kRecipientNote);
}

bool IsNoteAbout(const container::EnvelopeItem& item, const Digest& wrap_digest) {
  if (!IsRecipientNote(item)) return false;
  const auto digest = ByteReader(item.bytes).TakeArray<std::tuple_size_v<Digest>>();
  return digest.ok() && digest.value() == wrap_digest;
}

}  // namespace safemodel::encryption
