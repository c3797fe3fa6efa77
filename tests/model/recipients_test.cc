// SPDX-License-Identifier: Apache-2.0
// Who can read a container, after it was written: in its envelope alone, or in another container.
#include <safemodel/encrypt.h>

#include "encryption/key_wraps.h"
#include "encryption/recipient_notes.h"
#include "model/encryption_fixture.h"
#include "model/seams.h"
#include "trust/authenticate.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

const Expectation& Expected() {
  static const Expectation expectation = Expectation::Model("test/model");
  return expectation;
}

ImportedModel Small() {
  return std::move(ModelBuilder().Bytes("a", Smooth(3 * kSmallChunk)).Bytes("b", Noise(kSmallChunk + 5, 4))).Finish();
}

// Fleet is a container and those who may read it.
struct Fleet {
  TempFolder folder;
  std::string path = folder.Path("model");
  Pair first = MakePair();
  Pair second = MakePair();

  Fleet() { REQUIRE(WriteTo(path, Small(), EncryptedOptions(first.recipients)).ok()); }
  [[nodiscard]] bool Reads(const Pair& pair, const std::string& file) const {
    return VerifiedModel::Open(file, TestPolicy(), Expected(), OpenWith(pair)).ok();
  }
  [[nodiscard]] bool Reads(const Pair& pair) const { return Reads(pair, path); }
  [[nodiscard]] Result<VerifiedModel> Open(const Pair& pair) const {
    return VerifiedModel::Open(path, TestPolicy(), Expected(), OpenWith(pair));
  }
};

ByteBuffer CoreOf(const std::string& path) {
  const auto opened = trust::OpenContainer(path, {}, {});
  REQUIRE(opened.ok());
  ByteBuffer bytes = ReadBytes(path);
  const auto& preamble = opened.value().preamble;
  bytes.resize(static_cast<std::size_t>(preamble.manifest_offset + preamble.manifest_length));
  return bytes;
}

std::vector<container::EnvelopeItem> ItemsOf(const std::string& path) {
  const auto opened = trust::OpenContainer(path, {}, {});
  REQUIRE(opened.ok());
  return opened.value().envelope->items;
}

std::vector<container::EnvelopeItem> StatementsOf(const std::string& path) {
  std::vector<container::EnvelopeItem> items = ItemsOf(path);
  std::erase_if(items,
                [](const auto& item) { return encryption::IsKeyWrap(item) || encryption::IsRecipientNote(item); });
  return items;
}

// ReplaceItems writes another envelope, as whoever can write the file could.
void ReplaceItems(const std::string& path, std::vector<container::EnvelopeItem> items) {
  const auto opened = trust::OpenContainer(path, {}, {});
  REQUIRE(opened.ok());
  auto envelope = trust::NextEnvelope(opened.value().envelope, opened.value().manifest_digest);
  REQUIRE(envelope.ok());
  envelope.value().items = std::move(items);
  const auto frame = trust::FrameBytes(envelope.value(), {});
  REQUIRE(frame.ok());
  ByteBuffer bytes = CoreOf(path);
  bytes.insert(bytes.end(), frame.value().begin(), frame.value().end());
  WriteBytes(path, bytes);
}

