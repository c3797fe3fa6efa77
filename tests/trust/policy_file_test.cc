// SPDX-License-Identifier: Apache-2.0
#include <safemodel/policy_file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "fixture.h"
#include "trust/glob.h"

namespace safemodel::trust {
namespace {

constexpr std::int64_t kDay = 86400;

// The bare base64 line of a public key.
std::string LineOf(const PublicKey& key) {
  const std::string text = key.ToMinisign();
  const auto begin = text.find('\n') + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string KeyTable(const std::string& name, const PublicKey& key,
                     const std::string& more = "roles = [\"builder\"]\n") {
  return "[[key]]\nname = \"" + name + "\"\npublic = \"" + LineOf(key) + "\"\n" + more;
}

std::string RuleTable(const std::string& models = "**", const std::string& more = {}) {
  return "[[rule]]\nmodels = \"" + models + "\"\nroles = { builder = 1 }\n" + more;
}

std::string CodeOf(const Status& status) { return status.ok() ? "ok" : status.error().code; }
std::string CodeOf(const Result<Policy>& policy) {
  if (policy.ok()) return "ok";
  CHECK(policy.error().stage == Stage::kConfig);
  return policy.error().code;
}

std::vector<std::string> CodesOf(const std::vector<PolicyWarning>& warnings) {
  std::vector<std::string> codes;
  for (const PolicyWarning& warning : warnings) codes.emplace_back(warning.code);
  return codes;
}

// A policy file of one key, with a comment that must survive.
struct Scene {
  TestFolder folder;
  std::string path = folder / "policy.toml";
  SecretKey key = NewKey();
  std::string text = "# who may release\nversion = 1\n" + KeyTable("release", key.public_key()) + RuleTable();

  Scene() { Write(text); }
  void Write(const std::string& content) const {
    WriteFileBytes(path, AsBytes(content));
    REQUIRE(chmod(path.c_str(), 0644) == 0);
  }
  [[nodiscard]] std::string Read() const {
    const ByteBuffer bytes = ReadFileBytes(path);
    return {bytes.begin(), bytes.end()};
  }
};

}  // namespace

TEST_CASE("policy file: everything that it may say is read") {
  const Scene scene;
  const PublicKey ci = NewKey().public_key();
  const PublicKey log = NewKey().public_key();
  const PublicKey witness = NewKey().public_key();
  const std::string hex(64, 'a');
  const auto policy = Policy::FromToml(
      "version = 1\nstate = \"seen\"\nwitness_threshold = 1\n" +
          KeyTable("release", scene.key.public_key(),
                   "roles = [\"builder\", \"approver\"]\nvalid_from = \"2026-01-01T00:00:00Z\"\n"
                   "valid_until = \"2027-01-01T00:00:00Z\"\n") +
          KeyTable("ci", ci, "roles = [\"builder\"]\nattests = [\"https://slsa.dev/provenance/v1\"]\n") +
          RuleTable("lab/*", "mode = \"warn\"\nlogged = \"example.com/log\"\n") +
          RuleTable("new/*", "logged = true\n") + RuleTable("old/*", "logged = false\n") +
          "[[rule]]\nmodels = \"**\"\nroles = { builder = 1, approver = 1 }\nverified = { approver = \"full\" }\n"
          "roles_may_overlap = true\nminimum_sequence = 3\nencryption = \"forbidden\"\nmemory_mapping = \"forbidden\"\n"
          "expectation = \"required\"\nattestations = [{ type = \"https://slsa.dev/provenance/v1\", max_age_days = 2 "
          "}]\n"
          "[[revoked]]\nkey = \"ci\"\nexcept_statements = [\"" +
          hex +
          "\"]\n"
          "except_before = [{ origin = \"example.com/log\", size = 9, root = \"" +
          hex +
          "\" }]\n"
          "[[denied]]\nmanifest = \"" +
          hex + "\"\n[[denied]]\ncontent = \"" + hex +
          "\"\nreason = \"a backdoor\"\n"
          "[[log]]\norigin = \"example.com/log\"\npublic = \"" +
          LineOf(log) +
          "\"\n"
          "[[witness]]\nname = \"w\"\npublic = \"" +
          LineOf(witness) + "\"\n",
      "/etc/models");
  REQUIRE(CodeOf(policy) == "ok");
  const PolicyParts& parts = policy.value().parts();
  CHECK(parts.state_path == "/etc/models/seen");
  CHECK(parts.keys[0].name == "release");
  CHECK(parts.keys[0].not_before == 1767225600);
  CHECK(parts.keys[0].not_after == 1798761600);
  CHECK(parts.keys[1].attests.size() == 1);
  CHECK(parts.rules[0].mode == Rule::Mode::kWarn);
  REQUIRE(parts.rules[0].logged.has_value());
  CHECK(parts.rules[0].logged->origin == "example.com/log");
  REQUIRE(parts.rules[1].logged.has_value());
  CHECK(parts.rules[1].logged->origin.empty());
  CHECK_FALSE(parts.rules[2].logged.has_value());
  const Rule& rule = parts.rules[3];
  CHECK(rule.required.size() == 2);
  const auto approver = std::find_if(rule.required.begin(), rule.required.end(),
                                     [](const RoleThreshold& threshold) { return threshold.role == "approver"; });
  REQUIRE(approver != rule.required.end());
  CHECK(approver->minimum == Checked::kFull);
  CHECK(rule.roles_may_overlap == Rule::Overlap::kAllowed);
  CHECK(rule.minimum_sequence == 3);
  CHECK(rule.encryption == Rule::Encryption::kForbidden);
  CHECK(rule.memory_mapping == Rule::Mapping::kForbidden);
  CHECK(rule.expectation == Rule::Expected::kDemanded);
  CHECK(rule.attestations[0].maximum_age == 2 * kDay);
  CHECK(parts.revoked[0].key == ci);
  CHECK(parts.revoked[0].except_before[0].size == 9);
  CHECK(parts.revoked[0].except_statements[0][0] == 0xAA);
  CHECK(parts.denied_manifests.size() == 1);
  CHECK(parts.denied_contents.size() == 1);
  CHECK(parts.logs[0].key == log);
  CHECK(parts.witnesses[0].key == witness);
  CHECK(parts.witness_threshold == 1);
}

TEST_CASE("policy file: a file that is missing, empty, no file, too large or open to others is no policy") {
  const Scene scene;
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "ok");
  REQUIRE(chmod(scene.path.c_str(), 0664) == 0);
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "writable_by_others");
  REQUIRE(chmod(scene.path.c_str(), 0646) == 0);
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "writable_by_others");
  scene.Write("");
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "missing_field");
  scene.Write(scene.text + "#" + std::string(1u << 20, ' '));
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "too_large");
  REQUIRE(unlink(scene.path.c_str()) == 0);
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "not_found");
  REQUIRE(mkfifo(scene.path.c_str(), 0600) == 0);
  CHECK(CodeOf(Policy::FromFile(scene.path)) == "not_regular");
}

