// SPDX-License-Identifier: Apache-2.0
// Key wraps: the data key as age files in the envelope. Spec: section 16, [K-WRAP].
#pragma once

#include <span>
#include <string>
#include <vector>

#include <safemodel/recipients.h>

#include "container/format.h"
#include "encryption/data_key.h"

namespace safemodel::encryption {

// WrapKey makes the envelope item that opens the data key for one recipient. Errors: those of age::SealWrap.
Result<container::EnvelopeItem> WrapKey(const DataKey& key, const Recipient& recipient);

// CheckRoomForPassphrase refuses (kUsage "many_passphrases") a third wrap that a passphrase opens: no reader would take
// it.
Status CheckRoomForPassphrase(std::span<const container::EnvelopeItem> items);

// WrapTarget is what the data key of a container must fit.
struct WrapTarget {
  FileId file_id{};
  Digest commitment{};
};

// OpenKey goes through the key wraps among `items` and returns the data key of the first that one of the identities
// opens and whose key is the one that the manifest commits to. Errors: kKey "identity_needed" without identities,
// "no_key_wraps"; kLimit, of all wraps and before one is opened; when none fits, kKey with the first of "foreign_wrap"
// and "wrong_data_key", else the first error of age, else "no_identity".
Result<DataKey> OpenKey(std::span<const container::EnvelopeItem> items, std::span<const Identity> identities,
                        const WrapTarget& target);

// OpenOneWrap is OpenKey for one wrap.
Result<DataKey> OpenOneWrap(ByteView wrap, std::span<const Identity> identities, const WrapTarget& target);

// StanzaKinds returns the types of the age stanzas of a wrap; nothing for one that cannot be read.
std::vector<std::string> StanzaKinds(ByteView wrap);

[[nodiscard]] bool IsKeyWrap(const container::EnvelopeItem& item);

}  // namespace safemodel::encryption
