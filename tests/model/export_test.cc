// SPDX-License-Identifier: Apache-2.0
#include <safemodel/digest.h>

#include <fcntl.h>
#include <unistd.h>

#include "model/fixture.h"

namespace safemodel {
namespace {

ImportedModel MixedModel() {
  ModelBuilder builder;
  const std::uint32_t shared = builder.Storage(Noise(4096, 1), Dtype::kF32);
  builder.View("a", Dtype::kF32, {32, 32}, {32, 1}, shared);
  builder.View("b.turned", Dtype::kF32, {32, 32}, {1, 32}, shared);
  builder.Whole("c", Dtype::kBool, {3}, {0, 1, 1});
  builder.Whole("d", Dtype::kI64, {}, Noise(8, 2));
  builder.Whole("e", Dtype::kF16, {0, 4}, {});
  return builder.Finish();
}

ExportOptions Replace() {
  ExportOptions options;
  options.overwrite = ExportOptions::Overwrite::kReplace;
  return options;
}

TEST_CASE("export: safetensors and npz hold the same tensors as the container") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, MixedModel(), TestOptions());
  for (const auto& [name, format] :
       {std::pair<const char*, ExportFormat>{"out.safetensors", ExportFormat::kSafetensors},
        {"out.npz", ExportFormat::kNpz}}) {
    const auto report = Export(model, folder.Path(name), format, {});
    REQUIRE_MESSAGE(report.ok(), Code(report));
    CHECK(report.value().tensors == 5);
    CHECK(report.value().bytes == std::filesystem::file_size(folder.Path(name)));
    CHECK(report.value().broken_aliases == std::vector<std::vector<std::string>>{{"a", "b.turned"}});
    const auto digests = ComputeDigests(folder.Path(name), 0, {});
    REQUIRE_MESSAGE(digests.ok(), Code(digests));
    CHECK(digests.value().tensor_digest == model.info().tensor_digest);
  }
}

TEST_CASE("export: what the format cannot hold is refused by name, before anything is written") {
  const TempFolder folder;
  ModelBuilder reserved;
  reserved.Bytes("__metadata__", {1, 2});
  {
    const VerifiedModel model = WriteAndOpen(folder, reserved.Finish(), TestOptions());
    const auto report = Export(model, folder.Path("out"), ExportFormat::kSafetensors, {});
    REQUIRE(!report.ok());
    CHECK(report.error().stage == Stage::kUnsupported);
    CHECK(report.error().subject == "__metadata__");
  }
  ModelBuilder small;
  small.Whole("x", Dtype::kF8E4M3Fn, {2}, {1, 2});
  const VerifiedModel model = WriteAndOpen(folder, small.Finish(), TestOptions());
  const auto report = Export(model, folder.Path("out"), ExportFormat::kNpz, {});
  REQUIRE(!report.ok());
  CHECK(report.error().subject == "x");
  CHECK(!std::filesystem::exists(folder.Path("out")));
  CHECK(Export(model, folder.Path("out"), ExportFormat::kSafetensors, {}).ok());
}

TEST_CASE("export: a tensor expanded without bound is refused, not written out") {
  const TempFolder folder;
  ModelBuilder builder;
  builder.View("sea", Dtype::kF32, {std::uint64_t{1} << 40}, {0}, builder.Storage(Noise(4, 1)));
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions());
  const auto report = Export(model, folder.Path("out"), ExportFormat::kSafetensors, {});
  CHECK(Code(report) == "alias_expansion");
  CHECK(!std::filesystem::exists(folder.Path("out")));
}