TEST_CASE("policy file: warnings of what a policy hardly means") {
  const Scene scene;
  const std::string head =
      "version = 1\n" +
      KeyTable("release", scene.key.public_key(), "roles = [\"builder\"]\nvalid_until = \"2030-01-01T00:00:00Z\"\n");
  const auto codes = [&](const std::string& rules, std::int64_t now = kNow) {
    const auto policy = Policy::FromToml(head + rules);
    REQUIRE(CodeOf(policy) == "ok");
    return CodesOf(policy.value().Warnings(now));
  };
  using Codes = std::vector<std::string>;
  CHECK(codes(RuleTable()).empty());
  CHECK(codes(RuleTable("acme/*") + RuleTable("lab/**") + RuleTable()).empty());
  CHECK(codes(RuleTable("acme/**") + RuleTable("acme/x") + RuleTable()) == Codes{"shadowed_rule"});
  CHECK(codes(RuleTable("acme/*") + RuleTable("acme/*") + RuleTable()) == Codes{"shadowed_rule"});
  CHECK(codes(RuleTable("acme/*") + RuleTable("*/x") + RuleTable()) == Codes{"overlapping_rules"});
  CHECK(codes(RuleTable("lab/*", "mode = \"off\"\n") + RuleTable()) == Codes{"mode_not_strict"});
  CHECK(codes(RuleTable(), 1893456001) == Codes{"unfillable_role", "key_has_ended"});
  // The checkpoint itself is what such an exception trusts: no log has to be in the policy.
  CHECK(codes(RuleTable() + "[[revoked]]\nkey = \"release\"\nexcept_before = [{ origin = \"l\", size = 1, root = \"" +
              std::string(64, 'a') + "\" }]\n") == Codes{"unfillable_role"});  // but for what was signed before
}

