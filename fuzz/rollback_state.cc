// SPDX-License-Identifier: Apache-2.0
// Rollback state files. There is one way to write a state, so that what is read is what would be written.
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "trust/rollback_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel::trust;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = ParseState(text);
  if (!state.ok()) {
    SAFEMODEL_PROPERTY(state.error().stage == safemodel::Stage::kConfig);
    return 0;
  }
  SAFEMODEL_PROPERTY(state.value().models.size() <= kStateModels);
  for (const auto& [name, seen] : state.value().models)
    SAFEMODEL_PROPERTY(!name.empty() && seen.sequence <= kMostSequence);
  SAFEMODEL_PROPERTY(SerializeState(state.value()) == text);
  return 0;
}