TEST_CASE("recipients: added and removed in the envelope, with core, manifest and signatures as they were") {
  const Fleet fleet;
  const ByteBuffer core = CoreOf(fleet.path);
  const auto statements = StatementsOf(fleet.path);
  CHECK_FALSE(fleet.Reads(fleet.second));

  const auto added = AddRecipients(fleet.path, fleet.second.recipients, From(fleet.first));
  REQUIRE(added.ok());
  CHECK(added.value().added == 1);
  CHECK(fleet.Reads(fleet.first));
  CHECK(fleet.Reads(fleet.second));
  CHECK(AddRecipients(fleet.path, fleet.second.recipients, From(fleet.first)).value().added == 0);

  const auto listed = ListRecipients(fleet.path, From(fleet.second));
  REQUIRE(listed.ok());
  REQUIRE(listed.value().size() == 2);
  CHECK(listed.value()[0].recipient == NameOf(fleet.first));
  CHECK(listed.value()[0].opened == KeyWrap::Opened::kNo);
  CHECK(listed.value()[1].recipient == NameOf(fleet.second));
  CHECK(listed.value()[1].opened == KeyWrap::Opened::kYes);
  CHECK(listed.value()[1].kinds == std::vector<std::string>{"X25519"});
  const auto anonymous = ListRecipients(fleet.path, {});
  REQUIRE(anonymous.ok());
  CHECK(anonymous.value()[1].recipient.empty());
  CHECK(anonymous.value()[1].opened == KeyWrap::Opened::kNotTried);

  const auto removed = RemoveRecipients(fleet.path, fleet.first.recipients, {}, From(fleet.second));
  REQUIRE(removed.ok());
  CHECK(removed.value().removed == 1);
  CHECK_FALSE(fleet.Reads(fleet.first));
  CHECK(fleet.Reads(fleet.second));
  CHECK(ItemsOf(fleet.path).size() == 3);  // statement, wrap, note
  CHECK(CoreOf(fleet.path) == core);
  CHECK(StatementsOf(fleet.path) == statements);
}

TEST_CASE("recipients: removing by number needs no identity, and the last one stays") {
  const Fleet fleet;
  REQUIRE(AddRecipients(fleet.path, fleet.second.recipients, From(fleet.first)).ok());
  const ByteBuffer before = ReadBytes(fleet.path);
  const std::size_t one[] = {1};
  const std::size_t three[] = {3};
  const std::size_t all[] = {1, 2};
  CHECK(Code(RemoveRecipients(fleet.path, {}, three, {})) == "no_such_recipient");
  CHECK(Code(RemoveRecipients(fleet.path, {}, all, {})) == "last_recipient");
  CHECK(Code(RemoveRecipients(fleet.path, {}, {}, {})) == "no_recipients");
  CHECK(Code(RemoveRecipients(fleet.path, fleet.first.recipients, {}, {})) == "identity_needed");
  CHECK(Code(RemoveRecipients(fleet.path, MakePair().recipients, {}, From(fleet.first))) == "no_such_recipient");
  CHECK(Code(AddRecipients(fleet.path, MakePair().recipients, From(MakePair()))) == "no_identity");
  CHECK(ReadBytes(fleet.path) == before);
  REQUIRE(RemoveRecipients(fleet.path, {}, one, {}).ok());
  CHECK_FALSE(fleet.Reads(fleet.first));
  CHECK(fleet.Reads(fleet.second));
}

TEST_CASE("recipients: a container that is not encrypted has none") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  REQUIRE(WriteTo(path, Small(), TestOptions()).ok());
  const Pair pair = MakePair();
  bool asked = false;  // a variable or a descriptor can be read once only
  const IdentitySource source = [&]() -> Result<std::vector<Identity>> {
    asked = true;
    return std::vector<Identity>();
  };
  CHECK(Code(ListRecipients(path, source)) == "not_encrypted");
  CHECK(Code(AddRecipients(path, pair.recipients, source)) == "not_encrypted");
  CHECK(Code(RemoveRecipients(path, pair.recipients, {}, source)) == "not_encrypted");
  CHECK_FALSE(asked);
}

