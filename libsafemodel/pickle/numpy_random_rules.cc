// SPDX-License-Identifier: Apache-2.0
// Random generators of numpy, and objects of Cython classes.
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "pickle/numpy_array.h"
#include "pickle/numpy_rules.h"

namespace safemodel::pickle {
namespace {

constexpr std::int64_t kMersenneWords = 624;
constexpr std::int64_t kPhiloxWords = 4;
constexpr std::size_t kOldStateItems = 5;  // before numpy 1.17: (name, key, position, has_gauss, gauss)

// Entry returns the last value of a text key in a dict, or kNoNode.
NodeIndex Entry(const Graph& graph, NodeIndex dict, std::string_view key) {
  return graph.kind(dict) == Kind::kDict ? LastValue(graph, dict, key) : kNoNode;
}

bool InRange(const Graph& graph, NodeIndex node, std::int64_t high) {
  if (node == kNoNode) return true;
  if (graph.kind(node) != Kind::kInt && graph.kind(node) != Kind::kTrue && graph.kind(node) != Kind::kFalse)
    return false;
  return graph.IntOf(node) >= 0 && graph.IntOf(node) <= high;
}

std::string_view BitGeneratorModule(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kModules = {
      {{"MT19937", "numpy.random._mt19937"},
       {"PCG64", "numpy.random._pcg64"},
       {"PCG64DXSM", "numpy.random._pcg64"},
       {"Philox", "numpy.random._philox"},
       {"SFC64", "numpy.random._sfc64"},
       {"", ""}}};
  for (const auto& [known, module] : kModules) {
    if (known == name) return module;
  }
  return {};
}

// IsWords says that a node is a vector of `count` numbers of a dtype.
bool IsWords(const RuleContext& context, NodeIndex node, Dtype dtype, std::uint64_t count) {
  const std::optional<std::uint32_t> tensor = node == kNoNode ? std::nullopt : ArrayOf(context, node);
  if (!tensor) return false;
  const ImportedTensor& words = context.tables.tensors[*tensor];
  return words.dtype == dtype && words.shape == std::vector<std::uint64_t>{count};
}

bool IsMersenneKey(const RuleContext& context, NodeIndex key) {
  return IsWords(context, key, Dtype::kU32, kMersenneWords);
}

Result<TreeRef> GeneratorOf(TreeContext& tree, NodeIndex call, std::string_view module, std::string_view name) {
  // The second argument of old pickles is the function that makes the first; older ones have none at all.
  std::vector<TreeRef> args;
  if (!ArgsOf(tree.graph(), call).empty()) args.push_back(tree.Of(ArgsOf(tree.graph(), call)[0]));
  return tree.Object(module, name, std::move(args), call);
}

}  // namespace

// OnGeneratorState: numpy indexes the key with the position without looking at it.
Status OnGeneratorState(RuleContext& context, NodeIndex call) {
  const Graph& graph = context.graph;
  const Error broken = Refuse(graph, call, "STRUCT-RNG", "the state of a random generator points outside its numbers");
  NodeIndex state = graph.CallOf(call).state;
  if (graph.kind(state) == Kind::kTuple) {
    const std::span<const NodeIndex> items = graph.ItemsOf(state);
    if (items.size() == kOldStateItems) return IsMersenneKey(context, items[1]) ? Status() : broken;
    state = items[0];
  }
  const NodeIndex inner = Entry(graph, state, "state");
  // A mapping of another kind would hold numbers that nobody looked at, and numpy has copied these.
  if (inner != kNoNode && graph.kind(inner) != Kind::kDict) return broken;
  if (inner != kNoNode) context.graph.Seal(inner);
  const bool in_range = InRange(graph, Entry(graph, state, "buffer_pos"), kPhiloxWords) &&
                        InRange(graph, Entry(graph, state, "has_uint32"), 1) &&
                        (inner == kNoNode || InRange(graph, Entry(graph, inner, "pos"), kMersenneWords));
  const NodeIndex buffer = Entry(graph, state, "buffer");
  if (!in_range || (buffer != kNoNode && !IsWords(context, buffer, Dtype::kU64, kPhiloxWords))) return broken;
  if (inner == kNoNode || Entry(graph, inner, "pos") == kNoNode) return {};
  return IsMersenneKey(context, Entry(graph, inner, "key")) ? Status() : broken;
}

Status OnBitGenerator(RuleContext& context, NodeIndex call) {
  const NodeIndex type = ArgsOf(context.graph, call)[0];
  if (context.graph.kind(type) == Kind::kGlobal || !BitGeneratorModule(context.graph.TextOf(type)).empty()) return {};
  return Refuse(context.graph, call, "CALL-ARGS", "numpy has no random generator of this name");
}

Result<TreeRef> BitGeneratorToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const NodeIndex type = ArgsOf(graph, call)[0];
  const std::string_view name =
      graph.kind(type) == Kind::kGlobal ? graph.GlobalOf(type).mapped_name : graph.TextOf(type);
  return tree.Object(BitGeneratorModule(name), name, {}, call);
}

Result<TreeRef> RandomStateToTree(TreeContext& tree, NodeIndex call) {
  return GeneratorOf(tree, call, "numpy.random.mtrand", "RandomState");
}
Result<TreeRef> GeneratorToTree(TreeContext& tree, NodeIndex call) {
  return GeneratorOf(tree, call, "numpy.random._generator", "Generator");
}

// PyxToTree: __pyx_unpickle_X(class, checksum, state or None) stands for an object of the class.
Result<TreeRef> PyxToTree(TreeContext& tree, NodeIndex call) {
  const Graph& graph = tree.graph();
  const std::span<const NodeIndex> args = ArgsOf(graph, call);
  const GlobalName& cls = graph.GlobalOf(args[0]);
  std::vector<TreeRef> kept;
  if (args.size() > 2 && graph.kind(args[2]) != Kind::kNone) kept.push_back(tree.Of(args[2]));
  return tree.Object(cls.mapped_module, cls.mapped_name, std::move(kept), call);
}

}  // namespace safemodel::pickle
