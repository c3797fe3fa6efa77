// SPDX-License-Identifier: Apache-2.0
// Encrypted containers, through the public API: who verifies, who reads, and what is bound to what.
#include <safemodel/encrypt.h>

#include <set>

#include "base/source.h"
#include "container/parse.h"
#include "model/encryption_fixture.h"
#include "model/loaded_model.h"
#include "model/seams.h"
#include "trust/authenticate.h"

namespace safemodel {
namespace {

ImportedModel SecretModel() {
  return std::move(ModelBuilder()
                       .Bytes("MARKER-in-a-name", Noise(3 * kSmallChunk + 77, 1))
                       .Bytes("b.smooth", Smooth(5 * kSmallChunk))
                       .Bytes("c.empty", {})
                       .Bytes("d.marker", Marked(2 * kSmallChunk)))
      .Finish();
}

std::string ErrorOf(const Status& status) {
  return status.ok() ? "ok" : std::string(StageName(status.error().stage)) + " " + status.error().code;
}

// Objects parses the object table without a key.
std::pair<container::Manifest, std::vector<container::ObjectRecord>> ObjectsOf(const std::string& path) {
  auto opened = trust::OpenContainer(path, {}, {});
  REQUIRE(opened.ok());
  auto manifest = trust::SkipAuthentication(std::move(opened).value(), InsecureSkipVerification(), {});
  REQUIRE(manifest.ok());
  auto store = ObjectStore::Open(std::move(manifest).value(), nullptr, {});
  REQUIRE(store.ok());
  return {store.value()->manifest(), store.value()->objects()};
}

TEST_CASE("encryption: every codec round-trips, anybody verifies and recipients alone read") {
  for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd, CodecChoice::kAuto}) {
    const TempFolder folder;
    const std::string path = folder.Path("model");
    const Pair pair = MakePair();
    const ImportedModel model = SecretModel();
    const auto written = WriteTo(path, model, EncryptedOptions(pair.recipients, codec));
    REQUIRE(written.ok());

    const OpenOptions keyless = TestOpen();
    const Verdict stored = Verify(path, TestPolicy(), Expectation::Model("test/model"), VerifyScope::kStored, keyless);
    CHECK(ErrorOf(stored.status) == "ok");
    CHECK(stored.directory == DirectoryState::kHidden);
    const Verdict full =
        Verify(path, TestPolicy(), Expectation::Model("test/model"), VerifyScope::kContent, OpenWith(pair));
    CHECK(ErrorOf(full.status) == "ok");
    CHECK(full.directory == DirectoryState::kRead);
    CHECK(full.info->content_digest == written.value().content_digest);

    const VerifiedModel opened = OpenTest(path, OpenWith(pair));
    CHECK(opened.info().encrypted);
    for (std::size_t i = 0; i < opened.tensors().size(); ++i) {
      const Tensor& tensor = opened.tensors()[i];
      ByteBuffer bytes(static_cast<std::size_t>(tensor.bytes), 0xA5);
      REQUIRE(opened.Read(tensor, bytes).ok());
      CHECK(crypto::Blake3Of(bytes) == tensor.digest);
      CHECK(std::string(opened.View(tensor).error().code) == "not_raw");
    }
  }
}

TEST_CASE("encryption: without an identity, and with a wrong one, nothing is opened and nothing is told") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  const Pair pair = MakePair();
  const Pair other = MakePair();
  REQUIRE(WriteTo(path, SecretModel(), EncryptedOptions(pair.recipients)).ok());
  seams::Reset();
  const auto expected = Expectation::Model("test/model");
  const auto unopened = VerifiedModel::Open(path, TestPolicy(), expected, TestOpen());
  CHECK(ErrorOf(unopened.error()) == "key identity_needed");
  const auto wrong = VerifiedModel::Open(path, TestPolicy(), expected, OpenWith(other));
  CHECK(ErrorOf(wrong.error()) == "key no_identity");
  CHECK(ErrorOf(Verify(path, TestPolicy(), expected, VerifyScope::kContent, TestOpen()).status) ==
        "key identity_needed");
  CHECK(ErrorOf(Verify(path, TestPolicy(), expected, VerifyScope::kStored, OpenWith(other)).status) ==
        "key no_identity");
  const auto inspected = Inspect(path, TestOpen());
  REQUIRE(inspected.ok());
  CHECK(inspected.value().encryption->directory == UnverifiedModel::Encryption::Directory::kHidden);
  CHECK(inspected.value().tensors.empty());
  CHECK(inspected.value().info.content_digest == Digest{});
  CHECK(inspected.value().info.private_metadata.empty());
  CHECK(inspected.value().objects.size() == 5);
  CHECK(ErrorOf(Inspect(path, OpenWith(other)).error()) == "key no_identity");
  CHECK(seams::Take().opened == 0);
  CHECK(Inspect(path, OpenWith(pair)).value().tensors.size() == 4);
}

