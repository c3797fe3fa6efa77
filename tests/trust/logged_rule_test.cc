// SPDX-License-Identifier: Apache-2.0
// Rules that want signatures to be logged.
#include <safemodel/log.h>

#include "fixture.h"
#include "log/proof.h"
#include "testing/cpu_time.h"
#include "trust/envelope_writer.h"
#include "trust/sign_core.h"

namespace safemodel::trust {
namespace {

constexpr const char* kOrigin = "example.com/models";
constexpr const char* kElsewhere = "example.com/other";

// Scene is a container that `signer` has signed, and two logs of different owners.
struct Scene {
  TestFolder folder;
  std::string path = folder / "m.safemodel";
  std::string log = folder / "log";
  std::string other_log = folder / "other";
  SecretKey signer = NewKey();
  SecretKey log_key = NewKey();
  SecretKey other_key = NewKey();

  Scene() {
    WriteFileBytes(path, TestCore(TestManifest()));
    REQUIRE(InitLog(log, kOrigin, log_key).ok());
    REQUIRE(InitLog(other_log, kElsewhere, other_key).ok());
    REQUIRE(Sign(path, signer, At(kNow)).ok());
  }
  void LogIn(const std::string& where, const SecretKey& key) const {
    REQUIRE(AddToLog(path, {where, &key, {}, kNow}, {}).ok());
  }
  [[nodiscard]] PolicyParts Parts(const std::string& origin = {}) const {
    PolicyParts parts;
    parts.keys = {{signer.public_key(), {"builder"}}};
    Rule rule{"**", {{"builder", 1}}};
    rule.logged = RequiredLog{origin};
    parts.rules = {rule};
    parts.logs = {{kOrigin, log_key.public_key()}, {kElsewhere, other_key.public_key()}};
    return parts;
  }
  AuthenticationTrace Ask(const PolicyParts& parts, const std::string& code) const {
    const auto policy = Policy::Create(parts);
    REQUIRE(policy.ok());
    AuthenticationTrace trace;
    const auto answer = Verify(path, policy.value(), Expectation::Any(), kNow, &trace);
    CHECK(CodeOf(answer) == code);
    if (!answer.ok()) CHECK(answer.error().stage == Stage::kUntrusted);
    return trace;
  }
};

std::string CodeOf(const Result<Policy>& policy) { return policy.ok() ? "ok" : policy.error().code; }

}  // namespace

TEST_CASE("logged rule: a signature counts once a log of the policy has it") {
  const Scene scene;
  AuthenticationTrace trace = scene.Ask(scene.Parts(), "not_logged");
  CHECK(trace.missing_roles == std::vector<std::string>{"builder"});
  CHECK(trace.signatures[0].code == "not_logged");
  CHECK_FALSE(trace.signatures[0].counted);
  scene.LogIn(scene.log, scene.log_key);
  trace = scene.Ask(scene.Parts(), "ok");
  REQUIRE(trace.signatures[0].logged.has_value());
  CHECK(trace.signatures[0].logged->origin == kOrigin);
  CHECK(trace.signatures[0].logged->index == 0);
  // A rule that does not ask does not look.
  PolicyParts indifferent = scene.Parts();
  indifferent.rules[0].logged.reset();
  CHECK_FALSE(scene.Ask(indifferent, "ok").signatures[0].logged.has_value());
}

TEST_CASE("logged rule: another log than the named one, an unknown log and another key are not enough") {
  const Scene scene;
  scene.LogIn(scene.other_log, scene.other_key);
  scene.Ask(scene.Parts(), "ok");
  scene.Ask(scene.Parts(kOrigin), "unknown_log");
  PolicyParts parts = scene.Parts();
  parts.logs.pop_back();
  scene.Ask(parts, "unknown_log");
  parts.logs[0] = {kElsewhere, scene.log_key.public_key()};
  scene.Ask(parts, "log_signature");
  scene.LogIn(scene.log, scene.log_key);
  const auto trace = scene.Ask(scene.Parts(kOrigin), "ok");
  CHECK(trace.signatures[0].logged->origin == kOrigin);
}

TEST_CASE("logged rule: the policy's number of witnesses is asked for") {
  const Scene scene;
  scene.LogIn(scene.log, scene.log_key);
  PolicyParts parts = scene.Parts();
  parts.witnesses = {{"witness.example/w", NewKey().public_key()}};
  scene.Ask(parts, "ok");
  parts.witness_threshold = 1;
  CHECK(scene.Ask(parts, "few_witnesses").signatures[0].code == "few_witnesses");
}

TEST_CASE("logged rule: each signature needs its own proof, also where another one requires it") {
  const Scene scene;
  const SecretKey approver = NewKey();
  PolicyParts parts = scene.Parts();
  parts.keys.push_back({approver.public_key(), {"approver"}});
  SignOptions needs_builder = At(kNow, "approver");
  needs_builder.requires_roles = {"builder"};
  REQUIRE(Sign(scene.path, approver, needs_builder).ok());
  parts.rules[0].required = {{"approver", 1}};
  REQUIRE(AddToLog(scene.path, {scene.log, &scene.log_key, {}, kNow}, {approver.public_key()}).ok());
  const auto trace = scene.Ask(parts, "missing_required_role");
  CHECK(trace.signatures[0].code == "not_logged");
  CHECK(trace.signatures[1].code == "missing_required_role");
  scene.LogIn(scene.log, scene.log_key);
  scene.Ask(parts, "ok");
}

TEST_CASE("logged rule: a policy that could never be satisfied is refused, one that asks for nothing is warned of") {
  const Scene scene;
  PolicyParts parts = scene.Parts("example.com/none");
  CHECK(CodeOf(Policy::Create(parts)) == "unknown_log");
  parts = scene.Parts();
  parts.logs.clear();
  CHECK(CodeOf(Policy::Create(parts)) == "no_logs");
  parts = scene.Parts();
  CHECK(Policy::Create(parts).value().Warnings(kNow).empty());
  parts.rules[0].logged.reset();
  parts.witnesses = {{"witness.example/w", NewKey().public_key()}};
  const auto warnings = Policy::Create(parts).value().Warnings(kNow);
  REQUIRE(warnings.size() == 2);
  CHECK(std::string(warnings[0].code) == "idle_log");
  CHECK(warnings[0].subject == kOrigin);
  CHECK(std::string(warnings[1].code) == "idle_witness");
}

TEST_CASE("logged rule: mode warn lets an unlogged signature pass, with the token alone") {
  const Scene scene;
  PolicyParts parts = scene.Parts();
  parts.rules[0].mode = Rule::Mode::kWarn;
  scene.Ask(parts, "not_logged");
  const auto policy = Policy::Create(parts);
  const auto loaded = AuthenticateInPolicyMode(OpenContainer(scene.path, {}, {}).value(), policy.value(),
                                               Expectation::Any(), kNow, InsecurePolicyMode(), {});
  REQUIRE(loaded.ok());
  CHECK(std::string(loaded.value().let_pass()->code) == "not_logged");
}

// Copies of one signature and of one proof cost nothing to whoever makes an envelope; each line of each proof is
// verified once, not once for each signature.
TEST_CASE("logged rule: the work is that of signatures plus proofs, not of all pairs") {
  const Scene scene;
  scene.LogIn(scene.log, scene.log_key);
  const Limits limits;
  auto writer = EnvelopeWriter::Open(scene.path, Placement::kKeep, limits);
  REQUIRE(writer.ok());
  const auto& container = writer.value().container();
  auto envelope = NextEnvelope(container.envelope, container.manifest_digest);
  REQUIRE(envelope.ok());
  const container::EnvelopeItem statement = envelope.value().items[0];
  container::EnvelopeItem proof = envelope.value().items[1];
  auto parsed = log::ParseProof(proof.bytes, limits);
  REQUIRE(parsed.ok());
  auto note = log::ParseNote(parsed.value().note, limits);
  REQUIRE(note.ok());
  note.value().signatures.resize(limits.note_signatures, note.value().signatures[0]);
  parsed.value().note = log::SerializeNote(note.value());
  proof.bytes = log::SerializeProof(parsed.value());
  envelope.value().items.assign(limits.statements, statement);
  envelope.value().items.insert(envelope.value().items.end(), limits.log_proofs, proof);
  const auto frame = FrameBytes(envelope.value(), limits);
  REQUIRE(frame.ok());
  REQUIRE(writer.value().Write(frame.value()).ok());
  PolicyParts revoked = scene.Parts();
  revoked.rules[0].logged.reset();
  revoked.revoked = {{scene.signer.public_key(), {{kOrigin, 1, parsed.value().checkpoint.state.root}}}};
  const double seconds = testing::CpuSeconds([&] {
    scene.Ask(scene.Parts(), "ok");
    scene.Ask(revoked, "ok");
  });
  MESSAGE(seconds << " s");
  CHECK(seconds < 5);  // all pairs: 260 000 signatures, a quarter of a minute where this takes 0.3 s
}

}  // namespace safemodel::trust
