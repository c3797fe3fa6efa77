// SPDX-License-Identifier: Apache-2.0
#include "trust/decision.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "trust/glob.h"

namespace safemodel::trust {
namespace {

// Places are the slots of a rule: a role that asks for three keys has three places.
std::vector<std::string> PlacesOf(const Rule& rule) {
  std::vector<std::string> places;
  for (const RoleThreshold& threshold : rule.required) places.insert(places.end(), threshold.count, threshold.role);
  return places;
}

// Matching finds a largest assignment of keys to places by augmenting paths (Kuhn). Sizes come from the policy, never
// from the envelope: a key has at most one edge to each place.
class Matching {
 public:
  Matching(const std::vector<std::string>& places, const std::vector<Vote>& votes)
      : places_(places), holder_(places.size()) {
    for (const Vote& vote : votes) roles_of_[vote.key].insert(vote.role);
  }

  std::vector<std::string> Unfilled() {
    for (const auto& entry : roles_of_) {
      std::vector<bool> tried(places_.size(), false);
      Seat(entry.first, tried);
    }
    std::vector<std::string> open;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (!holder_[i].has_value()) open.push_back(places_[i]);
    }
    return open;
  }

 private:
  // Seat gives `key` a place, moving other keys if that helps. At most as deep as there are keys in the policy.
  bool Seat(std::size_t key, std::vector<bool>& tried) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (tried[i] || roles_of_[key].count(places_[i]) == 0) continue;
      tried[i] = true;
      if (!holder_[i].has_value() || Seat(*holder_[i], tried)) {
        holder_[i] = key;
        return true;
      }
    }
    return false;
  }

  const std::vector<std::string>& places_;
  std::map<std::size_t, std::set<std::string>> roles_of_;
  std::vector<std::optional<std::size_t>> holder_;
};

std::vector<std::string> MissingWithOverlap(const Rule& rule, const std::vector<Vote>& votes) {
  std::vector<std::string> missing;
  for (const RoleThreshold& threshold : rule.required) {
    std::set<std::size_t> keys;
    for (const Vote& vote : votes) {
      if (vote.role == threshold.role) keys.insert(vote.key);
    }
    for (std::size_t i = keys.size(); i < threshold.count; ++i) missing.push_back(threshold.role);
  }
  return missing;
}

}  // namespace

std::vector<bool> KeepSupported(const std::vector<Vote>& votes) {
  std::vector<bool> counts(votes.size(), true);
  const auto filled = [&](const std::string& role) {
    for (std::size_t i = 0; i < votes.size(); ++i) {
      if (counts[i] && votes[i].role == role) return true;
    }
    return false;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < votes.size(); ++i) {
      const auto& roles = votes[i].requires_roles;
      if (!counts[i] || std::all_of(roles.begin(), roles.end(), filled)) continue;
      counts[i] = false;
      changed = true;
    }
  }
  return counts;
}

std::vector<std::string> MissingRoles(const Rule& rule, const std::vector<Vote>& votes) {
  if (rule.roles_may_overlap == Rule::Overlap::kAllowed) return MissingWithOverlap(rule, votes);
  const std::vector<std::string> places = PlacesOf(rule);
  return Matching(places, votes).Unfilled();
}

const Rule* RuleFor(const Policy& policy, std::string_view model_name) {
  const auto& rules = policy.rules();
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return GlobMatches(rule.models, model_name); });
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace safemodel::trust
