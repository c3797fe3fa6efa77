// SPDX-License-Identifier: Apache-2.0
// A hash for tables whose keys an attacker chooses.
#pragma once

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

#include <safemodel/bytes.h>

#include "base/little_endian.h"

namespace safemodel {

// KeyedHash is SipHash-1-3 under a key drawn once for each process: whoever writes a file cannot aim its keys at one
// slot of a table, which would make reading quadratic.
class KeyedHash {
 public:
  static std::uint64_t Of(std::uint8_t tag, ByteView bytes) {
    static const std::array<std::uint64_t, 2> kKey = DrawKey();
    KeyedHash hash(kKey[0], kKey[1]);
    std::size_t i = 0;
    for (; bytes.size() - i >= 8; i += 8) hash.Absorb(LoadLittleEndian<std::uint64_t>(bytes, i));
    hash.Absorb(LittleEndian(bytes.subspan(i)) | (std::uint64_t{tag} << 56));
    hash.Absorb(bytes.size());
    return hash.Finish();
  }

 private:
  KeyedHash(std::uint64_t k0, std::uint64_t k1)
      : v0_(k0 ^ 0x736f6d6570736575u),
        v1_(k1 ^ 0x646f72616e646f6du),
        v2_(k0 ^ 0x6c7967656e657261u),
        v3_(k1 ^ 0x7465646279746573u) {}

  static std::array<std::uint64_t, 2> DrawKey() {
    std::array<std::uint64_t, 2> key{};
    if (getentropy(key.data(), sizeof(key)) != 0) {
      key[0] = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    }
    return key;
  }

  void Round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  void Absorb(std::uint64_t word) {
    v3_ ^= word;
    Round();
    v0_ ^= word;
  }
  std::uint64_t Finish() {
    v2_ ^= 0xFF;
    for (int i = 0; i < 3; ++i) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace safemodel
