// SPDX-License-Identifier: Apache-2.0
#include "crypto/pem.h"

#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::crypto {
namespace {

// SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING of 32 bytes, no unused bits }
constexpr std::array<std::uint8_t, 12> kSpki = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
// { INTEGER version, SEQUENCE { OID 1.3.101.112 }, OCTET STRING of OCTET STRING of 32 bytes }
constexpr std::array<std::uint8_t, 14> kVersion1 = {0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03,
                                                    0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::array<std::uint8_t, 14> kVersion2 = {0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03,
                                                    0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
// [1] BIT STRING of 32 bytes, no unused bits
constexpr std::array<std::uint8_t, 3> kPublicHalf = {0x81, 0x21, 0x00};
constexpr std::uint8_t kSequence = 0x30;
constexpr int kAttributes = 0xa0;
constexpr std::uint8_t kLongLength = 0x80;

Error NotAKey(const char* text) { return {Stage::kKey, "bad_key_file", text}; }
Error WrongShape() { return NotAKey("this is not an Ed25519 key as of RFC 8410"); }

template <std::size_t N>
bool Takes(ByteReader& reader, const std::array<std::uint8_t, N>& shape) {
  const auto bytes = reader.TakeArray<N>();
  return bytes.ok() && bytes.value() == shape;
}

// TakeShort reads a length in its short form, the only one that fits a key of this size.
Result<std::uint8_t> TakeShort(ByteReader& reader, std::uint8_t tag) {
  const auto found = reader.U8();
  const auto length = reader.U8();
  if (!found.ok() || !length.ok() || found.value() != tag || length.value() >= kLongLength) return WrongShape();
  return length.value();
}

// CheckPublicHalf reads what only version 2 has. A key whose halves differ gives itself away when it signs.
Status CheckPublicHalf(ByteReader& reader, const Ed25519KeyPair& pair) {
  if (reader.Peek() == kAttributes) {
    SAFEMODEL_ASSIGN(const std::uint8_t length, TakeShort(reader, kAttributes));
    if (!reader.Take(length).ok()) return WrongShape();
  }
  if (reader.empty()) return {};
  if (!Takes(reader, kPublicHalf)) return WrongShape();
  const auto stated = reader.TakeArray<32>();
  if (!stated.ok()) return WrongShape();
  if (stated.value() != pair.public_key()) return NotAKey("the two halves of the key do not belong together");
  return {};
}

}  // namespace

Result<Ed25519PublicKey> ParseSpki(ByteView der) {
  ByteReader reader(der);
  if (!Takes(reader, kSpki)) return WrongShape();
  const auto key = reader.TakeArray<32>();
  if (!key.ok() || !reader.empty()) return WrongShape();
  return key.value();
}

ByteBuffer SerializeSpki(const Ed25519PublicKey& key) {
  ByteWriter writer;
  writer.Bytes(kSpki);
  writer.Bytes(key);
  return std::move(writer).Finish();
}

Result<Ed25519KeyPair> ParsePkcs8(ByteView der) {
  ByteReader reader(der);
  SAFEMODEL_ASSIGN(const std::uint8_t length, TakeShort(reader, kSequence));
  if (length != reader.remaining()) return WrongShape();
  const auto head = reader.TakeArray<kVersion1.size()>();
  if (!head.ok() || (head.value() != kVersion1 && head.value() != kVersion2)) return WrongShape();
  const auto seed = reader.Take(kEd25519SeedBytes);
  if (!seed.ok()) return WrongShape();
  auto pair = Ed25519KeyPair::FromSeed(seed.value());
  if (head.value() == kVersion2) SAFEMODEL_TRY(CheckPublicHalf(reader, pair));
  if (!reader.empty()) return WrongShape();
  return pair;
}

SecretBytes SerializePkcs8(const Ed25519KeyPair& pair) {
  SecretBytes der(2 + kVersion1.size() + kEd25519SeedBytes);
  auto at = der.bytes().begin();
  *at++ = kSequence;
  *at++ = static_cast<std::uint8_t>(kVersion1.size() + kEd25519SeedBytes);
  at = std::copy(kVersion1.begin(), kVersion1.end(), at);
  std::copy_n(pair.secret().bytes().begin(), kEd25519SeedBytes, at);
  return der;
}

}  // namespace safemodel::crypto
