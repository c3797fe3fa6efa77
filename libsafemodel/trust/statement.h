// SPDX-License-Identifier: Apache-2.0
// Release statements: in-toto Statements v1 about the manifest of a container. Spec section 11.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "container/format.h"

namespace safemodel::trust {

inline constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kReleasePredicate = "https://safemodel.dev/release/v1";
inline constexpr std::size_t kRequiresMost = 16;

// Checked says what the signer's tool had checked before it signed.
enum class Checked : std::uint8_t { kNone, kManifest, kStored, kFull };

struct Statement {
  std::string subject_name;  // NAME@VERSION
  Digest subject_digest{};   // SHA-256 of the manifest
  std::string role;          // empty when absent: such a statement counts in no role
  std::string model;
  std::string version;
  std::uint64_t sequence = 0;
  FileId file_id{};
  std::int64_t issued_at = 0;               // Unix seconds
  std::optional<std::int64_t> not_after = {};
  Checked verified = Checked::kNone;
  std::vector<std::string> requires_roles = {};
  bool operator==(const Statement&) const = default;
};

// ParseStatement reads a payload whose signature has verified. Errors: kMalformed; kLimit; kUntrusted "not_a_release" for
// other statement or predicate types, which never count.
Result<Statement> ParseStatement(ByteView payload, const Limits& limits);

ByteBuffer SerializeStatement(const Statement& statement);

// IsRole says whether a text may name a role: 1 to 64 of a-z, 0-9, '-', '_', '.'.
bool IsRole(std::string_view text);

// Agrees compares the fields that repeat the manifest [S-MATCH].
bool Agrees(const Statement& statement, const container::Manifest& manifest);

}  // namespace safemodel::trust
