// SPDX-License-Identifier: Apache-2.0
// Seals and opens key wraps for tests/interop/age_test.py, which compares them with the program age.
//
//   age_tool seal (RECIPIENTS-FILE | passphrase:TEXT)  <plain >wrap
//   age_tool open (IDENTITIES-FILE | passphrase:TEXT)  <wrap >plain
//
// A refusal prints its code to standard error and exits with 1.
#include <iostream>
#include <iterator>
#include <string>

#include "crypto/age_wrap.h"

namespace {

using namespace safemodel;               // NOLINT(google-build-using-namespace)
using namespace safemodel::crypto::age;  // NOLINT(google-build-using-namespace)

constexpr std::string_view kPassphrase = "passphrase:";

int Refuse(const Error& error) {
  std::cerr << error.code << '\n';
  return 1;
}

int Print(ByteView bytes) {
  std::cout << AsText(bytes);
  std::cout.flush();
  return std::cout.good() ? 0 : 1;
}

int Seal(const std::string& keys, ByteView plain) {
  std::vector<Recipient> recipients;
  if (keys.starts_with(kPassphrase)) {
    auto passphrase = Passphrase::FromBytes(AsBytes(keys.substr(kPassphrase.size())));
    if (!passphrase.ok()) return Refuse(passphrase.error());
    recipients.emplace_back(PassphraseRecipient{std::move(passphrase).value(), 10});
  } else {
    auto read = ReadRecipients(keys);
    if (!read.ok()) return Refuse(read.error());
    recipients = std::move(read).value();
  }
  const auto file = SealWrap(recipients, plain);
  return file.ok() ? Print(file.value()) : Refuse(file.error());
}

int Open(const std::string& keys, ByteView file) {
  std::vector<Identity> identities;
  if (keys.starts_with(kPassphrase)) {
    const std::string text = keys.substr(kPassphrase.size());
    identities.emplace_back(PassphraseIdentity{[text]() { return Passphrase::FromBytes(AsBytes(text)); }});
  } else {
    auto read = ReadIdentities(keys);
    if (!read.ok()) return Refuse(read.error());
    identities = std::move(read).value();
  }
  const auto plain = OpenWrap(file, identities);
  return plain.ok() ? Print(plain.value().bytes()) : Refuse(plain.error());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string input((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  const std::string verb = argc == 3 ? argv[1] : "";
  if (verb == "seal") return Seal(argv[2], AsBytes(input));
  if (verb == "open") return Open(argv[2], AsBytes(input));
  std::cerr << "usage: age_tool (seal | open) KEYS\n";
  return 2;
}
