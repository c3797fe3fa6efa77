// SPDX-License-Identifier: Apache-2.0
// Every plain byte, against the digests that the directory states.
#include <algorithm>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather_axes.h"
#include "model/loaded_model.h"
#include "model/ordered.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

// Objects of more chunks are decoded by all threads together, the others one by a thread.
constexpr std::uint32_t kSharedChunks = 8;

Error Mismatch(const char* code, const char* text, std::string subject = {}) {
  return {Stage::kDigestMismatch, code, text, kNoOffset, std::move(subject)};
}

// HashTogether decodes the chunks of one object side by side and hashes them in order.
Result<Digest> HashTogether(const ObjectStore& store, std::uint32_t object, unsigned threads) {
  struct Scratch {
    ChunkScratch chunk;
    ByteBuffer plain;
  };
  const container::ObjectRecord& record = store.objects()[object];
  std::vector<Scratch> scratch(WorkerCount(record.chunk_count, threads));
  crypto::Blake3 hash;
  Turnstile turn;
  const auto decode = [&](std::size_t i, unsigned worker) -> Status {
    Turnstile::Ticket ticket(turn, i);
    const auto chunk = static_cast<std::uint32_t>(i);
    ByteBuffer& plain = scratch[worker].plain;
    plain.resize(static_cast<std::size_t>(container::PlainLength(record, chunk, store.chunk_size())));
    SAFEMODEL_TRY(store.Read(object, chunk, plain, scratch[worker].chunk));
    return ticket.InTurn([&]() -> Status {
      hash.Update(plain);
      return {};
    });
  };
  SAFEMODEL_TRY(ParallelFor(record.chunk_count, threads, decode));
  return hash.Finish();
}

Result<Digest> HashAlone(const ObjectStore& store, std::uint32_t object) {
  crypto::Blake3 hash;
  const SharedSource plain = store.Plain(object);
  const ByteSink sink = [&hash](ByteView bytes) -> Status {
    hash.Update(bytes);
    return {};
  };
  SAFEMODEL_TRY(StreamRange(*plain, 0, plain->size(), sink));
  return hash.Finish();
}

// HashObjects returns the BLAKE3 of the plain bytes of each object but the directory. `report` is told when one is
// done.
Result<std::vector<Digest>> HashObjects(const ObjectStore& store, unsigned threads,
                                        const std::function<void(std::uint64_t)>& report) {
  const auto& objects = store.objects();
  std::vector<Digest> digests(objects.size());
  SAFEMODEL_TRY(ParallelFor(objects.size(), threads, [&](std::size_t i, unsigned) -> Status {
    if (i == 0 || objects[i].chunk_count > kSharedChunks) return {};
    SAFEMODEL_ASSIGN(digests[i], HashAlone(store, static_cast<std::uint32_t>(i)));
    report(objects[i].plain_size);
    return {};
  }));
  for (std::size_t i = 1; i < objects.size(); ++i) {
    if (objects[i].chunk_count <= kSharedChunks) continue;
    SAFEMODEL_ASSIGN(digests[i], HashTogether(store, static_cast<std::uint32_t>(i), threads));
    report(objects[i].plain_size);
  }
  return digests;
}

// ObjectWork is what digests take from an object: bytes of all tensors, and of those that are not contiguous.
struct ObjectWork {
  std::uint64_t produced = 0;
  std::uint64_t strided = 0;
};

std::vector<ObjectWork> WorkOf(const LoadedModel& model) {
  std::vector<ObjectWork> work(model.store->objects().size());
  for (const Tensor& tensor : model.tensors) {
    // More than this many times its storage and a tensor is expanded: its digest takes less.
    const std::uint64_t bytes = std::min(tensor.bytes, SaturatingMul(model.StorageBytes(tensor.storage), 8));
    ObjectWork& of = work[model.storages[tensor.storage]];
    of.produced = CheckedAdd(of.produced, bytes).value_or(of.produced);
    if (!IsContiguous(tensor.shape, tensor.strides)) of.strided = CheckedAdd(of.strided, bytes).value_or(of.strided);
  }
  return work;
}

