// SPDX-License-Identifier: Apache-2.0
#include "model/key_wraps.h"

#include "crypto/age_stanza.h"
#include "crypto/hash.h"
#include "encryption/recipient_notes.h"

namespace safemodel {

Result<std::vector<Identity>> AskForIdentities(const IdentitySource& source) {
  if (!source) return std::vector<Identity>();
  return source();
}

std::vector<KeyWrap> DescribeWraps(std::span<const container::EnvelopeItem> items, const encryption::DataKey* key) {
  std::map<Digest, std::string> notes;
  if (key != nullptr) notes = encryption::ReadNotes(*key, items);
  std::vector<KeyWrap> wraps;
  for (const container::EnvelopeItem& item : items) {
    if (!encryption::IsKeyWrap(item)) continue;
    KeyWrap wrap;
    wrap.number = wraps.size() + 1;
    wrap.kinds = encryption::StanzaKinds(item.bytes);
    const auto note = notes.find(crypto::Blake3Of(item.bytes));
    if (note != notes.end()) wrap.recipient = note->second;
    wraps.push_back(std::move(wrap));
  }
  return wraps;
}

bool IsForPassphrase(const KeyWrap& wrap) {
  return wrap.kinds.size() == 1 && wrap.kinds.front() == crypto::age::kScryptType;
}

void TryWraps(std::span<const container::EnvelopeItem> items, std::span<const Identity> identities,
              const encryption::WrapTarget& target, std::vector<KeyWrap>& wraps) {
  std::size_t next = 0;
  for (const container::EnvelopeItem& item : items) {
    if (!encryption::IsKeyWrap(item)) continue;
    KeyWrap& wrap = wraps[next++];
    if (IsForPassphrase(wrap)) continue;
    const bool opens = encryption::OpenOneWrap(item.bytes, identities, target).ok();
    wrap.opened = opens ? KeyWrap::Opened::kYes : KeyWrap::Opened::kNo;
  }
}

}  // namespace safemodel
