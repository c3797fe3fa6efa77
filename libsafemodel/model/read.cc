// SPDX-License-Identifier: Apache-2.0
// Reading tensors into memory of the caller.
#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "base/checked.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/loaded_model.h"
#include "model/read_targets.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

Error About(Error error, const Tensor& tensor) {
  if (error.subject.empty()) error.subject = tensor.name;
  return error;
}

Error NotOfThisModel(const Tensor& tensor) {
  return {Stage::kUsage, "no_such_tensor", "this tensor does not belong to the model", kNoOffset, tensor.name};
}

// TargetOf resolves a request. The tensor is the caller's: nothing about it is believed.
Result<ReadTarget> TargetOf(const LoadedModel& model, const Tensor& tensor, const RowRange* rows, MutableBytes out) {
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
  ReadTarget target{&tensor, out, model.storages[tensor.storage], begin, IsContiguous(shape, tensor.strides), {}, 0};
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
// views of stride 0, many names on one storage, and many storages that are one object.
class Copies {
 public:
  explicit Copies(const LoadedModel& model) : model_(model) {}

  void Add(std::uint32_t storage, std::uint64_t bytes) {
    wanted_ = CheckedAdd(wanted_, bytes).value_or(std::numeric_limits<std::uint64_t>::max());
    if (objects_.insert(model_.storages[storage]).second) stored_ += model_.StorageBytes(storage);
  }

  [[nodiscard]] Status Check(std::string subject) const {
    const auto allowed = CheckedMul<std::uint64_t>(stored_, model_.limits.alias_expansion);
    if (!allowed || wanted_ <= *allowed) return {};
    return Error{Stage::kLimit, "alias_expansion",
                 "as copies the tensors are many times larger than what is stored; ask for fewer at once", kNoOffset,
                 std::move(subject)};
  }

 private:
  const LoadedModel& model_;
  std::set<std::uint32_t> objects_;
  std::uint64_t wanted_ = 0;
  std::uint64_t stored_ = 0;  // at most total_plain_bytes
};

Status CheckExpansion(const LoadedModel& model, const std::vector<ReadTarget>& targets) {
  Copies copies(model);
  for (const ReadTarget& target : targets) copies.Add(target.tensor->storage, target.out.size());
  return copies.Check(targets.size() == 1 ? targets[0].tensor->name : std::string());
}

// CheckPlain refuses bytes that no reader may see, such as a bool of 2.
Status CheckPlain(const std::vector<ReadTarget>& targets) {
  for (const ReadTarget& target : targets) {
    PlainChecker checker(target.tensor->dtype, target.elements);
    Status status = checker.Update(target.out);
    if (!status.ok()) return About(status.error(), *target.tensor);
  }
  return {};
}

void Zero(MutableBytes bytes) { std::fill(bytes.begin(), bytes.end(), std::uint8_t{0}); }

// Run reads what could be resolved. An error of resolving a request comes after those of reading the ones before it.
Status Run(const LoadedModel& model, const std::vector<ReadTarget>& targets, const Status& resolved,
           const Progress& progress) {
  if (resolved.ok()) SAFEMODEL_TRY(CheckExpansion(model, targets));
  SAFEMODEL_TRY(ReadTargets(model, targets, progress));
  SAFEMODEL_TRY(CheckPlain(targets));
  return resolved;
}

// CheckRequests refuses what no thread could do right: destinations that meet would be written by several at once.
Status CheckRequests(std::span<const VerifiedModel::Request> requests) {
  std::vector<MutableBytes> outs;
  for (const VerifiedModel::Request& request : requests) {
    if (request.tensor == nullptr) return Error{Stage::kUsage, "no_tensor", "a request does not say which tensor"};
    if (!request.out.empty()) outs.push_back(request.out);
  }
  const std::less<const std::uint8_t*> before;
  std::sort(outs.begin(), outs.end(), [&](MutableBytes a, MutableBytes b) { return before(a.data(), b.data()); });
  const auto meet = [&](MutableBytes a, MutableBytes b) { return before(b.data(), a.data() + a.size()); };
  if (std::adjacent_find(outs.begin(), outs.end(), meet) == outs.end()) return {};
  return Error{Stage::kUsage, "destinations_meet", "the destinations of two requests overlap"};
}

Status ReadRequests(const LoadedModel& model, std::span<const VerifiedModel::Request> requests,
                    const Progress& progress) {
  SAFEMODEL_TRY(CheckRequests(requests));
  std::vector<ReadTarget> targets;
  Status resolved;
  for (const VerifiedModel::Request& request : requests) {
    auto target = TargetOf(model, *request.tensor, nullptr, request.out);
    if (!target.ok()) {
      resolved = About(target.error(), *request.tensor);
      break;
    }
    targets.push_back(std::move(target).value());
  }
  return Run(model, targets, resolved, progress);
}

Status ReadRows(const LoadedModel& model, const Tensor& tensor, RowRange rows, MutableBytes out) {
  auto target = TargetOf(model, tensor, &rows, out);
  if (!target.ok()) return About(target.error(), tensor);
  return Run(model, {target.value()}, {}, {});
}

}  // namespace

Status ReadTensors(const LoadedModel& model, std::span<const VerifiedModel::Request> requests,
                   const Progress& progress) {
  Status status = CatchOutOfMemory([&] { return ReadRequests(model, requests, progress); });
  if (!status.ok()) {
    for (const VerifiedModel::Request& request : requests) Zero(request.out);
  }
  return status;
}

Status ReadTensorRows(const LoadedModel& model, const Tensor& tensor, RowRange rows, MutableBytes out) {
  Status status = CatchOutOfMemory([&] { return ReadRows(model, tensor, rows, out); });
  if (!status.ok()) Zero(out);
  return status;
}

Status CheckCopies(const LoadedModel& model) {
  Copies copies(model);
  for (const Tensor& tensor : model.tensors) copies.Add(tensor.storage, tensor.bytes);
  return copies.Check({});
}

}  // namespace safemodel
