// SPDX-License-Identifier: Apache-2.0
// BLAKE3 and SHA-256.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <safemodel/bytes.h>

namespace safemodel::crypto {

// Blake3 computes BLAKE3-256 incrementally, in hash mode or in derive-key mode.
class Blake3 {
 public:
  Blake3();
  explicit Blake3(const char* derive_key_context);
  Blake3(Blake3&&) noexcept;
  Blake3& operator=(Blake3&&) noexcept;
  ~Blake3();
  void Update(ByteView bytes);
  [[nodiscard]] Digest Finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest Blake3Of(ByteView bytes);

// Sha256 computes SHA-256 incrementally.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void Update(ByteView bytes);
  [[nodiscard]] Digest Finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest Sha256Of(ByteView bytes);

// RandomBytes fills `out` from the system's generator.
void RandomBytes(MutableBytes out);

// Hex returns lower-case hexadecimal. DigestOfHex reads exactly 64 lower-case digits.
std::string Hex(ByteView bytes);
std::optional<Digest> DigestOfHex(std::string_view hex);

}  // namespace safemodel::crypto
