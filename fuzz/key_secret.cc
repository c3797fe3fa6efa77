// SPDX-License-Identifier: Apache-2.0
// Secret keys in all encodings. Input: the text of a key file; nobody is there to ask for a passphrase. What is
// accepted signs under the public half that it states, and is the same key when it was written in the fixed encodings.
#include <safemodel/keys.h>

#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "crypto/ed25519.h"
#include "crypto/openssh.h"
#include "crypto/pem.h"
#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;  // NOLINT(google-build-using-namespace)
  if (const auto pair = crypto::ParsePkcs8({data, size}); pair.ok()) {
    const auto written = crypto::SerializePkcs8(pair.value());
    const auto again = crypto::ParsePkcs8(written.bytes());
    SAFEMODEL_PROPERTY(again.ok() && again.value().public_key() == pair.value().public_key());
  }
  if (const auto pair = crypto::ParseOpenSshSecret({data, size}); pair.ok()) {
    const auto written = crypto::SerializeOpenSshSecret(pair.value());
    const auto again = crypto::ParseOpenSshSecret(written.bytes());
    SAFEMODEL_PROPERTY(again.ok() && again.value().public_key() == pair.value().public_key());
  }
  const auto key = SecretKey::FromText({data, size}, {});
  if (!key.ok()) {
    SAFEMODEL_PROPERTY(key.error().stage == Stage::kKey || key.error().stage == Stage::kLimit);
    SAFEMODEL_PROPERTY(key.error().subject.empty());
    return 0;
  }
  const auto signature = key.value().SignBytes(AsBytes("message"));
  SAFEMODEL_PROPERTY(signature.ok());
  SAFEMODEL_PROPERTY(crypto::VerifyEd25519(AsBytes("message"), signature.value(), key.value().public_key().bytes()));
  return 0;
}
