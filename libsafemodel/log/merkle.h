// SPDX-License-Identifier: Apache-2.0
// Merkle trees of RFC 6962, section 2.1, over SHA-256. A leaf hashes as 00 | entry, a node as 01 | left | right, so
// that no node can pass for an entry.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel::log {

inline constexpr std::size_t kMostProofHashes = 64;

Digest LeafHash(ByteView entry);
Digest NodeHash(const Digest& left, const Digest& right);
// EmptyRoot is the root of the tree without entries: SHA-256 of nothing.
Digest EmptyRoot();

// PerfectHash returns the hash of the `index`-th perfect subtree of 2^`height` leaves.
using PerfectHash = std::function<Result<Digest>(unsigned height, std::uint64_t index)>;

// RangeRoot returns the Merkle hash of the leaves begin … end−1. The range is one that RFC 6962 cuts a tree into: begin
// is a multiple of the smallest power of two that is at least its length. RangeRoot(0, n) is the root of n leaves.
Result<Digest> RangeRoot(std::uint64_t begin, std::uint64_t end, const PerfectHash& perfect);

// GrowingRoot is the root of leaves that come one by one, in O(log n) memory: for whoever must know that the leaves
// that were looked at are those under a root, whatever is read again later.
class GrowingRoot {
 public:
  void Add(const Digest& leaf);
  [[nodiscard]] Digest Root() const;

 private:
  std::vector<Digest> perfect_;  // roots of the perfect subtrees so far, the largest first
  std::uint64_t size_ = 0;
};

// InclusionProof returns the hashes beside the way from leaf `index` to the root of `size` leaves; index < size.
Result<std::vector<Digest>> InclusionProof(std::uint64_t index, std::uint64_t size, const PerfectHash& perfect);
// ConsistencyProof returns the hashes that show that a tree of `size` leaves begins with the one of `old_size`;
// old_size <= size.
Result<std::vector<Digest>> ConsistencyProof(std::uint64_t old_size, std::uint64_t size, const PerfectHash& perfect);

// HoldsInclusion says whether the proof leads from the leaf to the root; [L-INCLUSION].
[[nodiscard]] bool HoldsInclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                                  std::span<const Digest> proof, const Digest& root);
// HoldsConsistency says whether the tree with `root` begins with the one with `old_root`; [L-CONSISTENT]. The empty
// tree is the beginning of every tree and needs no hashes.
[[nodiscard]] bool HoldsConsistency(std::uint64_t old_size, std::uint64_t size, const Digest& old_root,
                                    const Digest& root, std::span<const Digest> proof);

}  // namespace safemodel::log