TEST_CASE("encryption: a policy is asked before a key is") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  const Pair pair = MakePair();
  REQUIRE(WriteTo(path, SecretModel(), EncryptedOptions(pair.recipients)).ok());
  OpenOptions options = TestOpen();
  bool asked = false;
  options.identities = [&]() -> Result<std::vector<Identity>> {
    asked = true;
    return Error{Stage::kKey, "service", "the service of the keys does not answer"};
  };
  const auto foreign = Policy::AnyOf({SecretKey::Generate().value().public_key()});
  CHECK_FALSE(VerifiedModel::Open(path, foreign.value(), Expectation::Model("test/model"), options).ok());
  CHECK_FALSE(asked);
  const auto refused = VerifiedModel::Open(path, TestPolicy(), Expectation::Model("test/model"), options);
  CHECK(ErrorOf(refused.error()) == "key service");
  REQUIRE(WriteTo(path, SecretModel(), TestOptions()).ok());
  asked = false;
  CHECK(VerifiedModel::Open(path, TestPolicy(), Expectation::Model("test/model"), options).ok());
  CHECK_FALSE(asked);
}

TEST_CASE("encryption: a tensor, and rows of one, open their own chunks only") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  const Pair pair = MakePair();
  ModelBuilder builder;
  builder.Bytes("a", Noise(64 * kSmallChunk, 1));
  builder.Whole("b", Dtype::kU8, {8, kSmallChunk}, Noise(8 * kSmallChunk, 2));
  REQUIRE(WriteTo(path, std::move(builder).Finish(), EncryptedOptions(pair.recipients)).ok());
  const VerifiedModel model = OpenTest(path, OpenWith(pair));
  const Tensor& tensor = *model.Find("b").value();
  ByteBuffer bytes(8 * kSmallChunk);
  seams::Reset();
  REQUIRE(model.Read(tensor, bytes).ok());
  CHECK(seams::Take().opened == 8);
  seams::Reset();
  REQUIRE(model.ReadRows(tensor, 3, 2, MutableBytes(bytes).first(2 * kSmallChunk)).ok());
  CHECK(seams::Take().opened == 2);
}

TEST_CASE(
    "encryption: the same model twice has nothing in common, and every stored length is a multiple of the bucket") {
  const TempFolder folder;
  const Pair pair = MakePair();
  std::set<Digest> chunks;
  std::set<Digest> salts;
  std::set<FileId> ids;
  std::set<Digest> commitments;
  std::vector<std::vector<std::uint64_t>> lengths;
  for (const char* name : {"one", "two"}) {
    ConvertOptions options = EncryptedOptions(pair.recipients, CodecChoice::kRaw);
    options.bucket_bytes = 1024;
    REQUIRE(WriteTo(folder.Path(name), SecretModel(), options).ok());
    const auto [manifest, objects] = ObjectsOf(folder.Path(name));
    ids.insert(manifest.file_id);
    commitments.insert(manifest.encryption->commitment);
    const ByteBuffer bytes = ReadBytes(folder.Path(name));
    lengths.emplace_back();
    for (const container::ObjectRecord& object : objects) {
      CHECK(salts.insert(object.salt).second);
      CHECK(object.stored_offset % 64 == 0);
      const ByteView index = ByteView(bytes).subspan(
          static_cast<std::size_t>(manifest.index_offset + container::kChunkRecordBytes * object.first_chunk),
          static_cast<std::size_t>(container::kChunkRecordBytes * object.chunk_count));
      const auto slice = container::ParseIndexSlice(index, object, manifest);
      REQUIRE(slice.ok());
      for (const auto& record : slice.value()) {
        CHECK(record.stored_length % 1024 == 0);
        CHECK(chunks.insert(record.digest).second);
        lengths.back().push_back(record.stored_length);
      }
    }
  }
  CHECK(ids.size() == 2);
  CHECK(commitments.size() == 2);
  CHECK(lengths[0] == lengths[1]);
}

