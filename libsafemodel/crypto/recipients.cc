// SPDX-License-Identifier: Apache-2.0
#include "crypto/recipients.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <mutex>
#include <optional>
#include <utility>

#include "base/cursor.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/key_files.h"
#include "crypto/openssh.h"
#include "crypto/secret_input.h"

namespace safemodel {

namespace age = crypto::age;

struct Recipient::Impl {
  age::Recipient key;
};

Recipient::Recipient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recipient::Recipient(Recipient&&) noexcept = default;
Recipient& Recipient::operator=(Recipient&&) noexcept = default;
Recipient::~Recipient() = default;

// An identity may have several holders: see IdentitiesFrom.
struct Identity::Impl {
  std::shared_ptr<const age::Identity> key;
};

Identity::Identity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

const age::Recipient& RecipientAccess::Of(const Recipient& recipient) { return recipient.impl_->key; }

Recipient RecipientAccess::Make(age::Recipient recipient) {
  return Recipient(std::make_unique<Recipient::Impl>(Recipient::Impl{std::move(recipient)}));
}

const age::Identity& IdentityAccess::Of(const Identity& identity) { return *identity.impl_->key; }

Identity IdentityAccess::Make(age::Identity identity) {
  auto key = std::make_shared<const age::Identity>(std::move(identity));
  return Identity(std::make_unique<Identity::Impl>(Identity::Impl{std::move(key)}));
}

Identity IdentityAccess::Share(const Identity& identity) {
  return Identity(std::make_unique<Identity::Impl>(*identity.impl_));
}

namespace {

Error SecretAsArgument() {
  return {Stage::kUsage, "secret_as_argument",
          "this is an identity itself, which every process can see in the list of processes: use a file, env:VAR or -, "
          "and make a new one"};
}

Error About(Error error, const std::string& subject) {
  error.subject = subject;
  return error;
}

// MeansToBeRecipient tells a text with a mistake in it from a path.
bool MeansToBeRecipient(std::string_view text) {
  return text.starts_with("age1") || text.starts_with("AGE1") || crypto::IsOpenSshLine(text);
}

Result<std::vector<Recipient>> MakeAll(Result<std::vector<age::Recipient>> keys) {
  if (!keys.ok()) return keys.error();
  std::vector<Recipient> recipients;
  for (age::Recipient& key : keys.value()) recipients.push_back(RecipientAccess::Make(std::move(key)));
  return recipients;
}

Result<std::vector<Identity>> MakeAll(Result<std::vector<age::Identity>> keys) {
  if (!keys.ok()) return keys.error();
  std::vector<Identity> identities;
  for (age::Identity& key : keys.value()) identities.push_back(IdentityAccess::Make(std::move(key)));
  return identities;
}

// OnceAsked keeps the first answer, or the first refusal.
class OnceAsked {
 public:
  explicit OnceAsked(PassphraseSource ask) : ask_(std::move(ask)) {}

  Result<Passphrase> Answer() {
    const std::lock_guard lock(mutex_);
    if (!answer_.has_value()) answer_.emplace(ask_());
    if (!answer_->ok()) return answer_->error();
    return Passphrase::FromBytes(answer_->value().bytes());
  }

 private:
  PassphraseSource ask_;
  std::mutex mutex_;
  std::optional<Result<Passphrase>> answer_;
};

// OnceRead keeps the identities of its sources.
class OnceRead {
 public:
  OnceRead(std::vector<std::string> sources, PassphraseSource passphrase)
      : sources_(std::move(sources)), passphrase_(std::move(passphrase)) {}

  Result<std::vector<Identity>> Give() {
    const std::lock_guard lock(mutex_);
    if (!identities_.has_value()) identities_.emplace(Read());
    if (!identities_->ok()) return identities_->error();
    std::vector<Identity> shared;
    for (const Identity& identity : identities_->value()) shared.push_back(IdentityAccess::Share(identity));
    return shared;
  }

