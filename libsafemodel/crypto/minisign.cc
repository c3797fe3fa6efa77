// SPDX-License-Identifier: Apache-2.0
#include "crypto/minisign.h"

#include <sodium.h>

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/sodium.h"

namespace safemodel::crypto {
namespace {

constexpr std::string_view kComment = "untrusted comment: ";
constexpr std::array<std::uint8_t, 2> kEd25519 = {'E', 'd'};
constexpr std::array<std::uint8_t, 2> kBlake2b = {'B', '2'};
constexpr std::array<std::uint8_t, 2> kScrypt = {'S', 'c'};
constexpr std::array<std::uint8_t, 2> kUnprotected = {0, 0};
constexpr std::size_t kPublicBytes = 42;
constexpr std::size_t kSecretBytes = 158;
constexpr std::size_t kBoxBytes = 104;
constexpr std::size_t kBoxChecked = 72;  // key number and key; the rest is the checksum
constexpr std::size_t kSaltBytes = crypto_pwhash_scryptsalsa208sha256_SALTBYTES;

Error NotAKey(const char* text) { return {Stage::kKey, "bad_key_file", text}; }

std::string_view TrimLineEnd(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Base64Line returns the line that holds the key: the second of two, or the only one.
Result<std::string_view> Base64Line(std::string_view text) {
  if (text.starts_with(kComment)) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return NotAKey("the key file has a comment line and no key");
    text.remove_prefix(end + 1);
  }
  return TrimLineEnd(text);
}

// Checksum tells a wrong passphrase from the right one.
std::array<std::uint8_t, 32> Checksum(ByteView number_and_key) {
  std::array<std::uint8_t, 32> sum{};
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, sum.size());
  crypto_generichash_update(&state, kEd25519.data(), kEd25519.size());
  crypto_generichash_update(&state, number_and_key.data(), number_and_key.size());
  crypto_generichash_final(&state, sum.data(), sum.size());
  return sum;
}

// Mask XORs the box with scrypt's output: the same step hides and reveals.
Status Mask(MutableBytes box, ByteView passphrase, ByteView salt, const ScryptCost& cost) {
  SecretBytes stream(kBoxBytes);
  if (crypto_pwhash_scryptsalsa208sha256(stream.bytes().data(), stream.size(),
                                         reinterpret_cast<const char*>(passphrase.data()), passphrase.size(),
                                         salt.data(), cost.operations, static_cast<std::size_t>(cost.memory)) != 0) {
    return Error{Stage::kIo, "no_memory", "there is not enough memory to derive a key from the passphrase"};
  }
  for (std::size_t i = 0; i < kBoxBytes; ++i) box[i] ^= stream.bytes()[i];
  return {};
}

Status Reveal(MutableBytes box, ByteView salt, const ScryptCost& cost, const PassphraseSource& source) {
  if (cost.operations > kScryptCost.operations || cost.memory > kScryptCost.memory) {
    return Error{Stage::kLimit, "scrypt_cost", "the key file asks for more work than minisign ever writes"};
  }
  if (!source) return Error{Stage::kKey, "passphrase_needed", "the key file is protected and no passphrase was given"};
  SAFEMODEL_ASSIGN(const Passphrase passphrase, source());
  return Mask(box, passphrase.bytes(), salt, cost);
}

// ParseBox reads the revealed box. The public half is derived again: signing with halves that do not belong together
// gives the secret key away (RUSTSEC-2022-0093).
Result<MinisignSecretKey> ParseBox(ByteView box, bool is_protected) {
  const auto sum = Checksum(box.first(kBoxChecked));
  ByteReader reader(box);
  SAFEMODEL_ASSIGN(const auto number, reader.TakeArray<8>());
  SAFEMODEL_ASSIGN(const ByteView seed, reader.Take(kEd25519SeedBytes));
  SAFEMODEL_ASSIGN(const auto stated, reader.TakeArray<32>());
  const ByteView stated_sum = reader.TakeRest();
  // minisign writes an unprotected key with a checksum of zeros; other tools write a real one.
  const bool no_sum = !is_protected && sodium_is_zero(stated_sum.data(), stated_sum.size()) == 1;
  if (!no_sum && sodium_memcmp(sum.data(), stated_sum.data(), sum.size()) != 0) {
    if (is_protected) return Error{Stage::kKey, "wrong_passphrase", "the passphrase does not open this key file"};
    return NotAKey("the checksum of the key file is wrong");
  }
  MinisignSecretKey key{Ed25519KeyPair::FromSeed(seed), number};
  if (key.pair.public_key() != stated) return NotAKey("the two halves of the key do not belong together");
  return key;
}

Result<SecretBytes> DecodeSecret(std::string_view text) {
  if (!text.starts_with(kComment)) return NotAKey("this is not a minisign secret key file");
  SAFEMODEL_ASSIGN(const std::string_view line, Base64Line(text));
  SecretBytes bytes(kSecretBytes);
  const auto size = DecodeBase64(line, Base64Alphabet::kStandard, bytes.bytes());
  if (!size.ok() || size.value() != kSecretBytes) return NotAKey("this is not a minisign secret key file");
  return bytes;
}

}  // namespace

