// SPDX-License-Identifier: Apache-2.0
// Notes, checkpoints, proofs and entries as texts.
#include "log/note.h"

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "fixture.h"
#include "log/proof.h"

namespace safemodel::log {
namespace {

// The example of Go's package note, which C2SP signed-note describes.
constexpr const char* kExample =
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
constexpr const char* kExampleKey = "6TJ5GubnqECkYWTJBHhkJtXngh3YspoA1hyucq/dTaQ=";

PublicKey KeyOf(const std::string& base64) {
  ByteBuffer bytes(33);
  const auto size = crypto::DecodeBase64(base64, crypto::Base64Alphabet::kStandard, bytes);
  REQUIRE(size.ok());
  bytes.resize(size.value());
  return PublicKey::FromBytes(bytes).value();
}

// The checkpoint of C2SP tlog-cosignature.
constexpr const char* kCosigned =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/"
    "zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Row {
  const char* why;
  std::string text;
  const char* code;
};

SignedCheckpoint Signed(const LogCheckpoint& state, const SecretKey& key) {
  return ParseSignedCheckpoint(SignCheckpoint(state, key).value(), {}).value();
}

void Cosign(SignedCheckpoint& checkpoint, const std::string& name, const SecretKey& key, std::uint64_t time) {
  ByteBuffer bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(time >> shift));
  const auto signature =
      key.SignBytes(AsBytes("cosignature/v1\ntime " + std::to_string(time) + "\n" + checkpoint.note.text));
  bytes.insert(bytes.end(), signature.value().begin(), signature.value().end());
  checkpoint.note.signatures.push_back(
      {name, KeyHashOf(name, SignatureType::kCosignature, key.public_key()), std::move(bytes)});
}

}  // namespace

