// SPDX-License-Identifier: Apache-2.0
// Log proofs in envelopes: which statement they are about, and which tree they are in.
#include <safemodel/log.h>

#include "fixture.h"
#include "log/proof.h"
#include "trust/envelope_writer.h"
#include "trust/log_proof.h"
#include "trust/sign_core.h"

namespace safemodel::trust {
namespace {

constexpr const char* kOrigin = "example.com/models";

// Scene is a container and a log.
struct Scene {
  TestFolder folder;
  std::string path = folder / "m.safemodel";
  std::string log = folder / "log";
  SecretKey signer = NewKey();
  SecretKey log_key = NewKey();
  LogTrust trust = {{{kOrigin, log_key.public_key()}}};

  Scene() {
    WriteFileBytes(path, TestCore(TestManifest()));
    REQUIRE(InitLog(log, kOrigin, log_key).ok());
  }
  [[nodiscard]] LogOwner Owner() const { return {log, &log_key, "https://ci.example/job/1", kNow}; }
  SignAndLogReport SignLogged(const SecretKey& key, const std::string& role = "builder") const {
    auto report = SignAndLog(path, key, At(kNow, role), Owner());
    REQUIRE(report.ok());
    return report.value();
  }
  [[nodiscard]] ByteBuffer Checkpoint() const { return ReadFileBytes(log + "/checkpoint"); }
  [[nodiscard]] Result<std::vector<LoggedStatement>> Check(const std::optional<LogCheckpoint>& before = {}) const {
    return CheckLogged(path, {signer.public_key()}, trust, before);
  }
  // Edit changes the items of the envelope, as anybody can.
  template <typename Change>
  void Edit(const Change& change) const {
    auto writer = EnvelopeWriter::Open(path, Placement::kKeep, {});
    REQUIRE(writer.ok());
    auto envelope = NextEnvelope(writer.value().container().envelope, writer.value().container().manifest_digest);
    REQUIRE(envelope.ok());
    change(envelope.value().items);
    const auto frame = FrameBytes(envelope.value(), {});
    REQUIRE(frame.ok());
    REQUIRE(writer.value().Write(frame.value()).ok());
  }
  // EditProof changes the one log proof.
  template <typename Change>
  void EditProof(const Change& change) const {
    Edit([&](std::vector<container::EnvelopeItem>& items) {
      for (container::EnvelopeItem& item : items) {
        if (item.kind != static_cast<std::uint16_t>(container::ItemKind::kLogProof)) continue;
        auto proof = log::ParseProof(item.bytes, {});
        REQUIRE(proof.ok());
        change(proof.value());
        item.bytes = log::SerializeProof(proof.value());
      }
    });
  }
};

template <typename T>
std::string Code(const Result<T>& result) {
  return result.ok() ? "ok" : result.error().code;
}

template <typename T>
void CheckUntrusted(const Result<T>& result, const std::string& code) {
  REQUIRE_FALSE(result.ok());
  CHECK(StageName(result.error().stage) == StageName(Stage::kUntrusted));
  CHECK(std::string(result.error().code) == code);
}

}  // namespace

TEST_CASE("log: a signature is logged and proven in one step, and needs no log afterwards") {
  const Scene scene;
  const SignAndLogReport report = scene.SignLogged(scene.signer);
  CHECK(report.signature.signatures == 1);
  CHECK(report.logged.index == 0);
  CHECK(report.logged.entry.model == "acme/model");
  CHECK(report.logged.entry.sequence == 3);
  CHECK(report.logged.entry.ci_identity == "https://ci.example/job/1");
  CHECK(report.logged.entry.key_id == scene.signer.public_key().KeyId());
  std::filesystem::remove_all(scene.log);
  const auto logged = scene.Check();
  REQUIRE(logged.ok());
  REQUIRE(logged.value().size() == 1);
  CHECK(logged.value()[0].entry == report.logged.entry);
  CHECK(logged.value()[0].checkpoint == report.logged.checkpoint);
  // A log proof is no signature: nothing changes for those who ask for none, and it is not listed as one.
  AuthenticationTrace trace;
  CHECK(CodeOf(Verify(scene.path, Trusting({scene.signer.public_key()}), Expectation::Any(), kNow, &trace)) == "ok");
  CHECK(trace.signatures.size() == 1);
}

TEST_CASE("log: statements that were signed before are added once") {
  const Scene scene;
  const SecretKey approver = NewKey();
  REQUIRE(Sign(scene.path, scene.signer, At(kNow)).ok());
  REQUIRE(Sign(scene.path, approver, At(kNow, "approver")).ok());
  CheckUntrusted(scene.Check(), "not_logged");
  const auto some = AddToLog(scene.path, scene.Owner(), {scene.signer.public_key()});
  REQUIRE(some.ok());
  CHECK(some.value().added.size() == 1);
  CHECK(scene.Check().ok());
  const auto all = AddToLog(scene.path, scene.Owner(), {});
  REQUIRE(all.ok());
  CHECK(all.value().added.size() == 1);
  CHECK(all.value().already == 1);
  const auto again = AddToLog(scene.path, scene.Owner(), {});
  REQUIRE(again.ok());
  CHECK(again.value().added.empty());
  CHECK(again.value().checkpoint.size == 2);
  const auto opened = OpenContainer(scene.path, {}, {});
  REQUIRE(opened.ok());
  CHECK(opened.value().envelope->items.size() == 4);  // the proofs were renewed, not piled up
  CheckUntrusted(AddToLog(scene.path, scene.Owner(), {NewKey().public_key()}), "no_signature");
}

TEST_CASE("log: a proof is worth something for its own statement alone") {
  const Scene scene;
  scene.SignLogged(scene.signer);
  SUBCASE("the proof of another artifact, under the right index") {
    const Scene other;
    container::Manifest manifest = TestManifest();
    manifest.version = "2.0";
    WriteFileBytes(other.path, TestCore(manifest));
    other.SignLogged(scene.signer);
    const auto opened = OpenContainer(other.path, {}, {});
    scene.Edit([&](auto& items) { items[1] = opened.value().envelope->items[1]; });
    CheckUntrusted(CheckLogged(scene.path, {scene.signer.public_key()}, other.trust), "other_entry");
  }
  SUBCASE("the entry of this statement, which the tree has not") {
    const Scene other;
    WriteFileBytes(other.path, TestCore(TestManifest()));
    other.SignLogged(other.signer);
    const auto opened = OpenContainer(other.path, {}, {});
    const auto foreign = log::ParseProof(opened.value().envelope->items[1].bytes, {});
    REQUIRE(foreign.ok());
    scene.EditProof([&](log::Proof& proof) {
      proof.note = foreign.value().note;
      proof.index = foreign.value().index;
      proof.hashes = foreign.value().hashes;
    });
    CheckUntrusted(CheckLogged(scene.path, {scene.signer.public_key()}, other.trust), "not_in_log");
  }
  SUBCASE("an entry that names another key") {
    const SecretKey second = NewKey();
    REQUIRE(Sign(scene.path, second, At(kNow)).ok());  // the same payload, another key
    CheckUntrusted(CheckLogged(scene.path, {second.public_key()}, scene.trust), "other_entry");
    CHECK(scene.Check().ok());
  }
  SUBCASE("no entry") {
    scene.EditProof([](log::Proof& proof) { proof.extra.reset(); });
    CHECK(Code(scene.Check()) == "bad_proof");
  }
}

TEST_CASE("log: a proof that anything was changed in proves nothing") {
  const Scene scene;
  scene.SignLogged(NewKey());
  scene.SignLogged(NewKey(), "approver");
  scene.SignLogged(scene.signer);
  scene.Edit([](auto& items) {
    items.erase(items.begin(), items.begin() + 4);  // the statements of the others and their proofs
  });
  REQUIRE(scene.Check().ok());
  using Change = std::function<void(log::Proof&)>;
  struct Row {
    const char* why;
    Change change;
  };
  const Row rows[] = {
      {"another index", [](log::Proof& p) { p.index = 1; }},
      {"index = size", [](log::Proof& p) { p.index = 3; }},
      {"a hash short", [](log::Proof& p) { p.hashes.pop_back(); }},
      {"a hash long", [](log::Proof& p) { p.hashes.emplace_back(); }},
      {"a hash changed", [](log::Proof& p) { p.hashes[0][0] ^= 1; }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const ByteBuffer before = ReadFileBytes(scene.path);
    scene.EditProof(row.change);
    CheckUntrusted(scene.Check(), "not_in_log");
    WriteFileBytes(scene.path, before);
  }
  const LogTrust others[] = {
      {{{"example.com/other", scene.log_key.public_key()}}},
      {{{kOrigin, NewKey().public_key()}}},
      {scene.trust.logs, {{"witness.example/w", NewKey().public_key()}}, 1},
  };
  const char* codes[] = {"unknown_log", "log_signature", "few_witnesses"};
  for (std::size_t i = 0; i < std::size(others); ++i) {
    CheckUntrusted(CheckLogged(scene.path, {scene.signer.public_key()}, others[i]), codes[i]);
  }
  CHECK(scene.Check().ok());
}

TEST_CASE("log: before a named checkpoint means in exactly that tree") {
  const Scene scene;
  scene.SignLogged(scene.signer);
  const ByteBuffer early_note = scene.Checkpoint();
  const LogCheckpoint early = ParseCheckpoint(early_note).value();
  CHECK(scene.Check(early).ok());
  // The log grows, and the envelope's proof is renewed: it is in a later tree now.
  const SecretKey second = NewKey();
  scene.SignLogged(second);
  REQUIRE(AddToLog(scene.path, scene.Owner(), {}).ok());
  CHECK(scene.Check().ok());
  CheckUntrusted(scene.Check(early), "not_logged_before");
  // As long as there is the log, the proof in the earlier tree can be stored beside it.
  REQUIRE(ProveContainer(scene.log, scene.path, scene.trust, early_note, StoreProofs::kYes).ok());
  CHECK(scene.Check(early).ok());
  CHECK(scene.Check().value()[0].checkpoint.size == 2);  // the largest tree of two
  // What was logged later is not before, though it is in the log.
  CheckUntrusted(CheckLogged(scene.path, {second.public_key()}, scene.trust, early), "not_logged_before");
  // The same size and origin with another root is another tree; so is another origin.
  LogCheckpoint fork = early;
  fork.root[0] ^= 1;
  CheckUntrusted(scene.Check(fork), "not_logged_before");
  fork = early;
  fork.origin = "example.com/other";
  CheckUntrusted(scene.Check(fork), "not_logged_before");
  fork = early;
  fork.size = 2;
  CheckUntrusted(scene.Check(fork), "not_logged_before");
}

TEST_CASE("log: broken proofs beside a good one change nothing, and there are at most 64") {
  const Scene scene;
  scene.SignLogged(scene.signer);
  scene.Edit([](auto& items) {
    const container::EnvelopeItem proof = items[1];
    items.insert(items.begin(), {proof.kind, {1, 2, 3}});
    items.insert(items.begin(), proof);
    items.push_back({proof.kind, {}});
    items.push_back({77, proof.bytes});
  });
  CHECK(scene.Check().ok());
  auto writer = EnvelopeWriter::Open(scene.path, Placement::kKeep, {});
  auto envelope = NextEnvelope(writer.value().container().envelope, writer.value().container().manifest_digest);
  const container::EnvelopeItem proof = envelope.value().items[0];
  envelope.value().items.assign(64, proof);
  CHECK(FrameBytes(envelope.value(), {}).ok());
  envelope.value().items.push_back(proof);
  CHECK(Code(FrameBytes(envelope.value(), {})) == "many_log_proofs");
  const ByteBuffer body = container::SerializeEnvelopeBody(envelope.value());
  ByteBuffer frame = body;
  const Digest digest = crypto::Blake3Of(body);
  frame.insert(frame.end(), digest.begin(), digest.end());
  CHECK(Code(container::ParseEnvelope(frame, digest, {})) == "many_log_proofs");
}

TEST_CASE("log: when the log cannot be written, the envelope stays as it was") {
  const Scene scene;
  const ByteBuffer before = ReadFileBytes(scene.path);
  const SecretKey stranger = NewKey();
  const LogOwner wrong{scene.log, &stranger, {}, kNow};
  CHECK(Code(SignAndLog(scene.path, scene.signer, At(kNow), wrong)) == "log_signature");
  const LogOwner nobody{scene.log, nullptr, {}, kNow};
  CHECK(Code(SignAndLog(scene.path, scene.signer, At(kNow), nobody)) == "no_log_key");
  CHECK(ReadFileBytes(scene.path) == before);
  CHECK_FALSE(std::filesystem::exists(scene.path + ".envelope"));
}

}  // namespace safemodel::trust
