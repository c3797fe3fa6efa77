// SPDX-License-Identifier: Apache-2.0
#include "pickle/node.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace safemodel::pickle {

namespace {

bool IsAscii(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte < 0x80; });
}

std::string_view AsText(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

Graph::Graph(SharedSource stream) : stream_(std::move(stream)) {
  static_assert(sizeof(Node) == 24);
  Add(Kind::kNone, 0);
  Add(Kind::kFalse, 0);
  Add(Kind::kTrue, 0);
  nodes_[kTrue].integer = 1;
}

void Graph::Expect(std::uint64_t stream_bytes) {
  constexpr std::uint64_t kBytesOfNode = 6;  // fewer than names and numbers take in a stream
  constexpr std::uint64_t kMost = 4u << 20;
  const auto nodes = static_cast<std::size_t>(std::min(stream_bytes / kBytesOfNode, kMost));
  nodes_.reserve(nodes);
  items_.reserve(nodes);
}

NodeIndex Graph::Add(Kind kind, std::uint64_t offset) {
  Node node{};
  node.offset = offset & ((std::uint64_t{1} << 48) - 1);
  node.kind = kind;
  nodes_.push_back(node);
  return static_cast<NodeIndex>(nodes_.size() - 1);
}

NodeIndex Graph::AddSpan(Kind kind, std::uint64_t offset, ByteView bytes) {
  const NodeIndex node = Add(kind, offset);
  nodes_[node].data = bytes.data();
  nodes_[node].size = bytes.size();
  return node;
}

NodeIndex Graph::AddInt(std::uint64_t offset, std::int64_t value) {
  const NodeIndex node = Add(Kind::kInt, offset);
  nodes_[node].integer = value;
  return node;
}

NodeIndex Graph::AddLong(std::uint64_t offset, ByteView twos_complement) {
  return AddSpan(Kind::kLong, offset, twos_complement);
}

NodeIndex Graph::AddFloat(std::uint64_t offset, double value) {
  const NodeIndex node = Add(Kind::kFloat, offset);
  nodes_[node].real = value;
  return node;
}

NodeIndex Graph::AddBytes(Kind kind, std::uint64_t offset, ByteView bytes) { return AddSpan(kind, offset, bytes); }

NodeIndex Graph::AddStreamBytes(Kind kind, std::uint64_t offset, std::uint64_t data_offset, std::uint64_t size) {
  const NodeIndex node = Add(kind, offset);
  nodes_[node].in_stream = true;
  nodes_[node].data_offset = data_offset;
  nodes_[node].size = size;
  return node;
}

NodeIndex Graph::AddSameBytes(Kind kind, std::uint64_t offset, NodeIndex bytes) {
  const NodeIndex node = Add(kind, offset);
  const Node& same = nodes_[bytes];
  nodes_[node].copied = true;
  nodes_[node].in_stream = same.in_stream;
  nodes_[node].size = same.size;
  if (same.in_stream) {
    nodes_[node].data_offset = same.data_offset;
  } else {
    nodes_[node].data = same.data;
  }
  return node;
}

NodeIndex Graph::AddContainer(Kind kind, std::uint64_t offset) { return Add(kind, offset); }

NodeIndex Graph::AddGlobal(std::uint64_t offset, std::uint32_t global) {
  const NodeIndex node = Add(Kind::kGlobal, offset);
  nodes_[node].index = global;
  return node;
}

NodeIndex Graph::AddCall(std::uint64_t offset, const Call& call) {
  const NodeIndex node = Add(Kind::kCall, offset);
  nodes_[node].index = static_cast<std::uint32_t>(calls_.size());
  calls_.push_back(call);
  return node;
}

NodeIndex Graph::AddPersistent(std::uint64_t offset, NodeIndex id) {
  const NodeIndex node = Add(Kind::kPersistent, offset);
  nodes_[node].index = id;
  return node;
}

NodeIndex Graph::AddRawArray(std::uint64_t offset, std::uint32_t tensor) {
  const NodeIndex node = Add(Kind::kRawArray, offset);
  nodes_[node].index = tensor;
  return node;
}

std::uint32_t Graph::AddGlobalName(const GlobalName& global) {
  globals_.push_back(global);
  return static_cast<std::uint32_t>(globals_.size() - 1);
}

bool Graph::Append(NodeIndex container, std::span<const NodeIndex> items) {
  Node& node = nodes_[container];
  const std::size_t wanted = node.size + items.size();
  if (wanted > node.items.capacity) {
    const bool last = node.items.capacity != 0 && node.items.begin + node.items.capacity == items_.size();
    const std::size_t capacity = last || node.size == 0 ? wanted : 2 * wanted;
    const std::size_t begin = last ? node.items.begin : items_.size();
    if (begin + capacity > std::numeric_limits<std::uint32_t>::max()) return false;
    items_.resize(begin + capacity);
    if (!last)
      std::copy_n(items_.begin() + node.items.begin, node.size, items_.begin() + static_cast<std::ptrdiff_t>(begin));
    node.items = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(capacity)};
  }
  std::copy(items.begin(), items.end(), items_.begin() + static_cast<std::ptrdiff_t>(node.items.begin + node.size));
  node.size = wanted;
  return true;
}

ByteView Graph::Keep(ByteBuffer buffer) {
  kept_.push_back(std::move(buffer));
  return kept_.back();
}

MutableBytes Graph::KeepRoom(std::size_t size) { return rooms_.emplace_back(size); }

std::int64_t Graph::IntOf(NodeIndex node) const { return nodes_[node].integer; }

ByteView Graph::LongOf(NodeIndex node) const { return {nodes_[node].data, nodes_[node].size}; }

double Graph::FloatOf(NodeIndex node) const { return nodes_[node].real; }

std::uint64_t Graph::SizeOf(NodeIndex node) const { return nodes_[node].size; }

std::optional<ByteView> Graph::BytesOf(NodeIndex node) const {
  if (nodes_[node].in_stream) return std::nullopt;
  return ByteView{nodes_[node].data, nodes_[node].size};
}

std::string_view Graph::TextOf(NodeIndex node) const {
  const Node& found = nodes_[node];
  if ((found.kind != Kind::kStr && found.kind != Kind::kPy2Str) || found.in_stream) return {};
  return AsText({found.data, found.size});
}

bool Graph::IsText(NodeIndex node) const {
  const Node& found = nodes_[node];
  if (found.kind == Kind::kStr) return true;
  return found.kind == Kind::kPy2Str && !found.in_stream && IsAscii({found.data, found.size});
}

Result<SharedSource> Graph::SourceOf(NodeIndex node) const {
  const Node& found = nodes_[node];
  if (found.in_stream) return MakeSliceSource(stream_, found.data_offset, found.size);
  return MakeMemorySource(ByteBuffer(found.data, found.data + found.size));
}

std::span<const NodeIndex> Graph::ItemsOf(NodeIndex node) const {
  return {items_.data() + nodes_[node].items.begin, nodes_[node].size};
}

}  // namespace safemodel::pickle