TEST_CASE("note: the public example verifies, under its name and key alone") {
  const auto note = ParseNote(BytesOf(kExample), {});
  REQUIRE(note.ok());
  CHECK(AsText(SerializeNote(note.value())) == kExample);
  const PublicKey key = KeyOf(kExampleKey);
  CHECK(VerifierKey("example.com/foo", key) == "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
  CHECK(FateOf(note.value(), "example.com/foo", SignatureType::kEd25519, key) == Fate::kHolds);
  CHECK(FateOf(note.value(), "example.com/fo", SignatureType::kEd25519, key) == Fate::kAbsent);
  CHECK(FateOf(note.value(), "example.com/foo", SignatureType::kCosignature, key) == Fate::kAbsent);
  Note changed = note.value();
  changed.text = "This is another message.\n";
  CHECK(FateOf(changed, "example.com/foo", SignatureType::kEd25519, key) == Fate::kFails);
}

TEST_CASE("note: strict, and what is accepted is written back byte for byte") {
  const std::string good = kExample;
  std::string sixteen = good;
  for (int i = 1; i < 16; ++i) sixteen += good.substr(good.find("\xE2\x80\x94"));
  std::string many = good;
  for (std::uint32_t i = 0; i < Limits().note_signatures; ++i) many += good.substr(good.find("\xE2\x80\x94"));
  const std::string blanks = Replaced(good, "This", "\n\nThis");
  const Row rows[] = {
      {"as it is", good, "ok"},
      {"16 signature lines", sixteen, "ok"},
      {"more than the limit", many, "many_signatures"},
      {"empty lines in the text", blanks, "ok"},
      {"hyphen for em dash", Replaced(good, "\xE2\x80\x94", "-"), "bad_note"},
      {"CR", Replaced(good, "message.\n", "message.\r\n"), "bad_note"},
      {"ESC", Replaced(good, "example", "\x1B[31m"), "bad_note"},
      {"NUL", Replaced(good, "example", std::string(1, '\0')), "bad_note"},
      {"not UTF-8", Replaced(good, "example", "\xFF"), "bad_note"},
      {"no blank line", Replaced(good, "\n\n", "\n"), "bad_note"},
      {"no signature", good.substr(0, good.find("\xE2\x80\x94")), "bad_note"},
      {"cut", good.substr(0, good.size() - 1), "bad_note"},
      {"two spaces", Replaced(good, "foo ", "foo  "), "bad_note"},
      {"no name", Replaced(good, "example.com/foo ", ""), "bad_note"},
      {"plus in the name", Replaced(good, "example.com", "example+com"), "bad_note"},
      {"a no-break space in the name",
       Replaced(good, "example.com",
                "example\xC2\xA0"
                "com"),
       "bad_note"},
      {"URL-safe base64", Replaced(good, "AlTgK7Z", "AlTgK-Z"), "bad_note"},
      {"no padding", Replaced(good, "aQM=", "aQM"), "bad_note"},
      {"key hash without a signature", Replaced(good, good.substr(good.find("Uw2Q")), "Uw2QOg==\n"), "bad_note"},
      {"a line behind", good + "\n", "bad_note"},
      {"empty", "", "bad_note"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto note = ParseNote(BytesOf(row.text), {});
    CHECK(CodeOf(note) == row.code);
    if (note.ok()) CHECK(AsText(SerializeNote(note.value())) == row.text);
  }
  Limits small;
  small.log_note_bytes = static_cast<std::uint32_t>(good.size());
  CHECK(ParseNote(BytesOf(good), small).ok());
  --small.log_note_bytes;
  CHECK(CodeOf(ParseNote(BytesOf(good), small)) == "large_note");
}

TEST_CASE("checkpoint: the public example, and what breaks it") {
  const std::string good = kCosigned;
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  const Row rows[] = {
      {"as it is", good, "ok"},
      {"an extension line", Replaced(good, root, root + "\nmore"), "ok"},
      {"size 0", Replaced(good, "20852163", "0"), "ok"},
      {"leading zero", Replaced(good, "20852163", "020852163"), "bad_checkpoint"},
      {"plus", Replaced(good, "20852163", "+20852163"), "bad_checkpoint"},
      {"hexadecimal", Replaced(good, "20852163", "0x1"), "bad_checkpoint"},
      {"2^63 - 1", Replaced(good, "20852163", "9223372036854775807"), "ok"},
      {"2^63", Replaced(good, "20852163", "9223372036854775808"), "bad_checkpoint"},
      {"2^64", Replaced(good, "20852163", "18446744073709551616"), "bad_checkpoint"},
      {"no size", Replaced(good, "20852163\n", ""), "bad_checkpoint"},
      {"no origin", Replaced(good, "example.com/behind-the-sofa\n2", "\n2"), "bad_checkpoint"},
      {"an empty line", Replaced(good, "20852163\n", "20852163\n\n"), "bad_checkpoint"},
      {"a short root", Replaced(good, root, "CsUYapGGPo4="), "bad_checkpoint"},
      {"another encoding of the root", Replaced(good, "q2I=\n", "q2J=\n"), "bad_checkpoint"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(CodeOf(ParseSignedCheckpoint(BytesOf(row.text), {})) == row.code);
  }
}

TEST_CASE("checkpoint: counts when the trusted log signed it and enough witnesses did") {
  const SecretKey key = NewKey();
  const SecretKey other = NewKey();
  const LogCheckpoint state = {kOrigin, 7, EmptyRoot()};
  const LogTrust trust = {{{kOrigin, key.public_key()}}};
  CHECK(CodeOf(CheckCheckpoint(Signed(state, key), trust)) == "ok");
  CHECK(CodeOf(CheckCheckpoint(Signed(state, other), trust)) == "log_signature");
  CHECK(CodeOf(CheckCheckpoint(Signed({"example.com/other", 7, EmptyRoot()}, key), trust)) == "unknown_log");
  CHECK(CodeOf(CheckCheckpoint(Signed(state, key), {})) == "unknown_log");

  SignedCheckpoint wrong = Signed(state, key);
  wrong.note.signatures[0].key_hash[0] ^= 1;  // then it is by nobody that is known
  CHECK(CodeOf(CheckCheckpoint(wrong, trust)) == "log_signature");
  wrong = Signed(state, key);
  wrong.note.signatures[0].bytes[5] ^= 1;
  CHECK(CodeOf(CheckCheckpoint(wrong, trust)) == "log_signature");
  wrong = Signed(state, key);
  wrong.note.signatures.insert(wrong.note.signatures.begin(), Signed(state, other).note.signatures[0]);
  CHECK(CodeOf(CheckCheckpoint(wrong, trust)) == "ok");  // strangers' lines are ignored
}

TEST_CASE("checkpoint: witnesses count by key, and a bad cosignature refuses") {
  const SecretKey key = NewKey();
  const SecretKey one = NewKey();
  const SecretKey two = NewKey();
  LogTrust trust = {{{kOrigin, key.public_key()}},
                    {{"witness.example/1", one.public_key()},
                     {"witness.example/2", two.public_key()},
                     {"witness.example/again", one.public_key()}},
                    2};
  const LogCheckpoint state = {kOrigin, 7, EmptyRoot()};
  SignedCheckpoint checkpoint = Signed(state, key);
  CHECK(CodeOf(CheckCheckpoint(checkpoint, trust)) == "few_witnesses");
  Cosign(checkpoint, "witness.example/1", one, 1800000000);
  Cosign(checkpoint, "witness.example/again", one, 1800000000);
  CHECK(CodeOf(CheckCheckpoint(checkpoint, trust)) == "few_witnesses");  // one key under two names
  Cosign(checkpoint, "witness.example/2", two, 1800000001);
  CHECK(CodeOf(CheckCheckpoint(checkpoint, trust)) == "ok");
  SignedCheckpoint late = checkpoint;
  late.note.signatures.back().bytes[7] ^= 1;  // another time than the signed one
  CHECK(CodeOf(CheckCheckpoint(late, trust)) == "witness_signature");
  late.note.signatures.back().bytes.resize(4);
  CHECK(CodeOf(CheckCheckpoint(late, trust)) == "witness_signature");
}

TEST_CASE("proof: written and read again, and what breaks it") {
  const TestLog log(5);
  const auto bytes = ProveEntry(log.path, 2, log.trust);
  REQUIRE(bytes.ok());
  const std::string good(AsText(bytes.value()));
  const Row rows[] = {
      {"as it is", good, "ok"},
      {"no extra data", good.substr(0, good.find("extra")) + good.substr(good.find("index")), "ok"},
      {"another version", Replaced(good, "@v1", "@v2"), "bad_proof"},
      {"no index", Replaced(good, "index 2\n", ""), "bad_proof"},
      {"leading zero", Replaced(good, "index 2", "index 02"), "bad_proof"},
      {"a short hash", Replaced(good, "index 2\n", "index 2\nAAAA\n"), "bad_proof"},
      {"no empty line", Replaced(good, "\n\n", "\n"), "bad_proof"},
      {"CR", Replaced(good, "index 2\n", "index 2\r\n"), "bad_proof"},
      {"no checkpoint", good.substr(0, good.find("\n\n") + 2), "bad_note"},
      {"cut", good.substr(0, good.size() - 1), "bad_note"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto proof = ParseProof(BytesOf(row.text), {});
    CHECK(CodeOf(proof) == row.code);
    if (proof.ok()) CHECK(AsText(SerializeProof(proof.value())) == row.text);
  }
  Proof high = ParseProof(bytes.value(), {}).value();
  high.hashes.resize(kMostProofHashes);
  CHECK(ParseProof(SerializeProof(high), {}).ok());
  high.hashes.emplace_back();
  CHECK(CodeOf(ParseProof(SerializeProof(high), {})) == "bad_proof");
  Limits small;
  small.log_proof_bytes = static_cast<std::uint32_t>(good.size()) - 1;
  CHECK(CodeOf(ParseProof(bytes.value(), small)) == "large_proof");
}

TEST_CASE("entry: one encoding, with limits") {
  LogEntry entry = NumberedEntry(3);
  entry.ci_identity = "job\n\x1B[31m \"quoted\" \\ \xE2\x82\xAC";
  const std::string good(AsText(SerializeEntry(entry, {}).value()));
  CHECK(ParseEntry(BytesOf(good), {}).value() == entry);
  const Row rows[] = {
      {"a space", Replaced(good, ",\"role\"", ", \"role\""), "bad_entry"},
      {"a member less", Replaced(good, "\"role\":\"builder\",", ""), "bad_entry"},
      {"another order",
       Replaced(Replaced(good, "\"role\":\"builder\",", ""), ",\"ci\"", ",\"role\":\"builder\",\"ci\""), "bad_entry"},
      {"a member more", Replaced(good, "{\"type\"", "{\"a\":1,\"type\""), "bad_entry"},
      {"an escape that nobody needs", Replaced(good, "builder", "\\u0062uilder"), "bad_entry"},
      {"another type", Replaced(good, "log-entry/v1", "log-entry/v2"), "bad_entry"},
      {"upper-case hex", Replaced(good, "\"manifest\":\"0303", "\"manifest\":\"0X03"), "bad_entry"},
      {"a fraction", Replaced(good, "\"sequence\":3", "\"sequence\":3.0"), "bad_entry"},
      {"2^53", Replaced(good, "\"sequence\":3", "\"sequence\":9007199254740992"), "large_integer"},
      {"a long role", Replaced(good, "builder", std::string(65, 'b')), "long_entry_text"},
      {"too long", Replaced(good, "builder", std::string(8192, 'b')), "large_entry"},
      {"no object", "[]", "bad_entry"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(CodeOf(ParseEntry(BytesOf(row.text), {})) == row.code);
  }
  entry.ci_identity = std::string(1024, 'c');
  CHECK(SerializeEntry(entry, {}).ok());
  entry.ci_identity += 'c';
  CHECK(CodeOf(SerializeEntry(entry, {})) == "long_entry_text");
  entry.ci_identity = "\xFF";
  CHECK(CodeOf(SerializeEntry(entry, {})) == "bad_entry");
}

}  // namespace safemodel::log
