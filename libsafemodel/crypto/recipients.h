// SPDX-License-Identifier: Apache-2.0
// What stands behind the public recipients and identities, for the code that seals and opens with them.
#pragma once

#include <utility>

#include <safemodel/recipients.h>

#include "crypto/age_keys.h"

namespace safemodel {

// What ToText says of a passphrase.
inline constexpr const char* kPassphraseText = "passphrase";

struct RecipientAccess {
  static const crypto::age::Recipient& Of(const Recipient& recipient);
  static Recipient Make(crypto::age::Recipient recipient);
};

struct IdentityAccess {
  static const crypto::age::Identity& Of(const Identity& identity);
  static Identity Make(crypto::age::Identity identity);
  // Share returns another holder of the same secret.
  static Identity Share(const Identity& identity);
};

}  // namespace safemodel
