// SPDX-License-Identifier: Apache-2.0
#include "model/source_digest.h"

#include <system_error>

#include "base/thread_pool.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"

namespace safemodel {

SourceDigest::SourceDigest(std::shared_ptr<const File> file, ConvertOptions::SourceSha256 sha256)
    : file_(std::move(file)), sha256_(sha256) {
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    // No thread to be had: Wait hashes.
  }
}

SourceDigest::~SourceDigest() {
  cancelled_.store(true);
  if (thread_.joinable()) thread_.join();
}

Result<SourceDigests> SourceDigest::Wait() {
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Run();
  }
  SAFEMODEL_TRY(status_);
  return digests_;
}

void SourceDigest::Run() {
  status_ = CatchOutOfMemory([this] { return Hash(); });
}

Status SourceDigest::Hash() {
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
  digests_.blake3 = blake3.Finish();
  if (both) digests_.sha256 = sha256.Finish();
  return {};
}

}  // namespace safemodel
