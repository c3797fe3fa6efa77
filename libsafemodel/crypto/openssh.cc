// SPDX-License-Identifier: Apache-2.0
#include "crypto/openssh.h"

#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

namespace safemodel::crypto {
namespace {

constexpr std::string_view kPlain = "ssh-ed25519";
constexpr std::string_view kHardware = "sk-ssh-ed25519@openssh.com";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kNone = "none";
constexpr std::size_t kBlock = 8;  // of the cipher "none"
constexpr std::size_t kApplicationBytes = 255;
constexpr std::size_t kPublicBytes = 1024;  // of the base64 of a key with the longest application

Error NotAKey(const char* text) { return {Stage::kKey, "bad_key_file", text}; }
Error Broken() { return NotAKey("this OpenSSH key is damaged"); }

Result<ByteView> TakeString(ByteReader& reader) {
  const auto length = reader.U32BigEndian();
  if (!length.ok()) return Broken();
  const auto bytes = reader.Take(length.value());
  if (!bytes.ok()) return Broken();
  return bytes.value();
}

Status Expect(ByteReader& reader, std::string_view wanted, const char* otherwise) {
  SAFEMODEL_ASSIGN(const ByteView found, TakeString(reader));
  if (AsText(found) == wanted) return {};
  return NotAKey(otherwise);
}

Result<Ed25519PublicKey> TakeKey(ByteReader& reader) {
  SAFEMODEL_ASSIGN(const ByteView bytes, TakeString(reader));
  Ed25519PublicKey key{};
  if (bytes.size() != key.size()) return Broken();
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

// IsApplication allows what tokens are really asked for: printable ASCII.
bool IsApplication(ByteView bytes) {
  return !bytes.empty() && bytes.size() <= kApplicationBytes &&
         std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t c) { return c > 0x20 && c < 0x7f; });
}

// ParseSection reads the private section. The public half stands in it three times with the one outside, and is derived
// once more: signing with halves that do not belong together gives the key away.
Result<Ed25519KeyPair> ParseSection(ByteView section, const Ed25519PublicKey& stated) {
  ByteReader reader(section);
  const auto check = reader.U32();
  const auto again = reader.U32();
  if (!check.ok() || !again.ok() || check.value() != again.value()) return Broken();
  SAFEMODEL_TRY(Expect(reader, kPlain, "this OpenSSH key is not an Ed25519 key"));
  SAFEMODEL_ASSIGN(const Ed25519PublicKey inner, TakeKey(reader));
  SAFEMODEL_ASSIGN(const ByteView halves, TakeString(reader));
  if (halves.size() != kEd25519SeedBytes + inner.size()) return Broken();
  ByteReader parts(halves);
  SAFEMODEL_ASSIGN(const ByteView seed, parts.Take(kEd25519SeedBytes));
  SAFEMODEL_ASSIGN(const auto last, parts.TakeArray<32>());
  SAFEMODEL_ASSIGN([[maybe_unused]] const ByteView comment, TakeString(reader));
  const ByteView padding = reader.TakeRest();
  if (padding.size() >= kBlock || section.size() % kBlock != 0) return Broken();
  std::uint8_t expected = 0;
  if (!std::all_of(padding.begin(), padding.end(), [&expected](std::uint8_t byte) { return byte == ++expected; }))
    return Broken();
  auto pair = Ed25519KeyPair::FromSeed(seed);
  if (pair.public_key() != stated || inner != stated || last != stated) {
    return NotAKey("the two halves of the key do not belong together");
  }
  return pair;
}

void Put(ByteWriter& writer, ByteView bytes) { writer.Bytes(OpenSshString(bytes)); }

}  // namespace

bool IsOpenSshLine(std::string_view text) {
  const std::string_view type = text.substr(0, text.find(' '));
  if (type.size() == text.size()) return false;
  return type.starts_with("ssh-") || type.starts_with("sk-") || type.starts_with("ecdsa-");
}

Result<OpenSshPublicKey> ParseOpenSshPublic(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.find('\n') != std::string_view::npos) return NotAKey("there is more than one line; give one public key");
  const std::string_view type = text.substr(0, text.find(' '));
  if (type != kPlain && type != kHardware) {
    return NotAKey("of OpenSSH's keys only ssh-ed25519 and sk-ssh-ed25519@openssh.com are used");
  }
  text.remove_prefix(type.size() + (type.size() < text.size() ? 1 : 0));
  const std::string_view base64 = text.substr(0, text.find(' '));
  std::array<std::uint8_t, kPublicBytes> bytes{};
  const auto size = DecodeBase64(base64, Base64Alphabet::kStandard, bytes);
  if (!size.ok()) return Broken();
  SAFEMODEL_ASSIGN(const OpenSshPublicKey key, ParseOpenSshBytes(ByteView(bytes).first(size.value())));
  if ((type == kHardware) == key.application.empty())
    return NotAKey("this OpenSSH key is of another type than it says");
  return key;
}

