// SPDX-License-Identifier: Apache-2.0
// Nodes as text for people: calls as Python would spell them, and places in an object.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pickle/node.h"

namespace safemodel::pickle {

// CallText returns a call with its arguments, such as os.system('id'), in at most 256 bytes. Texts of the file stand in
// it raw, but for quotes.
std::string CallText(const Graph& graph, NodeIndex call);

// NodePlace is where a node stands: the path from the root by which it is first met, such as root["a"].hooks[0], and
// the names of the calls that the path leads through, outermost first. Both are empty when the root does not reach it.
struct NodePlace {
  std::string path;
  std::vector<std::string> calls;
};

// FindPlaces walks over everything below `root` once and returns the place of each of `nodes`, in their order; no place
// for those behind more edges than a bound on the work allows.
std::vector<NodePlace> FindPlaces(const Graph& graph, NodeIndex root, std::span<const NodeIndex> nodes);

}  // namespace safemodel::pickle
