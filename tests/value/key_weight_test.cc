// SPDX-License-Identifier: Apache-2.0
// Keys weigh as much as hashing them costs ([T-KEYS]): a shared part counts as often as it is referred to.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "value/builder.h"

namespace safemodel {
namespace {

// Of makes a list of `dicts` dicts of one key, a tuple of `items` references to one text, or to one integer of
// `int_bytes` bytes.
std::string Of(int dicts, std::size_t items, std::size_t int_bytes) {
  ValueTreeBuilder builder;
  const NodeId item = int_bytes == 0 ? builder.Str("a") : builder.IntBytes(ByteBuffer(int_bytes, 1));
  const NodeId key = builder.Parent(NodeKind::kTuple, std::vector<NodeId>(items, item));
  const NodeId value = builder.Leaf(NodeKind::kNone);
  std::vector<NodeId> all;
  for (int i = 0; i < dicts; ++i) all.push_back(builder.Parent(NodeKind::kDict, {key, value}));
  const NodeId root = builder.Parent(NodeKind::kList, all);
  const auto tree = std::move(builder).Finish(root, {});
  return tree.ok() ? "ok" : tree.error().code;
}

}  // namespace

TEST_CASE("key weights: one large key that many dicts share") {
  CHECK(Of(1000, 1000, 0) == "ok");
  CHECK(Of(10'000, 10, 0) == "ok");
  CHECK(Of(10'000, 1000, 0) == "keys_too_large");
}

TEST_CASE("key weights: integers count by their bytes, which are hashed anew each time") {
  CHECK(Of(1, 100, 65'000) == "ok");
  CHECK(Of(100, 1000, 65'000) == "keys_too_large");
}

}  // namespace safemodel
