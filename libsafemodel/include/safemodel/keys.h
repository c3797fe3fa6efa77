// SPDX-License-Identifier: Apache-2.0
// Keys: those of minisign, OpenSSH and OpenSSL (PEM). All signatures are Ed25519.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

// KeyFormat is how a key is written: minisign's files, OpenSSH's, or PEM (PKCS#8 and SPKI of RFC 8410) as of OpenSSL.
enum class KeyFormat : std::uint8_t { kMinisign, kOpenSsh, kPem };

// PublicKey is the 32 bytes of an Ed25519 public key. Two keys are the same key when the bytes are, whatever files or
// key ids they came with. Only made by functions that refuse low-order and non-canonical encodings. All errors are
// kKey, and kIo for files.
class PublicKey {
 public:
  // FromBytes refuses (kKey) an encoding that is not canonical, or a point of low order or outside the prime-order
  // subgroup.
  static Result<PublicKey> FromBytes(ByteView bytes);
  // FromMinisign reads the text of a minisign public key: the two lines of a .pub file, or the bare base64 line.
  static Result<PublicKey> FromMinisign(std::string_view text);
  // FromText reads a public key in any encoding, recognised by content: minisign's, an OpenSSH line ("ssh-ed25519 AAAA…
  // comment", "sk-ssh-ed25519@openssh.com AAAA…") or a PEM "PUBLIC KEY" block. Never looks at the file system.
  static Result<PublicKey> FromText(std::string_view text);
  // FromFile reads a file with one public key, in any encoding of FromText.
  static Result<PublicKey> FromFile(const std::string& path);
  // Parse takes what users pass to --key: the text of a key as in FromText, else the path of a file with one.
  static Result<PublicKey> Parse(const std::string& path_or_text);

  [[nodiscard]] const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }
  // is_hardware tells a key of a FIDO token ("sk-"). Such a key verifies only statements of hardware keys, and every
  // other key only the others. `application` is the name that the token was asked to bind ("ssh:"); else it is empty.
  [[nodiscard]] bool is_hardware() const { return !application_.empty(); }
  [[nodiscard]] const std::string& application() const { return application_; }
  // KeyId returns the hint written beside signatures: hex SHA-256 of "safemodel key ed25519\n" and the 32 bytes; of
  // "safemodel key sk-ed25519\n", the 32 bytes and the application for a hardware key.
  [[nodiscard]] std::string KeyId() const;
  // ToMinisign returns the two-line text of a minisign .pub file.
  [[nodiscard]] std::string ToMinisign() const;
  // ToText returns the text of a public key file. A hardware key has one encoding only, that of OpenSSH.
  [[nodiscard]] std::string ToText(KeyFormat format) const;
  bool operator==(const PublicKey& other) const { return bytes_ == other.bytes_; }
  auto operator<=>(const PublicKey& other) const { return bytes_ <=> other.bytes_; }

 private:
  PublicKey() = default;
  friend class SecretKey;
  std::array<std::uint8_t, 32> bytes_{};
  std::array<std::uint8_t, 8> minisign_id_{};  // a hint, kept so that a key file can be written again
  std::string application_;
};

// Passphrase is a secret text in guarded memory: locked, left out of core dumps, wiped when destroyed. Move-only; there
// is no way to print it. Fill it byte by byte where the text comes from, so that no other copy is made. One that was
// moved from is empty and may be filled again. Const members are safe to call from several threads at once.
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

// PassphraseSource is asked for a passphrase when a key file is protected. It may refuse with kKey. It must
// not throw; see progress.h.
using PassphraseSource = std::function<Result<Passphrase>()>;

// HardwareSignature is what a FIDO token signs with: the flags say whether somebody touched it.
struct HardwareSignature {
  std::array<std::uint8_t, 64> bytes{};
  std::uint8_t flags = 0;
  std::uint32_t counter = 0;
};

// Signer makes signatures under one public key, wherever the private one lives. See OpenSigner. Those that this
// library makes are safe to call from several threads at once; an agent or a program is then asked by each of them. A
// Signer of your own has to be so only where you share it: functions of this library sign in the thread that calls
// them.
class Signer {
 public:
  virtual ~Signer() = default;
  [[nodiscard]] virtual const PublicKey& public_key() const = 0;
  // SignBytes returns the 64 bytes of the Ed25519 signature of `message`. kKey when the holder of the key refuses.
  [[nodiscard]] virtual Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const = 0;
  // SignOnHardware is for keys whose public key is_hardware; kKey "not_hardware" for others, whose SignBytes works.
  [[nodiscard]] virtual Result<HardwareSignature> SignOnHardware(ByteView message) const;

 protected:
  Signer() = default;
  Signer(Signer&&) noexcept = default;
  Signer& operator=(Signer&&) noexcept = default;
};

// SecretKey is an Ed25519 private key in guarded memory: locked, left out of core dumps, wiped when destroyed.
// Move-only; there is no way to print it. One that was moved from holds no key: it may be assigned to or destroyed, and
// nothing else. Const members are safe to call from several threads at once.
class SecretKey final : public Signer {
 public:
  // Generate makes a fresh key pair.
  static Result<SecretKey> Generate();
  // FromFile reads a secret key file, recognised by content: minisign's, asking for the passphrase if it is protected;
  // OpenSSH's and PEM (PKCS#8) without a passphrase.
  // Errors: kIo; kKey (wrong passphrase, checksum, halves that do not belong together); kLimit (scrypt parameters).
  static Result<SecretKey> FromFile(const std::string& path, const PassphraseSource& passphrase);
  // FromText reads the text of such a file, which the caller holds in memory and has to wipe.
  static Result<SecretKey> FromText(ByteView text, const PassphraseSource& passphrase);

  SecretKey(SecretKey&&) noexcept;
  SecretKey& operator=(SecretKey&&) noexcept;
  ~SecretKey() override;

  [[nodiscard]] const PublicKey& public_key() const override;
  // WriteFiles writes `stem`.key (mode 0600, never over an existing file unless `overwrite`) and `stem`.pub. Without a
  // passphrase (null) the key is left unprotected; an empty one is refused, and one for OpenSSH or PEM too (kUsage).
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Status WriteFiles(const std::string& stem, const Passphrase* passphrase, Overwrite overwrite,
                    KeyFormat format = KeyFormat::kMinisign) const;

  // SignBytes never fails.
  [[nodiscard]] Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const override;

 private:
  SecretKey();
  struct Guarded;
  std::unique_ptr<Guarded> guarded_;
};

}  // namespace safemodel
