// SPDX-License-Identifier: Apache-2.0
#include "encryption/data_key.h"

#include <algorithm>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/subkey.h"

namespace safemodel::encryption {

DataKey DataKey::Generate(const FileId& file_id) {
  DataKey key(crypto::SecretBytes(kDataKeyBytes), file_id);
  crypto::RandomBytes(key.secret_.bytes());
  return key;
}

DataKey DataKey::Of(ByteView bytes, const FileId& file_id) {
  DataKey key(crypto::SecretBytes(kDataKeyBytes), file_id);
  std::copy_n(bytes.begin(), kDataKeyBytes, key.secret_.bytes().begin());
  return key;
}

Digest DataKey::Commitment() const {
  Digest commitment{};
  crypto::DeriveSubkey(container::kCommitmentContext, bytes(), file_id_, commitment);
  return commitment;
}

crypto::SecretBytes DataKey::NoteKey() const {
  crypto::SecretBytes key(crypto::kAeadKeyBytes);
  crypto::DeriveSubkey(container::kNoteKeyContext, bytes(), {}, key.bytes());
  return key;
}

void DataKey::ObjectKey(const Digest& salt, MutableBytes key) const {
  crypto::DeriveSubkey(container::kObjectKeyContext, bytes(), salt, key);
}

}  // namespace safemodel::encryption
