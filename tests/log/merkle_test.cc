// SPDX-License-Identifier: Apache-2.0
#include "log/merkle.h"

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "crypto/hash.h"

namespace safemodel::log {
namespace {

// The definition of RFC 6962, section 2.1, as it stands there.
Digest Definition(const std::vector<Digest>& leaves, std::size_t begin, std::size_t end) {
  if (begin == end) return EmptyRoot();
  if (end - begin == 1) return leaves[begin];
  std::size_t k = 1;
  while (2 * k < end - begin) k *= 2;
  return NodeHash(Definition(leaves, begin, begin + k), Definition(leaves, begin + k, end));
}

struct Tree {
  std::vector<Digest> leaves;
  explicit Tree(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) leaves.push_back(LeafHash(AsBytes("leaf " + std::to_string(i))));
  }
  [[nodiscard]] Digest Root(std::size_t size) const { return Definition(leaves, 0, size); }
  [[nodiscard]] PerfectHash Perfect() const {
    return [this](unsigned height, std::uint64_t index) -> Result<Digest> {
      return Definition(leaves, index << height, (index + 1) << height);
    };
  }
};

constexpr std::size_t kMost = 40;

}  // namespace

TEST_CASE("merkle: the hashes that RFC 6962 fixes") {
  CHECK(crypto::Hex(EmptyRoot()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(crypto::Hex(LeafHash({})) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  const Digest leaf = LeafHash({});
  CHECK(NodeHash(leaf, leaf) != LeafHash(leaf));  // leaf and node never meet
}

TEST_CASE("merkle: roots of ranges are those of the definition") {
  const Tree tree(kMost);
  for (std::size_t size = 0; size <= kMost; ++size) {
    CHECK(RangeRoot(0, size, tree.Perfect()).value() == tree.Root(size));
    GrowingRoot growing;
    for (std::size_t i = 0; i < size; ++i) growing.Add(tree.leaves[i]);
    CHECK(growing.Root() == tree.Root(size));
  }
}

TEST_CASE("merkle: an inclusion proof holds for its leaf, index, size and root alone") {
  const Tree tree(kMost);
  for (std::size_t size = 1; size <= kMost; ++size) {
    for (std::size_t index = 0; index < size; ++index) {
      CAPTURE(size);
      CAPTURE(index);
      const Digest root = tree.Root(size);
      auto proof = InclusionProof(index, size, tree.Perfect()).value();
      CHECK(HoldsInclusion(index, size, tree.leaves[index], proof, root));
      CHECK_FALSE(HoldsInclusion(size, size, tree.leaves[index], proof, root));
      CHECK_FALSE(HoldsInclusion(index, 0, tree.leaves[index], proof, root));
      CHECK_FALSE(HoldsInclusion(index, size, LeafHash(tree.leaves[index]), proof, root));
      CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[index], proof, LeafHash(root)));
      for (std::size_t other = 0; other < size; ++other) {
        if (other != index) CHECK_FALSE(HoldsInclusion(other, size, tree.leaves[index], proof, root));
        if (other != index) CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[other], proof, root));
      }
      for (std::size_t i = 0; i < proof.size(); ++i) {
        auto changed = proof;
        changed[i][31] ^= 1;
        CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[index], changed, root));
      }
      auto longer = proof;
      longer.push_back(root);
      CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[index], longer, root));
      if (proof.empty()) continue;
      longer = proof;
      longer.insert(longer.begin(), root);
      CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[index], longer, root));
      proof.pop_back();
      CHECK_FALSE(HoldsInclusion(index, size, tree.leaves[index], proof, root));
    }
  }
}

TEST_CASE("merkle: a consistency proof holds for its two trees alone") {
  const Tree tree(kMost);
  for (std::size_t size = 0; size <= kMost; ++size) {
    for (std::size_t old_size = 0; old_size <= size; ++old_size) {
      CAPTURE(size);
      CAPTURE(old_size);
      const Digest root = tree.Root(size);
      const Digest old_root = tree.Root(old_size);
      const Digest other = LeafHash(root);
      auto proof = ConsistencyProof(old_size, size, tree.Perfect()).value();
      CHECK(HoldsConsistency(old_size, size, old_root, root, proof));
      CHECK_FALSE(HoldsConsistency(old_size, size, other, root, proof));
      if (old_size != 0) CHECK_FALSE(HoldsConsistency(old_size, size, old_root, other, proof));
      if (old_size != size) CHECK_FALSE(HoldsConsistency(size, old_size, root, old_root, proof));
      for (std::size_t i = 0; i < proof.size(); ++i) {
        auto changed = proof;
        changed[i][0] ^= 0x80;
        CHECK_FALSE(HoldsConsistency(old_size, size, old_root, root, changed));
      }
      auto longer = proof;
      longer.push_back(other);
      CHECK_FALSE(HoldsConsistency(old_size, size, old_root, root, longer));
      if (proof.empty()) continue;
      proof.pop_back();
      CHECK_FALSE(HoldsConsistency(old_size, size, old_root, root, proof));
    }
  }
}

TEST_CASE("merkle: sizes near 2^64 end, and hold for nothing") {
  const std::vector<Digest> proof(kMostProofHashes);
  CHECK_FALSE(HoldsInclusion(~std::uint64_t{1}, ~std::uint64_t{0}, {}, proof, {}));
  CHECK_FALSE(HoldsConsistency(std::uint64_t{1} << 63, ~std::uint64_t{0}, {}, {}, proof));
}

}  // namespace safemodel::log
