// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <safemodel/keys.h>

#include "console.h"

namespace safemodel::cli {

// OpenSigningKey reads the secret key file at `path`, with the passphrase from `passphrase_file` or the terminal if the
// key is protected. A key that is not protected and that others may read is used with a warning: where secrets are
// mounted (Kubernetes: mode 0644), their owner cannot change the mode.
Result<SecretKey> OpenSigningKey(const Console& console, const std::string& path, const std::string& passphrase_file);

}  // namespace safemodel::cli
