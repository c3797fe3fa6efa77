// SPDX-License-Identifier: Apache-2.0
// Public keys in all encodings. Input: the text of a key file. What is accepted is the same key, with the same
// application, when it was written in OpenSSH's encoding, and the same bytes in the others.
#include <safemodel/keys.h>

#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;  // NOLINT(google-build-using-namespace)
  const auto key = PublicKey::FromText({reinterpret_cast<const char*>(data), size});
  if (!key.ok()) {
    SAFEMODEL_PROPERTY(key.error().stage == Stage::kKey);
    SAFEMODEL_PROPERTY(key.error().subject.empty());  // it might be a secret, pasted in the wrong place
    return 0;
  }
  const std::string text = key.value().ToText(KeyFormat::kOpenSsh);
  const auto again = PublicKey::FromText(text);
  SAFEMODEL_PROPERTY(again.ok() && again.value() == key.value());
  SAFEMODEL_PROPERTY(again.value().application() == key.value().application());
  SAFEMODEL_PROPERTY(again.value().KeyId() == key.value().KeyId() && again.value().ToText(KeyFormat::kOpenSsh) == text);
  for (const KeyFormat format : {KeyFormat::kMinisign, KeyFormat::kPem}) {
    const auto other = PublicKey::FromText(key.value().ToText(format));
    SAFEMODEL_PROPERTY(other.ok() && other.value() == key.value());
  }
  return 0;
}
