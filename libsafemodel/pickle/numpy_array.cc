// SPDX-License-Identifier: Apache-2.0
#include "pickle/numpy_array.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/try.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {
namespace {

// SwappedSource reads whole elements, so that a read may start and end inside one.
class SwappedSource final : public ByteSource {
 public:
  SwappedSource(SharedSource source, std::uint32_t item_size, std::vector<ByteSwap> swaps)
      : source_(std::move(source)), item_size_(item_size), swaps_(std::move(swaps)) {}
  [[nodiscard]] std::uint64_t size() const override { return source_->size(); }
  [[nodiscard]] bool sequential() const override { return source_->sequential(); }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size() || out.size() > size() - offset)
      return Error{Stage::kIo, "truncated", "a read leaves the array", offset};
    const std::uint64_t head = offset % item_size_;
    const std::size_t whole = head == 0 ? out.size() - out.size() % item_size_ : 0;
    if (whole != 0) {
      SAFEMODEL_TRY(source_->ReadAt(offset, out.first(whole)));
      Swap(out.first(whole));
    }
    const MutableBytes rest = out.subspan(whole);
    if (rest.empty()) return {};
    const std::uint64_t begin = offset + whole - head;
    const std::uint64_t size = std::min(CeilDiv(head + rest.size(), item_size_) * item_size_, source_->size() - begin);
    SAFEMODEL_ASSIGN(ByteBuffer items, ReadRange(*source_, begin, size, size));
    Swap(items);
    std::copy_n(items.begin() + static_cast<std::ptrdiff_t>(head), rest.size(), rest.begin());
    return {};
  }

 private:
  void Swap(MutableBytes items) const {
    for (std::size_t item = 0; item + item_size_ <= items.size(); item += item_size_) {
      for (const ByteSwap& swap : swaps_) {
        for (std::size_t i = 0; i < swap.count; ++i) {
          const MutableBytes number = items.subspan(item + swap.offset + i * swap.width, swap.width);
          std::reverse(number.begin(), number.end());
        }
      }
    }
  }

  SharedSource source_;
  std::uint32_t item_size_;
  std::vector<ByteSwap> swaps_;
};

std::vector<std::uint64_t> Strides(const std::vector<std::uint64_t>& shape, ArrayOrder order) {
  if (order == ArrayOrder::kC) return ContiguousStrides(shape);
  const std::vector<std::uint64_t> reversed_shape(shape.rbegin(), shape.rend());
  std::vector<std::uint64_t> strides = ContiguousStrides(reversed_shape);
  std::reverse(strides.begin(), strides.end());
  return strides;
}

}  // namespace

Result<std::uint64_t> ArrayBytes(const DtypeNote& type, const std::vector<std::uint64_t>& shape, const Limits& limits) {
  if (shape.size() > limits.rank)
    return Error{Stage::kLimit, "LIMIT-COUNT", "an array has more dimensions than the limit"};
  const auto count = ElementCount(shape);
  const auto bytes = count.ok() ? CheckedMul(count.value(), std::uint64_t{type.item_size}) : std::nullopt;
  if (!bytes) return Error{Stage::kUnsafe, "MEM-SIZE", "the size of an array overflows"};
  return *bytes;
}

Result<std::uint32_t> AddArray(ImportTables& tables, SharedSource data, const DtypeNote& type,
                               std::vector<std::uint64_t> shape, ArrayOrder order, const Limits& limits) {
  if (type.objects == DtypeNote::Objects::kYes) {
    return Error{Stage::kUnsafe, "MEM-OBJECT", "an array of objects has raw bytes, which numpy would use as pointers"};
  }
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ArrayBytes(type, shape, limits));
  if (bytes != data->size())
    return Error{Stage::kUnsafe, "MEM-NPY", "an array has more or fewer bytes than its shape says"};
  if (!type.swaps.empty()) data = MakeSwappedSource(std::move(data), type.item_size, type.swaps);
  // A subarray type is what numpy makes of it: more dimensions.
  std::vector<std::uint64_t> strides = Strides(shape, order);
  if (!type.subarray.empty()) {
    return Error{Stage::kMalformed, "NPY-HEADER",
                 "an array has a subarray as its element type, which numpy never writes"};
  }
  const auto storage = static_cast<std::uint32_t>(tables.storages.size());
  tables.storages.push_back({std::move(data), IsExtended(type.dtype) ? Dtype::kU8 : type.dtype});
  std::uint8_t flags = kTensorNumpy;
  if (!type.swaps.empty()) flags |= kTensorBigEndian;
  return tables.AddTensor({{}, type.dtype, type.element_type, std::move(shape), std::move(strides), storage, 0}, flags);
}

SharedSource MakeSwappedSource(SharedSource source, std::uint32_t item_size, std::vector<ByteSwap> swaps) {
  return std::make_shared<SwappedSource>(std::move(source), item_size, std::move(swaps));
}

}  // namespace safemodel::pickle
