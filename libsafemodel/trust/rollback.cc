// SPDX-License-Identifier: Apache-2.0
#include "trust/rollback.h"

#include <algorithm>

#include "base/try.h"
#include "trust/candidate.h"
#include "trust/rollback_state.h"
#include "trust/timestamp.h"

namespace safemodel::trust {
namespace {

// The newest time is written in steps of an hour, so that not every load writes.
constexpr std::int64_t kTimeStep = 3600;

Error Refuse(const char* code, const char* text, const Release& release) {
  return {Stage::kUntrusted, code, text, kNoOffset, release.name};
}

// Compare returns the code of what is accepted.
Result<const char*> Compare(const RollbackState& state, const Release& release, const Digest& manifest_digest,
                            std::int64_t now) {
  if (now < state.newest - kClockSkewSeconds)
    return Refuse("clock_behind", "the clock is behind the time of an earlier check: expiry cannot be judged", release);
  if (release.sequence == 0)
    return Refuse("unsequenced", "the policy remembers release sequences, and this release has none", release);
  const auto seen = state.models.find(release.name);
  if (seen == state.models.end()) return "first_seen";
  if (release.sequence < seen->second.sequence)
    return Refuse("rollback", "a newer release of this model was accepted before", release);
  if (release.sequence > seen->second.sequence) return "newer";
  if (seen->second.manifest.has_value() && *seen->second.manifest != manifest_digest)
    return Refuse("equivocation", "another container with this name and sequence was accepted before", release);
  return "same";
}

}  // namespace

Status CheckRollback(const Policy& policy, const Release& release, const Digest& manifest_digest, std::int64_t now,
                     RollbackReport& report) {
  const std::string& path = policy.parts().state_path;
  if (path.empty()) return {};
  SAFEMODEL_ASSIGN(const RollbackState state, ReadRollbackState(path));
  const auto seen = state.models.find(release.name);
  if (seen != state.models.end()) report.highest = seen->second.sequence;
  const auto compared = Compare(state, release, manifest_digest, now);
  report.code = compared.ok() ? compared.value() : compared.error().code;
  return compared.ok() ? Status() : Status(compared.error());
}

Status RememberRelease(const Policy& policy, const Release& release, const Digest& manifest_digest, std::int64_t now) {
  SAFEMODEL_TRY(CheckNow(now));
  const std::string& path = policy.parts().state_path;
  if (path.empty()) return {};
  return UpdateState(path, [&](RollbackState& state) -> Result<Changed> {
    SAFEMODEL_TRY(Compare(state, release, manifest_digest, now));
    const SeenRelease accepted{release.sequence, manifest_digest};
    SeenRelease& seen = state.models[release.name];
    if (seen == accepted && now < state.newest + kTimeStep) return Changed::kNo;
    seen = accepted;
    state.newest = std::max(state.newest, now);
    return Changed::kYes;
  });
}

}  // namespace safemodel::trust