TensorDigestJob JobOf(const LoadedModel& model, std::span<const container::TensorRecord> records,
                      const std::vector<Digest>& objects, unsigned threads) {
  TensorDigestJob job;
  job.tensors = records;
  job.element_types = model.element_types;
  job.source_of_storage = model.storages;
  job.limits = model.limits;
  job.threads = threads;
  job.block_bytes = kLeastBlockBytes;
  const ObjectStore* store = model.store.get();
  const std::vector<ObjectWork> work = WorkOf(model);
  for (std::uint32_t object = 0; object < objects.size(); ++object) {
    const std::uint64_t bytes = store->objects()[object].plain_size;
    const auto open = [store, object, bytes, produced = work[object].produced,
                       limits = model.limits]() -> Result<SharedSource> {
      auto budget = std::make_shared<DecodeBudget>(bytes, limits);
      budget->Allow(produced);
      return store->Plain(object, std::move(budget));
    };
    job.sources.push_back({open, bytes, objects[object]});
    // Each block of strided tensors decodes all of their storage again: large ones get large blocks.
    job.block_bytes = std::max(job.block_bytes, std::min(work[object].strided / 16, kMostBlockBytes));
  }
  return job;
}

}  // namespace

Result<ComputedDigests> ComputeFromPlainBytes(const LoadedModel& model, unsigned threads, const Progress& progress) {
  std::uint64_t total = 0;
  for (const container::ObjectRecord& object : model.store->objects()) total += object.plain_size;
  std::mutex mutex;
  std::uint64_t done = 0;
  SAFEMODEL_ASSIGN(const std::vector<Digest> objects, HashObjects(*model.store, threads, [&](std::uint64_t bytes) {
                     const std::lock_guard lock(mutex);
                     done += bytes;
                     if (progress) progress(done, total);
                   }));
  const std::vector<container::TensorRecord> records = RecordsOf(model);
  ComputedDigests computed;
  SAFEMODEL_ASSIGN(computed.tensors, DigestTensors(JobOf(model, records, objects, threads)));
  SAFEMODEL_ASSIGN(computed.tensor_digest, TensorDigest(records, computed.tensors, model.element_types));
  std::vector<FileDigest> files;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    files.push_back({model.files[i].path, model.files[i].bytes, objects[model.file_objects[i]]});
  }
  computed.content_digest = ContentDigest(computed.tensor_digest, files, model.tree);
  return computed;
}

Result<ComputedDigests> CompleteDigests(const LoadedModel& model, std::vector<Digest> tensors) {
  ComputedDigests computed;
  computed.tensors = std::move(tensors);
  SAFEMODEL_ASSIGN(computed.tensor_digest, TensorDigest(RecordsOf(model), computed.tensors, model.element_types));
  std::vector<FileDigest> files;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    files.push_back({model.files[i].path, model.files[i].bytes, {}});
    SAFEMODEL_ASSIGN(files.back().digest, HashAlone(*model.store, model.file_objects[i]));
  }
  computed.content_digest = ContentDigest(computed.tensor_digest, files, model.tree);
  return computed;
}

Status CompareDigests(const LoadedModel& model, const ComputedDigests& computed) {
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const Tensor& tensor = model.tensors[i];
    if (tensor.digest && *tensor.digest != computed.tensors[i]) {
      return Mismatch("tensor_bytes_digest", "the bytes of a tensor are not those that its digest names", tensor.name);
    }
  }
  if (computed.tensor_digest != model.info.tensor_digest) {
    return Mismatch("tensor_digest", "the tensor digest that the container states is not that of its tensors");
  }
  if (computed.content_digest != model.info.content_digest) {
    return Mismatch("content_digest", "the content digest that the container states is not that of its content");
  }
  return {};
}

Status CheckContent(const LoadedModel& model, const Progress& progress) {
  SAFEMODEL_ASSIGN(const ComputedDigests computed, ComputeFromPlainBytes(model, model.threads, progress));
  return CompareDigests(model, computed);
}

}  // namespace safemodel
