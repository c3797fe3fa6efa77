// SPDX-License-Identifier: Apache-2.0
#include "model/source_digest.h"

#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"

namespace safemodel {

SourceDigest::SourceDigest(std::shared_ptr<const File> file, ConvertOptions::SourceSha256 sha256)
    : file_(std::move(file)), sha256_(sha256), thread_([this] { result_.emplace(Hash()); }) {}

SourceDigest::~SourceDigest() {
  cancelled_.store(true);
  if (thread_.joinable()) thread_.join();
}

Result<SourceDigests> SourceDigest::Wait() {
  thread_.join();
  return *result_;
}

Result<SourceDigests> SourceDigest::Hash() const {
  crypto::Blake3 blake3;
  crypto::Sha256 sha256;
  const bool both = sha256_ == ConvertOptions::SourceSha256::kYes;
  const ByteSink sink = [&](ByteView bytes) -> Status {
    if (cancelled_.load()) return Error{Stage::kInternal, "internal", "nobody waits for this digest"};
    blake3.Update(bytes);
    if (both) sha256.Update(bytes);
    return {};
  };
  SAFEMODEL_TRY(StreamRange(*file_, 0, file_->size(), sink));
  SourceDigests digests{blake3.Finish(), {}};
  if (both) digests.sha256 = sha256.Finish();
  return digests;
}

}  // namespace safemodel
