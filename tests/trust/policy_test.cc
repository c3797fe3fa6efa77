// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "fixture.h"
#include "trust/decision.h"
#include "trust/glob.h"

namespace safemodel::trust {
namespace {

Rule RuleOf(std::vector<RoleThreshold> required, Rule::Overlap overlap = Rule::Overlap::kForbidden) {
  Rule rule;
  rule.models = "**";
  rule.required = std::move(required);
  rule.roles_may_overlap = overlap;
  return rule;
}

}  // namespace

TEST_CASE("glob: a star stays in its folder, two do not") {
  struct Row {
    const char* glob;
    const char* name;
    bool matches;
  };
  const Row rows[] = {{"acme/*", "acme/m", true},
                      {"acme/*", "acme-x/m", false},
                      {"acme/*", "ACME/m", false},
                      {"acme/*", "acme/a/b", false},
                      {"acme/**", "acme/a/b", true},
                      {"**", "a/b/c", true},
                      {"*", "a/b", false},
                      {"*", "ab", true},
                      {"a*c", "abbc", true},
                      {"a*c", "ac", true},
                      {"a*c", "abcd", false},
                      {"**/m", "a/b/m", true},
                      {"", "a", false},
                      {"a", "a", true},
                      {"a*b*c*d", "axbxcxd", true},
                      {"***", "a/b", true}};
  for (const Row& row : rows) {
    CAPTURE(row.glob);
    CAPTURE(row.name);
    CHECK(GlobMatches(row.glob, row.name) == row.matches);
  }
}

TEST_CASE("policy: its lists are bounded") {
  constexpr std::size_t kMost = 4096;
  const auto code = [](const PolicyParts& parts) {
    const auto policy = Policy::Create(parts);
    return policy.ok() ? std::string("ok") : std::string(policy.error().code);
  };
  std::vector<PublicKey> keys;
  for (std::size_t i = 0; i <= kMost; ++i) keys.push_back(NewKey().public_key());
  const PublicKey own = NewKey().public_key();
  PolicyParts least;
  least.keys = {{own, {"builder"}}};
  least.rules = {RuleOf({{"builder", 1}})};
  struct Row {
    const char* code;
    std::function<void(PolicyParts&, std::size_t)> add;
  };
  const Row rows[] = {
      {"many_keys",
       [&](PolicyParts& p, std::size_t i) {
         if (i != 0) p.keys.push_back({keys[i], {"builder"}});
       }},
      {"many_rules",
       [&](PolicyParts& p, std::size_t i) {
         if (i == 0) return;
         p.rules.insert(p.rules.begin(), p.rules.back());
         p.rules.front().models = "acme/" + std::to_string(i);
       }},
      {"many_revoked", [&](PolicyParts& p, std::size_t i) { p.revoked.push_back({keys[i]}); }},
      {"many_exceptions",
       [&](PolicyParts& p, std::size_t i) {
         if (i == 0) p.revoked = {{own}};
         // Half of them are of the one kind, half of the other.
         if (i % 2 == 0) {
           p.revoked[0].except_before.push_back({"example.com/log", i + 1, {}});
         } else {
           p.revoked[0].except_statements.push_back(Digest{});
         }
       }},
      {"many_logs",
       [&](PolicyParts& p, std::size_t i) {
         p.logs.push_back({std::to_string(i), keys[i]});
       }},
      {"many_witnesses",
       [&](PolicyParts& p, std::size_t i) {
         p.witnesses.push_back({std::to_string(i), keys[i]});
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.code);
    PolicyParts parts = least;
    for (std::size_t i = 0; i < kMost; ++i) row.add(parts, i);
    CHECK(code(parts) == "ok");
    row.add(parts, kMost);
    CHECK(code(parts) == row.code);
  }
}

TEST_CASE("policy: what can never be satisfied is refused when it is made") {
  const PublicKey a = NewKey().public_key();
  const PublicKey b = NewKey().public_key();
  const std::vector<TrustedKey> keys = {{a, {"builder"}}, {b, {"builder", "approver"}}};
  const Rule good = RuleOf({{"builder", 2}});
  CHECK(Policy::Create(keys, {good}).ok());
  const auto code = [](const Result<Policy>& policy) {
    return policy.ok() ? std::string("ok") : std::string(policy.error().code);
  };
  CHECK(code(Policy::Create({}, {good})) == "no_keys");
  CHECK(code(Policy::Create({{a, {"builder"}}, {a, {"approver"}}}, {good})) == "key_twice");
  CHECK(code(Policy::Create({{a, {}}}, {good})) == "no_roles");
  CHECK(code(Policy::Create({{a, {""}}}, {good})) == "bad_role");
  CHECK(code(Policy::Create({{a, {"a builder"}}}, {good})) == "bad_role");
  CHECK(code(Policy::Create(keys, {})) == "no_rules");
  CHECK(code(Policy::Create(keys, {RuleOf({})})) == "no_required_roles");
  CHECK(code(Policy::Create(keys, {RuleOf({{"builder", 0}})})) == "bad_threshold");
  CHECK(code(Policy::Create(keys, {RuleOf({{"builder", 3}})})) == "bad_threshold");
  CHECK(code(Policy::Create(keys, {RuleOf({{"scanner", 1}})})) == "bad_threshold");
  CHECK(code(Policy::Create(keys, {good, good})) == "unreachable_rule");
  Rule narrow = good;
  narrow.models = "acme/*";
  CHECK(code(Policy::Create(keys, {narrow, narrow})) == "no_last_rule");
  CHECK(Policy::Create(keys, {narrow, good}).ok());
}

TEST_CASE("decision: distinct keys fill places, whatever the order") {
  std::vector<Vote> votes = {{0, "builder", {}}, {0, "approver", {}}, {1, "builder", {}}};
  std::sort(votes.begin(), votes.end(),
            [](const Vote& a, const Vote& b) { return std::tie(a.key, a.role) < std::tie(b.key, b.role); });
  do {
    CHECK(MissingRoles(RuleOf({{"builder", 1}, {"approver", 1}}), votes).empty());
    CHECK(MissingRoles(RuleOf({{"builder", 2}}), votes).empty());
    CHECK(MissingRoles(RuleOf({{"builder", 2}, {"approver", 1}}), votes).size() == 1);
    CHECK(MissingRoles(RuleOf({{"builder", 2}, {"approver", 1}}, Rule::Overlap::kAllowed), votes).empty());
  } while (std::next_permutation(votes.begin(), votes.end(), [](const Vote& a, const Vote& b) {
    return std::tie(a.key, a.role) < std::tie(b.key, b.role);
  }));
}

TEST_CASE("decision: one key twice is one signer") {
  const std::vector<Vote> votes = {{0, "builder", {}}, {0, "builder", {}}};
  CHECK(MissingRoles(RuleOf({{"builder", 2}}), votes) == std::vector<std::string>{"builder"});
}

TEST_CASE("decision: requirements hold each other up or fall together") {
  CHECK(KeepSupported({{0, "a", {"b"}}, {1, "b", {"a"}}}) == std::vector<bool>{true, true});
  CHECK(KeepSupported({{0, "a", {"b"}}, {1, "b", {"c"}}}) == std::vector<bool>{false, false});
  CHECK(KeepSupported({{0, "a", {"a"}}}) == std::vector<bool>{true});
  CHECK(KeepSupported({{0, "a", {"b"}}, {1, "a", {}}}) == std::vector<bool>{false, true});
}

}  // namespace safemodel::trust
