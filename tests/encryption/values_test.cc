// SPDX-License-Identifier: Apache-2.0
// The intermediate values of section 16, which the test kit of the spec computed without the library.
#include <doctest/doctest.h>

#include <cstdlib>
#include <tuple>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "encryption/chunk_cipher.h"
#include "encryption/key_wraps.h"
#include "encryption/recipient_notes.h"
#include "testing/vectors.h"

namespace safemodel::encryption {
namespace {

using testing::ArrayFromHex;
using testing::Field;
using testing::FromHex;

const json::Value& Values() {
  static const json::Value values = [] {
    const char* root = std::getenv("SAFEMODEL_SOURCE_DIR");
    REQUIRE(root != nullptr);
    return testing::LoadJson(std::string(root) + "/spec/vectors/values/encryption.json");
  }();
  return values;
}

FileId TheFileId() { return ArrayFromHex<16>(Field(Values(), "file_id")); }
DataKey TheKey(const char* field = "data_key") { return DataKey::Of(FromHex(Field(Values(), field)), TheFileId()); }
std::uint32_t Number(const json::Value& value, const char* name) {
  return static_cast<std::uint32_t>(value.Find(name)->AsUnsigned().value());
}

ChunkPlace PlaceOf(const json::Value& chunk) {
  return {Number(chunk, "object"), Number(chunk, "chunk"), Number(chunk, "chunk_count"),
          static_cast<std::uint32_t>(FromHex(Field(chunk, "plain")).size()),
          static_cast<std::uint8_t>(Number(chunk, "codec"))};
}

ByteBuffer Sealed(const json::Value& chunk, ByteView encoded) {
  CipherScratch scratch;
  ByteBuffer stored;
  ChunkCipher(TheKey(), Number(Values(), "bucket"))
      .Seal(PlaceOf(chunk), ArrayFromHex<32>(Field(chunk, "salt")), encoded, stored, scratch);
  return stored;
}

// CodeOfOpen opens stored bytes as the chunk of a place.
std::string CodeOfOpen(const ChunkPlace& place, const Digest& salt, ByteBuffer stored, const FileId& file_id) {
  CipherScratch scratch;
  const ChunkCipher cipher(DataKey::Of(FromHex(Field(Values(), "data_key")), file_id), Number(Values(), "bucket"));
  const auto opened = cipher.Open(place, salt, stored, scratch);
  return opened.ok() ? "ok" : opened.error().code;
}

TEST_CASE("encryption values: keys, commitments and sealed chunks") {
  CHECK(crypto::Hex(TheKey().Commitment()) == Field(Values(), "commitment"));
  CHECK(crypto::Hex(TheKey("other_data_key").Commitment()) == Field(Values(), "other_commitment"));
  CHECK(crypto::Hex(TheKey().NoteKey().bytes()) == Field(Values(), "note_key"));
  for (const json::Value& chunk : *Values().Find("chunks")->AsArray()) {
    CAPTURE(Field(chunk, "name"));
    Digest key{};
    TheKey().ObjectKey(ArrayFromHex<32>(Field(chunk, "salt")), key);
    CHECK(crypto::Hex(key) == Field(chunk, "object_key"));
    const ByteBuffer encoded = FromHex(Field(chunk, "encoded"));
    ByteBuffer stored = Sealed(chunk, encoded);
    CHECK(crypto::Hex(stored) == Field(chunk, "stored"));
    CHECK(crypto::Hex(crypto::Blake3Of(stored)) == Field(chunk, "digest"));
    CipherScratch scratch;
    const auto opened = ChunkCipher(TheKey(), Number(Values(), "bucket"))
                            .Open(PlaceOf(chunk), ArrayFromHex<32>(Field(chunk, "salt")), stored, scratch);
    REQUIRE(opened.ok());
    CHECK(std::equal(opened.value().begin(), opened.value().end(), encoded.begin(), encoded.end()));
  }
}

TEST_CASE("encryption: a sealed chunk opens in its place only") {
  const json::Value& chunk = Values().Find("chunks")->AsArray()->front();
  const ChunkPlace place = PlaceOf(chunk);
  const Digest salt = ArrayFromHex<32>(Field(chunk, "salt"));
  const ByteBuffer stored = FromHex(Field(chunk, "stored"));
  REQUIRE(CodeOfOpen(place, salt, stored, TheFileId()) == "ok");
  const auto refused = [&](auto change) {
    auto [changed, changed_salt, bytes, id] = std::tuple(place, salt, stored, TheFileId());
    change(changed, changed_salt, bytes, id);
    return CodeOfOpen(changed, changed_salt, bytes, id);
  };
  CHECK(refused([](auto& at, auto&, auto&, auto&) { ++at.object; }) == "chunk_tag");
  CHECK(refused([](auto& at, auto&, auto&, auto&) { ++at.chunk, ++at.chunk_count; }) == "chunk_tag");
  CHECK(refused([](auto& at, auto&, auto&, auto&) { ++at.chunk_count; }) == "chunk_tag");
  CHECK(refused([](auto& at, auto&, auto&, auto&) { ++at.plain_length; }) == "chunk_tag");
  CHECK(refused([](auto& at, auto&, auto&, auto&) { ++at.codec; }) == "chunk_tag");
  CHECK(refused([](auto&, auto& other, auto&, auto&) { other[0] ^= 1; }) == "chunk_tag");
  CHECK(refused([](auto&, auto&, auto&, auto& id) { id[15] ^= 1; }) == "chunk_tag");
  CHECK(refused([](auto&, auto&, auto& bytes, auto&) { bytes.back() ^= 1; }) == "chunk_tag");
  CHECK(refused([](auto&, auto&, auto& bytes, auto&) { bytes.resize(19); }) == "chunk_tag");
}

TEST_CASE("encryption: the length in a sealed chunk is the one that its place demands, and zeros follow") {
  const json::Value& chunk = Values().Find("chunks")->AsArray()->front();
  const Digest salt = ArrayFromHex<32>(Field(chunk, "salt"));
  ChunkPlace place = PlaceOf(chunk);
  const ByteBuffer content = FromHex(Field(chunk, "content"));
  const auto opened = [&](auto change) {
    ByteBuffer changed = content;
    change(changed);
    ByteBuffer stored(changed.size() + crypto::kAeadTagBytes);
    Digest key{};
    TheKey().ObjectKey(salt, key);
    crypto::XChaCha20Nonce nonce = ArrayFromHex<24>(Field(chunk, "nonce"));
    crypto::SealXChaCha20Appended(crypto::AeadKey(key), nonce, FromHex(Field(chunk, "associated_data")), changed,
                                  stored);
    return CodeOfOpen(place, salt, stored, TheFileId());
  };
  CHECK(opened([](ByteBuffer&) {}) == "ok");
  CHECK(opened([](ByteBuffer& bytes) { --bytes[0]; }) == "sealed_length");  // codec 0 has all plain bytes
  CHECK(opened([](ByteBuffer& bytes) { bytes[3] = 0x80; }) == "sealed_length");
  CHECK(opened([](ByteBuffer& bytes) { std::fill_n(bytes.begin(), 4, std::uint8_t{0}); }) == "sealed_length");
  CHECK(opened([](ByteBuffer& bytes) { bytes.resize(bytes.size() + 64); }) == "sealed_length");
  CHECK(opened([](ByteBuffer& bytes) { bytes.back() = 1; }) == "sealed_padding");
}

std::vector<Identity> IdentityOf(const std::string& text) {
  constexpr std::string_view kPassphrase = "passphrase:";
  std::vector<Identity> identities;
  if (text.starts_with(kPassphrase)) {
    const std::string passphrase = text.substr(kPassphrase.size());
    identities.push_back(Identity::FromPassphrase([passphrase] { return Passphrase::FromBytes(AsBytes(passphrase)); }));
    return identities;
  }
  auto parsed = Identity::FromText(text);
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

TEST_CASE("encryption values: key wraps and recipient notes") {
  const WrapTarget target{TheFileId(), TheKey().Commitment()};
  std::vector<container::EnvelopeItem> wraps;
  for (const json::Value& wrap : *Values().Find("wraps")->AsArray()) {
    CAPTURE(Field(wrap, "name"));
    const auto key = OpenOneWrap(FromHex(Field(wrap, "age")), IdentityOf(Field(wrap, "identity")), target);
    REQUIRE(key.ok());
    CHECK(crypto::Hex(key.value().bytes()) == Field(Values(), "data_key"));
    wraps.push_back({static_cast<std::uint16_t>(container::ItemKind::kKeyWrap), FromHex(Field(wrap, "age"))});
  }
  for (const json::Value& note : *Values().Find("notes")->AsArray()) {
    const container::EnvelopeItem item{static_cast<std::uint16_t>(container::ItemKind::kRecipientNote),
                                       FromHex(Field(note, "item"))};
    CHECK(ReadNotes(TheKey(), {&item, 1}).empty());  // the wrap that it is about is not there
    std::vector<container::EnvelopeItem> items = wraps;
    items.push_back(item);
    const auto notes = ReadNotes(TheKey(), items);
    REQUIRE(notes.size() == 1);
    CHECK(crypto::Hex(notes.begin()->first) == Field(note, "wrap_digest"));
    CHECK(notes.begin()->second == Field(note, "text"));
    CHECK(IsNoteAbout(item, notes.begin()->first));
    CHECK(ReadNotes(TheKey("other_data_key"), items).empty());
  }
}

TEST_CASE("encryption: a note that could write to a terminal, or has no text, names nobody") {
  const container::EnvelopeItem wrap{static_cast<std::uint16_t>(container::ItemKind::kKeyWrap), {1, 2, 3}};
  const auto read = [&](std::string_view text) {
    const std::vector<container::EnvelopeItem> items = {wrap, MakeNote(TheKey(), wrap.bytes, text)};
    const auto notes = ReadNotes(TheKey(), items);
    return notes.empty() ? std::string("nobody") : notes.begin()->second;
  };
  CHECK(read("M\xC3\xBCller") == "M\xC3\xBCller");
  CHECK(read(std::string(4096, 'a')).size() == 4096);
  CHECK(read(std::string(4097, 'a')) == "nobody");
  CHECK(read("") == "nobody");
  CHECK(read("a\x1B[2J") == "nobody");
  CHECK(read("two\nlines") == "nobody");
  CHECK(read("\xFF") == "nobody");
}

TEST_CASE("encryption values: a ciphertext that opens under two keys is made in seconds, so the key is committed to") {
  const json::Value& salamander = *Values().Find("salamander");
  const ByteBuffer sealed = FromHex(Field(salamander, "ciphertext") + Field(salamander, "tag"));
  const auto opens = [&](const std::string& key_hex) {
    const auto key = ArrayFromHex<32>(key_hex);
    ByteBuffer plain(sealed.size() - crypto::kAeadTagBytes);
    const bool ok = crypto::OpenXChaCha20Appended(crypto::AeadKey(key), ArrayFromHex<24>(Field(salamander, "nonce")),
                                                  {}, sealed, plain);
    return ok ? crypto::Hex(plain) : std::string();
  };
  const json::Array& keys = *salamander.Find("keys")->AsArray();
  const json::Array& plain = *salamander.Find("plain")->AsArray();
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(opens(*keys[i].AsString()) == *plain[i].AsString());
  CHECK(*plain[0].AsString() != *plain[1].AsString());
  CHECK(opens(Field(salamander, "no_key")).empty());
}

}  // namespace
}  // namespace safemodel::encryption
