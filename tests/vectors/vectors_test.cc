// SPDX-License-Identifier: Apache-2.0
// Runs every vector of spec/vectors through the public API. The vectors are made by spec/testkit, which shares no code
// with the library.
#include <doctest/doctest.h>

#include <safemodel/artifact.h>
#include <safemodel/inspect.h>
#include <safemodel/model.h>
#include <safemodel/verify.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "testing/temp_folder.h"
#include "vectors/vector_file.h"

namespace safemodel::testing {
namespace {

// PlacedListing is a file of any format, alone or in a folder, or a container of a set, with the listing about it.
class PlacedListing {
 public:
  explicit PlacedListing(const VectorFile& vector) {
    const std::filesystem::path top = folder_.Path(vector.kind == "folder" ? "model" : ".");
    const std::filesystem::path file = top / vector.path;
    std::filesystem::create_directories(file.parent_path());
    WriteText(file.string(), vector.container);
    subject_ = vector.kind == "folder" ? top.string() : file.string();
    if (vector.kind == "set") subject_ = folder_.Path("all.set");
    WriteText(vector.kind == "set" ? subject_ : subject_ + ".envelope", *vector.sidecar);
  }
  [[nodiscard]] const std::string& subject() const { return subject_; }

 private:
  TempFolder folder_;
  std::string subject_;
};

// Placed is a folder with the container of one vector, and its sidecar if it has one.
class Placed {
 public:
  explicit Placed(const VectorFile& vector) {
    WriteText(path(), vector.container);
    if (vector.sidecar.has_value()) WriteText(path() + ".envelope", *vector.sidecar);
  }
  [[nodiscard]] std::string path() const { return folder_.Path("model.safemodel"); }

