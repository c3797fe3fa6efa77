// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <safemodel/keys.h>

namespace safemodel::cli {

// AskPassphrase returns a source that reads the first line of `file`, or asks on the terminal without echo when `file`
// is empty: "Passphrase: ", or what `question` says. Without a terminal it refuses (kKey). `Confirm` asks twice: for
// new keys.
enum class Confirm { kNo, kYes };
PassphraseSource AskPassphrase(const std::string& file, Confirm confirm, const std::string& question = "Passphrase");

}  // namespace safemodel::cli