TEST_CASE("export: a bad last chunk leaves no output, and an old one as it was") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  ModelBuilder builder;
  builder.Bytes("x", Noise(60 * kSmallChunk, 1));
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions(CodecChoice::kRaw));
  const auto inspected = Inspect(path, TestOpen());
  REQUIRE(inspected.ok());
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(pwrite(fd, "!!", 2, static_cast<off_t>(inspected.value().objects[1].offset + 60 * kSmallChunk - 2)) == 2);
  close(fd);
  CHECK(Code(Export(model, folder.Path("out"), ExportFormat::kSafetensors, {})) == "chunk_digest");
  CHECK(!std::filesystem::exists(folder.Path("out")));
  WriteBytes(folder.Path("old"), Noise(10, 1));
  CHECK(Code(Export(model, folder.Path("old"), ExportFormat::kSafetensors, {})) == "exists");
  CHECK(Code(Export(model, folder.Path("old"), ExportFormat::kSafetensors, Replace())) == "chunk_digest");
  CHECK(ReadBytes(folder.Path("old")) == Noise(10, 1));
  CHECK(Code(Export(model, path, ExportFormat::kSafetensors, Replace())) == "same_file");
}

TEST_CASE("verify: scopes, and an answer that is complete also when it is no") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  REQUIRE(WriteTo(path, MixedModel(), TestOptions()).ok());
  std::uint64_t last = 0;
  for (const VerifyScope scope : {VerifyScope::kManifest, VerifyScope::kStored, VerifyScope::kContent}) {
    const Verdict verdict = Verify(path, TestPolicy(), Expectation::Model("test/model", "1"), scope, TestOpen());
    CHECK(Code(verdict.status) == "ok");
    REQUIRE(verdict.info.has_value());
    CHECK(verdict.info->name == "test/model");
    REQUIRE(verdict.signatures.size() == 1);
    CHECK(verdict.signatures[0].counted);
    CHECK(verdict.bytes_checked >= last);
    last = verdict.bytes_checked;
  }
  const Verdict other = Verify(path, TestPolicy(), Expectation::Model("test/other"), VerifyScope::kStored, TestOpen());
  CHECK(!other.status.ok());
  CHECK(other.info.has_value());
  auto stranger = SecretKey::Generate();
  REQUIRE(stranger.ok());
  const auto policy = Policy::AnyOf({stranger.value().public_key()});
  const Verdict unknown = Verify(path, policy.value(), Expectation::Any(), VerifyScope::kStored, TestOpen());
  CHECK(unknown.status.error().stage == Stage::kUntrusted);
  CHECK(!unknown.info.has_value());
  CHECK(unknown.signatures.size() == 1);
  CHECK(unknown.bytes_checked == 0);
}

TEST_CASE("inspect: lists what the file says, signed or not") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  REQUIRE(WriteTo(path, MixedModel(), TestOptions()).ok());
  const auto inspected = Inspect(path, TestOpen());
  REQUIRE_MESSAGE(inspected.ok(), Code(inspected));
  const UnverifiedModel& model = inspected.value();
  CHECK(model.envelope == "appended");
  REQUIRE(model.signatures.size() == 1);
  CHECK(std::string(model.signatures[0].code) == "not_checked");
  CHECK(!model.signatures[0].counted);
  CHECK(model.signatures[0].role == "builder");
  CHECK(model.tensors.size() == 5);
  CHECK(model.objects[0].kind == "directory");
  CHECK(model.info.metadata == std::vector<std::pair<std::string, std::string>>{{"purpose", "test"}});
  ConvertOptions unsigned_options = TestOptions();
  unsigned_options.sign_with = nullptr;
  REQUIRE(WriteTo(path, MixedModel(), unsigned_options).ok());
  const auto bare = Inspect(path, TestOpen());
  REQUIRE(bare.ok());
  CHECK(bare.value().envelope == "none");
  CHECK(bare.value().core_bytes == bare.value().file_bytes);
  const auto refused = VerifiedModel::Open(path, TestPolicy(), Expectation::Any(), TestOpen());
  CHECK(refused.error().stage == Stage::kUntrusted);
  CHECK(OpenUnverified(path, InsecureSkipVerification(), TestOpen()).ok());
}

}  // namespace
}  // namespace safemodel
