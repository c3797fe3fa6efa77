// SPDX-License-Identifier: Apache-2.0
#include "pickle/node_text.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "base/cursor.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMostCallText = 256;
constexpr std::size_t kMostPathText = 512;
constexpr std::size_t kMostSteps = 64;          // of a path that are shown
constexpr std::size_t kMostClimbed = 1u << 18;  // edges that are followed for all nodes together
constexpr unsigned kMostNesting = 4;            // of containers in the arguments of a call

// TextWriter collects text up to a size and says when it is full.
class TextWriter {
 public:
  explicit TextWriter(std::size_t size) : size_(size) {}
  [[nodiscard]] bool full() const { return cut_; }
  void Write(std::string_view text) {
    if (cut_) return;
    const std::size_t room = size_ - text_.size();
    cut_ = text.size() > room;
    text_ += text.substr(0, room);
  }
  [[nodiscard]] std::string Take() && {
    constexpr std::string_view kMore = "…";
    if (cut_) {
      text_.resize(size_ - kMore.size());
      text_ += kMore;
    }
    return std::move(text_);
  }

 private:
  std::size_t size_;
  std::string text_;
  bool cut_ = false;
};

void WriteQuoted(TextWriter& out, std::string_view text) {
  out.Write("'");
  for (std::size_t i = 0; i < text.size() && !out.full(); ++i) {
    if (text[i] == '\'' || text[i] == '\\') out.Write("\\");
    out.Write(text.substr(i, 1));
  }
  out.Write("'");
}

std::string CalleeName(const Graph& graph, const Call& call) {
  if (graph.kind(call.callee) != Kind::kGlobal) return "(the result of something else)";
  return FullName(graph.GlobalOf(call.callee));
}

void WriteNode(TextWriter& out, const Graph& graph, NodeIndex node, unsigned depth);

void WriteItems(TextWriter& out, const Graph& graph, std::span<const NodeIndex> items, unsigned depth) {
  for (std::size_t i = 0; i < items.size() && !out.full(); ++i) {
    if (i > 0) out.Write(", ");
    WriteNode(out, graph, items[i], depth);
  }
}

void WriteContainer(TextWriter& out, const Graph& graph, NodeIndex node, unsigned depth) {
  const Kind kind = graph.kind(node);
  const bool square = kind == Kind::kList;
  const bool round = kind == Kind::kTuple;
  out.Write(square ? "[" : round ? "(" : "{");
  if (depth < kMostNesting) {
    WriteItems(out, graph, graph.ItemsOf(node), depth + 1);
  } else if (!graph.ItemsOf(node).empty()) {
    out.Write("…");
  }
  out.Write(square ? "]" : round ? ")" : "}");
}

// WriteNode recurses over the few levels that are shown; its work is bounded by the size of the text.
void WriteNode(TextWriter& out, const Graph& graph, NodeIndex node, unsigned depth) {
  switch (graph.kind(node)) {
    case Kind::kNone: out.Write("None"); return;
    case Kind::kFalse: out.Write("False"); return;
    case Kind::kTrue: out.Write("True"); return;
    case Kind::kInt: out.Write(std::to_string(graph.IntOf(node))); return;
    case Kind::kLong: out.Write("<int>"); return;
    case Kind::kFloat: out.Write(std::to_string(graph.FloatOf(node))); return;
    case Kind::kStr:
    case Kind::kPy2Str: WriteQuoted(out, graph.TextOf(node)); return;
    case Kind::kBytes:
    case Kind::kByteArray: {
      const auto bytes = graph.BytesOf(node);
      out.Write("b");
      WriteQuoted(out, bytes ? AsText(*bytes) : std::string_view("…"));
      return;
    }
    case Kind::kGlobal: out.Write(FullName(graph.GlobalOf(node))); return;
    case Kind::kCall:
      out.Write(CalleeName(graph, graph.CallOf(node)));
      out.Write("(…)");
      return;
    case Kind::kPersistent: out.Write("<persistent id>"); return;
    case Kind::kRawArray: out.Write("<array>"); return;
    default: WriteContainer(out, graph, node, depth);
  }
}

// Edge is how a walk came to a node.
struct Edge {
  enum class Kind : std::uint8_t { kRoot, kCallee, kItem, kValue, kKey, kArgument, kAttribute };
  NodeIndex parent = kNoNode;
  Kind kind = Kind::kRoot;
  std::uint32_t at = 0;  // position of the item or argument; the key's node for values and attributes
};

// PlaceFinder walks a graph in breadth, so that the path to a node is the shortest one, and keeps each node's edge.
class PlaceFinder {
 public:
  PlaceFinder(const Graph& graph, NodeIndex root)
      : graph_(graph), edges_(graph.size()), seen_(graph.size()), entered_(graph.size()) {
    Visit(root, {});
    for (std::size_t next = 0; next < queue_.size(); ++next) Expand(queue_[next]);
  }

