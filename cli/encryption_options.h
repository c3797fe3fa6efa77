// SPDX-License-Identifier: Apache-2.0
// Options of the verbs that open or seal contents: who opens a container, and who will be able to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <safemodel/recipients.h>

#include "console.h"

namespace CLI {
class Option;
}

namespace safemodel::cli {

// IdentityOptions are --identity and --passphrase-file.
class IdentityOptions {
 public:
  explicit IdentityOptions(const Console& console);
  void AddOptions(CLI::App& verb);

  // Check refuses (kUsage) what cannot be meant, also where nothing turns out to be encrypted.
  [[nodiscard]] Status Check() const;
  // source is empty when no identity was given. All copies read and ask once, when something is encrypted.
  [[nodiscard]] IdentitySource source() const;
  [[nodiscard]] bool given() const;

 private:
  struct Given;
  std::shared_ptr<Given> given_;
};

// What --recipient takes: of new recipients, and of those whose key wraps are there already.
inline constexpr const char* kRecipientHelp =
    "age1..., \"ssh-ed25519 ...\", a file of them, passphrase (asked twice) or passphrase:FILE; repeatable";
inline constexpr const char* kKnownRecipientHelp =
    "age1..., \"ssh-ed25519 ...\", a file of them, or passphrase, for all passphrases; repeatable";

// RecipientOptions are --recipient and what belongs to it.
class RecipientOptions {
 public:
  // AddOption adds the option of recipients, under the verb's name for it.
  CLI::Option* AddOption(CLI::App& verb, const char* name, const char* text, const char* help = kRecipientHelp);
  // AddPassphraseFile adds --passphrase-file, for verbs where no other passphrase is asked for.
  void AddPassphraseFile(CLI::App& verb);

  [[nodiscard]] bool given() const { return !texts_.empty(); }
  // Read reads them, and asks for a passphrase, twice, when one is a recipient. kKey, kUsage, kIo.
  [[nodiscard]] Result<std::vector<Recipient>> Read() const;
  // ReadKnown reads them where they only name key wraps: `passphrase` is any, and nobody is asked.
  [[nodiscard]] Result<std::vector<Recipient>> ReadKnown() const;

 private:
  std::vector<std::string> texts_;
  std::string passphrase_file_;
};

// AddBucketOption adds --bucket.
CLI::Option* AddBucketOption(CLI::App& verb, std::uint32_t& bucket_bytes);

}  // namespace safemodel::cli
