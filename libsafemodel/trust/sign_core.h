// SPDX-License-Identifier: Apache-2.0
// Making statements and envelope frames, without files.
#pragma once

#include <functional>

#include <safemodel/sign.h>

#include "container/format.h"
#include "trust/authenticate.h"
#include "trust/statement.h"

namespace safemodel::trust {

// CheckSignOptions refuses (kUsage) roles and times that no verifier would accept.
Status CheckSignOptions(const SignOptions& options);

// MakeStatementItem signs a statement about a manifest and returns it as an envelope item. `checked` is what the caller
// has verified. Errors: kUsage, kLimit.
Result<container::EnvelopeItem> MakeStatementItem(const Release& release, const Digest& manifest_digest,
                                                  const Signer& key, const SignOptions& options, Checked checked);

// FrameBytes returns the whole frame of an envelope. kLimit when a reader would refuse it.
Result<ByteBuffer> FrameBytes(const container::Envelope& envelope, const Limits& limits);

// MakeSignedEnvelope returns the frame of a first envelope with one statement, for a container that was just written:
// its writer has seen every byte, so the statement says "full". To be appended right behind the manifest.
Result<ByteBuffer> MakeSignedEnvelope(const container::Manifest& manifest, const Digest& manifest_digest,
                                      const Signer& key, const SignOptions& options);

// AfterStatement adds to an envelope whose last item is the statement that was just signed.
using AfterStatement = std::function<Status(container::Envelope& envelope)>;

// SignAnd is Sign with something that happens between signing and writing, under the container's lock. When it fails,
// the envelope stays as it was.
Result<SignReport> SignAnd(const std::string& path, const Signer& key, const SignOptions& options,
                           const AfterStatement& after);

// NextEnvelope returns the envelope that follows the one of an opened container: the same items, the next generation.
Result<container::Envelope> NextEnvelope(const OpenedContainer& opened);

}  // namespace safemodel::trust