TEST_CASE("policy file: roles that those who can still sign do not fill") {
  const PublicKey alice = NewKey().public_key();
  const PublicKey bob = NewKey().public_key();
  const auto warned = [&](const std::string& roles, const std::string& more, std::int64_t now = kNow) {
    const std::string ends = "valid_from = \"2026-01-01T00:00:00Z\"\nvalid_until = \"2030-01-01T00:00:00Z\"\n";
    const auto policy =
        Policy::FromToml("version = 1\n" + KeyTable("alice", alice, "roles = [\"builder\", \"approver\"]\n") +
                         KeyTable("bob", bob, "roles = [\"builder\", \"approver\"]\n" + ends) +
                         "[[rule]]\nmodels = \"**\"\nroles = " + roles + "\n" + more);
    REQUIRE(CodeOf(policy) == "ok");
    std::vector<std::string> subjects;
    for (const PolicyWarning& warning : policy.value().Warnings(now)) {
      if (std::string(warning.code) == "unfillable_role") subjects.push_back(warning.subject);
    }
    return subjects;
  };
  using Subjects = std::vector<std::string>;
  const std::string revoked = "[[revoked]]\nkey = \"alice\"\n";
  CHECK(warned("{ approver = 1 }", "").empty());
  CHECK(warned("{ approver = 1 }", revoked).empty());  // bob is left
  CHECK(warned("{ approver = 2 }", revoked) == Subjects{"approver for **"});
  CHECK(warned("{ approver = 1 }", revoked, 1893456001) == Subjects{"approver for **"});  // bob has ended
  CHECK(warned("{ approver = 1 }", revoked, 1700000000) == Subjects{"approver for **"});  // and had not begun
  CHECK(warned("{ builder = 1, approver = 1 }", "").empty());
  CHECK(warned("{ builder = 1, approver = 1 }", revoked).size() == 1);  // one key fills one role
  CHECK(warned("{ builder = 1, approver = 1 }", "roles_may_overlap = true\n" + revoked).empty());
}

TEST_CASE("glob: what covers, and what meets") {
  struct Row {
    const char* a;
    const char* b;
    bool covers;
    bool meets;
  };
  const Row rows[] = {{"**", "acme/*", true, true},
                      {"acme/*", "**", false, true},
                      {"acme/*", "acme/x", true, true},
                      {"acme/*", "acme/a/b", false, false},
                      {"acme/**", "acme/*", true, true},
                      {"acme/*", "acme/**", false, true},
                      {"*/x", "acme/*", false, true},
                      {"a*", "*b", false, true},
                      {"a*c", "b*", false, false},
                      {"*", "a/b", false, false},
                      {"a", "a", true, true},
                      {"a", "b", false, false},
                      {"*", "*", true, true},
                      {"", "*", false, true},
                      {"*a", "*", false, true},
                      {"a/*/c", "a/**", false, true},
                      {"x*/y", "x/z", false, false},
                      {"**/m", "a/b/m", true, true}};
  for (const Row& row : rows) {
    CAPTURE(row.a);
    CAPTURE(row.b);
    CHECK(GlobCovers(row.a, row.b) == row.covers);
    CHECK(GlobsMeet(row.a, row.b) == row.meets);
    CHECK(GlobsMeet(row.b, row.a) == row.meets);
  }
}

