// SPDX-License-Identifier: Apache-2.0
// Reading tensors into memory of the caller.
#include <algorithm>
#include <limits>
#include <set>

#include "base/checked.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "model/gather.h"
#include "model/loaded_model.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kStreamBytes = 32u << 20;  // what all threads read together while a tensor is streamed
constexpr std::uint64_t kItemBytes = 4u << 20;     // what one thread reads before it takes the next part

// Target is one destination and the view that fills it.
struct Target {
  const Tensor* tensor = nullptr;
  MutableBytes out;
  std::uint32_t object = 0;
  std::uint64_t begin = 0;  // of a contiguous view, in the object
  bool contiguous = true;
  TensorView view;  // of another one
  std::uint64_t elements = 0;
};

// Item is a part of a target that one thread reads: chunks of a contiguous one, or a whole strided one.
struct Item {
  std::size_t target = 0;
  std::uint32_t first_chunk = 0;
  std::uint32_t chunks = 0;
};

// ReadScratch keeps the last chunk that was needed in part, for tensors that lie in one chunk side by side.
struct ReadScratch {
  ChunkScratch chunk;
  ByteBuffer plain;
  std::uint64_t object = std::numeric_limits<std::uint64_t>::max();
  std::uint32_t number = 0;
};

Error About(Error error, const Tensor& tensor) {
  if (error.subject.empty()) error.subject = tensor.name;
  return error;
}

Error NotOfThisModel(const Tensor& tensor) {
  return {Stage::kUsage, "no_such_tensor", "this tensor does not belong to the model", kNoOffset, tensor.name};
}

// TargetOf resolves a request. The tensor is the caller's: nothing about it is believed.
Result<Target> TargetOf(const LoadedModel& model, const Tensor& tensor, const RowRange* rows, MutableBytes out) {
  if (tensor.storage >= model.storages.size()) return NotOfThisModel(tensor);
  std::vector<std::uint64_t> shape = tensor.shape;
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, model.element_types));
  if (!CheckView(bits, shape, tensor.strides, tensor.byte_offset, model.StorageBytes(tensor.storage)).ok())
    return NotOfThisModel(tensor);
  std::uint64_t begin = tensor.byte_offset;
  bool at_end = true;
  if (rows != nullptr) {
    if (shape.empty() || rows->first > shape[0] || rows->count > shape[0] - rows->first) {
      return Error{Stage::kUsage, "no_such_rows", "the tensor does not have these rows", kNoOffset, tensor.name};
    }
    const std::uint64_t skipped = rows->count == 0 ? 0 : rows->first * tensor.strides[0] * bits;
    if (skipped % 8 != 0) {
      return Error{Stage::kUnsupported, "packed_rows",
                   "rows of packed elements that start inside a byte cannot be read alone", kNoOffset, tensor.name};
    }
    at_end = rows->first + rows->count == shape[0];
    begin += skipped / 8;
    shape[0] = rows->count;
  }
  Target target{&tensor, out, model.storages[tensor.storage], begin, IsContiguous(shape, tensor.strides), {}, 0};
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ElementCount(shape));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(elements, bits));
  if (bytes != out.size()) {
    return Error{Stage::kUsage, "wrong_size", "the destination is not as large as the tensor's bytes", kNoOffset,
                 tensor.name};
  }
  if (!at_end && elements * bits % 8 != 0) {
    return Error{Stage::kUnsupported, "packed_rows",
                 "rows of packed elements that end inside a byte cannot be read alone", kNoOffset, tensor.name};
  }
  target.elements = elements;
  if (!target.contiguous) target.view = {bits / 8, std::move(shape), tensor.strides, begin};
  return target;
}

// Copies adds up what copies of tensors take and what is stored of them. A small file must not fill all memory: through
// views of stride 0, and many names on one storage.
class Copies {
 public:
  explicit Copies(const LoadedModel& model) : model_(model) {}

  void Add(std::uint32_t storage, std::uint64_t bytes) {
    wanted_ = CheckedAdd(wanted_, bytes).value_or(std::numeric_limits<std::uint64_t>::max());
    if (storages_.insert(storage).second) stored_ += model_.StorageBytes(storage);
  }

