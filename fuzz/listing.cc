// SPDX-License-Identifier: Apache-2.0
// Listings of files and of sets. Input: a whole listing. What is accepted is written back byte for byte: there is one
// encoding for each content, so nothing in a signed listing is unseen. Nothing is accepted as both kinds.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "container/artifact.h"
#include "fuzz/property.h"

namespace {

using safemodel::ByteView;
using safemodel::Stage;

void CheckRefusal(Stage stage) {
  SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kUnsupported || stage == Stage::kLimit ||
                     stage == Stage::kUnsafe);
}

// Check parses, writes again and compares. Returns whether the input was accepted.
template <typename Parse, typename Serialize>
bool Check(ByteView input, Parse parse, Serialize serialize) {
  const safemodel::Limits limits;
  const auto manifest = parse(input, limits);
  if (!manifest.ok()) {
    CheckRefusal(manifest.error().stage);
    return false;
  }
  const auto again = serialize(manifest.value(), limits);
  SAFEMODEL_PROPERTY(again.ok() && again.value().size() == input.size() &&
                     std::equal(input.begin(), input.end(), again.value().begin()));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel::container;  // NOLINT(google-build-using-namespace)
  const ByteView input(data, size);
  const ByteView head = input.first(std::min<std::size_t>(size, kListingHeadBytes));
  const bool files = Check(input, ParseFilesManifest, SerializeFilesManifest);
  const bool set = Check(input, ParseSetManifest, SerializeSetManifest);
  SAFEMODEL_PROPERTY(!(files && set));
  if (files || set) {
    const auto length = MeasureListing(head, files ? kFilesMagic : kSetMagic, size, limits);
    SAFEMODEL_PROPERTY(length.ok() && length.value() == size);
  }
  return 0;
}
