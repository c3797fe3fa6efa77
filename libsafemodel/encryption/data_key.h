// SPDX-License-Identifier: Apache-2.0
// The data key of one container, and what is derived from it. Spec: section 16.
#pragma once

#include <safemodel/bytes.h>

#include "container/format.h"
#include "crypto/secret.h"

namespace safemodel::encryption {

inline constexpr std::size_t kDataKeyBytes = 32;

// DataKey belongs to one file id: another container never has the same one. Move-only, in guarded memory.
class DataKey {
 public:
  static DataKey Generate(const FileId& file_id);
  // Of copies kDataKeyBytes.
  static DataKey Of(ByteView bytes, const FileId& file_id);

  [[nodiscard]] ByteView bytes() const { return secret_.bytes(); }
  [[nodiscard]] const FileId& file_id() const { return file_id_; }
  // Commitment returns what the manifest states; [K-COMMITMENT]. XChaCha20-Poly1305 does not commit to its key, so this
  // is compared before anything is opened.
  [[nodiscard]] Digest Commitment() const;
  [[nodiscard]] crypto::SecretBytes NoteKey() const;
  // ObjectKey fills `key` (32 bytes) with the key of the object that has this salt.
  void ObjectKey(const Digest& salt, MutableBytes key) const;

 private:
  DataKey(crypto::SecretBytes secret, const FileId& file_id) : secret_(std::move(secret)), file_id_(file_id) {}
  crypto::SecretBytes secret_;
  FileId file_id_;
};

}  // namespace safemodel::encryption
