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

// SignPayload signs the JSON text of a statement of any kind and returns it as an envelope item. kLimit, and the errors
// of the key.
Result<container::EnvelopeItem> SignPayload(ByteBuffer payload, const Signer& key, const Limits& limits);

// NextEnvelope returns what the envelope of this manifest will be before a new item is in it. kLimit "last_generation".
Result<container::Envelope> NextEnvelope(const std::optional<container::Envelope>& current,
                                         const Digest& manifest_digest);

// StatementsOf counts the statement items.
[[nodiscard]] std::size_t StatementsOf(const container::Envelope& envelope);

// FrameBytes returns the whole frame of an envelope. kLimit when a reader would refuse it.
Result<ByteBuffer> FrameBytes(const container::Envelope& envelope, const Limits& limits);

// MakeFirstEnvelope returns the frame of a first envelope, for a container that was just written: with key wraps and
// notes, and with a statement when there is a key. The writer has seen every byte, so the statement says "full". To be
// appended right behind the manifest.
Result<ByteBuffer> MakeFirstEnvelope(const container::Manifest& manifest, const Digest& manifest_digest,
                                     std::vector<container::EnvelopeItem> key_items, const Signer* key,
                                     const SignOptions& options);

// AfterStatement adds to an envelope whose last item is the statement that was just signed.
using AfterStatement = std::function<Status(container::Envelope& envelope)>;

// SignAnd is Sign with something that happens between signing and writing, under the container's lock. When it fails,
// the envelope stays as it was.
Result<SignReport> SignAnd(const std::string& path, const Signer& key, const SignOptions& options,
                           const AfterStatement& after);

}  // namespace safemodel::trust
