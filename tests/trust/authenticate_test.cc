// SPDX-License-Identifier: Apache-2.0
#include <safemodel/artifact.h>

#include <limits>

#include "base/clock.h"
#include "fixture.h"
#include "trust/sign_core.h"

namespace safemodel::trust {
namespace {

struct Signed {
  TestFolder folder;
  std::string path = folder / "m.safemodel";
  SecretKey key = NewKey();
  ByteBuffer core = TestCore(TestManifest());

  Signed() { WriteFileBytes(path, core); }
  void Add(const SecretKey& by, const SignOptions& options) const {
    const auto report = Sign(path, by, options);
    REQUIRE_MESSAGE(report.ok(), (report.ok() ? "" : report.error().code));
  }
};

}  // namespace

TEST_CASE("authenticate: a signed manifest is accepted, and only by those who trust the key") {
  Signed c;
  CHECK(CodeOf(Verify(c.path, Trusting({c.key.public_key()}))) == "no_signature");
  c.Add(c.key, At(kNow));
  CHECK(CodeOf(Verify(c.path, Trusting({c.key.public_key()}))) == "ok");
  CHECK(CodeOf(Verify(c.path, Trusting({NewKey().public_key()}))) == "unknown_key");
}

TEST_CASE("authenticate: the caller's expectation") {
  Signed c;
  c.Add(c.key, At(kNow));
  const Policy policy = Trusting({c.key.public_key()});
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Model("acme/model"))) == "ok");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Model("acme/model", "1.0"))) == "ok");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Model("acme/other"))) == "unexpected_model");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Model("acme/model", "2.0"))) == "unexpected_model");
}

TEST_CASE("authenticate: times") {
  Signed c;
  SignOptions options = At(kNow);
  options.not_after = kNow + 100;
  c.Add(c.key, options);
  const Policy policy = Trusting({c.key.public_key()});
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Any(), kNow + 100)) == "ok");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Any(), kNow + 101)) == "expired");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Any(), kNow - 300)) == "ok");
  CHECK(CodeOf(Verify(c.path, policy, Expectation::Any(), kNow - 301)) == "issued_in_future");

  Rule rule;
  rule.models = "**";
  rule.required = {{"builder", 1}};
  const auto windowed = [&](std::optional<std::int64_t> from, std::optional<std::int64_t> until) {
    auto made = Policy::Create({{c.key.public_key(), {"builder"}, from, until}}, {rule});
    REQUIRE(made.ok());
    return made.value();
  };
  CHECK(CodeOf(Verify(c.path, windowed(kNow, kNow + 50))) == "ok");
  CHECK(CodeOf(Verify(c.path, windowed({}, kNow - 1))) == "outside_key_window");
  CHECK(CodeOf(Verify(c.path, windowed(kNow + 1, {}), Expectation::Any(), kNow + 10)) == "outside_key_window");
}

TEST_CASE("authenticate: a time that no timestamp can write is refused, for every kind of release") {
  Signed c;
  c.Add(c.key, At(kNow));
  const std::string set = c.folder / "all.set";
  REQUIRE(SignSet(set, {c.path}, c.key, At(kNow), {}).ok());
  std::filesystem::create_directory(c.folder / "folder");
  WriteFileBytes(c.folder / "folder/w", ByteBuffer(10));
  REQUIRE(SignArtifact(c.folder / "folder", c.key, At(kNow), {}).ok());
  const Policy policy = Trusting({c.key.public_key()});
  const auto answers = [&](std::int64_t now, const std::string& code) {
    OpenOptions options;
    options.now = now;
    const Expectation any = Expectation::Any();
    CHECK(CodeOf(Verify(c.path, policy, any, now)) == code);
    auto opened = OpenContainer(c.path, {}, {});
    REQUIRE(opened.ok());
    CHECK(CodeOf(AuthenticateInPolicyMode(std::move(opened).value(), policy, any, now, InsecurePolicyMode(), {})) ==
          code);
    for (const Status& status :
         {VerifySet(set, policy, any, VerifyScope::kManifest, options).status,
          VerifyArtifact(c.folder / "folder", policy, any, VerifyScope::kManifest, options).status}) {
      CHECK((status.ok() ? "ok" : std::string(status.error().code)) == code);
    }
  };
  answers(kLastSecond, "ok");
  answers(0, "issued_in_future");
  for (const std::int64_t now : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, kLastSecond + 1,
                                 std::numeric_limits<std::int64_t>::max()})
    answers(now, "bad_time");
}

