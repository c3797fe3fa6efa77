// SPDX-License-Identifier: Apache-2.0
// Signing anew after a leak; the whole way with the command line is in tests/cli/incident_test.py.
#include <safemodel/resign.h>

#include "fixture.h"

namespace safemodel {
namespace {

constexpr std::int64_t kNow = 1800000000;
constexpr const char* kOrigin = "example.com/models";

// Scene is a container that the leaked key has signed and logged, and the checkpoint right behind that.
struct Scene {
  TempFolder folder;
  std::string path = folder.Path("m.safemodel");
  std::string log = folder.Path("log");
  SecretKey leaked = FreshKey();
  SecretKey fresh = FreshKey();
  SecretKey log_key = FreshKey();
  ByteBuffer before;

  explicit Scene(const SignOptions& options) {
    REQUIRE(WriteTo(path, ModelBuilder().Bytes("w", Noise(64, 1)).Finish(), TestOptions()).ok());
    REQUIRE(InitLog(log, kOrigin, log_key).ok());
    REQUIRE(SignAndLog(path, leaked, options, {log, &log_key, {}, kNow}).ok());
    before = ReadBytes(log + "/checkpoint");
  }
  [[nodiscard]] Result<ResignReport> Again(const ResignOptions& options) const {
    const auto basis = ResignBasis::FromLog(log, {{{kOrigin, log_key.public_key()}}}, before, leaked.public_key());
    REQUIRE(basis.ok());
    return Resign(path, fresh, basis.value(), options);
  }
};

SignOptions At(std::int64_t time) {
  SignOptions options;
  options.issued_at = time;
  return options;
}

ResignOptions AnewAt(std::int64_t time) {
  ResignOptions options;
  options.signature.issued_at = time;
  return options;
}

std::string CodeOf(const Result<ResignReport>& result) { return result.ok() ? "ok" : result.error().code; }

}  // namespace

TEST_CASE("resign: what had ended gets no new life unless it is given an end") {
  SignOptions old = At(kNow);
  old.not_after = kNow + 100;
  const Scene scene(old);
  CHECK(CodeOf(scene.Again(AnewAt(kNow + 101))) == "expired");
  ResignOptions longer = AnewAt(kNow + 101);
  longer.signature.not_after = kNow + 500;
  const auto report = scene.Again(longer);
  REQUIRE(report.ok());
  CHECK(report.value().signed_roles == std::vector<std::string>{"builder"});
  // Signed already, until that ends too.
  CHECK(scene.Again(longer).value().already_roles == std::vector<std::string>{"builder"});
  longer.signature.issued_at = kNow + 501;
  longer.signature.not_after = kNow + 900;
  CHECK(scene.Again(longer).value().signed_roles == std::vector<std::string>{"builder"});
}

TEST_CASE("resign: an entry of the same index in a log without this statement proves nothing about it") {
  const Scene scene(At(kNow));
  // The log's owner may write what he likes about others' statements; only one that the leaked key really made counts.
  const std::string other = scene.folder.Path("other.safemodel");
  REQUIRE(WriteTo(other, ModelBuilder().Bytes("w", Noise(64, 2)).Finish(), TestOptions()).ok());
  REQUIRE(Sign(other, scene.leaked, At(kNow)).ok());
  const auto basis = ResignBasis::FromLog(scene.log, {{{kOrigin, scene.log_key.public_key()}}}, scene.before,
                                          scene.leaked.public_key());
  REQUIRE(basis.ok());
  const ByteBuffer bytes = ReadBytes(other);
  CHECK(CodeOf(Resign(other, scene.fresh, basis.value(), AnewAt(kNow))) == "not_logged");
  CHECK(ReadBytes(other) == bytes);
  // Another statement of the same container, in secret: the container is known, this statement is not.
  SignOptions approver = At(kNow);
  approver.role = "approver";
  REQUIRE(Sign(scene.path, scene.leaked, approver).ok());
  const auto report = scene.Again(AnewAt(kNow));
  REQUIRE(report.ok());
  CHECK(report.value().signed_roles == std::vector<std::string>{"builder"});
}

TEST_CASE("resign: listed manifests, and the one way to list the wrong one") {
  const Scene scene(At(kNow));
  const auto sign = Sign(scene.path, scene.leaked, At(kNow));
  REQUIRE(sign.ok());
  Digest wrong = sign.value().manifest_digest;
  wrong[0] ^= 1;
  CHECK(CodeOf(Resign(scene.path, scene.fresh, ResignBasis::FromManifests({wrong}), AnewAt(kNow))) == "not_listed");
  ResignOptions options = AnewAt(kNow);
  options.signature.role = "approver";
  const auto report =
      Resign(scene.path, scene.fresh, ResignBasis::FromManifests({sign.value().manifest_digest}), options);
  REQUIRE(report.ok());
  CHECK(report.value().signed_roles == std::vector<std::string>{"approver"});
}

}  // namespace safemodel
