// SPDX-License-Identifier: Apache-2.0
#include "signing_key.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>

#include "escape.h"
#include "passphrase.h"

namespace safemodel::cli {
namespace {

// OthersMayRead looks at the file behind links, as reading does. A file that cannot be looked at raises no warning.
bool OthersMayRead(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

}  // namespace

void SigningKeyOptions::AddOptions(CLI::App& verb, const char* passphrase_option) {
  verb.add_option(passphrase_option, passphrase_file, "Read the key's passphrase from this file")->type_name("FILE");
  verb.add_option("--public-key", public_key,
                  "The public key that must sign: a file or a text. exec: needs it, nothing else says whose key it is")
      ->type_name("PUBKEY");
}

std::string SigningKeyOptions::ShownKey() const { return IsSecretKeyText(key) ? std::string() : key; }

void WarnIfReadable(const Console& console, const std::string& path) {
  if (!OthersMayRead(path)) return;
  console.Note("warning: " + EscapeForTerminal(path) +
               ": this secret key has no passphrase and its file can be read by others; chmod 600 it "
               "(key_readable_by_others)");
}

Result<std::unique_ptr<Signer>> OpenSigningKey(const Console& console, const SigningKeyOptions& options) {
  OpenSignerOptions wanted;
  if (!options.public_key.empty()) {
    auto public_key = PublicKey::Parse(options.public_key);
    if (!public_key.ok()) return public_key.error();
    wanted.public_key = public_key.value();
  }
  bool is_protected = false;
  const PassphraseSource ask = AskPassphrase(options.passphrase_file, Confirm::kNo);
  wanted.passphrase = [&is_protected, &ask] {
    is_protected = true;
    return ask();
  };
  auto signer = OpenSigner(options.key, wanted);
  if (signer.ok() && !is_protected) WarnIfReadable(console, options.key);
  return signer;
}

}  // namespace safemodel::cli
