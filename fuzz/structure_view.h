// SPDX-License-Identifier: Apache-2.0
// A plain view of what was imported, for checks that must not share code with the proofs they check: whole arrays in
// memory, attributes by name.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "fuzz/property.h"
#include "value/imported.h"
#include "value/integer.h"
#include "value/tensor_view.h"

namespace safemodel::fuzz {

// Plain is an array with its bytes in the order of its elements.
struct Plain {
  std::vector<std::uint64_t> shape;
  Dtype dtype = Dtype::kVoid;
  const ElementType* type = nullptr;
  std::size_t item_size = 0;
  ByteBuffer bytes;

  [[nodiscard]] std::size_t size() const { return item_size == 0 ? 0 : bytes.size() / item_size; }

  // Raw returns up to eight bytes as a number.
  [[nodiscard]] std::uint64_t Raw(std::size_t item, std::size_t offset, std::size_t width) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value |= std::uint64_t{bytes.at(item * item_size + offset + i)} << (8 * i);
    }
    return value;
  }
  [[nodiscard]] std::int64_t Signed(std::size_t item, std::size_t offset, Dtype of) const {
    const std::size_t width = BitsPerElement(of) / 8;
    const std::uint64_t raw = Raw(item, offset, width);
    const bool is_signed = of == Dtype::kI8 || of == Dtype::kI16 || of == Dtype::kI32 || of == Dtype::kI64;
    const unsigned unused = static_cast<unsigned>(64 - 8 * width);
    return is_signed ? static_cast<std::int64_t>(raw << unused) >> unused : static_cast<std::int64_t>(raw);
  }
  [[nodiscard]] std::int64_t At(std::size_t item) const { return Signed(item, 0, dtype); }
  [[nodiscard]] double Real(std::size_t item) const {
    if (dtype == Dtype::kF32) return std::bit_cast<float>(static_cast<std::uint32_t>(Raw(item, 0, 4)));
    return std::bit_cast<double>(Raw(item, 0, 8));
  }
  // In reads a field of a record.
  [[nodiscard]] std::int64_t In(std::size_t item, std::string_view name) const {
    const auto field = std::ranges::find(type->fields, name, &Field::name);
    SAFEMODEL_PROPERTY(field != type->fields.end());
    return Signed(item, field->offset, field->dtype);
  }
};

class View {
 public:
  explicit View(const ImportedModel& model) : model_(model), tree_(model.tree) {}

  [[nodiscard]] const ValueTree& tree() const { return tree_; }

  // NameOf returns the class of an object without its module; empty for everything else.
  [[nodiscard]] std::string_view NameOf(NodeId node) const {
    if (tree_.kind(node) != NodeKind::kObject) return {};
    return tree_.TextOf(tree_.ChildrenOf(tree_.ChildrenOf(node)[0])[1]);
  }

  [[nodiscard]] std::vector<NodeId> Args(NodeId object) const {
    const auto args = Part(object, kObjectArgs);
    return args ? Items(*args) : std::vector<NodeId>();
  }
  [[nodiscard]] std::optional<NodeId> State(NodeId object) const { return Part(object, kObjectState); }

  // Get returns a value of a dict, or an attribute of an object whose state is one. None counts as absent.
  [[nodiscard]] std::optional<NodeId> Get(NodeId node, std::string_view name) const {
    if (tree_.kind(node) == NodeKind::kObject) {
      const auto state = State(node);
      return state ? Get(*state, name) : std::nullopt;
    }
    if (tree_.kind(node) != NodeKind::kDict) return std::nullopt;
    const auto items = tree_.ChildrenOf(node);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (tree_.kind(items[i]) != NodeKind::kStr || tree_.TextOf(items[i]) != name) continue;
      return tree_.kind(items[i + 1]) == NodeKind::kNone ? std::nullopt : std::optional(items[i + 1]);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::vector<NodeId> Items(NodeId node) const {
    const auto items = tree_.ChildrenOf(node);
    return {items.begin(), items.end()};
  }
  [[nodiscard]] bool IsSequence(NodeId node) const {
    return tree_.kind(node) == NodeKind::kList || tree_.kind(node) == NodeKind::kTuple;
  }

  [[nodiscard]] std::optional<std::int64_t> Int(NodeId node) const {
    if (tree_.kind(node) == NodeKind::kTrue) return 1;
    if (tree_.kind(node) == NodeKind::kFalse) return 0;
    if (NameOf(node) == "generic") return Array(Args(node)[0])->At(0);
    if (tree_.kind(node) != NodeKind::kInt) return std::nullopt;
    const ByteView payload = tree_.PayloadOf(node);
    if (payload.size() > 8) return std::nullopt;
    return SmallInteger(payload);
  }
  [[nodiscard]] std::optional<std::int64_t> IntAt(NodeId node, std::string_view name) const {
    const auto found = Get(node, name);
    return found ? Int(*found) : std::nullopt;
  }

  [[nodiscard]] std::optional<Plain> Array(NodeId node) const {
    if (tree_.kind(node) != NodeKind::kTensor) return std::nullopt;
    const ImportedTensor& tensor = model_.tensors.at(tree_.TensorOf(node));
    Plain plain{tensor.shape, tensor.dtype, nullptr, BitsPerElement(tensor.dtype) / 8, {}};
    if (IsExtended(tensor.dtype)) {
      plain.type = &model_.element_types.at(tensor.element_type);
      plain.item_size = plain.type->item_size;
    }
    Gather(tensor, plain);
    return plain;
  }
  [[nodiscard]] std::optional<Plain> ArrayAt(NodeId node, std::string_view name) const {
    const auto found = Get(node, name);
    return found ? Array(*found) : std::nullopt;
  }

  // Objects returns the items of an array of objects.
  [[nodiscard]] std::optional<std::vector<NodeId>> Objects(NodeId node) const {
    if (NameOf(node) != "ndarray" || Args(node).size() < 2) return std::nullopt;
    return Items(Args(node)[1]);
  }

 private:
  [[nodiscard]] std::optional<NodeId> Part(NodeId object, ObjectParts part) const {
    std::size_t place = 1;
    for (unsigned before = 1; before < static_cast<unsigned>(part); before *= 2) {
      if ((tree_.flags(object) & before) != 0) ++place;
    }
    if ((tree_.flags(object) & part) == 0) return std::nullopt;
    return tree_.ChildrenOf(object)[place];
  }

  // Gather reads elements one by one, wherever the strides say that they lie.
  void Gather(const ImportedTensor& tensor, Plain& plain) const {
    const ByteSource& source = *model_.storages.at(tensor.storage).source;
    std::uint64_t count = 1;
    for (const std::uint64_t size : tensor.shape) count *= size;
    std::vector<std::uint64_t> at(tensor.shape.size());
    for (std::uint64_t i = 0; i < count && plain.item_size > 0; ++i) {
      std::uint64_t offset = tensor.byte_offset;
      for (std::size_t d = 0; d < at.size(); ++d) offset += at[d] * tensor.strides[d] * plain.item_size;
      ByteBuffer item(plain.item_size);
      SAFEMODEL_PROPERTY(source.ReadAt(offset, item).ok());
      plain.bytes.insert(plain.bytes.end(), item.begin(), item.end());
      for (std::size_t d = at.size(); d-- > 0;) {
        if (++at[d] < tensor.shape[d]) break;
        at[d] = 0;
      }
    }
  }

  const ImportedModel& model_;
  const ValueTree& tree_;
};

}  // namespace safemodel::fuzz
