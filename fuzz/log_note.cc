// SPDX-License-Identifier: Apache-2.0
// Signed notes and checkpoints: what is accepted is written back byte for byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "fuzz/property.h"
#include "log/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;       // NOLINT(google-build-using-namespace)
  using namespace safemodel::log;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  const ByteView bytes(data, size);
  const auto note = ParseNote(bytes, limits);
  const auto checkpoint = ParseSignedCheckpoint(bytes, limits);
  SAFEMODEL_PROPERTY(note.ok() || !checkpoint.ok());
  if (!note.ok()) {
    SAFEMODEL_PROPERTY(note.error().stage == Stage::kMalformed || note.error().stage == Stage::kLimit);
    return 0;
  }
  const ByteBuffer written = SerializeNote(note.value());
  SAFEMODEL_PROPERTY(std::equal(written.begin(), written.end(), bytes.begin(), bytes.end()));
  SAFEMODEL_PROPERTY(!note.value().signatures.empty() && note.value().signatures.size() <= limits.note_signatures);
  if (checkpoint.ok()) {
    SAFEMODEL_PROPERTY(note.value().text.starts_with(CheckpointText(checkpoint.value().state)));
    SAFEMODEL_PROPERTY(!CheckCheckpoint(checkpoint.value(), {}).ok());
  }
  return 0;
}
