// SPDX-License-Identifier: Apache-2.0
// Where envelopes lie: at the end of the file, or beside it. Spec section 9.
#pragma once

#include <string>

#include "base/file.h"
#include "container/format.h"
#include "trust/authenticate.h"

namespace safemodel::trust {

// SidecarOf returns the path of a file's sidecar.
std::string SidecarOf(const std::string& path);

// SerializeEnvelope returns the whole frame, its digest included.
ByteBuffer SerializeEnvelope(const container::Envelope& envelope);

// OpenFraming reads preamble, manifest and envelope of an open file, as OpenContainer does for a path. kIo "envelope_changed" when a
// signer was at work meanwhile.
Result<OpenedContainer> OpenFraming(std::shared_ptr<const File> file, const std::string& envelope_path, const Limits& limits);

// StoreEnvelope replaces the envelope of a container that the caller has locked: sidecar first, then, unless it is to stay
// there, folded into the file. Killed at any point, it leaves the old or the new envelope complete [E-UPDATE].
enum class Fold : std::uint8_t { kIntoFile, kLeaveBeside };
Status StoreEnvelope(const File& file, std::uint64_t core_bytes, const container::Envelope& envelope, Fold fold);

}  // namespace safemodel::trust
