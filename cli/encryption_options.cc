// SPDX-License-Identifier: Apache-2.0
#include "encryption_options.h"

#include <safemodel/limits.h>
#include <safemodel/open_signer.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "passphrase.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

constexpr std::string_view kPassphrase = "passphrase";
constexpr std::string_view kPassphraseIn = "passphrase:";

bool IsPassphrase(const std::string& text) { return text == kPassphrase || text.starts_with(kPassphraseIn); }

// FileOf returns what stands behind "passphrase:", or nothing: ask on the terminal.
std::string FileOf(const std::string& text) {
  return text == kPassphrase ? std::string() : text.substr(kPassphraseIn.size());
}

bool IsFile(const std::string& source) {
  return source != "-" && !source.starts_with("env:") && !source.starts_with("fd:");
}

}  // namespace

struct IdentityOptions::Given {
  const Console& console;
  std::vector<std::string> sources = {};
  std::string passphrase_file = {};
  IdentitySource opened = {};
  bool warned = false;

  // Open reads nothing yet.
  void Open() {
    std::vector<std::string> keys;
    std::optional<std::string> passphrase;
    for (const std::string& source : sources) {
      if (IsPassphrase(source)) {
        passphrase = FileOf(source);
      } else {
        keys.push_back(source);
      }
    }
    if (!passphrase_file.empty()) passphrase = passphrase_file;
    PassphraseSource ask;
    if (passphrase) ask = AskPassphrase(*passphrase, Confirm::kNo, "Passphrase that opens the container");
    opened = IdentitiesFrom(std::move(keys), std::move(ask));
  }

  // Warn is for what has turned out to be identities.
  void Warn() {
    if (std::exchange(warned, true)) return;
    for (const std::string& source : sources) {
      if (!IsPassphrase(source) && IsFile(source)) WarnIfReadable(console, source);
    }
  }
};

IdentityOptions::IdentityOptions(const Console& console) : given_(std::make_shared<Given>(Given{console})) {}

void IdentityOptions::AddOptions(CLI::App& verb) {
  verb.add_option("--identity", given_->sources,
                  "Open an encrypted container with this age identity or OpenSSH key: a file, env:VAR, fd:N or -; or "
                  "passphrase, which is asked for, or passphrase:FILE; repeatable")
      ->type_name("I")
      ->allow_extra_args(false);
  verb.add_option("--passphrase-file", given_->passphrase_file,
                  "Open an encrypted container with the passphrase in the first line of this file")
      ->type_name("FILE");
}

Status IdentityOptions::Check() const {
  std::size_t passphrases = given_->passphrase_file.empty() ? 0 : 1;
  for (const std::string& source : given_->sources) {
    if (IsSecretKeyText(source)) return Identity::Read(source).error();
    if (IsPassphrase(source)) ++passphrases;
  }
  if (passphrases > 1)
    return BadArguments("one passphrase opens a container: --identity passphrase or --passphrase-file");
  return {};
}

IdentitySource IdentityOptions::source() const {
  if (!given()) return {};
  return [given = given_] {
    if (!given->opened) given->Open();
    auto identities = given->opened();
    if (identities.ok()) given->Warn();
    return identities;
  };
}

bool IdentityOptions::given() const { return !given_->sources.empty() || !given_->passphrase_file.empty(); }

CLI::Option* RecipientOptions::AddOption(CLI::App& verb, const char* name, const char* text, const char* help) {
  return verb.add_option(name, texts_, std::string(text) + ": " + help)->type_name("R")->allow_extra_args(false);
}

void RecipientOptions::AddPassphraseFile(CLI::App& verb) {
  verb.add_option("--passphrase-file", passphrase_file_, "Read the passphrase of -r passphrase from this file")
      ->type_name("FILE");
}

namespace {

// ReadAll reads recipients, and has `passphrase` make one of each that is a passphrase.
template <typename MakeRecipient>
Result<std::vector<Recipient>> ReadAll(const std::vector<std::string>& texts, MakeRecipient passphrase) {
  std::vector<Recipient> recipients;
  for (const std::string& text : texts) {
    if (IsPassphrase(text)) {
      Result<Recipient> one = passphrase(text);
      if (!one.ok()) return one.error();
      recipients.push_back(std::move(one).value());
      continue;
    }
    auto some = Recipient::Read(text);
    if (!some.ok()) return some.error();
    for (Recipient& one : some.value()) recipients.push_back(std::move(one));
  }
  return recipients;
}

}  // namespace

Result<std::vector<Recipient>> RecipientOptions::Read() const {
  const bool unused = std::find(texts_.begin(), texts_.end(), kPassphrase) == texts_.end();
  if (unused && !passphrase_file_.empty())
    return BadArguments("--passphrase-file is for the recipient passphrase: say -r passphrase");
  return ReadAll(texts_, [this](const std::string& text) -> Result<Recipient> {
    const std::string file = text == kPassphrase ? passphrase_file_ : FileOf(text);
    auto phrase = AskPassphrase(file, Confirm::kYes, "New passphrase of the container")();
    if (!phrase.ok()) return phrase.error();
    return Recipient::FromPassphrase(std::move(phrase).value());
  });
}

Result<std::vector<Recipient>> RecipientOptions::ReadKnown() const {
  return ReadAll(texts_, [](const std::string& text) -> Result<Recipient> {
    if (text != kPassphrase) return BadArguments("-r passphrase removes every passphrase; --number removes one");
    constexpr std::uint8_t kAny = '*';  // only that it is one is looked at
    auto phrase = Passphrase::FromBytes({&kAny, 1});
    if (!phrase.ok()) return phrase.error();
    return Recipient::FromPassphrase(std::move(phrase).value());
  });
}

CLI::Option* AddBucketOption(CLI::App& verb, std::uint32_t& bucket_bytes) {
  const auto is_bucket = [](const std::string& text) {
    std::uint32_t bytes = 0;
    const bool number = CLI::detail::lexical_cast(text, bytes);
    const bool fits = number && std::has_single_bit(bytes) && bytes <= Limits().bucket_bytes_max;
    return std::string(fits ? "" : "a bucket is a power of two, from 1 byte to 1MiB");
  };
  return verb
      .add_option("--bucket", bucket_bytes,
                  "Stored lengths of encrypted chunks are multiples of this: 16KiB; 1 shows them as they are")
      ->transform(CLI::AsSizeValue(false))
      ->check(is_bucket)
      ->type_name("BYTES")
      ->capture_default_str();
}

}  // namespace safemodel::cli
