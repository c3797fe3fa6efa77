// SPDX-License-Identifier: Apache-2.0
// Key wraps as people see them.
#pragma once

#include <safemodel/encrypt.h>

#include "encryption/key_wraps.h"

namespace safemodel {

// AskForIdentities asks the caller's source; nobody's identities when there is none.
Result<std::vector<Identity>> AskForIdentities(const IdentitySource& source);

// DescribeWraps lists the key wraps of an envelope; with the data key (it may be null) also for whom they are.
std::vector<KeyWrap> DescribeWraps(std::span<const container::EnvelopeItem> items, const encryption::DataKey* key);

// IsForPassphrase tells a wrap that a passphrase opens.
[[nodiscard]] bool IsForPassphrase(const KeyWrap& wrap);

// TryWraps says of each wrap whether one of the identities opens it. Passphrases are not tried: each costs seconds.
void TryWraps(std::span<const container::EnvelopeItem> items, std::span<const Identity> identities,
              const encryption::WrapTarget& target, std::vector<KeyWrap>& wraps);

}  // namespace safemodel
