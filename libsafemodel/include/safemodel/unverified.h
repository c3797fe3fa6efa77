// SPDX-License-Identifier: Apache-2.0
// The one way round verification but the modes of rules, which a policy has to allow (InsecurePolicyMode, model.h).
// Whoever goes it includes this header, so that a search for it finds them all.
#pragma once

#include <string>

#include <safemodel/model.h>

namespace safemodel {

// InsecureSkipVerification is for tools that must look at unverified files and ask no policy. Its name is made to be
// searched for.
class InsecureSkipVerification {
 public:
  explicit InsecureSkipVerification() = default;
};

// OpenUnverified opens a container without any signature or policy. Digests of chunks are still checked.
Result<VerifiedModel> OpenUnverified(const std::string& path, InsecureSkipVerification token,
                                     const OpenOptions& options = {});

}  // namespace safemodel
