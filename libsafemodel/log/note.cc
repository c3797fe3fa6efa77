// SPDX-License-Identifier: Apache-2.0
#include "log/note.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

namespace safemodel::log {
namespace {

constexpr std::string_view kLineStart = "\xE2\x80\x94 ";  // em dash, space
constexpr std::size_t kTimestampBytes = 8;
constexpr std::uint64_t kLastTimestamp = (std::uint64_t{1} << 63) - 1;

Error BadNote(const char* text) { return {Stage::kMalformed, "bad_note", text}; }

// Unicode's spaces beyond the controls, in UTF-8.
constexpr std::string_view kSpaces[] = {" ",
                                        "\xC2\x85",
                                        "\xC2\xA0",
                                        "\xE1\x9A\x80",
                                        "\xE2\x80\x80",
                                        "\xE2\x80\x81",
                                        "\xE2\x80\x82",
                                        "\xE2\x80\x83",
                                        "\xE2\x80\x84",
                                        "\xE2\x80\x85",
                                        "\xE2\x80\x86",
                                        "\xE2\x80\x87",
                                        "\xE2\x80\x88",
                                        "\xE2\x80\x89",
                                        "\xE2\x80\x8A",
                                        "\xE2\x80\xA8",
                                        "\xE2\x80\xA9",
                                        "\xE2\x80\xAF",
                                        "\xE2\x81\x9F",
                                        "\xE3\x80\x80"};

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20; }

Result<NoteSignature> ParseSignature(std::string_view line) {
  if (!line.starts_with(kLineStart)) return BadNote("a signature line of a note does not begin with an em dash");
  line.remove_prefix(kLineStart.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return BadNote("a signature line of a note has no signature");
  NoteSignature signature;
  signature.name = line.substr(0, space);
  if (!IsKeyName(signature.name)) return BadNote("a signature line of a note has no proper key name");
  const std::string_view text = line.substr(space + 1);
  ByteBuffer bytes(text.size() / 4 * 3);
  const auto size = crypto::DecodeBase64(text, crypto::Base64Alphabet::kStandard, bytes);
  if (!size.ok() || size.value() <= signature.key_hash.size()) return BadNote("a signature of a note is not base64");
  const auto rest = bytes.begin() + static_cast<std::ptrdiff_t>(signature.key_hash.size());
  std::copy(bytes.begin(), rest, signature.key_hash.begin());
  signature.bytes.assign(rest, bytes.begin() + static_cast<std::ptrdiff_t>(size.value()));
  return signature;
}

bool HoldsEd25519(std::string_view text, ByteView bytes, const PublicKey& key) {
  crypto::Ed25519Signature signature{};
  if (bytes.size() != signature.size()) return false;
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return crypto::VerifyEd25519(AsBytes(text), signature, key.bytes());
}

// HoldsCosignature checks a time and a signature over "cosignature/v1", the time and the text.
bool HoldsCosignature(std::string_view text, ByteView bytes, const PublicKey& key) {
  ByteReader reader(bytes);
  const auto time = reader.U64BigEndian();
  if (bytes.size() < kTimestampBytes || !time.ok() || time.value() > kLastTimestamp) return false;
  const std::string message = "cosignature/v1\ntime " + std::to_string(time.value()) + "\n" + std::string(text);
  return HoldsEd25519(message, reader.TakeRest(), key);
}

}  // namespace

bool IsKeyName(std::string_view name) {
  if (name.empty() || !IsUtf8(name) || std::any_of(name.begin(), name.end(), IsControl)) return false;
  if (name.find('+') != std::string_view::npos) return false;
  return std::none_of(std::begin(kSpaces), std::end(kSpaces),
                      [name](std::string_view space) { return name.find(space) != std::string_view::npos; });
}

KeyHash KeyHashOf(std::string_view name, SignatureType type, const PublicKey& key) {
  const auto type_byte = static_cast<std::uint8_t>(type);
  crypto::Sha256 hash;
  hash.Update(AsBytes(name));
  hash.Update(AsBytes("\n"));
  hash.Update({&type_byte, 1});
  hash.Update(key.bytes());
  const Digest digest = hash.Finish();
  KeyHash first{};
  std::copy_n(digest.begin(), first.size(), first.begin());
  return first;
}

Result<Note> ParseNote(ByteView bytes, const Limits& limits) {
  if (bytes.size() > limits.log_note_bytes) {
    return Error{Stage::kLimit, "large_note", "a signed note is longer than its limit"};
  }
  const std::string_view all = AsText(bytes);
  if (!IsUtf8(all) || std::any_of(all.begin(), all.end(), [](char c) { return IsControl(c) && c != '\n'; })) {
    return BadNote("a signed note has controls other than newlines, or is not UTF-8");
  }
  const auto blank = all.rfind("\n\n");
  if (blank == std::string_view::npos) return BadNote("a signed note has no empty line before its signatures");
  Note note;
  note.text = all.substr(0, blank + 1);
  std::string_view rest = all.substr(blank + 2);
  if (rest.empty() || !rest.ends_with('\n')) return BadNote("a signed note has no signature, or ends inside one");
  while (!rest.empty()) {
    if (note.signatures.size() == limits.note_signatures) {
      return Error{Stage::kLimit, "many_signatures", "a signed note has more signatures than the limit"};
    }
    const auto end = rest.find('\n');
    SAFEMODEL_ASSIGN(NoteSignature signature, ParseSignature(rest.substr(0, end)));
    note.signatures.push_back(std::move(signature));
    rest.remove_prefix(end + 1);
  }
  return note;
}

ByteBuffer SerializeNote(const Note& note) {
  ByteWriter writer;
  writer.Text(note.text);
  writer.Text("\n");
  for (const NoteSignature& signature : note.signatures) {
    ByteBuffer bytes(signature.key_hash.begin(), signature.key_hash.end());
    bytes.insert(bytes.end(), signature.bytes.begin(), signature.bytes.end());
    writer.Text(kLineStart);
    writer.Text(signature.name + " " + crypto::EncodeBase64(bytes) + "\n");
  }
  return std::move(writer).Finish();
}

Result<NoteSignature> SignNote(std::string_view text, const std::string& name, const Signer& key) {
  SAFEMODEL_ASSIGN(const auto bytes, key.SignBytes(AsBytes(text)));
  // A fault while signing could give the key away, or write a checkpoint that nobody accepts.
  if (!HoldsEd25519(text, bytes, key.public_key())) {
    return Error{Stage::kKey, "bad_signature", "the key made a signature that does not verify; the log is unchanged"};
  }
  return NoteSignature{name, KeyHashOf(name, SignatureType::kEd25519, key.public_key()), {bytes.begin(), bytes.end()}};
}

Fate FateOf(const Note& note, const std::string& name, SignatureType type, const PublicKey& key) {
  const KeyHash hash = KeyHashOf(name, type, key);
  Fate fate = Fate::kAbsent;
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != name || signature.key_hash != hash) continue;
    const bool holds = type == SignatureType::kEd25519 ? HoldsEd25519(note.text, signature.bytes, key)
                                                       : HoldsCosignature(note.text, signature.bytes, key);
    if (!holds) return Fate::kFails;
    fate = Fate::kHolds;
  }
  return fate;
}

}  // namespace safemodel::log

namespace safemodel {

std::string VerifierKey(const std::string& name, const PublicKey& key) {
  ByteBuffer encoded = {static_cast<std::uint8_t>(log::SignatureType::kEd25519)};
  encoded.insert(encoded.end(), key.bytes().begin(), key.bytes().end());
  return name + "+" + crypto::Hex(log::KeyHashOf(name, log::SignatureType::kEd25519, key)) + "+" +
         crypto::EncodeBase64(encoded);
}

}  // namespace safemodel
