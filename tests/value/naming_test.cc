// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "base/cursor.h"
#include "value/builder.h"
#include "value/naming.h"

namespace safemodel {
namespace {

using Build = std::function<NodeId(ValueTreeBuilder&)>;
using Names = std::vector<std::string>;

ImportedModel ModelOf(const Build& build, std::uint32_t tensors) {
  ImportedModel model;
  ValueTreeBuilder builder;
  const NodeId root = build(builder);
  auto tree = std::move(builder).Finish(root, {});
  REQUIRE(tree.ok());
  model.tree = std::move(tree).value();
  for (std::uint32_t i = 0; i < tensors; ++i) {
    model.storages.push_back({MakeMemorySource(ByteBuffer(i + 1)), Dtype::kU8});
    model.tensors.push_back({"", Dtype::kU8, 0, {i + 1}, {1}, i, 0});
  }
  return model;
}

Names NamesOf(const ImportedModel& model) {
  Names names;
  for (const ImportedTensor& tensor : model.tensors) names.push_back(tensor.name);
  return names;
}

// NamesFrom names the `tensors` tensors of a tree.
Names NamesFrom(const Build& build, std::uint32_t tensors) {
  ImportedModel model = ModelOf(build, tensors);
  REQUIRE(NameTensors(model, {}).ok());
  return NamesOf(model);
}

NodeId Dict(ValueTreeBuilder& b, const std::vector<std::pair<NodeId, NodeId>>& entries) {
  std::vector<NodeId> children;
  for (const auto& [key, value] : entries) {
    children.push_back(key);
    children.push_back(value);
  }
  return b.Parent(NodeKind::kDict, children);
}

}  // namespace

TEST_CASE("tensor names: a flat state dict keeps its keys") {
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              return Dict(b, {{b.Str("b.weight"), b.Tensor(0, 0)}, {b.Str("a/~b"), b.Tensor(1, 0)}});
            },
            2) == Names{"a/~b", "b.weight"});
}

TEST_CASE("tensor names: an OrderedDict and Parameters are a flat state dict too") {
  const auto ordered = [](ValueTreeBuilder& b, NodeId items) {
    return b.Parent(NodeKind::kObject, {b.Global("collections", "OrderedDict"), items}, kObjectDictItems);
  };
  const auto parameter = [](ValueTreeBuilder& b, std::uint32_t tensor) {
    const NodeId args = b.Parent(NodeKind::kTuple, {b.Tensor(tensor, 0)});
    return b.Parent(NodeKind::kObject, {b.Global("torch.nn.parameter", "Parameter"), args}, kObjectArgs);
  };
  CHECK(NamesFrom(
            [&](ValueTreeBuilder& b) {
              return ordered(b, Dict(b, {{b.Str("w"), parameter(b, 0)}, {b.Str("b"), b.Tensor(1, 0)}}));
            },
            2) == Names{"b", "w"});
  CHECK(NamesFrom(
            [&](ValueTreeBuilder& b) {
              const NodeId items = Dict(b, {{b.Str("w"), b.Tensor(0, 0)}});
              const NodeId state = Dict(b, {{b.Str("_hidden"), b.Tensor(1, 0)}});
              return b.Parent(NodeKind::kObject, {b.Global("collections", "OrderedDict"), state, items},
                              kObjectState | kObjectDictItems);
            },
            2) == Names{"w", "~state/_hidden"});
  CHECK(NamesFrom(
            [&](ValueTreeBuilder& b) {
              const NodeId items = Dict(b, {{b.Str("w"), b.Tensor(0, 0)}});
              return b.Parent(NodeKind::kObject, {b.Global("another", "OrderedDict"), items}, kObjectDictItems);
            },
            1) == Names{"~dict/w"});
}