  [[nodiscard]] Status Check(std::string subject) const {
    const auto allowed = CheckedMul<std::uint64_t>(stored_, model_.options.limits.alias_expansion);
    if (!allowed || wanted_ <= *allowed) return {};
    return Error{Stage::kLimit, "alias_expansion",
                 "as copies the tensors are many times larger than what is stored; ask for fewer at once", kNoOffset,
                 std::move(subject)};
  }

 private:
  const LoadedModel& model_;
  std::set<std::uint32_t> storages_;
  std::uint64_t wanted_ = 0;
  std::uint64_t stored_ =
      0;  // at most total_plain_bytes for each storage; their number is bounded by the directory's size
};

Status CheckExpansion(const LoadedModel& model, const std::vector<Target>& targets) {
  Copies copies(model);
  for (const Target& target : targets) copies.Add(target.tensor->storage, target.out.size());
  return copies.Check(targets.size() == 1 ? targets[0].tensor->name : std::string());
}

std::vector<Item> ItemsOf(const std::vector<Target>& targets, std::uint32_t chunk_size) {
  std::vector<Item> items;
  const auto run = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, kItemBytes / chunk_size));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    if (target.out.empty()) continue;
    if (!target.contiguous) {
      items.push_back({i, 0, 0});
      continue;
    }
    const auto first = static_cast<std::uint32_t>(target.begin / chunk_size);
    const auto end = static_cast<std::uint32_t>(CeilDiv(target.begin + target.out.size(), chunk_size));
    for (std::uint32_t chunk = first; chunk < end;) {
      const std::uint32_t count = std::min(run, end - chunk);
      items.push_back({i, chunk, count});
      chunk += count;
    }
  }
  return items;
}

// ReadChunkPart copies the part of a chunk that belongs to a contiguous target; a whole chunk goes straight to its
// place.
Status ReadChunkPart(const ObjectStore& store, const Target& target, std::uint32_t chunk, ReadScratch& scratch) {
  const std::uint64_t chunk_begin = std::uint64_t{chunk} * store.chunk_size();
  const std::uint64_t length = container::PlainLength(store.objects()[target.object], chunk, store.chunk_size());
  const std::uint64_t begin = std::max(chunk_begin, target.begin);
  const std::uint64_t end = std::min(chunk_begin + length, target.begin + target.out.size());
  const MutableBytes out =
      target.out.subspan(static_cast<std::size_t>(begin - target.begin), static_cast<std::size_t>(end - begin));
  if (out.size() == length) return store.Read(target.object, chunk, out, scratch.chunk);
  if (scratch.object != target.object || scratch.number != chunk) {
    scratch.object = std::numeric_limits<std::uint64_t>::max();
    scratch.plain.resize(static_cast<std::size_t>(length));
    SAFEMODEL_TRY(store.Read(target.object, chunk, scratch.plain, scratch.chunk));
    scratch.object = target.object;
    scratch.number = chunk;
  }
  std::copy_n(scratch.plain.begin() + static_cast<std::ptrdiff_t>(begin - chunk_begin), out.size(), out.begin());
  return {};
}

Status ReadItem(const ObjectStore& store, const Target& target, const Item& item, ReadScratch& scratch) {
  if (!target.contiguous) return Gather(*store.Plain(target.object), target.view, target.out);
  for (std::uint32_t i = 0; i < item.chunks; ++i) {
    SAFEMODEL_TRY(ReadChunkPart(store, target, item.first_chunk + i, scratch));
  }
  return {};
}

