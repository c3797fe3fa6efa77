// SPDX-License-Identifier: Apache-2.0
// Keys: minisign key files. All signatures are Ed25519.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

// PublicKey is the 32 bytes of an Ed25519 public key. Two keys are the same key when the bytes are, whatever files or
// key ids they came with. Only made by functions that refuse low-order and non-canonical encodings.
class PublicKey {
 public:
  // FromBytes refuses (kKey) an encoding that is not canonical, or a point of low order or outside the prime-order
  // subgroup.
  static Result<PublicKey> FromBytes(ByteView bytes);
  // FromMinisign reads the text of a minisign public key: the two lines of a .pub file, or the bare base64 line.
  static Result<PublicKey> FromMinisign(std::string_view text);
  // FromFile reads a minisign .pub file. Errors: kIo, kKey.
  static Result<PublicKey> FromFile(const std::string& path);
  // Parse takes what users pass to --key: a path to a .pub file, or the bare base64 line of one.
  static Result<PublicKey> Parse(const std::string& path_or_text);

  [[nodiscard]] const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }
  // KeyId returns the hint written beside signatures: hex SHA-256 of "safemodel key ed25519\n" and the 32 bytes.
  [[nodiscard]] std::string KeyId() const;
  // ToMinisign returns the two-line text of a minisign .pub file.
  [[nodiscard]] std::string ToMinisign() const;
  bool operator==(const PublicKey& other) const { return bytes_ == other.bytes_; }
  auto operator<=>(const PublicKey& other) const { return bytes_ <=> other.bytes_; }

 private:
  PublicKey() = default;
  friend class SecretKey;
  std::array<std::uint8_t, 32> bytes_{};
  std::array<std::uint8_t, 8> minisign_id_{};  // a hint, kept so that a key file can be written again
};

// Passphrase is a secret text in guarded memory: locked, left out of core dumps, wiped when destroyed. Move-only; there
// is no way to print it. Fill it byte by byte where the text comes from, so that no other copy is made.
class Passphrase {
 public:
  static constexpr std::size_t kMostBytes = 1024;  // as in minisign

  Passphrase();  // empty
  // FromBytes copies a text that the caller holds and has to wipe. Errors: those of Append.
  static Result<Passphrase> FromBytes(ByteView text);
  Passphrase(Passphrase&&) noexcept;
  Passphrase& operator=(Passphrase&&) noexcept;
  ~Passphrase();

  // Append adds to the end. kKey "long_passphrase" beyond kMostBytes, with nothing added.
  [[nodiscard]] Status Append(ByteView text);
  // bytes is empty for an empty or moved-from passphrase.
  [[nodiscard]] ByteView bytes() const;
  [[nodiscard]] bool empty() const { return bytes().empty(); }
  // Equals takes the same time wherever the two differ.
  [[nodiscard]] bool Equals(const Passphrase& other) const;

 private:
  struct Guarded;
  std::unique_ptr<Guarded> guarded_;
};

// PassphraseSource is asked for a passphrase when a key file is protected. It may refuse with kKey.
using PassphraseSource = std::function<Result<Passphrase>()>;

// Signer makes signatures under one public key, wherever the private one lives.
class Signer {
 public:
  virtual ~Signer() = default;
  [[nodiscard]] virtual const PublicKey& public_key() const = 0;
  // SignBytes returns the 64 bytes of the Ed25519 signature of `message`. kKey when the holder of the key refuses.
  [[nodiscard]] virtual Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const = 0;

 protected:
  Signer() = default;
  Signer(Signer&&) noexcept = default;
  Signer& operator=(Signer&&) noexcept = default;
};

// SecretKey is an Ed25519 private key in guarded memory: locked, left out of core dumps, wiped when destroyed.
// Move-only; there is no way to print it.
class SecretKey final : public Signer {
 public:
  // Generate makes a fresh key pair.
  static Result<SecretKey> Generate();
  // FromFile reads a minisign secret key file, asking for the passphrase if it is protected.
  // Errors: kIo; kKey (wrong passphrase, checksum, halves that do not belong together); kLimit (scrypt parameters).
  static Result<SecretKey> FromFile(const std::string& path, const PassphraseSource& passphrase);

  SecretKey(SecretKey&&) noexcept;
  SecretKey& operator=(SecretKey&&) noexcept;
  ~SecretKey() override;

  [[nodiscard]] const PublicKey& public_key() const override;
  // WriteFiles writes `stem`.key (mode 0600, never over an existing file unless `overwrite`) and `stem`.pub in
  // minisign's formats. Without a passphrase (null) the key is left unprotected; an empty one is refused (kUsage).
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Status WriteFiles(const std::string& stem, const Passphrase* passphrase, Overwrite overwrite) const;

  // SignBytes never fails.
  [[nodiscard]] Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const override;

 private:
  SecretKey();
  struct Guarded;
  std::unique_ptr<Guarded> guarded_;
};

}  // namespace safemodel
