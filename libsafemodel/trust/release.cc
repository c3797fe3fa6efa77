// SPDX-License-Identifier: Apache-2.0
#include "trust/release.h"

namespace safemodel::trust {

Release ReleaseOf(const container::Manifest& manifest) {
  const auto content = manifest.encryption ? Release::Content::kEncrypted : Release::Content::kPlain;
  return {manifest.name, manifest.version, manifest.sequence, manifest.file_id, ReleaseKind::kContainer, content};
}

}  // namespace safemodel::trust
