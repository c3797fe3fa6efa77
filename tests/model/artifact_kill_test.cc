// SPDX-License-Identifier: Apache-2.0
// Signing what is no container, killed at each system call: the envelope is the old one or the new one, whole, and the
// files are as they were.
#include <safemodel/artifact.h>

#include <set>

#include "fixture.h"
#include "trust/killed.h"

namespace safemodel {
namespace {

using trust::KilledAt;

constexpr std::int64_t kNow = 1800000000;

// Scene is a folder of two files in a folder of the test.
struct Scene {
  TempFolder folder;
  std::string path = folder.Path("model");
  std::string envelope = path + ".envelope";

  Scene() {
    REQUIRE(std::filesystem::create_directories(path + "/sub"));
    testing::WriteText(path + "/config.json", "{}");
    testing::WriteText(path + "/sub/weights.bin", std::string(5000, 'w'));
  }
  [[nodiscard]] std::string Answer(const SecretKey& key) const {
    const auto policy = Policy::AnyOf({key.public_key()});
    REQUIRE(policy.ok());
    OpenOptions options;
    options.now = kNow;
    options.threads = 1;
    const auto verdict = VerifyArtifact(path, policy.value(), Expectation::Any(), VerifyScope::kStored, options);
    return verdict.status.ok() ? "ok" : verdict.status.error().code;
  }
  // Names is everything in the test's folder.
  [[nodiscard]] std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
      names.insert(std::filesystem::relative(entry.path(), folder.path()).string());
    return names;
  }
};

Result<ArtifactReport> SignAs(const Scene& scene, const SecretKey& key, ArtifactOptions::Existing existing) {
  SignOptions options;
  options.issued_at = kNow;
  ArtifactOptions artifact;
  artifact.existing = existing;
  artifact.threads = 1;  // a thread of its own would not be stopped
  return SignArtifact(scene.path, key, options, artifact);
}

// Run kills the signing with `second` at each of its system calls. `first` has signed before, or nobody has.
struct Outcomes {
  int old_states = 0;
  int new_states = 0;
  int leftovers = 0;
};

// IsLeftover tells the name that a new envelope has for two system calls when it takes the place of an old one: no call
// gives a nameless file the name of another.
bool IsLeftover(const std::string& name) { return name.starts_with(".safemodel-") && name.ends_with(".tmp"); }

Outcomes Run(bool signed_before, ArtifactOptions::Existing existing) {
  const SecretKey first = FreshKey();
  const SecretKey second = FreshKey();
  Outcomes outcomes;
  for (int n = 1;; ++n) {
    REQUIRE(n < 2000);
    const Scene scene;
    if (signed_before) REQUIRE(SignAs(scene, first, ArtifactOptions::Existing::kCosign).ok());
    if (existing == ArtifactOptions::Existing::kUpdate) testing::WriteText(scene.path + "/config.json", "{\"a\":1}");
    std::set<std::string> names = scene.Names();
    const std::string config = testing::ReadText(scene.path + "/config.json");
    const std::string before = testing::ReadText(scene.envelope);
    const bool killed = KilledAt(n, [&] {
      if (!SignAs(scene, second, existing).ok()) _exit(trust::kUnreachable);
    });
    CAPTURE(n);
    const bool fresh = scene.Answer(second) == "ok";
    ++(fresh ? outcomes.new_states : outcomes.old_states);
    if (!fresh) CHECK(testing::ReadText(scene.envelope) == before);
    if (fresh) names.insert("model.envelope");
    std::set<std::string> left = scene.Names();
    outcomes.leftovers += static_cast<int>(std::erase_if(left, IsLeftover));
    CHECK(left == names);  // nothing else is left behind
    CHECK(testing::ReadText(scene.path + "/config.json") == config);
    CHECK(testing::ReadText(scene.path + "/sub/weights.bin") == std::string(5000, 'w'));
    const bool keeps_first = signed_before && existing == ArtifactOptions::Existing::kCosign;
    if (keeps_first) CHECK(scene.Answer(first) == "ok");
    // Whoever signs next is not in the way of what was left.
    CHECK(SignAs(scene, second, existing).ok());
    CHECK(scene.Answer(second) == "ok");
    if (!killed) break;
  }
  return outcomes;
}

}  // namespace

TEST_CASE("artifact: killed at any system call of signing, the old or the new envelope is there") {
  struct Row {
    const char* what;
    bool signed_before;
    ArtifactOptions::Existing existing;
  };
  const Row rows[] = {{"the first signature", false, ArtifactOptions::Existing::kCosign},
                      {"a second one", true, ArtifactOptions::Existing::kCosign},
                      {"an update", true, ArtifactOptions::Existing::kUpdate}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Outcomes outcomes = Run(row.signed_before, row.existing);
    CHECK(outcomes.old_states > 10);
    CHECK(outcomes.new_states >= 2);
    CHECK(outcomes.leftovers <= (row.signed_before ? 2 : 0));
  }
}

}  // namespace safemodel