Result<MinisignPublicKey> ParseMinisignPublic(std::string_view text) {
  SAFEMODEL_ASSIGN(const std::string_view line, Base64Line(text));
  std::array<std::uint8_t, kPublicBytes> bytes{};
  const auto size = DecodeBase64(line, Base64Alphabet::kStandard, bytes);
  if (!size.ok() || size.value() != kPublicBytes) return NotAKey("this is not a minisign public key");
  ByteReader reader(bytes);
  MinisignPublicKey key;
  SAFEMODEL_ASSIGN(const auto algorithm, reader.TakeArray<2>());
  SAFEMODEL_ASSIGN(key.number, reader.TakeArray<8>());
  SAFEMODEL_ASSIGN(key.key, reader.TakeArray<32>());
  if (algorithm != kEd25519) return NotAKey("the public key is not an Ed25519 key of minisign");
  return key;
}

std::string SerializeMinisignPublic(const MinisignPublicKey& key) {
  ByteWriter writer;
  writer.Bytes(kEd25519);
  writer.Bytes(key.number);
  writer.Bytes(key.key);
  MinisignKeyNumber shown = key.number;  // minisign prints the number as a little-endian integer
  std::reverse(shown.begin(), shown.end());
  std::string hex = Hex(shown);
  std::transform(hex.begin(), hex.end(), hex.begin(),
                 [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  hex.erase(0, std::min(hex.find_first_not_of('0'), hex.size() - 1));  // as a number: without leading zeros
  return std::string(kComment) + "minisign public key " + hex + "\n" + EncodeBase64(writer.view()) + "\n";
}

Result<MinisignSecretKey> ParseMinisignSecret(ByteView text, const PassphraseSource& passphrase) {
  PrepareSodium();
  SAFEMODEL_ASSIGN(SecretBytes bytes, DecodeSecret(AsText(text)));
  ByteReader reader(bytes.bytes());
  SAFEMODEL_ASSIGN(const auto algorithm, reader.TakeArray<2>());
  SAFEMODEL_ASSIGN(const auto protection, reader.TakeArray<2>());
  SAFEMODEL_ASSIGN(const auto checksum, reader.TakeArray<2>());
  SAFEMODEL_ASSIGN(const auto salt, reader.TakeArray<kSaltBytes>());
  ScryptCost cost{};
  SAFEMODEL_ASSIGN(cost.operations, reader.U64());
  SAFEMODEL_ASSIGN(cost.memory, reader.U64());
  const bool is_protected = protection == kScrypt;
  if (algorithm != kEd25519 || checksum != kBlake2b || (!is_protected && protection != kUnprotected)) {
    return NotAKey("the key file uses an algorithm that minisign does not write");
  }
  const MutableBytes box = bytes.bytes().last(kBoxBytes);
  if (is_protected) SAFEMODEL_TRY(Reveal(box, salt, cost, passphrase));
  return ParseBox(box, is_protected);
}

Result<SecretBytes> SerializeMinisignSecret(const MinisignSecretKey& key, const Passphrase* passphrase,
                                            const ScryptCost& cost) {
  SecretBytes bytes(kSecretBytes);
  const MutableBytes box = bytes.bytes().last(kBoxBytes);
  std::copy(key.number.begin(), key.number.end(), box.begin());
  std::copy(key.pair.secret().bytes().begin(), key.pair.secret().bytes().end(), box.begin() + 8);
  const auto sum = Checksum(box.first(kBoxChecked));
  std::copy(sum.begin(), sum.end(), box.begin() + kBoxChecked);

  ByteWriter head;
  std::array<std::uint8_t, kSaltBytes> salt{};
  if (passphrase != nullptr) {
    RandomBytes(salt);
    SAFEMODEL_TRY(Mask(box, passphrase->bytes(), salt, cost));
  }
  head.Bytes(kEd25519);
  head.Bytes(passphrase != nullptr ? kScrypt : kUnprotected);
  head.Bytes(kBlake2b);
  head.Bytes(salt);
  head.U64(passphrase != nullptr ? cost.operations : 0);
  head.U64(passphrase != nullptr ? cost.memory : 0);
  std::copy(head.view().begin(), head.view().end(), bytes.bytes().begin());

  const std::string comment = std::string(kComment) + "minisign encrypted secret key\n";
  constexpr std::size_t kLineBytes = sodium_base64_ENCODED_LEN(kSecretBytes, sodium_base64_VARIANT_ORIGINAL);
  SecretBytes text(comment.size() + kLineBytes);
  std::copy(comment.begin(), comment.end(), text.bytes().begin());
  sodium_bin2base64(reinterpret_cast<char*>(text.bytes().data()) + comment.size(), kLineBytes, bytes.bytes().data(),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.bytes().back() = '\n';  // in the place of the terminator
  return text;
}

}  // namespace safemodel::crypto
