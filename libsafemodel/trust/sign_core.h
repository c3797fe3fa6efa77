// SPDX-License-Identifier: Apache-2.0
// Making statements: shared by Sign and by the converter, which signs before its output has a name.
#pragma once

#include <safemodel/sign.h>

#include "container/format.h"
#include "trust/statement.h"

namespace safemodel::trust {

// MakeStatementItem signs a statement about a manifest. `checked` is what the caller's tool had checked. Errors: kUsage
// (role, required roles, times).
Result<container::EnvelopeItem> MakeStatementItem(const container::Manifest& manifest, const Digest& manifest_digest, const SecretKey& key,
                                                  const SignOptions& options, Checked checked);

// MakeSignedEnvelope returns a whole envelope frame with one statement in it.
Result<ByteBuffer> MakeSignedEnvelope(const container::Manifest& manifest, const Digest& manifest_digest, const SecretKey& key,
                                      const SignOptions& options);

}  // namespace safemodel::trust
