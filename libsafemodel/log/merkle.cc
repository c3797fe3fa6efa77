// SPDX-License-Identifier: Apache-2.0
// The verifiers follow RFC 9162, sections 2.1.3.2 and 2.1.4.2, which say the same of the same trees as RFC 6962.
#include "log/merkle.h"

#include <algorithm>
#include <bit>

#include "base/try.h"
#include "crypto/hash.h"

namespace safemodel::log {
namespace {

constexpr std::uint8_t kLeafPrefix = 0;
constexpr std::uint8_t kNodePrefix = 1;

// SplitOf returns the largest power of two that is smaller than n; n > 1.
std::uint64_t SplitOf(std::uint64_t n) { return std::bit_floor(n - 1); }

// Odd says whether a node of this number is a right child.
bool Odd(std::uint64_t number) { return (number & 1) != 0; }

// Climb is the way from a leaf, or from the last subtree of an older tree, to the root of a tree with `last` + 1
// leaves.
class Climb {
 public:
  Climb(std::uint64_t node, std::uint64_t last) : node_(node), last_(last) {}

  [[nodiscard]] bool at_root() const { return last_ == 0; }
  // Step goes up past one hash of the proof, and says whether that hash stands on the left.
  bool Step() {
    const bool left = Odd(node_) || node_ == last_;
    while (left && !Odd(node_) && node_ != 0) Up();
    Up();
    return left;
  }
  // SkipRight goes up as long as nothing of the older tree stands on the right.
  void SkipRight() {
    while (Odd(node_)) Up();
  }

 private:
  void Up() {
    node_ >>= 1;
    last_ >>= 1;
  }
  std::uint64_t node_;
  std::uint64_t last_;
};

}  // namespace

Digest LeafHash(ByteView entry) {
  crypto::Sha256 hash;
  hash.Update({&kLeafPrefix, 1});
  hash.Update(entry);
  return hash.Finish();
}

Digest NodeHash(const Digest& left, const Digest& right) {
  crypto::Sha256 hash;
  hash.Update({&kNodePrefix, 1});
  hash.Update(left);
  hash.Update(right);
  return hash.Finish();
}

Digest EmptyRoot() { return crypto::Sha256Of({}); }

Result<Digest> RangeRoot(std::uint64_t begin, std::uint64_t end, const PerfectHash& perfect) {
  if (begin == end) return EmptyRoot();
  // From left to right, the range is perfect subtrees of falling height; they are joined from the right.
  std::vector<Digest> parts;
  while (begin < end) {
    const auto height = static_cast<unsigned>(std::bit_width(end - begin) - 1);
    SAFEMODEL_ASSIGN(const Digest part, perfect(height, begin >> height));
    parts.push_back(part);
    begin += std::uint64_t{1} << height;
  }
  Digest root = parts.back();
  for (auto part = parts.rbegin() + 1; part != parts.rend(); ++part) root = NodeHash(*part, root);
  return root;
}

void GrowingRoot::Add(const Digest& leaf) {
  Digest hash = leaf;
  for (std::uint64_t subtrees = size_; Odd(subtrees); subtrees >>= 1) {
    hash = NodeHash(perfect_.back(), hash);
    perfect_.pop_back();
  }
  perfect_.push_back(hash);
  ++size_;
}

Digest GrowingRoot::Root() const {
  if (perfect_.empty()) return EmptyRoot();
  Digest hash = perfect_.back();
  for (std::size_t i = perfect_.size() - 1; i > 0; --i) hash = NodeHash(perfect_[i - 1], hash);
  return hash;
}

Result<std::vector<Digest>> InclusionProof(std::uint64_t index, std::uint64_t size, const PerfectHash& perfect) {
  std::vector<Digest> proof;
  for (std::uint64_t begin = 0, end = size; end - begin > 1;) {
    const std::uint64_t middle = begin + SplitOf(end - begin);
    const bool left = index < middle;
    SAFEMODEL_ASSIGN(const Digest beside, left ? RangeRoot(middle, end, perfect) : RangeRoot(begin, middle, perfect));
    proof.push_back(beside);
    (left ? end : begin) = middle;
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

Result<std::vector<Digest>> ConsistencyProof(std::uint64_t old_size, std::uint64_t size, const PerfectHash& perfect) {
  std::vector<Digest> proof;
  if (old_size == 0 || old_size == size) return proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (old_size != end) {
    const std::uint64_t middle = begin + SplitOf(end - begin);
    const bool left = old_size <= middle;
    SAFEMODEL_ASSIGN(const Digest beside, left ? RangeRoot(middle, end, perfect) : RangeRoot(begin, middle, perfect));
    proof.push_back(beside);
    (left ? end : begin) = middle;
  }
  // A subtree that begins at 0 is the whole old tree, whose root the verifier has.
  if (begin != 0) {
    SAFEMODEL_ASSIGN(const Digest last, RangeRoot(begin, end, perfect));
    proof.push_back(last);
  }
  std::reverse(proof.begin(), proof.end());
  return proof;
}

bool HoldsInclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf, std::span<const Digest> proof,
                    const Digest& root) {
  if (index >= size) return false;
  Climb climb(index, size - 1);
  Digest hash = leaf;
  for (const Digest& beside : proof) {
    if (climb.at_root()) return false;
    hash = climb.Step() ? NodeHash(beside, hash) : NodeHash(hash, beside);
  }
  return climb.at_root() && hash == root;
}

bool HoldsConsistency(std::uint64_t old_size, std::uint64_t size, const Digest& old_root, const Digest& root,
                      std::span<const Digest> proof) {
  if (old_size > size) return false;
  if (old_size == size) return proof.empty() && old_root == root && (size != 0 || root == EmptyRoot());
  if (old_size == 0) return proof.empty() && old_root == EmptyRoot();
  const bool perfect = std::has_single_bit(old_size);
  if (!perfect && proof.empty()) return false;
  const Digest& seed = perfect ? old_root : proof.front();
  if (!perfect) proof = proof.subspan(1);
  Climb climb(old_size - 1, size - 1);
  climb.SkipRight();
  Digest old_hash = seed;
  Digest hash = seed;
  for (const Digest& beside : proof) {
    if (climb.at_root()) return false;
    const bool left = climb.Step();
    if (left) old_hash = NodeHash(beside, old_hash);
    hash = left ? NodeHash(beside, hash) : NodeHash(hash, beside);
  }
  return climb.at_root() && old_hash == old_root && hash == root;
}

}  // namespace safemodel::log
