// SPDX-License-Identifier: Apache-2.0
// Statements: what a signer says about one manifest. Spec: section 11.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/limits.h>
#include <safemodel/policy.h>
#include <safemodel/result.h>

#include "trust/release.h"

namespace safemodel::json {
class Value;
}

namespace safemodel::trust {

inline constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kPredicateType = "https://safemodel.dev/release/v1";
inline constexpr std::string_view kFilesPredicateType = "https://safemodel.dev/files-release/v1";
inline constexpr std::string_view kSetPredicateType = "https://safemodel.dev/set-release/v1";
inline constexpr std::size_t kRoleBytes = 64;
inline constexpr std::size_t kRequiredRoles = 16;

using safemodel::Checked;

// CheckedName is the word of a statement for it; CheckedFrom finds it again.
std::string_view CheckedName(Checked checked);
std::optional<Checked> CheckedFrom(std::string_view name);

struct Statement {
  ReleaseKind kind = ReleaseKind::kContainer;
  Digest manifest_digest{};
  std::string subject_name;         // NAME@VERSION
  std::optional<std::string> role;  // absent: counts for nothing
  std::string model;
  std::string version;
  std::uint64_t sequence = 0;
  std::string file_id;  // as written; hex
  std::int64_t issued_at = 0;
  std::optional<std::int64_t> not_after;
  Checked checked = Checked::kNone;
  std::vector<std::string> requires_roles;
  bool operator==(const Statement&) const = default;
};

// Subject is what a statement is about, whatever it says about it.
struct Subject {
  std::string name;
  Digest manifest_digest{};
};

// ParseSubject reads the subject of a statement: exactly one, with exactly one digest; [S-SUBJECT].
Result<Subject> ParseSubject(const json::Value& root);

// IsReleaseType says whether a predicate type is that of a release of any kind, which no attestation may have.
[[nodiscard]] bool IsReleaseType(std::string_view predicate_type);

// IsRole says whether a text may name a role: 1 to 64 of A–Z a–z 0–9 . _ -; [S-ROLE].
[[nodiscard]] bool IsRole(std::string_view text);

// ParseStatement reads a payload whose signature has been verified. Errors: kMalformed, kLimit, and kUntrusted
// "other_statement" for attestations, other versions, and releases of another kind than the one asked for, however much
// they look like it.
Result<Statement> ParseStatement(ByteView payload, const Limits& limits, ReleaseKind kind = ReleaseKind::kContainer);
ByteBuffer SerializeStatement(const Statement& statement);

// Matches says whether the fields that repeat the manifest are equal to it; [S-MATCH].
[[nodiscard]] bool Matches(const Statement& statement, const Release& release);

}  // namespace safemodel::trust