TEST_CASE("recipients: foreign wraps and those of another key open nothing, and hide no good one") {
  const Fleet fleet;
  Fleet other;
  REQUIRE(WriteTo(other.path, Small(), EncryptedOptions(fleet.first.recipients)).ok());
  const auto own = ItemsOf(fleet.path);
  const auto foreign = ItemsOf(other.path);
  const FileId file_id = fleet.Open(fleet.first).value().info().file_id;
  const auto swapped = encryption::WrapKey(encryption::DataKey::Generate(file_id), fleet.first.recipients.front());
  REQUIRE(swapped.ok());
  const auto opened = [&](std::vector<container::EnvelopeItem> wraps) {
    auto items = StatementsOf(fleet.path);
    items.insert(items.end(), wraps.begin(), wraps.end());
    ReplaceItems(fleet.path, std::move(items));
    seams::Reset();
    const std::string code = Code(fleet.Open(fleet.first));
    if (code != "ok") CHECK(seams::Take().opened == 0);
    return code;
  };
  const auto wrap = *std::find_if(own.begin(), own.end(), encryption::IsKeyWrap);
  const auto alien = *std::find_if(foreign.begin(), foreign.end(), encryption::IsKeyWrap);
  container::EnvelopeItem garbage = wrap;
  garbage.bytes.resize(20);
  CHECK(opened({}) == "no_key_wraps");
  CHECK(opened({alien}) == "foreign_wrap");
  CHECK(opened({swapped.value()}) == "wrong_data_key");
  CHECK(opened({garbage}) == "age_header");
  CHECK(opened({garbage, alien, swapped.value(), wrap}) == "ok");
}

RepackOptions Signed() {
  RepackOptions options;
  options.sign_with = &TestKey();
  options.threads = 2;
  return options;
}

ByteBuffer AllBytes(const VerifiedModel& model) {
  ByteBuffer all;
  for (const Tensor& tensor : model.tensors()) {
    const ByteBuffer bytes = ReadTensor(model, tensor.name);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

TEST_CASE("repack: plain to encrypted to another key to plain, with the same content") {
  const TempFolder folder;
  const Pair first = MakePair();
  const Pair second = MakePair();
  for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd, CodecChoice::kAuto}) {
    for (const char* name : {"plain", "encrypted", "again", "decrypted"}) std::filesystem::remove(folder.Path(name));
    const VerifiedModel plain = [&] {
      REQUIRE(WriteTo(folder.Path("plain"), Small(), TestOptions(codec)).ok());
      return OpenTest(folder.Path("plain"));
    }();
    const auto encrypted = Encrypt(plain, folder.Path("encrypted"), first.recipients, Signed());
    REQUIRE(encrypted.ok());
    CHECK(encrypted.value().sequence == plain.info().sequence + 1);
    CHECK(encrypted.value().recipients == 1);
    const VerifiedModel sealed = OpenTest(folder.Path("encrypted"), OpenWith(first));
    const auto again = Reencrypt(sealed, folder.Path("again"), second.recipients, Signed());
    REQUIRE(again.ok());
    CHECK(Code(VerifiedModel::Open(folder.Path("again"), TestPolicy(), Expected(), OpenWith(first))) == "no_identity");
    const VerifiedModel resealed = OpenTest(folder.Path("again"), OpenWith(second));
    REQUIRE(Decrypt(resealed, folder.Path("decrypted"), Signed()).ok());
    const VerifiedModel decrypted = OpenTest(folder.Path("decrypted"));
    CHECK(decrypted.CheckContent().ok());
    for (const VerifiedModel* model : {&sealed, &resealed, &decrypted}) {
      CHECK(model->info().content_digest == plain.info().content_digest);
      CHECK(model->info().file_id != plain.info().file_id);
      CHECK(AllBytes(*model) == AllBytes(plain));
    }
    CHECK_FALSE(decrypted.info().encrypted);
  }
}

TEST_CASE("repack: no signature is carried over, and an old wrap does not open the new container") {
  const Fleet fleet;
  const auto model = fleet.Open(fleet.first);
  const std::string again = fleet.folder.Path("again");
  REQUIRE(Reencrypt(model.value(), again, {}).ok());
  const Verdict unsigned_verdict = Verify(again, TestPolicy(), Expected(), VerifyScope::kStored, TestOpen());
  CHECK(unsigned_verdict.status.error().stage == Stage::kUntrusted);
  REQUIRE(Sign(again, TestKey(), {}).ok());
  CHECK(fleet.Reads(fleet.first, again));  // the same recipients, as the notes name them

  const auto old_items = ItemsOf(fleet.path);
  auto items = StatementsOf(again);
  items.push_back(*std::find_if(old_items.begin(), old_items.end(), encryption::IsKeyWrap));
  ReplaceItems(again, std::move(items));
  CHECK(Code(VerifiedModel::Open(again, TestPolicy(), Expected(), OpenWith(fleet.first))) == "foreign_wrap");
}

