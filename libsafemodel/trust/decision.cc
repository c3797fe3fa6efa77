// SPDX-License-Identifier: Apache-2.0
#include "trust/decision.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace safemodel::trust {
namespace {

// Keys that voted in a role, each once.
using Voters = std::map<std::string, std::set<std::size_t>>;

Voters VotersOf(const std::vector<Vote>& votes) {
  Voters voters;
  for (const Vote& vote : votes) voters[vote.role].insert(vote.key);
  return voters;
}

// Matching gives places to keys, by augmenting paths.
class Matching {
 public:
  Matching(const std::vector<std::string>& places, const Voters& voters) : places_(places), voters_(voters) {}

  // Fill finds a key for a place, moving other keys to other places where that helps. Depth is at most the number of
  // places.
  bool Fill(std::size_t place) {
    visited_.clear();
    return Augment(place);
  }

 private:
  bool Augment(std::size_t place) {
    const auto voters = voters_.find(places_[place]);
    if (voters == voters_.end()) return false;
    for (const std::size_t key : voters->second) {
      if (!visited_.insert(key).second) continue;
      const auto taken = place_of_.find(key);
      if (taken == place_of_.end() || Augment(taken->second)) {
        place_of_[key] = place;
        return true;
      }
    }
    return false;
  }

  const std::vector<std::string>& places_;
  const Voters& voters_;
  std::map<std::size_t, std::size_t> place_of_;
  std::set<std::size_t> visited_;
};

std::vector<std::string> MissingOverlapping(const Rule& rule, const Voters& voters) {
  std::vector<std::string> missing;
  for (const RoleThreshold& required : rule.required) {
    const auto found = voters.find(required.role);
    if (found == voters.end() || found->second.size() < required.count) missing.push_back(required.role);
  }
  return missing;
}

}  // namespace

std::vector<bool> KeepSupported(const std::vector<Vote>& votes) {
  std::vector<bool> kept(votes.size(), true);
  for (bool changed = true; changed;) {
    changed = false;
    std::set<std::string> filled;
    for (std::size_t i = 0; i < votes.size(); ++i) {
      if (kept[i]) filled.insert(votes[i].role);
    }
    for (std::size_t i = 0; i < votes.size(); ++i) {
      const auto& needs = votes[i].requires_roles;
      if (!kept[i] ||
          std::all_of(needs.begin(), needs.end(), [&](const std::string& role) { return filled.count(role) != 0; }))
        continue;
      kept[i] = false;
      changed = true;
    }
  }
  return kept;
}

std::vector<std::string> MissingRoles(const Rule& rule, const std::vector<Vote>& votes) {
  const Voters voters = VotersOf(votes);
  if (rule.roles_may_overlap == Rule::Overlap::kAllowed) return MissingOverlapping(rule, voters);
  std::vector<std::string> places;
  for (const RoleThreshold& required : rule.required) places.insert(places.end(), required.count, required.role);
  Matching matching(places, voters);
  std::vector<std::string> missing;
  for (std::size_t place = 0; place < places.size(); ++place) {
    const bool told = !missing.empty() && missing.back() == places[place];
    if (!matching.Fill(place) && !told) missing.push_back(places[place]);
  }
  return missing;
}

}  // namespace safemodel::trust
