// SPDX-License-Identifier: Apache-2.0
// Who can read an encrypted container: recipients, which are public, and identities, which are secret. Both are those
// of age and OpenSSH, in their texts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/keys.h>
#include <safemodel/result.h>

namespace safemodel {

// Stored lengths of encrypted chunks are multiples of this, so that they do not tell a known model by its sizes.
inline constexpr std::uint32_t kDefaultBucketBytes = 16u << 10;

// Recipient is somebody to encrypt for: an X25519 key ("age1…"), an OpenSSH key ("ssh-ed25519 AAAA…"), a key of one of
// age's plugins or a hybrid one ("age1NAME1…", through the installed program `age`), or a passphrase. Move-only: one
// that was moved from may be assigned to or destroyed, and nothing else. Const members are safe to call from several
// threads at once.
class Recipient {
 public:
  // FromText reads one recipient. kKey: "bad_recipient", "unusable_key" for a key of low order, "bad_plugin_name".
  static Result<Recipient> FromText(std::string_view text);
  // FromFile reads a file of recipients, one a line; empty lines and those that start with "#" do not count. kIo, kKey,
  // kLimit.
  static Result<std::vector<Recipient>> FromFile(const std::string& path);
  // Read takes what users name: the text of a recipient, else the path of a file of them. kKey "bad_recipient" also
  // when it is neither; kUsage "secret_as_argument" for an identity, which would show in the list of processes.
  static Result<std::vector<Recipient>> Read(const std::string& text_or_path);
  // FromPassphrase makes whoever knows the passphrase a recipient. kUsage "empty_passphrase".
  static Result<Recipient> FromPassphrase(Passphrase passphrase);

  Recipient(Recipient&&) noexcept;
  Recipient& operator=(Recipient&&) noexcept;
  ~Recipient();

  // ToText returns the text of FromText in its canonical form, without a comment; "passphrase" for a passphrase.
  [[nodiscard]] std::string ToText() const;
  [[nodiscard]] bool is_passphrase() const;

 private:
  struct Impl;
  explicit Recipient(std::unique_ptr<Impl> impl);
  friend struct RecipientAccess;
  std::unique_ptr<Impl> impl_;
};

// Identity is the secret that belongs to a recipient, in guarded memory: locked, left out of core dumps, wiped when
// destroyed. Move-only; there is no way to print it but WriteFiles. One that was moved from may be assigned to or
// destroyed, and nothing else. Const members are safe to call from several threads at once; the source of a passphrase
// is asked by one of them, and the others wait for the answer.
class Identity {
 public:
  // Generate makes a fresh X25519 identity.
  static Identity Generate();
  // FromText reads the text of an identity file of age (several keys, comments) or of an unencrypted OpenSSH private
  // key. The caller wipes the text. kKey: "bad_identity", "bad_plugin_name", "encrypted_identities"; kLimit.
  static Result<std::vector<Identity>> FromText(std::string_view text);
  // Read takes what users name: the path of such a file, "env:VAR" (the variable is wiped and removed, so not to be
  // called beside threads that read the environment), "fd:N" (closed afterwards) or "-". kIo, kLimit, kKey; kUsage
  // "secret_as_argument" for an identity itself, which would show in the list of processes.
  static Result<std::vector<Identity>> Read(const std::string& source);
  // FromPassphrase asks for the passphrase when there is something that a passphrase opens, and not before. It asks
  // once, and keeps the answer in guarded memory.
  static Identity FromPassphrase(PassphraseSource ask);

  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  // ToRecipient returns the recipient of an X25519 or OpenSSH identity. kUsage "no_recipient" for the others.
  [[nodiscard]] Result<Recipient> ToRecipient() const;
  // WriteFiles writes an X25519 identity: `stem`.key as `age-keygen` does (mode 0600, never over an existing file
  // unless `overwrite`) and `stem`.pub with its recipient. kIo; kUsage "exists", and "not_x25519" for the others.
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  [[nodiscard]] Status WriteFiles(const std::string& stem, Overwrite overwrite) const;

 private:
  struct Impl;
  explicit Identity(std::unique_ptr<Impl> impl);
  friend struct IdentityAccess;
  std::unique_ptr<Impl> impl_;
};

// IdentitySource is asked for identities when a container turns out to be encrypted, and not before: a file, a variable
// or a service of the caller's may stand behind it. It must not throw; see progress.h.
using IdentitySource = std::function<Result<std::vector<Identity>>()>;

// IdentitiesFrom reads all the sources that Identity::Read takes, in their order, and puts behind them the identity of
// a passphrase when there is somebody to ask. It reads and asks once, at the first need, and gives the same identities,
// or the same error, to all that share the source: a variable or a descriptor can be read once only.
IdentitySource IdentitiesFrom(std::vector<std::string> sources, PassphraseSource passphrase = {});

}  // namespace safemodel
