// SPDX-License-Identifier: Apache-2.0
// Where the text of a secret key comes from. It goes straight into guarded memory, with no copy beside it.
#pragma once

#include <optional>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "crypto/secret.h"

namespace safemodel::crypto {

inline constexpr std::size_t kKeyFileBytes = 4096;  // the largest that is read is an OpenSSH key with a long comment

// SecretText is what was read.
struct SecretText {
  explicit SecretText(std::size_t most) : memory(most) {}
  SecretBytes memory;
  std::size_t size = 0;
  [[nodiscard]] ByteView bytes() const { return ByteView(memory.bytes()).first(size); }
};

// `most` bounds what is read, in bytes: one key unless stated.
//
// ReadSecretFile reads a regular file. Errors: kIo; kKey when it is empty or too long.
Result<SecretText> ReadSecretFile(const std::string& path, std::size_t most = kKeyFileBytes);

// ReadSecretDescriptor reads to the end of what is open at `fd`, whatever it is, and leaves it open. kKey for all.
Result<SecretText> ReadSecretDescriptor(int fd, std::size_t most = kKeyFileBytes);

// TakeSecretVariable reads an environment variable, wipes its value and removes it. kKey when it is not set, empty or
// too long.
Result<SecretText> TakeSecretVariable(const std::string& name, std::size_t most = kKeyFileBytes);

// ReadSecret reads what a user names: "-", "fd:N" (closed afterwards), "env:VAR", or a path.
Result<SecretText> ReadSecret(const std::string& source, std::size_t most = kKeyFileBytes);

// HoldsSecret tells an environment variable ("NAME=VALUE") that holds a secret key in a form that we know.
bool HoldsSecret(std::string_view variable);

}  // namespace safemodel::crypto
