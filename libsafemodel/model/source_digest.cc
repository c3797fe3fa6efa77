// SPDX-License-Identifier: Apache-2.0
#include "model/source_digest.h"

#include <system_error>

#include "base/cursor.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"

namespace safemodel {

SourceDigest::SourceDigest(std::vector<NamedSource> files, ConvertOptions::SourceSha256 sha256)
    : files_(std::move(files)), sha256_(sha256) {
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

Result<SourceDigests> SourceDigest::HashOne(const ByteSource& file) const {
  crypto::Blake3 blake3;
  crypto::Sha256 sha256;
  const bool both = sha256_ == ConvertOptions::SourceSha256::kYes;
  const ByteSink sink = [&](ByteView bytes) -> Status {
    if (cancelled_.load()) return Error{Stage::kInternal, "internal", "nobody waits for this digest"};
    blake3.Update(bytes);
    if (both) sha256.Update(bytes);
    return {};
  };
  SAFEMODEL_TRY(StreamRange(file, 0, file.size(), sink));
  SourceDigests digests;
  digests.blake3 = blake3.Finish();
  if (both) digests.sha256 = sha256.Finish();
  return digests;
}

Status SourceDigest::Hash() {
  if (files_.size() == 1) {
    SAFEMODEL_ASSIGN(digests_, HashOne(*files_.front().source));
    return {};
  }
  std::string blake3_list;
  std::string sha256_list;
  for (const NamedSource& file : files_) {
    SAFEMODEL_ASSIGN(const SourceDigests digests, HashOne(*file.source));
    blake3_list += crypto::Hex(digests.blake3) + "  " + file.name + "\n";
    if (digests.sha256) sha256_list += crypto::Hex(*digests.sha256) + "  " + file.name + "\n";
  }
  digests_.blake3 = crypto::Blake3Of(AsBytes(blake3_list));
  if (sha256_ == ConvertOptions::SourceSha256::kYes) digests_.sha256 = crypto::Sha256Of(AsBytes(sha256_list));
  return {};
}

}  // namespace safemodel