 private:
  TempFolder folder_;
};

Result<Policy> ReadPolicy(const VectorFile& vector) {
  return vector.policy.has_value() ? Policy::FromToml(*vector.policy) : Policy::Create(vector.keys, vector.rules);
}

Policy PolicyOf(const VectorFile& vector) {
  auto policy = ReadPolicy(vector);
  INFO("policy ", std::string(policy.ok() ? "" : policy.error().code + (": " + policy.error().subject)));
  REQUIRE(policy.ok());
  return policy.value();
}

Expectation ExpectationOf(const VectorFile& vector) {
  if (vector.expected_name == "*") return Expectation::Any();
  return Expectation::Model(vector.expected_name, vector.expected_version);
}

OpenOptions OptionsOf(const VectorFile& vector, unsigned threads) {
  OpenOptions options;
  options.limits = vector.limits;
  options.now = vector.now;
  options.threads = threads;
  if (!vector.identities.empty()) {
    options.identities = [&vector]() -> Result<std::vector<Identity>> { return vector.MakeIdentities(); };
  }
  return options;
}

// A vector is small, so what is larger is a tensor expanded by strides of 0, which nobody copies.
constexpr std::uint64_t kMostBytes = 1u << 20;

// LoadAll reads all tensors at once, then all files. A refusal must leave nothing in the destinations but zeros.
Status LoadAll(const VerifiedModel& model) {
  std::vector<ByteBuffer> buffers;  // their bytes stay where they are when the outer vector grows
  std::vector<VerifiedModel::Request> requests;
  for (const Tensor& tensor : model.tensors()) {
    if (tensor.bytes > kMostBytes) continue;
    buffers.emplace_back(tensor.bytes, std::uint8_t{0xA5});
    requests.push_back({&tensor, buffers.back()});
  }
  const Status status = model.ReadMany(requests);
  if (!status.ok()) {
    for (const ByteBuffer& buffer : buffers) {
      CHECK(std::all_of(buffer.begin(), buffer.end(), [](std::uint8_t byte) { return byte == 0; }));
    }
    return status;
  }
  for (const PackedFile& file : model.files()) {
    const auto bytes = model.ReadFile(file);
    if (!bytes.ok()) return bytes.error();
    CHECK(bytes.value().size() == file.bytes);
  }
  return {};
}

using Step = std::pair<std::string, std::function<Status(const VerifiedModel&)>>;

const std::vector<Step>& StepsBehindOpen() {
  static const std::vector<Step> steps = {
      {"verify", [](const VerifiedModel& model) { return model.CheckAll(); }},
      {"load", LoadAll},
      {"content", [](const VerifiedModel& model) { return model.CheckContent(); }},
  };
  return steps;
}

bool Listed(const VectorFile& vector, const std::string& step) {
  return std::find(vector.at.begin(), vector.at.end(), step) != vector.at.end();
}

void CheckRefusal(const VectorFile& vector, const Status& status, const std::string& step) {
  INFO("step ", step);
  REQUIRE_FALSE(status.ok());
  CHECK(std::string(StageName(status.error().stage)) == vector.expect);
  if (!vector.code.empty()) CHECK(std::string(status.error().code) == vector.code);
}

void CheckAccepted(const Status& status, const std::string& step) {
  const std::string code = status.ok() ? "" : status.error().code;
  const std::string text = status.ok() ? "" : status.error().text;
  INFO("step ", step, ", code ", code, ", ", text);
  CHECK(status.ok());
}

// RunSteps runs the steps behind Open: those in front of the first listed one succeed, the listed ones refuse, each
// with a model of its own, because a refusal sticks.
void RunSteps(const VectorFile& vector, const std::function<VerifiedModel()>& open) {
  bool reached = false;
  for (const auto& [step, run] : StepsBehindOpen()) {
    if (vector.accepted()) {
      if (reached) break;
      CheckAccepted(run(open()), step);
      reached = Listed(vector, step);
    } else if (Listed(vector, step)) {
      CheckRefusal(vector, run(open()), step);
      reached = true;
    } else if (!reached) {
      CheckAccepted(run(open()), step);
    }
  }
}

// RunLogged asks whether the statement is logged, and whether the log continues the earlier state.
Status RunLogged(const VectorFile& vector, const std::string& path) {
  std::vector<PublicKey> signers;
  for (const TrustedKey& key : vector.keys) signers.push_back(key.key);
  const auto logged = CheckLogged(path, signers, vector.log, vector.before, vector.limits);
  if (!logged.ok()) return logged.error();
  CHECK(logged.value().size() == 1);
  if (!vector.earlier.has_value()) return {};
  ConsistencyProof proof = *vector.earlier;
  proof.after = logged.value().front().checkpoint;
  proof.before.origin = proof.after.origin;
  return CheckConsistency(proof);
}

Status VerifyListing(const VectorFile& vector, const std::string& subject, VerifyScope scope, unsigned threads) {
  const Policy policy = PolicyOf(vector);
  const Expectation expectation = ExpectationOf(vector);
  const OpenOptions options = OptionsOf(vector, threads);
  return vector.kind == "set" ? VerifySet(subject, policy, expectation, scope, options).status
                              : VerifyArtifact(subject, policy, expectation, scope, options).status;
}

void RunListing(const VectorFile& vector, unsigned threads) {
  const PlacedListing placed(vector);
  const Status open = VerifyListing(vector, placed.subject(), VerifyScope::kManifest, threads);
  if (!vector.accepted() && Listed(vector, "open")) {
    CheckRefusal(vector, open, "open");
    CHECK_FALSE(VerifyListing(vector, placed.subject(), VerifyScope::kStored, threads).ok());
    return;
  }
  CheckAccepted(open, "open");
  const Status stored = VerifyListing(vector, placed.subject(), VerifyScope::kStored, threads);
  if (vector.accepted()) {
    CheckAccepted(stored, "verify");
  } else {
    CheckRefusal(vector, stored, "verify");
  }
}

// IsClosed: the container is encrypted, and the vector has no identity for it.
bool IsClosed(const Result<VerifiedModel>& opened) {
  return !opened.ok() && std::string(opened.error().code) == "identity_needed";
}

// RunClosed: who has no key still verifies all stored bytes. Nothing can be read.
void RunClosed(const VectorFile& vector, const std::string& path, const Status& opened, unsigned threads) {
  const auto verify = [&](VerifyScope scope) {
    return Verify(path, PolicyOf(vector), ExpectationOf(vector), scope, OptionsOf(vector, threads));
  };
  CHECK(opened.error().stage == Stage::kKey);
  REQUIRE(vector.identities.empty());
  REQUIRE_FALSE(Listed(vector, "open"));
  CheckAccepted(verify(VerifyScope::kManifest).status, "open");
  const Verdict stored = verify(VerifyScope::kStored);
  if (!vector.accepted() && Listed(vector, "verify")) {
    CheckRefusal(vector, stored.status, "verify");
    return;
  }
  CheckAccepted(stored.status, "verify");
  CHECK(stored.directory == DirectoryState::kHidden);
  if (!vector.accepted()) CheckRefusal(vector, opened, "load");
}

void RunVector(const VectorFile& vector, const std::string& path, unsigned threads) {
  const Policy policy = PolicyOf(vector);
  const auto open = [&] {
    return VerifiedModel::Open(path, policy, ExpectationOf(vector), OptionsOf(vector, threads));
  };
  const auto opened = open();
  if (IsClosed(opened)) {
    RunClosed(vector, path, opened.error(), threads);
    return;
  }
  if (!vector.accepted() && Listed(vector, "open")) {
    CheckRefusal(vector, opened.ok() ? Status() : Status(opened.error()), "open");
    return;
  }
  CheckAccepted(opened.ok() ? Status() : Status(opened.error()), "open");
  if (Listed(vector, "logged")) {
    const Status logged = RunLogged(vector, path);
    vector.accepted() ? CheckAccepted(logged, "logged") : CheckRefusal(vector, logged, "logged");
  }
  if (!opened.ok() || (vector.accepted() && Listed(vector, "open"))) return;
  RunSteps(vector, [&] { return open().value(); });
}

// CheckHidden: without a key nothing is shown of what is sealed.
void CheckHidden(const UnverifiedModel& shown) {
  REQUIRE(shown.encryption.has_value());
  CHECK(shown.encryption->directory == UnverifiedModel::Encryption::Directory::kHidden);
  CHECK(shown.tensors.empty());
  CHECK(shown.files.empty());
  CHECK(shown.info.private_metadata.empty());
  CHECK(shown.info.content_digest == Digest{});
  CHECK(shown.info.tensor_digest == Digest{});
}

// CheckInspect: what is loaded is what is shown, and what cannot be shown does not verify. (Inspect looks at the whole
// index, Open at the directory's part of it.)
void CheckInspect(const VectorFile& vector, const std::string& path) {
  const auto shown = Inspect(path, OptionsOf(vector, 1));
  const auto opened = VerifiedModel::Open(path, PolicyOf(vector), ExpectationOf(vector), OptionsOf(vector, 1));
  if (IsClosed(opened) && shown.ok()) CheckHidden(shown.value());
  if (!opened.ok()) return;
  if (!shown.ok()) {
    CheckRefusal(vector, opened.value().CheckAll(), "inspect");
    return;
  }
  const VerifiedModel& model = opened.value();
  CHECK(shown.value().info.manifest_digest == model.info().manifest_digest);
  CHECK(shown.value().info.content_digest == model.info().content_digest);
  CHECK(shown.value().info.name == model.info().name);
  CHECK(shown.value().tree == model.tree());
  REQUIRE(shown.value().tensors.size() == model.tensors().size());
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    CHECK(shown.value().tensors[i].name == model.tensors()[i].name);
    CHECK(shown.value().tensors[i].shape == model.tensors()[i].shape);
  }
  REQUIRE(shown.value().files.size() == model.files().size());
  for (std::size_t i = 0; i < model.files().size(); ++i) CHECK(shown.value().files[i].path == model.files()[i].path);
}

// CheckVerify: the one-call form gives the same answer as opening and checking step by step.
void CheckVerify(const VectorFile& vector, const std::string& path) {
  const Verdict verdict =
      Verify(path, PolicyOf(vector), ExpectationOf(vector), VerifyScope::kStored, OptionsOf(vector, 1));
  const bool refuses = !vector.accepted() && (Listed(vector, "open") || Listed(vector, "verify"));
  CHECK(verdict.status.ok() != refuses);
  if (refuses && !verdict.status.ok()) CHECK(std::string(StageName(verdict.status.error().stage)) == vector.expect);
}

// A vector about a policy file alone has no container.
bool IsAboutPolicy(const VectorFile& vector) { return Listed(vector, "policy"); }

void CheckPolicy(const VectorFile& vector) {
  const auto policy = ReadPolicy(vector);
  const Status status = policy.ok() ? Status() : Status(policy.error());
  if (vector.accepted()) {
    CheckAccepted(status, "policy");
  } else {
    CheckRefusal(vector, status, "policy");
  }
}

std::vector<std::string> AllVectors() {
  const char* source = std::getenv("SAFEMODEL_SOURCE_DIR");
  REQUIRE_MESSAGE(source != nullptr, "SAFEMODEL_SOURCE_DIR must name the folder of the sources");
  return VectorNames(std::string(source) + "/spec/vectors");
}

}  // namespace

TEST_CASE("vectors: each is answered as its header says, by one thread and by several") {
  const std::vector<std::string> names = AllVectors();
  REQUIRE(names.size() >= 500);  // an empty or halved folder must not pass
  for (const std::string& name : names) {
    const VectorFile vector = ReadVector(name);
    INFO(vector.name, ": ", vector.reason);
    if (IsAboutPolicy(vector)) {
      CheckPolicy(vector);
      continue;
    }
    if (vector.kind != "container") {
      RunListing(vector, 1);
      RunListing(vector, 4);
      continue;
    }
    const Placed placed(vector);
    RunVector(vector, placed.path(), 1);
    RunVector(vector, placed.path(), 4);
  }
}

TEST_CASE("vectors: inspect, verify and load do not disagree") {
  for (const std::string& name : AllVectors()) {
    const VectorFile vector = ReadVector(name);
    if (IsAboutPolicy(vector)) continue;
    if (vector.kind != "container") continue;
    INFO(vector.name, ": ", vector.reason);
    const Placed placed(vector);
    CheckInspect(vector, placed.path());
    CheckVerify(vector, placed.path());
  }
}

}  // namespace safemodel::testing
