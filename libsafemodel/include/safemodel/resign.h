// SPDX-License-Identifier: Apache-2.0
// After a signing key has leaked: signing anew, with another key, what the leaked one had signed before. No weights are
// read. docs/runbook.md has the whole way.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <safemodel/log.h>
#include <safemodel/policy.h>
#include <safemodel/sign.h>

namespace safemodel {

// ResignBasis says which containers may be signed anew: those of which a log had a statement by the leaked key before a
// checkpoint that was kept from the time before the leak, or those whose manifests somebody lists. Whoever stole a key
// can back-date, and can also log, so neither a time in a statement nor an entry as such decides. A value that may be
// copied; const members are safe to call from several threads at once. One that was moved from may be assigned to or
// destroyed, and nothing else.
class ResignBasis {
 public:
  // FromLog verifies the whole log, the signature of the checkpoint `before` (a note), and that the log continues it;
  // then it takes the entries by `leaked`. Errors: those of VerifyLog.
  static Result<ResignBasis> FromLog(const std::string& folder, const LogTrust& trust, ByteView before,
                                     const PublicKey& leaked, const Limits& limits = {});
  // FromManifests takes SHA-256 digests of manifests, for which the caller vouches.
  static ResignBasis FromManifests(std::vector<Digest> manifests);

  struct Entry {
    std::uint64_t index = 0;
    LogEntry entry;
  };
  // leaked is absent for listed manifests.
  [[nodiscard]] const std::optional<PublicKey>& leaked() const { return leaked_; }
  [[nodiscard]] const LogCheckpoint& before() const { return before_; }
  [[nodiscard]] const std::set<Digest>& manifests() const { return manifests_; }
  // EntriesAbout returns what the log has about a manifest by the leaked key, before and after the checkpoint.
  [[nodiscard]] std::vector<Entry> EntriesAbout(const Digest& manifest_digest) const;

 private:
  ResignBasis() = default;
  std::optional<PublicKey> leaked_;
  LogCheckpoint before_;
  std::multimap<Digest, Entry> entries_;
  std::set<Digest> manifests_;
};

struct ResignOptions {
  // The role and the required roles are used for listed manifests alone; otherwise those of the old statement are. So
  // is its end, unless there is one here.
  SignOptions signature = {};
  const Policy* policy = nullptr;  // what it denies is not signed, and nothing with a key that it revokes
  const LogOwner* log = nullptr;   // gets an entry for each new statement
};

struct ResignReport {
  std::string model_name;
  std::string model_version;
  std::uint64_t sequence = 0;
  Digest manifest_digest{};
  std::vector<std::string> signed_roles = {};
  std::vector<std::string> already_roles = {};  // in which the new key has signed before
  std::vector<LoggedStatement> logged = {};
  std::string envelope_path = {};  // empty when nothing had to be signed
};

// Resign signs one container anew, in each role in which the leaked key had signed it, under the conditions of the old
// statement. That statement must be in the envelope: what it demanded stands nowhere else.
// Errors, besides those of Sign: kUntrusted "not_logged", "logged_after_checkpoint", "not_listed", "no_old_statement",
// "contradicts_manifest", "expired", "denied_manifest", "denied_content" (as the directory states it), "revoked_key";
// kUsage "same_key".
Result<ResignReport> Resign(const std::string& path, const Signer& key, const ResignBasis& basis,
                            const ResignOptions& options);

}  // namespace safemodel