  // PlaceOf gives up at nodes that lie too deep: what stands there is no model that a person would look into.
  [[nodiscard]] NodePlace PlaceOf(NodeIndex node) {
    if (!seen_[node]) return {};
    std::vector<NodeIndex> steps;
    for (NodeIndex at = node; edges_[at].kind != Edge::Kind::kRoot; at = edges_[at].parent) {
      if (++climbed_ > kMostClimbed) return {};
      steps.push_back(at);
    }
    std::reverse(steps.begin(), steps.end());
    NodePlace place;
    TextWriter path(kMostPathText);
    path.Write("root");
    for (std::size_t i = 0; i < steps.size() && !path.full(); ++i) WriteStep(path, edges_[steps[i]]);
    for (const NodeIndex step : steps) {
      const NodeIndex parent = edges_[step].parent;
      if (graph_.kind(parent) != Kind::kCall || place.calls.size() >= kMostSteps) continue;
      place.calls.push_back(CalleeName(graph_, graph_.CallOf(parent)));
    }
    place.path = std::move(path).Take();
    return place;
  }

 private:
  void Visit(NodeIndex node, Edge edge) {
    if (node == kNoNode || seen_[node]) return;
    seen_[node] = true;
    edges_[node] = edge;
    queue_.push_back(node);
  }

  // Enter says whether a container's items have not been gone to yet: one dict may be the state of many objects.
  bool Enter(NodeIndex container) {
    const bool first = !entered_[container];
    entered_[container] = true;
    return first;
  }

  // VisitItems goes to the items of a list or tuple that belongs to `parent`.
  void VisitItems(NodeIndex container, NodeIndex parent, Edge::Kind kind) {
    if (!Enter(container)) return;
    const std::span<const NodeIndex> items = graph_.ItemsOf(container);
    for (std::size_t i = 0; i < items.size(); ++i) Visit(items[i], {parent, kind, static_cast<std::uint32_t>(i)});
  }

  void VisitPairs(NodeIndex dict, NodeIndex parent, Edge::Kind kind) {
    if (!Enter(dict)) return;
    const std::span<const NodeIndex> items = graph_.ItemsOf(dict);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      Visit(items[i + 1], {parent, kind, items[i]});
      Visit(items[i], {parent, Edge::Kind::kKey, static_cast<std::uint32_t>(i / 2)});
    }
  }

  void ExpandCall(NodeIndex node) {
    const Call& call = graph_.CallOf(node);
    if (call.args != kNoNode && graph_.kind(call.args) == Kind::kTuple) {
      VisitItems(call.args, node, Edge::Kind::kArgument);
    }
    if (call.state != kNoNode && graph_.kind(call.state) == Kind::kDict) {
      VisitPairs(call.state, node, Edge::Kind::kAttribute);
    } else {
      Visit(call.state, {node, Edge::Kind::kItem, 0});
    }
    if (call.appends != kNoNode) VisitItems(call.appends, node, Edge::Kind::kItem);
    if (call.set_items != kNoNode) VisitPairs(call.set_items, node, Edge::Kind::kValue);
    Visit(call.callee, {node, Edge::Kind::kCallee, 0});
  }

  void Expand(NodeIndex node) {
    switch (graph_.kind(node)) {
      case Kind::kList:
      case Kind::kTuple:
      case Kind::kSet:
      case Kind::kFrozenset: VisitItems(node, node, Edge::Kind::kItem); return;
      case Kind::kDict: VisitPairs(node, node, Edge::Kind::kValue); return;
      case Kind::kCall: ExpandCall(node); return;
      case Kind::kPersistent: Visit(graph_.PersistentIdOf(node), {node, Edge::Kind::kItem, 0}); return;
      default: return;
    }
  }

  void WriteStep(TextWriter& path, const Edge& edge) const {
    switch (edge.kind) {
      case Edge::Kind::kRoot:
      case Edge::Kind::kCallee: return;
      case Edge::Kind::kItem: path.Write("[" + std::to_string(edge.at) + "]"); return;
      case Edge::Kind::kKey: path.Write("<key " + std::to_string(edge.at) + ">"); return;
      case Edge::Kind::kArgument: path.Write("(" + std::to_string(edge.at) + ")"); return;
      case Edge::Kind::kAttribute:
        path.Write(".");
        path.Write(graph_.TextOf(edge.at));
        return;
      case Edge::Kind::kValue:
        path.Write("[");
        WriteNode(path, graph_, edge.at, kMostNesting);
        path.Write("]");
        return;
    }
  }

  const Graph& graph_;
  std::vector<Edge> edges_;
  std::vector<bool> seen_;
  std::vector<bool> entered_;
  std::vector<NodeIndex> queue_;
  std::size_t climbed_ = 0;
};

}  // namespace

std::string CallText(const Graph& graph, NodeIndex node) {
  const Call& call = graph.CallOf(node);
  TextWriter out(kMostCallText);
  out.Write(CalleeName(graph, call));
  out.Write("(");
  if (graph.kind(call.args) == Kind::kTuple) {
    WriteItems(out, graph, graph.ItemsOf(call.args), 0);
  } else {
    WriteNode(out, graph, call.args, 0);
  }
  out.Write(")");
  return std::move(out).Take();
}

std::vector<NodePlace> FindPlaces(const Graph& graph, NodeIndex root, std::span<const NodeIndex> nodes) {
  PlaceFinder finder(graph, root);
  std::vector<NodePlace> places;
  for (const NodeIndex node : nodes) places.push_back(finder.PlaceOf(node));
  return places;
}

}  // namespace safemodel::pickle
