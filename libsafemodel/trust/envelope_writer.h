// SPDX-License-Identifier: Apache-2.0
// Replacing the envelope of a container so that a reader, or a crash at any moment, finds the old or the new one.
// Spec: section 9.
#pragma once

#include <memory>
#include <string>

#include <safemodel/sign.h>

#include "trust/envelope_store.h"

namespace safemodel::trust {

// EnvelopeWriter holds the exclusive lock of a container from before the envelope is read until it is written.
class EnvelopeWriter {
 public:
  // Open locks the container and finds its envelope. Errors: kIo ("locked" when another writer is at work), and those
  // of FindEnvelopes. A symbolic link is refused: the sidecar must lie beside the file itself, where every reader
  // looks.
  static Result<EnvelopeWriter> Open(const std::string& path, Placement placement, const Limits& limits);

  [[nodiscard]] const OpenedContainer& container() const { return found_.opened; }

  // Write makes `frame` the envelope and returns the path of the file that now holds it. The core is never written.
  // After a kIo "fold_failed" the new envelope is complete, in the sidecar.
  Result<std::string> Write(ByteView frame);

 private:
  EnvelopeWriter() = default;
  [[nodiscard]] bool Folds() const;
  [[nodiscard]] Status Fold(ByteView frame) const;

  std::string path_;
  Placement placement_ = Placement::kKeep;
  bool writable_ = false;
  FoundEnvelopes found_;
};

}  // namespace safemodel::trust