TEST_CASE("policy file: revoking and denying add to the end and keep what is there") {
  const Scene scene;
  const std::string container = scene.folder / "m.safemodel";
  WriteFileBytes(container, TestCore(TestManifest()));
  REQUIRE(Sign(container, scene.key, At(kNow)).ok());
  const auto answer = [&] {
    const auto policy = Policy::FromFile(scene.path);
    REQUIRE(CodeOf(policy) == "ok");
    return trust::CodeOf(Verify(container, policy.value()));
  };
  CHECK(answer() == "ok");
  REQUIRE(chmod(scene.path.c_str(), 0604) == 0);
  Denial denial;
  denial.manifest = OpenContainer(container, {}, {}).value().manifest_digest;
  denial.content = Digest{};
  denial.reason = "a \"backdoor\"\n[[rule]]";
  REQUIRE(CodeOf(Deny(scene.path, denial)) == "ok");
  CHECK(scene.Read().substr(0, scene.text.size()) == scene.text);
  CHECK(answer() == "denied_manifest");
  struct stat status {};
  REQUIRE(stat(scene.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0604);
  CHECK(Policy::FromFile(scene.path).value().rules().size() == 1);  // the reason stayed a reason

  scene.Write(scene.text);
  Revocation revocation;
  revocation.key = "release";
  revocation.except_before = {{"example.com/log", 7, Digest{}}};
  revocation.except_statements = {Digest{}, Digest{}};
  revocation.reason = "lost laptop";
  REQUIRE(CodeOf(RevokeKey(scene.path, revocation)) == "ok");
  CHECK(answer() == "revoked_key");
  const std::string once = scene.Read();
  CHECK(CodeOf(RevokeKey(scene.path, revocation)) == "revoked_twice");
  CHECK(scene.Read() == once);
  const auto policy = Policy::FromFile(scene.path);
  REQUIRE(policy.ok());
  CHECK(policy.value().parts().revoked[0].except_before[0].size == 7);
  CHECK(policy.value().parts().revoked[0].except_statements.size() == 2);
}

TEST_CASE("policy file: what would be no policy is not written") {
  const Scene scene;
  const auto unchanged = [&](const Status& status, const std::string& code) {
    CHECK(CodeOf(status) == code);
    CHECK(scene.Read() == scene.text);
  };
  unchanged(RevokeKey(scene.path, {"nobody", {}, {}, {}}), "bad_key");
  unchanged(Deny(scene.path, {}), "nothing_denied");
  REQUIRE(chmod(scene.path.c_str(), 0666) == 0);
  unchanged(RevokeKey(scene.path, {"release", {}, {}, {}}), "writable_by_others");
  const std::string broken = scene.text + "nonsense";
  scene.Write(broken);
  CHECK(CodeOf(RevokeKey(scene.path, {"release", {}, {}, {}})) == "toml_syntax");
  CHECK(scene.Read() == broken);
  CHECK(CodeOf(RevokeKey(scene.folder / "none.toml", {"release", {}, {}, {}})) == "not_found");
}

TEST_CASE("policy mode: warn and off soften signatures and rules, and nothing else") {
  const Scene scene;
  const std::string container = scene.folder / "m.safemodel";
  const SecretKey stranger = NewKey();
  const auto open = [&](const std::string& mode, const Expectation& expectation = Expectation::Any()) {
    const auto policy = Policy::FromToml("version = 1\n" + KeyTable("release", scene.key.public_key()) +
                                         RuleTable("acme/*", "mode = \"" + mode + "\"\n") + RuleTable());
    REQUIRE(CodeOf(policy) == "ok");
    CHECK(trust::CodeOf(Verify(container, policy.value())) != "ok");  // whatever the mode
    auto opened = OpenContainer(container, {}, {});
    if (!opened.ok()) return Result<TrustedManifest>(opened.error());
    return AuthenticateInPolicyMode(std::move(opened).value(), policy.value(), expectation, kNow, InsecurePolicyMode(),
                                    {});
  };
  WriteFileBytes(container, TestCore(TestManifest()));
  CHECK(trust::CodeOf(open("strict")) == "no_signature");
  REQUIRE(open("warn").ok());
  CHECK(std::string(open("warn").value().let_pass()->code) == "no_signature");
  CHECK_FALSE(open("warn").value().accepted());
  REQUIRE(open("off").ok());
  CHECK_FALSE(open("off").value().let_pass().has_value());
  CHECK_FALSE(open("off").value().accepted());

  REQUIRE(Sign(container, stranger, At(kNow)).ok());
  CHECK(std::string(open("warn").value().let_pass()->code) == "unknown_key");
  CHECK(trust::CodeOf(open("warn", Expectation::Model("acme/other"))) == "unexpected_model");
  CHECK(trust::CodeOf(open("off", Expectation::Model("acme/other"))) == "unexpected_model");

  ByteBuffer bytes = ReadFileBytes(container);
  bytes[bytes.size() - 40] ^= 1;  // inside the envelope
  WriteFileBytes(container, bytes);
  CHECK(open("warn").error().stage == Stage::kMalformed);
  CHECK(open("off").error().stage == Stage::kMalformed);
  bytes = TestCore(TestManifest());
  bytes[TestManifest().manifest_offset + 40] ^= 1;
  WriteFileBytes(container, bytes);
  REQUIRE_FALSE(open("off").ok());
  CHECK(open("off").error().stage == Stage::kMalformed);
}

TEST_CASE("policy mode: a denied manifest, and a name that only the last rule is for, never pass") {
  const Scene scene;
  const std::string container = scene.folder / "m.safemodel";
  WriteFileBytes(container, TestCore(TestManifest()));
  const auto open = [&](const std::string& more, const std::string& models) {
    const auto policy = Policy::FromToml("version = 1\n" + KeyTable("release", scene.key.public_key()) +
                                         RuleTable(models, "mode = \"off\"\n") + RuleTable() + more);
    REQUIRE(CodeOf(policy) == "ok");
    return trust::CodeOf(AuthenticateInPolicyMode(OpenContainer(container, {}, {}).value(), policy.value(),
                                                  Expectation::Any(), kNow, InsecurePolicyMode(), {}));
  };
  CHECK(open("", "acme/*") == "ok");
  CHECK(open("", "lab/*") == "no_signature");
  const Digest digest = OpenContainer(container, {}, {}).value().manifest_digest;
  CHECK(open("[[denied]]\nmanifest = \"" + crypto::Hex(digest) + "\"\n", "acme/*") == "denied_manifest");
}

}  // namespace safemodel::trust
