// SPDX-License-Identifier: Apache-2.0
// Signing again in the place of earlier signatures: what goes, and what stays.
#include <safemodel/attest.h>
#include <safemodel/log.h>

#include "fixture.h"
#include "killed.h"
#include "trust/candidate.h"
#include "trust/envelope_writer.h"
#include "trust/sign_core.h"

namespace safemodel::trust {
namespace {

constexpr std::int64_t kDay = 86400;

SignOptions Ending(std::int64_t not_after, SignOptions::Earlier earlier = SignOptions::Earlier::kKeep,
                   std::string role = "builder") {
  SignOptions options = At(kNow, std::move(role));
  options.not_after = not_after;
  options.earlier = earlier;
  return options;
}

struct Scene {
  TestFolder folder;
  std::string path = folder / "m.safemodel";
  SecretKey key = NewKey();
  SecretKey other = NewKey();

  Scene() { WriteFileBytes(path, TestCore(TestManifest())); }
  [[nodiscard]] SignReport Sign(const SecretKey& signer, const SignOptions& options) const {
    auto report = safemodel::Sign(path, signer, options);
    REQUIRE(report.ok());
    return report.value();
  }
  [[nodiscard]] std::string Answer(const SecretKey& signer, std::int64_t now) const {
    return CodeOf(Verify(path, Trusting({signer.public_key()}), Expectation::Any(), now));
  }
  [[nodiscard]] std::vector<container::EnvelopeItem> Items() const {
    auto opened = OpenContainer(path, {}, {});
    REQUIRE(opened.ok());
    REQUIRE(opened.value().envelope.has_value());
    return opened.value().envelope->items;
  }
};

std::ptrdiff_t ProofsIn(const std::vector<container::EnvelopeItem>& items) {
  return std::count_if(items.begin(), items.end(), IsLogProof);
}

}  // namespace

TEST_CASE("replace: an end counts only once the endless signature is gone") {
  for (const Placement placement : {Placement::kKeep, Placement::kDetached}) {
    const Scene scene;
    SignOptions endless = At(kNow);
    endless.placement = placement;
    CHECK_FALSE(scene.Sign(scene.key, endless).outlasted);
    SignReport report = scene.Sign(scene.key, Ending(kNow + kDay));
    CHECK(report.outlasted);
    CHECK(report.replaced == 0);
    CHECK(scene.Answer(scene.key, kNow + 2 * kDay) == "ok");  // the new end changes nothing
    report = scene.Sign(scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace));
    CHECK_FALSE(report.outlasted);
    CHECK(report.replaced == 2);
    CHECK(report.signatures == 1);
    CHECK(scene.Answer(scene.key, kNow) == "ok");
    CHECK(scene.Answer(scene.key, kNow + 2 * kDay) == "expired");
  }
}

TEST_CASE("replace: what ends earlier, is of another role or of another key does not outlast") {
  const Scene scene;
  (void)scene.Sign(scene.key, Ending(kNow + kDay));
  (void)scene.Sign(scene.key, At(kNow, "approver"));
  (void)scene.Sign(scene.other, At(kNow));
  CHECK_FALSE(scene.Sign(scene.key, Ending(kNow + kDay)).outlasted);
  CHECK_FALSE(scene.Sign(scene.key, At(kNow)).outlasted);
  CHECK(scene.Sign(scene.key, Ending(kNow + kDay)).outlasted);
}

TEST_CASE("replace: signatures of others, in other roles, and attestations stay, byte by byte") {
  const Scene scene;
  (void)scene.Sign(scene.other, At(kNow));
  (void)scene.Sign(scene.key, At(kNow, "approver"));
  AttestOptions attest;
  attest.predicate_type = "https://example.com/tested";
  REQUIRE(Attest(scene.path, AsBytes("{}"), scene.key, attest).ok());
  const auto before = scene.Items();
  (void)scene.Sign(scene.key, At(kNow));
  (void)scene.Sign(scene.key, At(kNow - kDay));
  CHECK(scene.Sign(scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace)).replaced == 2);
  auto after = scene.Items();
  REQUIRE(after.size() == before.size() + 1);
  after.pop_back();
  CHECK(after == before);
  // A key id is a hint: an item that names this key without its signature is somebody else's.
  auto writer = EnvelopeWriter::Open(scene.path, Placement::kKeep, {});
  REQUIRE(writer.ok());
  auto envelope = NextEnvelope(writer.value().container().envelope, writer.value().container().manifest_digest);
  REQUIRE(envelope.ok());
  container::EnvelopeItem& last = envelope.value().items.back();
  auto dsse = ParseStatementItem(last, {});
  REQUIRE(dsse.ok());
  dsse.value().signature[0] ^= 1;
  last.bytes = SerializeDsse(dsse.value());
  REQUIRE(writer.value().Write(FrameBytes(envelope.value(), {}).value()).ok());
  writer = Error{Stage::kInternal, "internal", "unlocked"};
  CHECK(scene.Sign(scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace)).replaced == 0);
}

TEST_CASE("replace: log proofs go with the statements that they are about") {
  const Scene scene;
  const std::string log = scene.folder / "log";
  const SecretKey log_key = NewKey();
  REQUIRE(InitLog(log, "example.com/models", log_key).ok());
  const LogOwner owner{log, &log_key, {}, kNow};
  REQUIRE(SignAndLog(scene.path, scene.key, At(kNow), owner).ok());
  REQUIRE(SignAndLog(scene.path, scene.other, At(kNow), owner).ok());
  REQUIRE(SignAndLog(scene.path, scene.key, At(kNow, "approver"), owner).ok());
  CHECK(ProofsIn(scene.Items()) == 3);
  const auto again = SignAndLog(scene.path, scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace), owner);
  REQUIRE(again.ok());
  CHECK(again.value().signature.replaced == 1);
  CHECK(ProofsIn(scene.Items()) == 3);
  const LogTrust trust{{{"example.com/models", log_key.public_key()}}};
  for (const SecretKey* key : {&scene.key, &scene.other})
    CHECK(CheckLogged(scene.path, {key->public_key()}, trust, {}).ok());
}

TEST_CASE("replace: a full envelope says how to go on, and does") {
  const Scene scene;
  Limits limits;
  for (std::uint64_t i = 0; i < limits.statements; ++i) (void)scene.Sign(scene.key, At(kNow + static_cast<int>(i)));
  const auto full = Sign(scene.path, scene.key, At(kNow));
  REQUIRE_FALSE(full.ok());
  CHECK(std::string(full.error().code) == "many_statements");
  CHECK(std::string(full.error().text).find("--replace") != std::string::npos);
  CHECK(scene.Sign(scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace)).signatures == 1);
}

TEST_CASE("replace: killed at any system call, the earlier signature or the new one is there") {
  int old_states = 0;
  int new_states = 0;
  for (int n = 1;; ++n) {
    REQUIRE(n < 2000);
    const Scene scene;
    (void)scene.Sign(scene.key, At(kNow));
    const bool killed = KilledAt(n, [&] {
      if (!Sign(scene.path, scene.key, Ending(kNow + kDay, SignOptions::Earlier::kReplace)).ok()) _exit(kUnreachable);
    });
    CAPTURE(n);
    REQUIRE(scene.Answer(scene.key, kNow) == "ok");
    (scene.Answer(scene.key, kNow + 2 * kDay) == "ok" ? old_states : new_states)++;
    if (!killed) break;
  }
  CHECK(old_states > 10);
  CHECK(new_states > 2);
}

}  // namespace safemodel::trust
