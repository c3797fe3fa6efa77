// SPDX-License-Identifier: Apache-2.0
// The encryption of a container that is about to be written, and its first envelope.
#pragma once

#include <span>
#include <vector>

#include <safemodel/recipients.h>
#include <safemodel/sign.h>

#include "model/writer.h"

namespace safemodel {

// NewEncryption is a fresh data key, and the items of the envelope that give it to its recipients.
struct NewEncryption {
  SharedCipher cipher;  // null: the container is not encrypted
  std::vector<container::EnvelopeItem> items;
};

// EncryptFor draws file id and data key. Errors: kUsage "no_recipients", "bad_bucket" (no power of two up to the
// limit), kLimit "too_many_recipients"; those of wrapping.
Result<NewEncryption> EncryptFor(std::span<const Recipient> recipients, std::uint32_t bucket_bytes,
                                 const Limits& limits);

// HideSource moves the metadata that tell about the source from what anybody reads to what recipients read: nobody else
// is to confirm a guess about the content.
void HideSource(ModelIdentity& identity, container::Directory& directory);

// AppendEnvelope appends the first envelope to a container that was just written: key items, and a statement when there
// is a key to sign with; nothing when there is neither. The file has no name yet, so it is never seen unsigned.
Status AppendEnvelope(OutputFile& output, const WrittenManifest& written,
                      std::vector<container::EnvelopeItem> key_items, const Signer* key, const SignOptions& options);

}  // namespace safemodel
