// SPDX-License-Identifier: Apache-2.0
// What a statement repeats of the manifest that it is about, whatever kind of manifest that is.
#pragma once

#include <cstdint>
#include <string>

#include "container/format.h"

namespace safemodel::trust {

struct Release {
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  FileId file_id{};
  enum class Content : std::uint8_t { kPlain, kEncrypted };
  Content content = Content::kPlain;  // this version reads no encrypted containers
};

Release ReleaseOf(const container::Manifest& manifest);

}  // namespace safemodel::trust
