// SPDX-License-Identifier: Apache-2.0
// minisign's key files, byte for byte (https://jedisct1.github.io/minisign): a comment line and a base64 line of
//
//   public   "Ed" | key number 8 | public key 32
//   secret   "Ed" | "Sc" or 00 00 | "B2" | salt 32 | operations u64 | memory u64 | box 104
//   box      key number 8 | seed 32, public key 32 | BLAKE2b-256 of "Ed", key number, seed and public key
//
// With "Sc" the box is XORed with 104 bytes of scrypt of the passphrase.
#pragma once

#include <string>
#include <string_view>

#include <safemodel/keys.h>

#include "crypto/ed25519.h"

namespace safemodel::crypto {

using MinisignKeyNumber = std::array<std::uint8_t, 8>;

struct MinisignPublicKey {
  Ed25519PublicKey key{};
  MinisignKeyNumber number{};
};

struct MinisignSecretKey {
  Ed25519KeyPair pair;
  MinisignKeyNumber number{};
};

// ScryptCost is what a guess at the passphrase costs, as libsodium counts it.
struct ScryptCost {
  std::uint64_t operations;
  std::uint64_t memory;
};
// What minisign writes, and the most that is accepted (kLimit above): a hostile key file must not occupy the machine.
inline constexpr ScryptCost kScryptCost = {std::uint64_t{1} << 25, std::uint64_t{1} << 30};

// Both parsers accept "\n" and "\r\n" as line ends; the public one also takes the base64 line alone. Errors: kKey,
// kLimit.
Result<MinisignPublicKey> ParseMinisignPublic(std::string_view text);
std::string SerializeMinisignPublic(const MinisignPublicKey& key);

Result<MinisignSecretKey> ParseMinisignSecret(ByteView text, const PassphraseSource& passphrase);
// SerializeMinisignSecret leaves the key unprotected when `passphrase` is null. kIo "no_memory" when scrypt gets none.
Result<SecretBytes> SerializeMinisignSecret(const MinisignSecretKey& key, const Passphrase* passphrase,
                                            const ScryptCost& cost);

}  // namespace safemodel::crypto
