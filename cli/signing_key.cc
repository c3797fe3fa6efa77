// SPDX-License-Identifier: Apache-2.0
#include "signing_key.h"

#include <sys/stat.h>

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

Result<SecretKey> OpenSigningKey(const Console& console, const std::string& path, const std::string& passphrase_file) {
  bool is_protected = false;
  const PassphraseSource ask = AskPassphrase(passphrase_file, Confirm::kNo);
  auto key = SecretKey::FromFile(path, [&is_protected, &ask] {
    is_protected = true;
    return ask();
  });
  if (key.ok() && !is_protected && OthersMayRead(path)) {
    console.Note("warning: " + EscapeForTerminal(path) +
                 ": this secret key has no passphrase and its file can be read by others; chmod 600 it "
                 "(key_readable_by_others)");
  }
  return key;
}

}  // namespace safemodel::cli
