// SPDX-License-Identifier: Apache-2.0
// What a statement repeats of the manifest that it is about, whatever kind of manifest that is.
#pragma once

#include <cstdint>
#include <string>

#include "container/format.h"

namespace safemodel::trust {

// ReleaseKind keeps statements about different kinds of manifests apart: each has its own predicate type, and none
// counts for another; [S-KIND].
enum class ReleaseKind : std::uint8_t { kContainer, kFiles, kSet };

struct Release {
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  FileId file_id{};
  ReleaseKind kind = ReleaseKind::kContainer;
  enum class Content : std::uint8_t { kPlain, kEncrypted, kInMembers };  // kInMembers: a set has none of its own
  Content content = Content::kPlain;
};

Release ReleaseOf(const container::Manifest& manifest);

}  // namespace safemodel::trust
