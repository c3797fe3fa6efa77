// SPDX-License-Identifier: Apache-2.0
// Encrypting containers, and deciding who can read them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <safemodel/model.h>
#include <safemodel/recipients.h>
#include <safemodel/sign.h>

namespace safemodel {

// RepackOptions are how the new container of Encrypt, Decrypt and Reencrypt differs from the old one.
struct RepackOptions {
  std::optional<std::uint64_t> sequence = {};        // absent: one more than the old one; 0 stays 0
  std::uint32_t bucket_bytes = kDefaultBucketBytes;  // power of two; 1: lengths as they are. Not used by Decrypt
  unsigned threads = 0;                              // 0: one for each processor
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Overwrite overwrite = Overwrite::kRefuse;
  const Signer* sign_with = nullptr;  // borrowed; signs in role builder before the file gets its name
  Limits limits = {};
  Progress progress = {};
};

struct RepackReport {
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  std::uint64_t plain_bytes = 0;  // of all objects
  std::uint64_t container_bytes = 0;
  Digest content_digest{};   // what it was before: the content is the same
  Digest manifest_digest{};  // SHA-256 of the new manifest
  std::size_t recipients = 0;
};

// These copy a model to a new container, chunk by chunk, without decoding it and with bounded memory: the chunks are
// checked, opened and sealed, and never reach the disk in plain unless that was asked for. The file id is new, and no
// signature is carried over. Until the output gets its name a failure leaves nothing behind and nothing changed; kIo
// "not_durable", and "write_failed" about an old envelope beside it, come when it has its name already. kUsage
// "same_file" when `output` is the file of `model`, "exists", "sidecar_exists", "bad_bucket".
//
// Encrypt: kUsage "already_encrypted", "no_recipients". Metadata that tells about the source moves from the manifest
// to the directory, where only recipients read it.
Result<RepackReport> Encrypt(const VerifiedModel& model, const std::string& output,
                             std::span<const Recipient> recipients, const RepackOptions& options = {});
// Reencrypt draws a new data key, so that old key wraps do not open the new container. Without recipients they stay who
// they are (kKey "unnamed_recipient" where a key wrap does not tell for whom it is). kUsage "not_encrypted".
Result<RepackReport> Reencrypt(const VerifiedModel& model, const std::string& output,
                               std::span<const Recipient> recipients, const RepackOptions& options = {});
// Decrypt: kUsage "not_encrypted".
Result<RepackReport> Decrypt(const VerifiedModel& model, const std::string& output, const RepackOptions& options = {});

// KeyWrap is one way to the data key of a container, in the envelope.
struct KeyWrap {
  std::size_t number = 0;          // from 1, as they lie in the envelope
  std::vector<std::string> kinds;  // of its age stanzas: "X25519", "ssh-ed25519", "scrypt", …; empty: unreadable
  std::string recipient;           // as Recipient::ToText; empty when nobody who may read it told
  enum class Opened : std::uint8_t { kNotTried, kNo, kYes };
  Opened opened = Opened::kNotTried;  // by one of the identities that were given
};

struct RecipientsOptions {
  Placement placement = Placement::kKeep;
  Limits limits = {};
};

struct RecipientsReport {
  std::vector<KeyWrap> wraps;  // as they are now
  std::size_t added = 0;
  std::size_t removed = 0;
  std::string envelope_path = {};  // the file that now holds the envelope; empty when nothing changed
};

// These read and replace key wraps in the envelope: core, manifest and signatures stay as they are, and no chunk is
// read. Like signing, they do not ask whether somebody vouches for the container. Whoever was a recipient may have
// kept the data key: removing one keeps nobody from reading copies; see Reencrypt. kUsage "not_encrypted".
//
// ListRecipients tells the names of the recipients only with an identity (`identities` may be null).
Result<std::vector<KeyWrap>> ListRecipients(const std::string& path, const IdentitySource& identities,
                                            const RecipientsOptions& options = {});
// AddRecipients passes over those who are recipients already. kKey when no identity opens the container.
Result<RecipientsReport> AddRecipients(const std::string& path, std::span<const Recipient> recipients,
                                       const IdentitySource& identities, const RecipientsOptions& options = {});
// RemoveRecipients removes wraps by recipient (an identity is needed to tell which are theirs) or by number. A
// passphrase stands for all wraps of passphrases, whichever it is, and needs no identity. kUsage "no_such_recipient";
// "last_recipient" when nobody would be left.
Result<RecipientsReport> RemoveRecipients(const std::string& path, std::span<const Recipient> recipients,
                                          std::span<const std::size_t> numbers, const IdentitySource& identities,
                                          const RecipientsOptions& options = {});

}  // namespace safemodel
