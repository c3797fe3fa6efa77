// SPDX-License-Identifier: Apache-2.0
#include "encryption_options.h"

#include <safemodel/open_signer.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <optional>

#include "passphrase.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

constexpr std::string_view kPassphrase = "passphrase";
constexpr std::string_view kPassphraseIn = "passphrase:";
constexpr std::uint32_t kMostBucketBytes = 1u << 20;

bool IsPassphrase(const std::string& text) { return text == kPassphrase || text.starts_with(kPassphraseIn); }

// FileOf returns what stands behind "passphrase:", or nothing: ask on the terminal.
std::string FileOf(const std::string& text) {
  return text == kPassphrase ? std::string() : text.substr(kPassphraseIn.size());
}

bool IsFile(const std::string& source) {
  return source != "-" && !source.starts_with("env:") && !source.starts_with("fd:");
}

Error BadArguments(const char* text) { return {Stage::kUsage, "bad_arguments", text}; }

}  // namespace

struct IdentityOptions::Given {
  const Console& console;
  std::vector<std::string> sources = {};
  std::string passphrase_file = {};
  IdentitySource opened = {};

  // Open reads nothing yet.
  void Open() {
    std::vector<std::string> keys;
    std::optional<std::string> passphrase;
    for (const std::string& source : sources) {
      if (IsPassphrase(source)) {
        passphrase = FileOf(source);
      } else {
        keys.push_back(source);
        if (IsFile(source)) WarnIfReadable(console, source);
      }
    }
    if (!passphrase_file.empty()) passphrase = passphrase_file;
    PassphraseSource ask;
    if (passphrase) ask = AskPassphrase(*passphrase, Confirm::kNo, "Passphrase that opens the container");
    opened = IdentitiesFrom(std::move(keys), std::move(ask));
  }
};

IdentityOptions::IdentityOptions(const Console& console) : given_(std::make_shared<Given>(Given{console})) {}

void IdentityOptions::AddOptions(CLI::App& verb) {
  verb.add_option("--identity", given_->sources,
                  "Open an encrypted container with this age identity or OpenSSH key: a file, env:VAR, fd:N or -; or "
                  "passphrase, which is asked for; repeatable")
      ->type_name("I");
  verb.add_option("--passphrase-file", given_->passphrase_file,
                  "Open an encrypted container with the passphrase in the first line of this file")
      ->type_name("FILE");
}

Status IdentityOptions::Check() const {
  std::size_t passphrases = given_->passphrase_file.empty() ? 0 : 1;
  for (const std::string& source : given_->sources) {
    if (source.empty()) return BadArguments("--identity names a file, env:VAR, fd:N or -");
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
    return given->opened();
  };
}

bool IdentityOptions::given() const { return !given_->sources.empty() || !given_->passphrase_file.empty(); }

CLI::Option* RecipientOptions::AddOption(CLI::App& verb, const char* name, const char* text) {
  return verb.add_option(name, texts_, std::string(text) + ": " + kRecipientHelp)->type_name("R");
}

void RecipientOptions::AddPassphraseFile(CLI::App& verb) {
  verb.add_option("--passphrase-file", passphrase_file_, "Read the passphrase of -r passphrase from this file")
      ->type_name("FILE");
}

Result<std::vector<Recipient>> RecipientOptions::Read() const {
  std::vector<Recipient> recipients;
  bool used = passphrase_file_.empty();
  for (const std::string& text : texts_) {
    if (!IsPassphrase(text)) {
      auto some = Recipient::Read(text);
      if (!some.ok()) return some.error();
      for (Recipient& one : some.value()) recipients.push_back(std::move(one));
      continue;
    }
    const std::string file = text == kPassphrase ? passphrase_file_ : FileOf(text);
    used = used || text == kPassphrase;
    auto phrase = AskPassphrase(file, Confirm::kYes, "New passphrase of the container")();
    if (!phrase.ok()) return phrase.error();
    auto recipient = Recipient::FromPassphrase(std::move(phrase).value());
    if (!recipient.ok()) return recipient.error();
    recipients.push_back(std::move(recipient).value());
  }
  if (!used) return BadArguments("--passphrase-file is for the recipient passphrase: say -r passphrase");
  return recipients;
}

CLI::Option* AddBucketOption(CLI::App& verb, std::uint32_t& bucket_bytes) {
  const auto is_bucket = [](const std::string& text) {
    std::uint32_t bytes = 0;
    const bool number = CLI::detail::lexical_cast(text, bytes);
    const bool fits = number && std::has_single_bit(bytes) && bytes <= kMostBucketBytes;
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