TEST_CASE("tensor names: an OrderedDict and a Parameter on the way add no step") {
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              const NodeId args = b.Parent(NodeKind::kTuple, {b.Tensor(0, 0)});
              const NodeId state = Dict(b, {{b.Str("extra"), b.Tensor(1, 0)}});
              const NodeId parameter =
                  b.Parent(NodeKind::kObject, {b.Global("torch.nn.parameter", "Parameter"), args, state},
                           kObjectArgs | kObjectState);
              const NodeId items = Dict(b, {{b.Str("w"), parameter}});
              const NodeId ordered =
                  b.Parent(NodeKind::kObject, {b.Global("collections", "OrderedDict"), items}, kObjectDictItems);
              return Dict(b, {{b.Str("model"), ordered}, {b.Str("epoch"), b.Int(3)}});
            },
            2) == Names{"model/w", "model/w/extra"});
  const Build lone = [](ValueTreeBuilder& b) {
    const NodeId args = b.Parent(NodeKind::kTuple, {b.Tensor(0, 0)});
    return b.Parent(NodeKind::kObject, {b.Global("torch.nn.parameter", "Parameter"), args}, kObjectArgs);
  };
  CHECK(NamesFrom(lone, 1) == Names{"tensor"});
}

TEST_CASE("tensor names: keys that look alike stay apart") {
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              const NodeId inner = Dict(b, {{b.Str("b"), b.Tensor(1, 0)}});
              return Dict(b, {{b.Str("a.b"), b.Tensor(0, 0)},
                              {b.Str("a"), inner},
                              {b.Str("a/b"), b.Tensor(2, 0)},
                              {b.Str("a~1b"), b.Tensor(3, 0)},
                              {b.Int(0), b.Tensor(4, 0)},
                              {b.Str("0"), b.Tensor(5, 0)},
                              {b.Str("~i0"), b.Tensor(6, 0)}});
            },
            7) == Names{"0", "a.b", "a/b", "a~01b", "a~1b", "~0i0", "~i0"});
}

TEST_CASE("tensor names: steps of every kind") {
  CHECK(NamesFrom([](ValueTreeBuilder& b) { return b.Tensor(0, 0); }, 1) == Names{"tensor"});
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              return b.Parent(NodeKind::kList, {b.Leaf(NodeKind::kNone), b.Parent(NodeKind::kTuple, {b.Tensor(0, 0)})});
            },
            1) == Names{"~i1/~i0"});
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              return Dict(b, {{b.Str(""), b.Tensor(0, 0)},
                              {b.Leaf(NodeKind::kTrue), b.Tensor(1, 0)},
                              {b.Int(-7), b.Tensor(2, 0)},
                              {b.Float(0.5), b.Tensor(3, 0)},
                              {b.Leaf(NodeKind::kNone), b.Tensor(4, 0)},
                              {b.Str("a\n\x7F"), b.Tensor(5, 0)},
                              {b.Str("\xED\xA0\x80"), b.Tensor(6, 0)},
                              {b.Str("\xC2\x9B\xC3\xA9"), b.Tensor(7, 0)}});
            },
            8) == Names{"a~x0a~x7f", "~e", "~i-7", "~iNone", "~iTrue", "~v3", "~xc2~x9b\xC3\xA9", "~xed~xa0~x80"});
}

TEST_CASE("tensor names: parts of objects") {
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              const NodeId cls = b.Global("sklearn.linear_model", "LinearRegression");
              const NodeId args = b.Parent(NodeKind::kTuple, {b.Tensor(0, 0)});
              const NodeId state = Dict(b, {{b.Str("coef_"), b.Tensor(1, 0)}, {b.Str("~args"), b.Tensor(2, 0)}});
              const NodeId items = b.Parent(NodeKind::kList, {b.Tensor(3, 0)});
              const NodeId entries = Dict(b, {{b.Str("k"), b.Tensor(4, 0)}});
              const NodeId added = b.Parent(NodeKind::kList, {b.Tensor(5, 0)});
              return b.Parent(NodeKind::kObject, {cls, args, state, items, entries, added},
                              kObjectArgs | kObjectState | kObjectListItems | kObjectDictItems | kObjectSetItems);
            },
            6) == Names{"coef_", "~0args", "~args/~i0", "~dict/k", "~list/~i0", "~set/~i0"});
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {  // the state of a class with __slots__
              const NodeId slots = Dict(b, {{b.Str("w"), b.Tensor(0, 0)}});
              const NodeId state = b.Parent(NodeKind::kTuple, {b.Leaf(NodeKind::kNone), slots});
              return b.Parent(NodeKind::kObject, {b.Global("m", "C"), state}, kObjectState);
            },
            1) == Names{"~state/~i1/w"});
}