TEST_CASE("encryption: every changed byte is refused, with a key and without") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  const Pair pair = MakePair();
  ConvertOptions options = EncryptedOptions(pair.recipients, CodecChoice::kZstd);
  options.bucket_bytes = 64;
  REQUIRE(WriteTo(path, std::move(ModelBuilder().Bytes("a", Smooth(700)).Bytes("b", Noise(300, 3))).Finish(), options)
              .ok());
  const ByteBuffer good = ReadBytes(path);
  const auto expected = Expectation::Model("test/model");
  for (std::size_t at = 0; at < good.size(); ++at) {
    ByteBuffer bad = good;
    bad[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
    WriteBytes(path, bad);
    CAPTURE(at);
    CHECK_FALSE(Verify(path, TestPolicy(), expected, VerifyScope::kStored, TestOpen(1)).status.ok());
    if (at % 7 == 0)
      CHECK_FALSE(Verify(path, TestPolicy(), expected, VerifyScope::kContent, OpenWith(pair)).status.ok());
  }
}

TEST_CASE("encryption: no plain chunk, name or metadata of the source reaches the disk") {
  const TempFolder folder;
  const Pair pair = MakePair();
  std::uint64_t written = 0;
  std::uint64_t found = 0;
  {
    const seams::Watch watch([&](ByteView bytes) {
      written += bytes.size();
      found += Contains(bytes, kMarker);
    });
    for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd, CodecChoice::kAuto})
      REQUIRE(WriteTo(folder.Path("encrypted"), SecretModel(), EncryptedOptions(pair.recipients, codec)).ok());
  }
  CHECK(written > 20 * kSmallChunk);
  CHECK(found == 0);
  {
    const seams::Watch watch([&](ByteView bytes) { found += Contains(bytes, kMarker); });
    REQUIRE(WriteTo(folder.Path("plain"), SecretModel(), TestOptions(CodecChoice::kRaw)).ok());
  }
  CHECK(found > 0);  // the watch sees what is there to be seen
}

TEST_CASE("encryption: what cannot be is refused before anything is written") {
  const TempFolder folder;
  const Pair pair = MakePair();
  ConvertOptions options = EncryptedOptions(pair.recipients);
  options.reproducible = ConvertOptions::Reproducible::kYes;
  CHECK(ErrorOf(WriteTo(folder.Path("x"), SecretModel(), options).error()) == "usage reproducible_encryption");
  for (const std::uint32_t bucket : {0u, 3u, 1u << 21}) {
    options = EncryptedOptions(pair.recipients);
    options.bucket_bytes = bucket;
    CHECK(ErrorOf(WriteTo(folder.Path("x"), SecretModel(), options).error()) == "usage bad_bucket");
  }
  CHECK_FALSE(Exists(folder.Path("x")));
}

TEST_CASE("encryption: a policy can want it or forbid it") {
  const TempFolder folder;
  const Pair pair = MakePair();
  REQUIRE(WriteTo(folder.Path("encrypted"), SecretModel(), EncryptedOptions(pair.recipients)).ok());
  REQUIRE(WriteTo(folder.Path("plain"), SecretModel(), TestOptions()).ok());
  const auto verdict = [&](const char* name, Rule::Encryption wanted) {
    PolicyParts parts = TestPolicy().parts();
    for (Rule& rule : parts.rules) rule.encryption = wanted;
    const auto policy = Policy::Create(parts);
    REQUIRE(policy.ok());
    return ErrorOf(
        Verify(folder.Path(name), policy.value(), Expectation::Model("test/model"), VerifyScope::kStored, TestOpen())
            .status);
  };
  CHECK(verdict("encrypted", Rule::Encryption::kRequired) == "ok");
  CHECK(verdict("plain", Rule::Encryption::kRequired) == "untrusted not_encrypted");
  CHECK(verdict("encrypted", Rule::Encryption::kForbidden) == "untrusted encrypted");
  CHECK(verdict("plain", Rule::Encryption::kForbidden) == "ok");
}

}  // namespace
}  // namespace safemodel