TEST_CASE("repack: refusals leave nothing behind") {
  const Fleet fleet;
  const auto sealed = fleet.Open(fleet.first);
  const std::string out = fleet.folder.Path("out");
  CHECK(Code(Encrypt(sealed.value(), out, fleet.second.recipients)) == "already_encrypted");
  CHECK(Code(Decrypt(sealed.value(), fleet.path)) == "same_file");
  const TempFolder folder;
  REQUIRE(WriteTo(folder.Path("plain"), Small(), TestOptions()).ok());
  const VerifiedModel plain = OpenTest(folder.Path("plain"));
  CHECK(Code(Decrypt(plain, out)) == "not_encrypted");
  CHECK(Code(Reencrypt(plain, out, fleet.first.recipients)) == "not_encrypted");
  CHECK(Code(Encrypt(plain, out, {})) == "no_recipients");
  RepackOptions failing;
  failing.progress = [](std::uint64_t, std::uint64_t) { throw std::bad_alloc(); };
  CHECK_FALSE(Encrypt(plain, out, fleet.first.recipients, failing).ok());
  CHECK_FALSE(Exists(out));
  WriteBytes(out, AsBytes("there"));
  CHECK(Code(Encrypt(plain, out, fleet.first.recipients)) == "exists");
  CHECK(ReadBytes(out).size() == 5);
}

// Editor does what people do to encrypted containers, in random order, and fails in the middle of some of it.
class Editor {
 public:
  explicit Editor(std::uint64_t seed) : state_(seed) {}

  void Step(Fleet& fleet) {
    switch (Draw(6)) {
      case 0: CHECK(AddRecipients(fleet.path, fleet.second.recipients, From(fleet.first)).ok()); break;
      case 1: (void)RemoveRecipients(fleet.path, fleet.second.recipients, {}, From(fleet.first)); break;
      case 2: Write(fleet, false); break;
      case 3: Write(fleet, true); break;
      case 4: Replace(fleet, false); break;
      default: Replace(fleet, true); break;
    }
  }

 private:
  std::uint64_t Draw(std::uint64_t below) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % below;
  }

  // Write converts anew, and stops in the middle when it is to crash.
  void Write(Fleet& fleet, bool crash) {
    ConvertOptions options = EncryptedOptions(fleet.first.recipients);
    if (crash) options.progress = Stop();
    (void)WriteTo(fleet.path, Small(), options);
  }

  void Replace(Fleet& fleet, bool crash) {
    auto model = fleet.Open(fleet.first);
    REQUIRE(model.ok());
    RepackOptions options = Signed();
    options.overwrite = RepackOptions::Overwrite::kReplace;
    const std::string next = fleet.folder.Path("next");
    if (crash) options.progress = Stop();
    if (!Reencrypt(model.value(), next, {}, options).ok()) return;
    std::filesystem::rename(next, fleet.path);
  }

  Progress Stop() {
    const std::uint64_t after = Draw(3 * kSmallChunk);
    return [after](std::uint64_t done, std::uint64_t) {
      if (done > after) throw std::bad_alloc();
    };
  }

  std::uint64_t state_;
};

TEST_CASE("encryption: no key and nonce seal twice, whatever is done in whatever order") {
  const char* asked = std::getenv("SAFEMODEL_ROUNDS");
  const int rounds = asked == nullptr ? 300 : std::atoi(asked);
  seams::Reset();
  for (std::uint64_t seed = 0; seed < static_cast<std::uint64_t>(rounds) / 30; ++seed) {
    CAPTURE(seed);
    Fleet fleet;
    Editor editor(seed);
    for (int i = 0; i < 30; ++i) editor.Step(fleet);
    CHECK(fleet.Reads(fleet.first));
  }
  const auto recorded = seams::Take();
  CHECK(recorded.repeated == 0);
  CHECK(recorded.sealed.size() > static_cast<std::size_t>(rounds));
}

}  // namespace
}  // namespace safemodel
