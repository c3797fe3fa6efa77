// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_digests.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

using container::TensorRecord;

// Small sources may be read more often: a view of a few bytes costs nobody anything.
constexpr std::uint64_t kExpansionSlack = 256u << 20;
// Gathering takes a block of memory in each thread.
constexpr unsigned kMostGatherers = 4;

// ViewKey tells distinct views apart. Contiguous ones are ranges, whatever their shape. The checks of a dtype are part
// of it.
struct ViewKey {
  std::uint64_t byte_offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t element_bytes = 0;  // 0: contiguous
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;
  Dtype checked = Dtype::kU8;  // the dtype, where its bytes are checked
  std::uint64_t elements = 0;  // with it
  auto operator<=>(const ViewKey&) const = default;
};

// ViewTask is one view to hash, for all tensors that are it.
struct ViewTask {
  const TensorRecord* first = nullptr;
  std::vector<std::size_t> tensors;
};

using SourceTasks = std::map<ViewKey, ViewTask>;

Error About(Error error, const TensorRecord& tensor) {
  if (error.subject.empty()) error.subject = tensor.name;
  return error;
}

Result<ViewKey> KeyOf(const TensorRecord& tensor, std::span<const ElementType> types, std::uint64_t storage_bytes) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, types));
  SAFEMODEL_TRY(CheckView(bits, tensor.shape, tensor.strides, tensor.byte_offset, storage_bytes));
  ViewKey key;
  key.byte_offset = tensor.byte_offset;
  std::vector<std::uint64_t> shape = tensor.shape;
  SAFEMODEL_ASSIGN(const bool expanded, IsExpandedTensor(tensor, types, storage_bytes));
  for (std::size_t i = 0; expanded && i < shape.size(); ++i) {
    if (tensor.strides[i] == 0) shape[i] = 1;
  }
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(shape));
  SAFEMODEL_ASSIGN(key.bytes, ContiguousBytes(elements, bits));
  if (PlainChecker(tensor.dtype, elements).needed()) {
    key.checked = tensor.dtype;
    key.elements = elements;
  }
  if (IsContiguous(shape, tensor.strides)) return key;
  key.element_bytes = bits / 8;
  key.shape = std::move(shape);
  key.strides = tensor.strides;
  return key;
}

TensorView ViewOf(const ViewKey& key) { return {key.element_bytes, key.shape, key.strides, key.byte_offset}; }

Result<Digest> HashView(const ByteSource& source, const ViewKey& key, std::uint64_t block_bytes) {
  crypto::Blake3 hash;
  PlainChecker checker(key.checked, key.elements);
  const ByteSink sink = [&](ByteView bytes) -> Status {
    SAFEMODEL_TRY(checker.Update(bytes));
    hash.Update(bytes);
    return {};
  };
  if (key.element_bytes == 0) {
    SAFEMODEL_TRY(StreamRange(source, key.byte_offset, key.bytes, sink));
  } else {
    SAFEMODEL_TRY(StreamGathered(source, ViewOf(key), block_bytes, sink));
  }
  return hash.Finish();
}

// Reporter adds up bytes from several threads.
class Reporter {
 public:
  Reporter(const Progress& progress, std::uint64_t total) : progress_(progress), total_(total) {}
  void Add(std::uint64_t bytes) {
    if (!progress_) return;
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    progress_(done_, total_);
  }

 private:
  const Progress& progress_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::mutex mutex_;
};

bool IsWhole(const ViewKey& key, const DigestSource& source) {
  return source.whole && key.element_bytes == 0 && key.elements == 0 && key.byte_offset == 0 &&
         key.bytes == source.bytes;
}

// SourceHashing hashes the views of one source: first what is contiguous, in ascending order, then what is strided, as
// many views at once as a block of memory holds. Either way the source is read about in the order in which it lies.
class SourceHashing {
 public:
  SourceHashing(const DigestSource& source, std::uint64_t block_bytes, Reporter& reporter, std::vector<Digest>& digests)
      : source_(source), block_bytes_(block_bytes), reporter_(reporter), digests_(digests) {}

  Status Run(const SourceTasks& tasks) {
    for (const auto& [key, task] : tasks) {
      if (IsWhole(key, source_)) {
        Store(key, task, *source_.whole);
      } else if (key.element_bytes == 0) {
        SAFEMODEL_TRY(HashAlone(key, task));
      }
    }
    for (const auto& entry : tasks) {
      if (entry.first.element_bytes == 0) continue;
      if (entry.first.bytes > block_bytes_) {
        SAFEMODEL_TRY(HashAlone(entry.first, entry.second));
        continue;
      }
      if (entry.first.bytes > block_bytes_ - batch_bytes_) SAFEMODEL_TRY(HashBatch());
      batch_.push_back(&entry);
      batch_bytes_ += entry.first.bytes;
    }
    return HashBatch();
  }

 private:
  void Store(const ViewKey& key, const ViewTask& task, const Digest& digest) {
    for (const std::size_t tensor : task.tensors) digests_[tensor] = digest;
    reporter_.Add(key.bytes);
  }

  Status Open() {
    if (bytes_) return {};
    SAFEMODEL_ASSIGN(bytes_, source_.open());
    return {};
  }

  Status HashAlone(const ViewKey& key, const ViewTask& task) {
    SAFEMODEL_TRY(Open());
    auto hashed = HashView(*bytes_, key, block_bytes_);
    if (!hashed.ok()) return About(hashed.error(), *task.first);
    Store(key, task, hashed.value());
    return {};
  }

