// SPDX-License-Identifier: Apache-2.0
// What an envelope has already by the key that signs again.
#pragma once

#include <cstddef>
#include <string_view>

#include <safemodel/sign.h>

#include "container/format.h"
#include "trust/release.h"

namespace safemodel::trust {

// EarlierStatements is about the release statements of an envelope that the same key made about the same manifest in
// the same role: in another role a key says something else. Statements of others and attestations are none.
struct EarlierStatements {
  std::size_t replaced = 0;
  bool outlasts = false;  // one that stays ends later than the new one, or never
};

// FitEarlier takes them out of `envelope`, with the log proofs that are about them alone, when the options say so, and
// otherwise looks at their ends. It comes before the new statement is added. Who signed is what the signature says:
// key ids are hints.
EarlierStatements FitEarlier(container::Envelope& envelope, ReleaseKind kind, const PublicKey& key,
                             const SignOptions& options);

// TakeOutAttestations takes out the attestations of a predicate type that the key made about the manifest of
// `envelope`, and returns how many there were.
std::size_t TakeOutAttestations(container::Envelope& envelope, const PublicKey& key, std::string_view predicate_type,
                                const Limits& limits);

}  // namespace safemodel::trust