TEST_CASE("authenticate: a bad statement never hides a good one") {
  Signed c;
  const SecretKey stranger = NewKey();
  c.Add(stranger, At(kNow));
  c.Add(c.key, At(kNow, "approver"));
  c.Add(c.key, At(kNow));
  auto opened = OpenContainer(c.path, {}, {});
  REQUIRE(opened.ok());
  auto& items = opened.value().envelope->items;
  items.insert(items.begin(), {1, {'{', '}'}});
  items.insert(items.begin(), {77, {1, 2, 3}});
  items.insert(items.begin(), {2, {1, 2, 3}});  // a key wrap and a recipient note are no signatures
  items.insert(items.begin(), {5, {1, 2, 3}});
  AuthenticationTrace trace;
  const auto result =
      Authenticate(opened.value(), Trusting({c.key.public_key()}), Expectation::Any(), kNow, {}, &trace);
  REQUIRE(result.ok());
  std::vector<std::string> codes;
  for (const SignatureReport& report : trace.signatures) codes.push_back(report.code);
  CHECK(codes == std::vector<std::string>{"bad_dsse", "unknown_key", "wrong_role", "counted", "unknown_item"});
}

TEST_CASE("authenticate: the worst word answers when the policy is not satisfied") {
  Signed c;
  c.Add(c.key, At(kNow));
  auto opened = OpenContainer(c.path, {}, {});
  REQUIRE(opened.ok());
  const Policy policy = Trusting({c.key.public_key()});
  const auto answer = [&](const container::EnvelopeItem& item) {
    OpenedContainer changed = opened.value();
    changed.envelope->items = {item, {1, {'x'}}};
    const auto result = Authenticate(changed, policy, Expectation::Any(), kNow, {});
    return result.ok() ? Stage::kInternal : result.error().stage;
  };
  const Digest digest = opened.value().manifest_digest;
  container::Manifest other = TestManifest();
  other.version = "2.0";
  Digest other_digest = digest;
  other_digest[0] ^= 1;
  const auto item = [&](const container::Manifest& manifest, const Digest& subject, const std::string& role) {
    auto made = MakeStatementItem(ReleaseOf(manifest), subject, c.key, At(kNow, role), Checked::kNone);
    REQUIRE(made.ok());
    return made.value();
  };
  container::EnvelopeItem broken = item(TestManifest(), digest, "builder");
  const std::string text(AsText(broken.bytes));
  const auto sig = text.find("\"sig\":\"") + 7;
  broken.bytes[sig] = broken.bytes[sig] == 'A' ? 'B' : 'A';
  CHECK(answer(broken) == Stage::kBadSignature);
  CHECK(answer(item(TestManifest(), other_digest, "builder")) == Stage::kDigestMismatch);
  CHECK(answer(item(TestManifest(), digest, "approver")) ==
        Stage::kMalformed);  // the unreadable item beside it is worse
  CHECK(answer(item(other, digest, "builder")) == Stage::kMalformed);
}

TEST_CASE("authenticate: the manifest is not parsed before a trusted key vouched for it") {
  Signed c;
  c.Add(c.key, At(kNow));
  auto opened = OpenContainer(c.path, {}, {});
  REQUIRE(opened.ok());
  std::fill(opened.value().manifest_bytes.begin(), opened.value().manifest_bytes.end(), std::uint8_t{0xEE});
  opened.value().manifest_digest = crypto::Sha256Of(opened.value().manifest_bytes);
  const auto result = Authenticate(opened.value(), Trusting({c.key.public_key()}), Expectation::Any(), kNow, {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().stage == Stage::kDigestMismatch);  // garbage would be malformed, had the parser seen it
}

TEST_CASE("authenticate: every flipped bit of envelope and manifest is refused") {
  Signed c;
  c.Add(c.key, At(kNow));
  const ByteBuffer good = ReadFileBytes(c.path);
  const Policy policy = Trusting({c.key.public_key()});
  const std::size_t manifest_offset = TestManifest().manifest_offset;
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at >= container::kPreambleBytes && at < manifest_offset) continue;  // objects are checked by model/
    for (int bit = 0; bit < 8; ++bit) {
      ByteBuffer bad = good;
      bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1 << bit));
      WriteFileBytes(c.path, bad);
      if (Verify(c.path, policy).ok()) FAIL("accepted with bit ", bit, " of byte ", at, " flipped");
    }
  }
}

}  // namespace safemodel::trust
