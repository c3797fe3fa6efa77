// SPDX-License-Identifier: Apache-2.0
// Digests of tensors, and of models. Conversion, verification and `digest` all compute them here.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <safemodel/progress.h>

#include "base/source.h"
#include "container/format.h"
#include "model/gather.h"

namespace safemodel {

// DigestSource is a byte string that tensors are views of: the plain bytes of an object, or of a storage of the source.
struct DigestSource {
  // Open returns a source that only the caller uses, while it works on this DigestSource.
  std::function<Result<SharedSource>()> open;
  std::uint64_t bytes = 0;
  std::optional<Digest> whole;  // BLAKE3 of all bytes, where it is known already
};

struct TensorDigestJob {
  std::span<const container::TensorRecord> tensors;
  std::span<const ElementType> element_types;
  std::vector<std::uint32_t> source_of_storage;
  std::vector<DigestSource> sources;
  Limits limits = {};
  unsigned threads = 0;
  std::uint64_t block_bytes = kLeastBlockBytes;  // memory for gathering one strided tensor
  Progress progress = {};
};

// DigestTensors returns the BLAKE3 of the contiguous bytes of each tensor (for an expanded one, with its dimensions of
// stride 0 as size 1). Each distinct view is read once, and together they may not be much more than alias_expansion
// times the sources: kLimit "alias_expansion". Bytes that no reader may see are refused: kMalformed "bad_bool"
// [D-BOOL], "bad_pad_bits".
Result<std::vector<Digest>> DigestTensors(const TensorDigestJob& job);

// PlainChecker refuses what the bytes of some dtypes may not be: bool other than 0 and 1 [D-BOOL], pad bits that are
// not zero. Feed all bytes of a tensor in order.
class PlainChecker {
 public:
  PlainChecker(Dtype dtype, std::uint64_t elements);
  Status Update(ByteView bytes);
  // needed says whether the dtype has anything to check.
  [[nodiscard]] bool needed() const { return is_bool_ || pad_bits_ != 0; }

 private:
  bool is_bool_;
  unsigned pad_bits_;
  std::uint64_t left_;
};

// IsExpandedTensor says whether a tensor has no digest of its own (spec section 8).
Result<bool> IsExpandedTensor(const container::TensorRecord& tensor, std::span<const ElementType> types,
                              std::uint64_t storage_bytes);

// TensorDigest computes the tensor digest of a model. `digests` has one entry for each tensor, expanded ones too.
Result<Digest> TensorDigest(std::span<const container::TensorRecord> tensors, std::span<const Digest> digests,
                            std::span<const ElementType> types);

struct FileDigest {
  std::string path;
  std::uint64_t bytes = 0;
  Digest digest{};
};

// ContentDigest computes the content digest of a model. `files` are in path order.
Digest ContentDigest(const Digest& tensor_digest, std::span<const FileDigest> files, const ValueTree& tree);

// TypeTexts returns the canonical text of each element type: "kind:item_size:detail", for records with their fields.
// kLimit when they are over 16 MiB together: types that repeat each other could be of any length.
Result<std::vector<std::string>> TypeTexts(std::span<const ElementType> types);

}  // namespace safemodel
