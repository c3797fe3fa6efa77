// SPDX-License-Identifier: Apache-2.0
// Credentials that were saved with a model by accident. Only those with a published form that begins with a fixed text
// are looked for: they can be told from other data, and a match is worth a person's time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <safemodel/bytes.h>

namespace safemodel::pickle {

enum class CredentialKind : std::uint8_t { kCloud, kToken, kPrivateKey };

struct Credential {
  CredentialKind kind = CredentialKind::kToken;
  const char* name = "";   // "GitHub token"
  std::size_t offset = 0;  // within the text
  std::size_t length = 0;  // of what was recognised; a private key goes on behind it
  std::size_t shown = 0;   // leading bytes that are the same in every credential of this form, and so no secret
};

// FindCredentials calls `found` for each credential in `text`, in ascending order and without overlaps. Time is linear
// in the text whatever it holds, and a text without credentials is read at the speed of memory tables.
//
// A credential must begin where a word begins and end where a word ends. Hand over whole texts: bytes of a length field
// in front of one may look like a letter.
void FindCredentials(ByteView text, const std::function<void(const Credential&)>& found);

// CredentialRule returns the id of the rule for a kind, such as "SECRET-TOKEN".
const char* CredentialRule(CredentialKind kind);

// RedactCredential returns what a report may show: "ghp_… (40 bytes)". `text` is what the credential was found in.
std::string RedactCredential(ByteView text, const Credential& credential);

}  // namespace safemodel::pickle
