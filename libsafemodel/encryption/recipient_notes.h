// SPDX-License-Identifier: Apache-2.0
// Recipient notes tell recipients for whom the key wraps are. Spec: section 16, [K-NOTE].
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include <safemodel/recipients.h>

#include "container/format.h"
#include "encryption/data_key.h"

namespace safemodel::encryption {

// AddRecipient adds a key wrap for a recipient to the items of an envelope, and the note about it. Nothing is added,
// and the answer is kNo, when the notes name the recipient already. A passphrase is never the same one. Errors: those
// of WrapKey; kUsage "many_passphrases" for a third one.
enum class Added : std::uint8_t { kNo, kYes };
Result<Added> AddRecipient(const DataKey& key, const Recipient& recipient, std::vector<container::EnvelopeItem>& items);

// MakeNote makes the envelope item that says for whom a wrap is. The text has 1 to 4096 bytes.
container::EnvelopeItem MakeNote(const DataKey& key, ByteView wrap, std::string_view recipient);

// ReadNotes returns the recipients by the BLAKE3 of their wraps. Notes that do not open, or whose wrap is not
// there, count for nothing.
std::map<Digest, std::string> ReadNotes(const DataKey& key, std::span<const container::EnvelopeItem> items);

[[nodiscard]] bool IsRecipientNote(const container::EnvelopeItem& item);
// IsNoteAbout tells a note about a wrap, whose BLAKE3 this is, without opening it.
[[nodiscard]] bool IsNoteAbout(const container::EnvelopeItem& item, const Digest& wrap_digest);

}  // namespace safemodel::encryption
