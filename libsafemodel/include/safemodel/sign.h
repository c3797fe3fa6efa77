// SPDX-License-Identifier: Apache-2.0
// Signing: adds a statement to the envelope of a container. No weights are read and the core is never written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <safemodel/keys.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel {

// Placement says where the new envelope goes: appended to the file, or left in the sidecar FILE.envelope. kKeep folds
// it into the file, unless it already lies in a sidecar.
enum class Placement : std::uint8_t { kKeep, kAppended, kDetached };

struct SignOptions {
  std::string role = "builder";
  std::optional<std::int64_t> not_after = {};    // Unix seconds
  std::vector<std::string> requires_roles = {};  // roles without which this signature must not be accepted
  std::optional<std::int64_t> issued_at = {};    // Unix seconds; now when absent
  Placement placement = Placement::kKeep;
  // What becomes of the release statements that the same key made before about the same manifest in the same role: they
  // stay, and go on counting, or they are taken out with their log proofs.
  enum class Earlier : std::uint8_t { kKeep, kReplace };
  Earlier earlier = Earlier::kKeep;
  Limits limits = {};
};

struct SignReport {
  std::string model_name;
  std::string model_version;
  std::uint64_t sequence = 0;
  Digest manifest_digest{};
  std::string key_id;
  std::string role;
  std::size_t signatures = 0;  // in the envelope now
  std::size_t replaced = 0;    // earlier statements that were taken out
  // An earlier statement by the same key stays that ends later than the new one, or never: until then it counts.
  bool outlasted = false;
  std::string envelope_path;  // the file, or its sidecar
};

// Sign adds one statement by `key` about the container at `path`. Crash-safe: the old or the new envelope is always
// complete, under an exclusive lock. Reads preamble, manifest and envelope only.
// Errors: kIo (also "locked" by another signer), kMalformed, kUnsupported, kLimit, kUsage (role or times).
Result<SignReport> Sign(const std::string& path, const Signer& key, const SignOptions& options);

}  // namespace safemodel
