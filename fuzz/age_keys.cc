// SPDX-License-Identifier: Apache-2.0
// Files of recipients and of identities. What is accepted is within the limits and says the same when it is written
// again, and a plugin's name has no letter that means something to a path.
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "crypto/age_keys.h"
#include "fuzz/property.h"

namespace {

using namespace safemodel;               // NOLINT(google-build-using-namespace)
using namespace safemodel::crypto::age;  // NOLINT(google-build-using-namespace)

void CheckRefusal(const Error& error) {
  SAFEMODEL_PROPERTY(error.stage == Stage::kKey || error.stage == Stage::kLimit);
}

void Check(const Recipient& recipient) {
  if (const auto* x25519 = std::get_if<X25519Recipient>(&recipient)) {
    const auto again = ParseRecipient(SerializeRecipient(*x25519));
    SAFEMODEL_PROPERTY(again.ok() && std::get<X25519Recipient>(again.value()).key == x25519->key);
  } else if (const auto* ssh = std::get_if<SshRecipient>(&recipient)) {
    const auto again = ParseRecipient(SerializeRecipient(*ssh));
    SAFEMODEL_PROPERTY(again.ok() && std::get<SshRecipient>(again.value()).key == ssh->key);
  } else {
    const auto* program = std::get_if<ProgramRecipient>(&recipient);
    SAFEMODEL_PROPERTY(program != nullptr && program->text.find_first_of("/\\ \n") == std::string::npos);
  }
}

void Check(const Identity& identity) {
  if (const auto* x25519 = std::get_if<X25519Identity>(&identity)) {
    const auto again = ParseIdentity(AsText(SerializeIdentity(*x25519).bytes()));
    SAFEMODEL_PROPERTY(again.ok() && std::get<X25519Identity>(again.value()).public_key == x25519->public_key);
  } else if (const auto* program = std::get_if<ProgramIdentity>(&identity)) {
    SAFEMODEL_PROPERTY(AsText(program->text.bytes()).find_first_of("/\\ \n") == std::string_view::npos);
  } else {
    SAFEMODEL_PROPERTY(std::holds_alternative<SshIdentity>(identity));
  }
}

template <typename Key>
void CheckAll(const Result<std::vector<Key>>& keys) {
  if (!keys.ok()) return CheckRefusal(keys.error());
  SAFEMODEL_PROPERTY(!keys.value().empty() && keys.value().size() <= kMostKeys);
  for (const Key& key : keys.value()) Check(key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = AsText({data, size});
  CheckAll(ParseRecipients(text));
  CheckAll(ParseIdentities(text));
  return 0;
}
