// SPDX-License-Identifier: Apache-2.0
// Where the envelope of a container lies: behind the core, in the sidecar, or half way between. Spec: section 9.
#pragma once

#include <memory>
#include <string>

#include "trust/authenticate.h"

namespace safemodel::trust {

// SidecarOf returns the name of the usual sidecar of a container.
std::string SidecarOf(const std::string& container_path);

// Frame is an envelope and the bytes that it was read from.
struct Frame {
  ByteBuffer bytes;
  container::Envelope envelope;
};

// ReadFrame reads the frame that begins at `offset` and ends where the file ends; its digest is right.
Result<Frame> ReadFrame(const File& file, std::uint64_t offset, const Limits& limits);

// FoundEnvelopes adds to an opened container what a writer must know.
struct FoundEnvelopes {
  OpenedContainer opened;
  bool sidecar = false;      // there is one, and it is good
  bool interrupted = false;  // beside it lie the traces of a writer that was stopped while it folded it in
};

// SidecarLookup says what the sidecar is wanted for. A reader follows links, as the cache of the Hugging Face Hub is
// full of them, and what it reads is authenticated whatever led there. A writer replaces the name, which would leave
// the file behind a link as it is, and refuses one.
enum class SidecarLookup : std::uint8_t { kToRead, kToReplace, kDemanded };

// FindEnvelopes reads preamble, manifest bytes and the envelope that counts, from `file` and the sidecar as they are
// now. Nothing is retried: the caller holds the lock, or compares the sidecar before and after.
Result<FoundEnvelopes> FindEnvelopes(std::shared_ptr<const File> file, const std::shared_ptr<const File>& sidecar,
                                     const Limits& limits);

// LookAtSidecar opens the sidecar, once: the descriptor is all that is used. Null only when there is no such name
// (never when it was demanded): whatever else is in its place, such as a link that leads nowhere, is kIo, so that
// nobody makes a reader fall back to an older envelope; [E-SIDECAR].
Result<std::shared_ptr<const File>> LookAtSidecar(const std::string& path, SidecarLookup lookup);

}  // namespace safemodel::trust