 private:
  [[nodiscard]] Result<std::vector<Identity>> Read() const {
    std::vector<Identity> all;
    for (const std::string& source : sources_) {
      SAFEMODEL_ASSIGN(std::vector<Identity> some, Identity::Read(source));
      std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    if (passphrase_) all.push_back(Identity::FromPassphrase(passphrase_));
    return all;
  }

  std::vector<std::string> sources_;
  PassphraseSource passphrase_;
  std::mutex mutex_;
  std::optional<Result<std::vector<Identity>>> identities_;
};

std::string NowInUtc() {
  const std::time_t now = std::time(nullptr);
  std::tm fields{};
  std::array<char, 40> text{};
  if (gmtime_r(&now, &fields) == nullptr) return {};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text.data();
}

// IdentityFile returns the text that `age-keygen` writes.
crypto::SecretBytes IdentityFile(const age::X25519Identity& identity, const std::string& recipient) {
  const std::string head = "# created: " + NowInUtc() + "\n# public key: " + recipient + "\n";
  const crypto::SecretBytes secret = age::SerializeIdentity(identity);
  crypto::SecretBytes text(head.size() + secret.size() + 1);
  auto at = std::copy(head.begin(), head.end(), text.bytes().begin());
  at = std::copy(secret.bytes().begin(), secret.bytes().end(), at);
  *at = '\n';
  return text;
}

}  // namespace

Result<Recipient> Recipient::FromText(std::string_view text) {
  SAFEMODEL_ASSIGN(age::Recipient key, age::ParseRecipient(text));
  return RecipientAccess::Make(std::move(key));
}

Result<std::vector<Recipient>> Recipient::FromFile(const std::string& path) {
  return MakeAll(age::ReadRecipients(path));
}

Result<std::vector<Recipient>> Recipient::Read(const std::string& text_or_path) {
  if (crypto::HoldsSecret(text_or_path)) return SecretAsArgument();
  auto recipient = FromText(text_or_path);
  if (recipient.ok()) {
    std::vector<Recipient> one;
    one.push_back(std::move(recipient).value());
    return one;
  }
  if (MeansToBeRecipient(text_or_path)) return About(recipient.error(), text_or_path);
  auto recipients = FromFile(text_or_path);
  if (recipients.ok() || std::string_view(recipients.error().code) != "not_found") return recipients;
  return Error{Stage::kKey, "bad_recipient",
               "this is neither a recipient (age1…, ssh-ed25519 …) nor the path of a file of them", kNoOffset,
               text_or_path};
}

Result<Recipient> Recipient::FromPassphrase(Passphrase passphrase) {
  if (passphrase.empty()) {
    return Error{Stage::kUsage, "empty_passphrase", "an empty passphrase protects nothing"};
  }
  return RecipientAccess::Make(age::PassphraseRecipient{std::move(passphrase)});
}

std::string Recipient::ToText() const {
  if (const auto* x25519 = std::get_if<age::X25519Recipient>(&impl_->key)) return age::SerializeRecipient(*x25519);
  if (const auto* ssh = std::get_if<age::SshRecipient>(&impl_->key)) return age::SerializeRecipient(*ssh);
  if (const auto* program = std::get_if<age::ProgramRecipient>(&impl_->key)) return program->text;
  return kPassphraseText;
}

bool Recipient::is_passphrase() const { return std::holds_alternative<age::PassphraseRecipient>(impl_->key); }

Identity Identity::Generate() { return IdentityAccess::Make(age::GenerateIdentity()); }

Result<std::vector<Identity>> Identity::FromText(std::string_view text) { return MakeAll(age::ParseIdentities(text)); }

Result<std::vector<Identity>> Identity::Read(const std::string& source) {
  if (crypto::HoldsSecret(source)) return SecretAsArgument();
  if (source != "-" && !source.starts_with("env:") && !source.starts_with("fd:")) {
    return MakeAll(age::ReadIdentities(source));
  }
  SAFEMODEL_ASSIGN(const crypto::SecretText text, crypto::ReadSecret(source, age::kKeysFileBytes));
  auto identities = FromText(AsText(text.bytes()));
  if (!identities.ok()) return About(identities.error(), source);
  return identities;
}

Identity Identity::FromPassphrase(PassphraseSource ask) {
  if (!ask) return IdentityAccess::Make(age::PassphraseIdentity{});
  auto once = std::make_shared<OnceAsked>(std::move(ask));
  return IdentityAccess::Make(age::PassphraseIdentity{[once] { return once->Answer(); }});
}

Result<Recipient> Identity::ToRecipient() const {
  if (const auto* x25519 = std::get_if<age::X25519Identity>(impl_->key.get())) {
    return RecipientAccess::Make(age::X25519Recipient{x25519->public_key});
  }
  if (const auto* ssh = std::get_if<age::SshIdentity>(impl_->key.get())) {
    return RecipientAccess::Make(age::SshRecipient{ssh->public_key});
  }
  return Error{Stage::kUsage, "no_recipient", "only age and OpenSSH identities say themselves who their recipient is"};
}

Status Identity::WriteFiles(const std::string& stem, Overwrite overwrite) const {
  const auto* x25519 = std::get_if<age::X25519Identity>(impl_->key.get());
  if (x25519 == nullptr) return Error{Stage::kUsage, "not_x25519", "only age's own identities are written to files"};
  const std::string recipient = age::SerializeRecipient(age::X25519Recipient{x25519->public_key});
  const auto mode = overwrite == Overwrite::kReplace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse;
  return crypto::WriteKeyFiles(stem, IdentityFile(*x25519, recipient).bytes(), recipient + "\n", mode);
}

IdentitySource IdentitiesFrom(std::vector<std::string> sources, PassphraseSource passphrase) {
  auto once = std::make_shared<OnceRead>(std::move(sources), std::move(passphrase));
  return [once] { return once->Give(); };
}

}  // namespace safemodel
