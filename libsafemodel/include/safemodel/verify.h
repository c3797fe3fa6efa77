// SPDX-License-Identifier: Apache-2.0
// Verification with an explanation.
#pragma once

#include <string>
#include <vector>

#include <safemodel/model.h>

namespace safemodel {

enum class VerifyScope : std::uint8_t {
  kManifest,  // signatures and policy only
  kStored,    // and every stored byte of the core, and the directory unless it is encrypted and no identity is given
  kContent,   // and every plain byte against the digests of the directory
};

// ContentDenials says how the content digests that the policy denies were compared.
enum class ContentDenials : std::uint8_t {
  kNone,        // the policy denies no content
  kNotChecked,  // nothing of the content was read
  kStated,      // with the digest that the directory states
  kComputed,    // with the digest of the plain bytes
};

// DirectoryState says what is known about names, shapes and the value tree.
enum class DirectoryState : std::uint8_t {
  kNotRead,  // they were not in scope
  kHidden,   // the container is encrypted and no identity was given: its stored bytes are checked, nothing else
  kRead,
};

// Verdict is the answer of Verify. It is complete also when the answer is no.
struct Verdict {
  Status status;  // ok: the policy accepts this container, and the bytes in scope are those that were signed
  std::optional<ModelInfo> info;  // once one trusted key had verified a statement about the manifest
  std::vector<SignatureReport> signatures;
  std::string rule;                               // glob of the rule that decided
  std::vector<std::string> missing_roles;         // what the policy still wanted
  std::vector<std::string> missing_attestations;  // their predicate types
  RollbackReport rollback;
  DirectoryState directory = DirectoryState::kNotRead;
  ContentDenials content_denials = ContentDenials::kNone;
  std::uint64_t bytes_checked = 0;
};

// Verify opens, authenticates and checks a container. The same code as VerifiedModel::Open decides,
// whatever the mode of the rule; what is accepted is remembered in the state file of the policy.
Verdict Verify(const std::string& path, const Policy& policy, const Expectation& expectation, VerifyScope scope,
               const OpenOptions& options = {}, const Progress& progress = {});

}  // namespace safemodel