std::string SerializeOpenSshPublic(const OpenSshPublicKey& key, std::string_view comment) {
  std::string line(key.application.empty() ? kPlain : kHardware);
  line += " " + EncodeBase64(SerializeOpenSshBytes(key));
  if (!comment.empty()) line += " " + std::string(comment);
  return line + "\n";
}

Result<OpenSshPublicKey> ParseOpenSshBytes(ByteView bytes) {
  ByteReader reader(bytes);
  SAFEMODEL_ASSIGN(const ByteView type, TakeString(reader));
  if (AsText(type) != kPlain && AsText(type) != kHardware) return NotAKey("this OpenSSH key is not an Ed25519 key");
  OpenSshPublicKey key;
  SAFEMODEL_ASSIGN(key.key, TakeKey(reader));
  if (AsText(type) == kHardware) {
    SAFEMODEL_ASSIGN(const ByteView application, TakeString(reader));
    if (!IsApplication(application)) return NotAKey("the application of this hardware key is not printable text");
    key.application = std::string(AsText(application));
  }
  if (!reader.empty()) return Broken();
  return key;
}

ByteBuffer SerializeOpenSshBytes(const OpenSshPublicKey& key) {
  ByteWriter writer;
  Put(writer, AsBytes(key.application.empty() ? kPlain : kHardware));
  Put(writer, key.key);
  if (!key.application.empty()) Put(writer, AsBytes(key.application));
  return std::move(writer).Finish();
}

ByteBuffer OpenSshString(ByteView bytes) {
  ByteWriter writer;
  writer.U32(__builtin_bswap32(static_cast<std::uint32_t>(bytes.size())));
  writer.Bytes(bytes);
  return std::move(writer).Finish();
}

Result<Ed25519KeyPair> ParseOpenSshSecret(ByteView bytes) {
  ByteReader reader(bytes);
  const auto magic = reader.Take(kMagic.size());
  if (!magic.ok() || AsText(magic.value()) != kMagic) return Broken();
  SAFEMODEL_ASSIGN(const ByteView cipher, TakeString(reader));
  SAFEMODEL_ASSIGN(const ByteView derivation, TakeString(reader));
  SAFEMODEL_ASSIGN(const ByteView options, TakeString(reader));
  if (AsText(cipher) != kNone || AsText(derivation) != kNone) {
    return Error{Stage::kKey, "encrypted_key",
                 "this OpenSSH key has a passphrase: load it with ssh-add and sign with ssh-agent:PUBKEY"};
  }
  const auto count = reader.U32BigEndian();
  if (!options.empty() || !count.ok()) return Broken();
  if (count.value() != 1) return NotAKey("the key file has not exactly one key");
  SAFEMODEL_ASSIGN(const ByteView public_bytes, TakeString(reader));
  SAFEMODEL_ASSIGN(const OpenSshPublicKey stated, ParseOpenSshBytes(public_bytes));
  if (!stated.application.empty()) {
    return Error{Stage::kKey, "hardware_key", "this key lives in a hardware token: sign with ssh-agent:PUBKEY"};
  }
  SAFEMODEL_ASSIGN(const ByteView section, TakeString(reader));
  if (!reader.empty()) return Broken();
  return ParseSection(section, stated.key);
}

SecretBytes SerializeOpenSshSecret(const Ed25519KeyPair& pair) {
  ByteWriter head;
  head.Text(kMagic);
  for (const std::string_view text : {kNone, kNone, std::string_view()}) Put(head, AsBytes(text));
  head.U32(__builtin_bswap32(1u));
  Put(head, SerializeOpenSshBytes({pair.public_key(), {}}));
  ByteWriter section;  // up to the secret halves, and with their length
  std::array<std::uint8_t, 4> check{};
  RandomBytes(check);
  section.Bytes(check);
  section.Bytes(check);
  Put(section, AsBytes(kPlain));
  Put(section, pair.public_key());
  section.U32(__builtin_bswap32(static_cast<std::uint32_t>(pair.secret().size())));
  constexpr std::size_t kCommentBytes = 4;  // the length of an empty one
  const std::size_t unpadded = section.size() + pair.secret().size() + kCommentBytes;
  const std::size_t padded = (unpadded + kBlock - 1) / kBlock * kBlock;
  head.U32(__builtin_bswap32(static_cast<std::uint32_t>(padded)));

  SecretBytes bytes(head.size() + padded);
  auto at = std::copy(head.view().begin(), head.view().end(), bytes.bytes().begin());
  at = std::copy(section.view().begin(), section.view().end(), at);
  at = std::copy(pair.secret().bytes().begin(), pair.secret().bytes().end(), at);
  at = std::fill_n(at, kCommentBytes, std::uint8_t{0});
  for (std::uint8_t i = 1; at != bytes.bytes().end(); ++i) *at++ = i;
  return bytes;
}

}  // namespace safemodel::crypto