TEST_CASE("tensor names: a tensor under several keys of a flat dict has an entry for each") {
  ImportedModel model = ModelOf(
      [](ValueTreeBuilder& b) {
        const NodeId tied = b.Tensor(1, kTensorTorch);
        return Dict(b, {{b.Str("lm_head"), tied}, {b.Str("embed"), tied}, {b.Str("bias"), b.Tensor(0, kTensorTorch)}});
      },
      2);
  REQUIRE(NameTensors(model, {}).ok());
  CHECK(NamesOf(model) == Names{"bias", "embed", "lm_head"});
  CHECK(model.tensors[1].storage == model.tensors[2].storage);
  CHECK(model.tensors[1].shape == std::vector<std::uint64_t>{2});
  const std::span<const NodeId> children = model.tree.ChildrenOf(0);
  CHECK(children[1] == children[3]);  // still one object
  CHECK(model.tree.TensorOf(children[1]) == 2);
  CHECK(model.tree.TensorOf(children[5]) == 0);
}

TEST_CASE("tensor names: elsewhere a tensor has the name of its first visit") {
  CHECK(NamesFrom(
            [](ValueTreeBuilder& b) {
              const NodeId tied = b.Tensor(0, 0);
              return b.Parent(NodeKind::kList, {b.Parent(NodeKind::kList, {tied}), tied});
            },
            1) == Names{"~i0/~i0"});
}

TEST_CASE("tensor names: what nothing refers to is dropped") {
  ImportedModel model = ModelOf([](ValueTreeBuilder& b) { return Dict(b, {{b.Str("x"), b.Tensor(2, 0)}}); }, 3);
  REQUIRE(NameTensors(model, {}).ok());
  REQUIRE(model.tensors.size() == 1);
  REQUIRE(model.storages.size() == 1);
  CHECK(model.tensors[0].storage == 0);
  CHECK(model.storages[0].source->size() == 3);
  CHECK(model.tree.TensorOf(model.tree.ChildrenOf(0)[1]) == 0);
}

TEST_CASE("tensor names: limits and broken references") {
  const auto named = [](std::size_t bytes) {
    ImportedModel model = ModelOf(
        [bytes](ValueTreeBuilder& b) {
          return Dict(b, {{b.Str(std::string(bytes, 'n')), b.Tensor(0, 0)}});
        },
        1);
    return NameTensors(model, {});
  };
  CHECK(named(4096).ok());
  REQUIRE_FALSE(named(4097).ok());
  CHECK(named(4097).error().stage == Stage::kLimit);

  // A path of 4096 steps, in a tree that is deep but within its limits.
  ImportedModel deep = ModelOf(
      [](ValueTreeBuilder& b) {
        NodeId node = b.Tensor(0, 0);
        for (int i = 0; i < 5000; ++i) node = b.Parent(NodeKind::kList, {node});
        return node;
      },
      1);
  CHECK(std::string(NameTensors(deep, {}).error().code) == "name_too_long");

  ImportedModel outside = ModelOf([](ValueTreeBuilder& b) { return b.Tensor(1, 0); }, 1);
  CHECK(std::string(NameTensors(outside, {}).error().code) == "tensor_outside");

  Limits few;
  few.tensors = 1;
  ImportedModel two = ModelOf(
      [](ValueTreeBuilder& b) {
        return b.Parent(NodeKind::kList, {b.Tensor(0, 0), b.Tensor(1, 0)});
      },
      2);
  CHECK(std::string(NameTensors(two, few).error().code) == "too_many_tensors");
}

}  // namespace safemodel