Status ReadTargets(const LoadedModel& model, const std::vector<Target>& targets, const Progress& progress) {
  const std::vector<Item> items = ItemsOf(targets, model.store->chunk_size());
  std::vector<ReadScratch> scratch(
      std::min<std::size_t>(ThreadCount(model.options.threads), std::max<std::size_t>(items.size(), 1)));
  std::uint64_t total = 0;
  for (const Target& target : targets) total += target.out.size();
  std::mutex mutex;
  std::uint64_t done = 0;
  SAFEMODEL_TRY(ParallelFor(items.size(), model.options.threads, [&](std::size_t i, unsigned worker) -> Status {
    const Target& target = targets[items[i].target];
    Status status = ReadItem(*model.store, target, items[i], scratch[worker]);
    if (!status.ok()) return About(status.error(), *target.tensor);
    if (progress) {
      const std::lock_guard lock(mutex);
      done += target.contiguous ? std::min<std::uint64_t>(target.out.size(),
                                                          std::uint64_t{items[i].chunks} * model.store->chunk_size())
                                : target.out.size();
      progress(std::min(done, total), total);
    }
    return {};
  }));
  return {};
}

// CheckPlain refuses bytes that no reader may see, such as a bool of 2.
Status CheckPlain(const std::vector<Target>& targets) {
  for (const Target& target : targets) {
    PlainChecker checker(target.tensor->dtype, target.elements);
    Status status = checker.Update(target.out);
    if (!status.ok()) return About(status.error(), *target.tensor);
  }
  return {};
}

void Zero(MutableBytes bytes) { std::fill(bytes.begin(), bytes.end(), std::uint8_t{0}); }

// Run reads what could be resolved. An error of resolving a request comes after those of reading the ones before it.
Status Run(const LoadedModel& model, const std::vector<Target>& targets, const Status& resolved,
           const Progress& progress) {
  if (resolved.ok()) SAFEMODEL_TRY(CheckExpansion(model, targets));
  SAFEMODEL_TRY(ReadTargets(model, targets, progress));
  SAFEMODEL_TRY(CheckPlain(targets));
  return resolved;
}

}  // namespace

Status ReadTensors(const LoadedModel& model, std::span<const VerifiedModel::Request> requests,
                   const Progress& progress) {
  std::vector<Target> targets;
  Status resolved;
  for (const VerifiedModel::Request& request : requests) {
    auto target = TargetOf(model, *request.tensor, nullptr, request.out);
    if (!target.ok()) {
      resolved = About(target.error(), *request.tensor);
      break;
    }
    targets.push_back(std::move(target).value());
  }
  Status status = Run(model, targets, resolved, progress);
  if (!status.ok()) {
    for (const VerifiedModel::Request& request : requests) Zero(request.out);
  }
  return status;
}

Status ReadTensorRows(const LoadedModel& model, const Tensor& tensor, RowRange rows, MutableBytes out) {
  Status status;
  auto target = TargetOf(model, tensor, &rows, out);
  if (target.ok()) {
    status = Run(model, {target.value()}, {}, {});
  } else {
    status = About(target.error(), tensor);
  }
  if (!status.ok()) Zero(out);
  return status;
}

Status CheckCopies(const LoadedModel& model) {
  Copies copies(model);
  for (const Tensor& tensor : model.tensors) copies.Add(tensor.storage, tensor.bytes);
  return copies.Check({});
}

Status StreamTensor(const LoadedModel& model, const Tensor& tensor, const ByteSink& sink) {
  PlainChecker checker(tensor.dtype, tensor.elements);
  const ByteSink checked = [&](ByteView bytes) -> Status {
    Status status = checker.Update(bytes);
    if (!status.ok()) return About(status.error(), tensor);
    return sink(bytes);
  };
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, model.element_types));
  const std::uint32_t object = model.storages[tensor.storage];
  if (!IsContiguous(tensor.shape, tensor.strides)) {
    const std::uint64_t block = std::clamp(tensor.bytes / 16, kLeastBlockBytes, kMostBlockBytes);
    return StreamGathered(*model.store->Plain(object), {bits / 8, tensor.shape, tensor.strides, tensor.byte_offset},
                          block, checked);
  }
  ByteBuffer part;
  for (std::uint64_t done = 0; done < tensor.bytes; done += part.size()) {
    part.resize(static_cast<std::size_t>(std::min(kStreamBytes, tensor.bytes - done)));
    SAFEMODEL_TRY(ReadTargets(model, {Target{&tensor, part, object, tensor.byte_offset + done, true, {}, 0}}, {}));
    SAFEMODEL_TRY(checked(part));
  }
  return {};
}

}  // namespace safemodel