  Status HashBatch() {
    if (batch_.empty()) return {};
    SAFEMODEL_TRY(Open());
    ByteBuffer block(static_cast<std::size_t>(batch_bytes_));
    std::vector<TensorView> views;
    std::vector<GatherTarget> targets;
    views.reserve(batch_.size());  // targets refer to them
    MutableBytes rest = block;
    for (const auto* entry : batch_) {
      views.push_back(ViewOf(entry->first));
      const auto size = static_cast<std::size_t>(entry->first.bytes);
      targets.push_back({&views.back(), rest.first(size), entry->second.first->name});
      rest = rest.subspan(size);
    }
    SAFEMODEL_TRY(GatherMany(*bytes_, targets));
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const auto& [key, task] = *batch_[i];
      Status status = PlainChecker(key.checked, key.elements).Update(targets[i].out);
      if (!status.ok()) return About(status.error(), *task.first);
      Store(key, task, crypto::Blake3Of(targets[i].out));
    }
    batch_.clear();
    batch_bytes_ = 0;
    return {};
  }

  const DigestSource& source_;
  std::uint64_t block_bytes_;
  Reporter& reporter_;
  std::vector<Digest>& digests_;
  SharedSource bytes_;
  std::vector<const SourceTasks::value_type*> batch_;
  std::uint64_t batch_bytes_ = 0;
};

// Plan groups the tensors of a job: distinct views of each source, and what hashing them all costs.
struct Plan {
  std::vector<SourceTasks> tasks;
  std::uint64_t bytes = 0;
  bool gathers = false;
};

Result<Plan> PlanDigests(const TensorDigestJob& job) {
  Plan plan;
  plan.tasks.resize(job.sources.size());
  for (std::size_t i = 0; i < job.tensors.size(); ++i) {
    const TensorRecord& tensor = job.tensors[i];
    const std::uint32_t source = job.source_of_storage[tensor.storage];
    auto key = KeyOf(tensor, job.element_types, job.sources[source].bytes);
    if (!key.ok()) return About(key.error(), tensor);
    ViewTask& task = plan.tasks[source][key.value()];
    if (task.first == nullptr) {
      task.first = &tensor;
      const auto sum = CheckedAdd(plan.bytes, key.value().bytes);
      if (!sum) return About({Stage::kLimit, "alias_expansion", "the tensors are larger than any memory"}, tensor);
      plan.bytes = *sum;
      plan.gathers = plan.gathers || key.value().element_bytes != 0;
    }
    task.tensors.push_back(i);
  }
  return plan;
}

Status CheckExpansion(const TensorDigestJob& job, const Plan& plan) {
  std::uint64_t allowed = kExpansionSlack;
  for (const DigestSource& source : job.sources) {
    const auto more = CheckedMul<std::uint64_t>(source.bytes, job.limits.alias_expansion);
    if (!more || !CheckedAdd(allowed, *more)) return {};
    allowed += *more;
  }
  if (plan.bytes <= allowed) return {};
  return Error{Stage::kLimit, "alias_expansion", "tensors that overlap stand for many times the bytes that are stored"};
}

}  // namespace

PlainChecker::PlainChecker(Dtype dtype, std::uint64_t elements)
    : is_bool_(dtype == Dtype::kBool), pad_bits_(0), left_(0) {
  const unsigned bits = BitsPerElement(dtype);
  if (bits == 0 || bits % 8 == 0) return;
  const auto used = static_cast<unsigned>((elements % 8) * bits % 8);
  pad_bits_ = used == 0 ? 0 : 8 - used;
  left_ = elements / 8 * bits + CeilDiv((elements % 8) * bits, 8);
}

Status PlainChecker::Update(ByteView bytes) {
  if (is_bool_) {
    std::uint8_t all = 0;
    for (const std::uint8_t byte : bytes) all |= byte;
    if (all > 1) return Error{Stage::kMalformed, "bad_bool", "a tensor of bool has bytes other than 0 and 1"};
  }
  if (pad_bits_ != 0 && !bytes.empty()) {
    left_ -= std::min<std::uint64_t>(left_, bytes.size());
    if (left_ == 0 && bytes.back() >> (8 - pad_bits_) != 0) {
      return Error{Stage::kMalformed, "bad_pad_bits",
                   "the bits behind the last element of a packed tensor are not zero"};
    }
  }
  return {};
}

Result<bool> IsExpandedTensor(const TensorRecord& tensor, std::span<const ElementType> types,
                              std::uint64_t storage_bytes) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, types));
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(tensor.shape));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(elements, bits));
  return container::IsExpanded(bytes, storage_bytes);
}

Result<std::vector<Digest>> DigestTensors(const TensorDigestJob& job) {
  SAFEMODEL_ASSIGN(const Plan plan, PlanDigests(job));
  SAFEMODEL_TRY(CheckExpansion(job, plan));
  std::vector<Digest> digests(job.tensors.size());
  Reporter reporter(job.progress, plan.bytes);
  const unsigned threads = plan.gathers ? std::min(ThreadCount(job.threads), kMostGatherers) : job.threads;
  SAFEMODEL_TRY(ParallelFor(job.sources.size(), threads, [&](std::size_t i, unsigned) {
    return SourceHashing(job.sources[i], job.block_bytes, reporter, digests).Run(plan.tasks[i]);
  }));
  return digests;
}

}  // namespace safemodel
