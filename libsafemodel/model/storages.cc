// SPDX-License-Identifier: Apache-2.0
#include "model/storages.h"

#include <algorithm>

#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kHeadBytes = 1u << 20;

Result<Digest> HashRange(const ByteSource& source, std::uint64_t bytes) {
  crypto::Blake3 hash;
  const ByteSink sink = [&hash](ByteView piece) -> Status {
    hash.Update(piece);
    return {};
  };
  SAFEMODEL_TRY(StreamRange(source, 0, bytes, sink));
  return hash.Finish();
}

// HeadCache keeps the first bytes of a compressed stream, which are looked at for equal storages and for the choice of
// the codec before all is read: going back would start the stream again.
class HeadCache final : public ByteSource {
 public:
  explicit HeadCache(const ByteSource& stream) : stream_(stream) {}
  Status Fill() {
    head_.resize(static_cast<std::size_t>(std::min(kHeadBytes, stream_.size())));
    return stream_.ReadAt(0, head_);
  }
  [[nodiscard]] std::uint64_t size() const override { return stream_.size(); }
  [[nodiscard]] bool sequential() const override { return true; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset < head_.size()) {
      const std::size_t take = std::min(out.size(), head_.size() - static_cast<std::size_t>(offset));
      std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(offset), take, out.begin());
      out = out.subspan(take);
      offset += take;
    }
    return out.empty() ? Status() : stream_.ReadAt(offset, out);
  }

 private:
  const ByteSource& stream_;
  ByteBuffer head_;
};

}  // namespace

StorageWriter::StorageWriter(ContainerWriter& writer, const ImportedModel& model, const Progress& progress)
    : writer_(writer), model_(model), progress_(progress) {
  for (const ImportedStorage& storage : model.storages) {
    ++sizes_[storage.source->size()];
    total_ += storage.source->size();
  }
}

void StorageWriter::Report(std::uint64_t bytes) {
  done_ += bytes;
  if (progress_) progress_(done_, total_);
}

Status StorageWriter::Write() {
  for (std::size_t storage = 0; storage < model_.storages.size(); ++storage) SAFEMODEL_TRY(WriteOne(storage));
  return {};
}

Status StorageWriter::WriteOne(std::size_t storage) {
  const ByteSource& source = *model_.storages[storage].source;
  if (!source.sequential()) return WriteFrom(storage, source);
  HeadCache cached(source);
  SAFEMODEL_TRY(cached.Fill());
  return WriteFrom(storage, cached);
}

// WriteFrom reads a storage an extra time only when another one of the same size starts with the same bytes.
Status StorageWriter::WriteFrom(std::size_t storage, const ByteSource& source) {
  if (sizes_[source.size()] < 2) return Add(storage, source);
  Fingerprint fingerprint{source.size(), {}};
  SAFEMODEL_ASSIGN(fingerprint.head, HashRange(source, std::min(kHeadBytes, source.size())));
  std::vector<std::size_t>& candidates = candidates_[fingerprint];
  SAFEMODEL_ASSIGN(const Written* equal, FindEqual(source, candidates));
  if (equal != nullptr) {
    objects_.push_back(equal->object.number);
    written_of_storage_.push_back(static_cast<std::uint32_t>(equal - written_.data()));
    Report(source.size());
    return {};
  }
  candidates.push_back(written_.size());
  return Add(storage, source);
}

Result<const StorageWriter::Written*> StorageWriter::FindEqual(const ByteSource& source,
                                                               const std::vector<std::size_t>& candidates) const {
  if (candidates.empty()) return nullptr;
  SAFEMODEL_ASSIGN(const Digest digest, HashRange(source, source.size()));
  for (const std::size_t candidate : candidates) {
    if (written_[candidate].object.plain_digest == digest) return &written_[candidate];
  }
  return nullptr;
}

Status StorageWriter::Add(std::size_t storage, const ByteSource& source) {
  SAFEMODEL_ASSIGN(const WrittenObject object,
                   writer_.AddObject(container::ObjectKind::kStorage, codec::LayoutOf(model_.storages[storage].layout),
                                     source, [this](std::uint64_t bytes) { Report(bytes); }));
  objects_.push_back(object.number);
  written_of_storage_.push_back(static_cast<std::uint32_t>(written_.size()));
  written_.push_back({object, storage});
  return {};
}

TensorDigestJob StorageWriter::JobOf(std::span<const container::TensorRecord> tensors) const {
  TensorDigestJob job;
  job.tensors = tensors;
  job.element_types = model_.element_types;
  job.source_of_storage = written_of_storage_;
  for (const Written& written : written_) {
    const SharedSource& source = model_.storages[written.storage].source;
    DigestSource digest_source{{}, source->size(), written.object.plain_digest};
    if (source->sequential()) {
      // A compressed stream cannot be read in the order of a strided tensor; what was written from it can.
      digest_source.open = [this, number = written.object.number] { return writer_.ReadBack(number); };
    } else {
      digest_source.open = [source]() -> Result<SharedSource> { return source; };
    }
    job.sources.push_back(std::move(digest_source));
  }
  return job;
}

}  // namespace safemodel
