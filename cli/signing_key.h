// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <safemodel/open_signer.h>

#include "console.h"

namespace safemodel::cli {

// SigningKeyOptions are the options of a verb that signs: --passphrase-file and --public-key, beside the key itself.
// Where a container has a passphrase too, that of the key is --key-passphrase-file.
struct SigningKeyOptions {
  std::string key;
  std::string passphrase_file;
  std::string public_key;

  // AddOptions adds the two; the verb names its key in its own way.
  void AddOptions(CLI::App& verb, const char* passphrase_option = "--passphrase-file");
  // ShownKey is the key as messages may name it: nothing when it is a secret itself, given by mistake.
  [[nodiscard]] std::string ShownKey() const;
};

// kKeyHelp says what the option for a key takes.
inline constexpr const char* kKeyHelp =
    "a secret key file of minisign, OpenSSH or OpenSSL; - or fd:N; env:VAR; ssh-agent:PUBKEY; or exec:CMD";

// kKeyPassphraseFile is the option's name in verbs that are about passphrases of containers.
inline constexpr const char* kKeyPassphraseFile = "--key-passphrase-file";

// WarnIfReadable warns of a secret that has no passphrase and that others may read. It is used all the same: where
// secrets are mounted (Kubernetes: mode 0644), their owner cannot change the mode.
void WarnIfReadable(const Console& console, const std::string& path);

// OpenSigningKey opens the signer that was asked for, with the passphrase from a file or the terminal if the key is
// protected. A key that is not protected and that others may read is used with a warning.
Result<std::unique_ptr<Signer>> OpenSigningKey(const Console& console, const SigningKeyOptions& options);

}  // namespace safemodel::cli
