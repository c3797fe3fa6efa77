// SPDX-License-Identifier: Apache-2.0
// The DER of Ed25519 keys (RFC 8410), as OpenSSL writes them in PEM. Keys of one algorithm have one shape, so bytes are
// compared with it; there is no parser of ASN.1.
#pragma once

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "crypto/ed25519.h"

namespace safemodel::crypto {

inline constexpr const char* kPublicLabel = "PUBLIC KEY";
inline constexpr const char* kSecretLabel = "PRIVATE KEY";

// ParseSpki reads a SubjectPublicKeyInfo. Errors: kKey.
Result<Ed25519PublicKey> ParseSpki(ByteView der);
ByteBuffer SerializeSpki(const Ed25519PublicKey& key);

// ParsePkcs8 reads a OneAsymmetricKey: version 1 without attributes, or version 2, whose public half must belong to the
// secret one and whose attributes are not looked at. Errors: kKey.
Result<Ed25519KeyPair> ParsePkcs8(ByteView der);
SecretBytes SerializePkcs8(const Ed25519KeyPair& pair);

}  // namespace safemodel::crypto
