// SPDX-License-Identifier: Apache-2.0
// Memory for secrets.
#pragma once

#include <cstddef>

#include <safemodel/bytes.h>

namespace safemodel::crypto {

// SecretBytes is a fixed number of bytes in libsodium's guarded memory: locked, between guard pages, left out of core
// dumps and wiped when freed. Move-only. Throws std::bad_alloc when there is no such memory.
class SecretBytes {
 public:
  explicit SecretBytes(std::size_t size);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] MutableBytes bytes() { return {data_, size_}; }
  [[nodiscard]] ByteView bytes() const { return {data_, size_}; }

 private:
  std::uint8_t* data_;
  std::size_t size_;
};

// EqualSecrets compares two secrets in a time that tells only their sizes.
bool EqualSecrets(ByteView a, ByteView b);

}  // namespace safemodel::crypto
