// SPDX-License-Identifier: Apache-2.0
// Loading: VerifiedModel exists only when a policy accepted the container; tensors come out of it only when their bytes
// have been checked against the signed digests.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/dtype.h>
#include <safemodel/limits.h>
#include <safemodel/policy.h>
#include <safemodel/progress.h>
#include <safemodel/recipients.h>
#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

// Tensor describes one named tensor. `strides` are in elements; two tensors alias each other when their `storage` is
// the same and their ranges meet. `digest` is BLAKE3-256 of the contiguous row-major little-endian bytes.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::kU8;
  std::uint32_t element_type = 0;  // index in VerifiedModel::element_types() when `dtype` is extended
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;
  std::uint32_t storage = 0;
  std::uint64_t byte_offset = 0;  // within the storage
  std::uint64_t elements = 0;     // product of shape
  std::uint64_t bytes = 0;        // of the contiguous form
  std::optional<Digest> digest;   // absent for a tensor expanded by strides of 0 (see the spec)
};

// PackedFile is a file of the model that is no tensor: a configuration, a tokenizer.
struct PackedFile {
  std::string path;
  std::string media_type;
  std::uint64_t bytes = 0;
};

struct ModelInfo {
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;  // 0: unsequenced
  std::int64_t created = 0;    // Unix seconds
  FileId file_id{};
  Digest manifest_digest{};                                           // SHA-256: the identity of the artifact
  Digest tensor_digest{};                                             // BLAKE3; zeros where the directory is hidden
  Digest content_digest{};                                            // BLAKE3; likewise
  std::vector<std::pair<std::string, std::string>> metadata;          // public, in the manifest
  std::vector<std::pair<std::string, std::string>> private_metadata;  // in the directory
  bool encrypted = false;
};

struct OpenOptions {
  Limits limits = {};
  std::string envelope_path = {};        // a detached envelope elsewhere; empty: beside or inside the file
  std::optional<std::int64_t> now = {};  // Unix seconds, 1970 to 9999 (kUsage "bad_time"); the clock when absent
  unsigned threads = 0;                  // 0: one for each processor
  IdentitySource identities = {};        // asked when the container is encrypted
};

// MappedView is a read-only view of verified bytes in a mapping of the file, alive as long as the object is. It assumes
// that nobody writes to the file meanwhile: a writer could change the bytes after they were checked, and truncation
// raises SIGBUS.
class MappedView {
 public:
  MappedView(std::shared_ptr<const void> mapping, ByteView bytes) : mapping_(std::move(mapping)), bytes_(bytes) {}
  [[nodiscard]] ByteView bytes() const { return bytes_; }

 private:
  std::shared_ptr<const void> mapping_;
  ByteView bytes_;
};

// InsecurePolicyMode is what code needs to load as the mode of a rule says, where that is warn or off. Its name is made
// to be searched for.
class InsecurePolicyMode {
 public:
  explicit InsecurePolicyMode() = default;
};

// VerifiedModel is an open container that a policy accepted. Move-only; all const members are safe to call from several
// threads at once. It reads from the descriptor opened by Open, whatever happens to the path afterwards.
class VerifiedModel {
 public:
  // Open verifies the signatures over the raw manifest, the policy, the expectation, and the directory. No weights are
  // read. When the policy names a state file, the release is remembered in it. Errors: every stage, but kUsage only for
  // the time.
  static Result<VerifiedModel> Open(const std::string& path, const Policy& policy, const Expectation& expectation,
                                    const OpenOptions& options = {});

  // OpenInPolicyMode opens like Open, but where the rule for this model has mode warn or off it lets pass whatever Open
  // refuses as kBadSignature or kUntrusted: signatures that are missing, bad, expired, or of unknown or revoked keys;
  // all that the rule asks for; and "rollback", "equivocation", "unsequenced" and "clock_behind". Such a release is not
  // remembered. The name that chooses the rule is then one that nobody vouches for. Never softened are denied manifests
  // and contents, other models than the expected one, and every other stage: other bytes than those that digests name,
  // broken shapes, limits, a state file that cannot be used.
  static Result<VerifiedModel> OpenInPolicyMode(const std::string& path, const Policy& policy,
                                                const Expectation& expectation, InsecurePolicyMode token,
                                                const OpenOptions& options = {});

  VerifiedModel(VerifiedModel&&) noexcept;
  VerifiedModel& operator=(VerifiedModel&&) noexcept;
  ~VerifiedModel();

  [[nodiscard]] const ModelInfo& info() const;
  [[nodiscard]] const std::vector<SignatureReport>& signatures() const;
  // let_pass returns what a rule of mode warn refused, for the caller to tell; nothing for a model that was accepted.
  [[nodiscard]] const std::optional<Error>& let_pass() const;
  // tensors returns all tensors in ascending byte order of their names.
  [[nodiscard]] std::span<const Tensor> tensors() const;
  [[nodiscard]] std::span<const ElementType> element_types() const;
  [[nodiscard]] std::span<const PackedFile> files() const;
  [[nodiscard]] const ValueTree& tree() const;

  // Find returns the tensor of this name; kUsage "no_such_tensor" otherwise. The pointer lives as long as the model.
  [[nodiscard]] Result<const Tensor*> Find(std::string_view name) const;

  // Read writes the contiguous row-major bytes of a tensor to `out`, whose size must be tensor.bytes (kUsage). On
  // failure `out` is all zeros. Errors: kIo, kDigestMismatch, kMalformed, kLimit.
  [[nodiscard]] Status Read(const Tensor& tensor, MutableBytes out) const;
  // ReadRows reads rows [first, first + count) of the first dimension, touching only the chunks they lie in.
  [[nodiscard]] Status ReadRows(const Tensor& tensor, std::uint64_t first, std::uint64_t count, MutableBytes out) const;

  struct Request {
    const Tensor* tensor;
    MutableBytes out;
  };
  // ReadMany reads several tensors with several threads; one error, the same for any number of threads, is returned and
  // every destination of a failed call is zeroed. Each request has a tensor (kUsage "no_tensor") and a destination of
  // its own: none overlaps another (kUsage "destinations_meet"). Refuses (kLimit) to produce more than
  // Limits::alias_expansion times the bytes of the objects read, each counted once. Other errors are those of Read.
  [[nodiscard]] Status ReadMany(std::span<const Request> requests, const Progress& progress = {}) const;

  // View returns verified bytes without a copy: only for tensors that are contiguous and stored raw in plain
  // (kUnsupported "not_raw" otherwise), and only if the policy allows mapping (kUntrusted "mapping_forbidden"). Other
  // errors: kDigestMismatch, kMalformed (bytes that no tensor of its dtype has), kIo, such as "map_failed".
  [[nodiscard]] Result<MappedView> View(const Tensor& tensor) const;

  // ReadFile returns the bytes of a packed file, found by its path: kUsage "no_such_file" when there is none. Other
  // errors: kIo, kDigestMismatch, kMalformed, kLimit.
  [[nodiscard]] Result<ByteBuffer> ReadFile(const PackedFile& file) const;

  // CheckAll checks every stored byte of the core, the padding too, with several threads. Nothing is decoded.
  [[nodiscard]] Status CheckAll(const Progress& progress = {}) const;
  // CheckContent decodes everything and compares per-tensor digests, tensor digest and content digest.
  [[nodiscard]] Status CheckContent(const Progress& progress = {}) const;

 private:
  struct Impl;
  explicit VerifiedModel(std::unique_ptr<Impl> impl);
  friend struct VerifiedModelAccess;
  std::unique_ptr<Impl> impl_;
};

}  // namespace safemodel
