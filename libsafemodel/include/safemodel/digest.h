// SPDX-License-Identifier: Apache-2.0
// Digests that identify a model whatever file format carries it.
#pragma once

#include <string>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/progress.h>
#include <safemodel/recipients.h>
#include <safemodel/result.h>

namespace safemodel {

struct DigestReport {
  std::string layout;
  std::size_t tensors = 0;
  Digest tensor_digest{};
  Digest content_digest{};
};

// ComputeDigests reads any supported format (a container too, without asking for signatures: the digests are computed
// from plain bytes) and returns its tensor digest and content digest. `identities` are asked when it is encrypted.
Result<DigestReport> ComputeDigests(const std::string& path, unsigned threads, const Limits& limits,
                                    const Progress& progress = {}, const IdentitySource& identities = {});

}  // namespace safemodel
