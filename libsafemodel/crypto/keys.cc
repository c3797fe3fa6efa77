// SPDX-License-Identifier: Apache-2.0
#include <safemodel/keys.h>

#include <unistd.h>

#include <algorithm>

#include "base/cursor.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "crypto/minisign.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kKeyFileBytes = 4096;  // minisign's are under 400

std::string IdOf(const crypto::Ed25519PublicKey& key) {
  crypto::Sha256 hash;
  hash.Update(AsBytes("safemodel key ed25519\n"));
  hash.Update(key);
  return crypto::Hex(hash.Finish());
}

// NumberOf derives minisign's key number, which minisign itself draws at random: a hint that both tools only compare.
crypto::MinisignKeyNumber NumberOf(const crypto::Ed25519PublicKey& key) {
  const Digest digest = crypto::Sha256Of(key);
  crypto::MinisignKeyNumber number{};
  std::copy_n(digest.begin(), number.size(), number.begin());
  return number;
}

Status CheckUsable(const crypto::Ed25519PublicKey& key) {
  if (crypto::IsUsableKey(key)) return {};
  return Error{Stage::kKey, "unusable_key", "this public key is of low order or not canonical; make a new one"};
}

Result<std::shared_ptr<const File>> OpenKeyFile(const std::string& path) {
  SAFEMODEL_ASSIGN(auto file, File::Open(path));
  if (file->size() > kKeyFileBytes) {
    return Error{Stage::kKey, "bad_key_file", "this is too long for a minisign key file", kNoOffset, path};
  }
  return file;
}

Error About(Error error, const std::string& path) {
  if (error.subject.empty()) error.subject = path;
  return error;
}

}  // namespace

Result<PublicKey> PublicKey::FromBytes(ByteView bytes) {
  PublicKey key;
  if (bytes.size() != key.bytes_.size())
    return Error{Stage::kKey, "unusable_key", "an Ed25519 public key has 32 bytes"};
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  SAFEMODEL_TRY(CheckUsable(key.bytes_));
  key.minisign_id_ = NumberOf(key.bytes_);
  return key;
}

Result<PublicKey> PublicKey::FromMinisign(std::string_view text) {
  SAFEMODEL_ASSIGN(const auto parsed, crypto::ParseMinisignPublic(text));
  SAFEMODEL_TRY(CheckUsable(parsed.key));
  PublicKey key;
  key.bytes_ = parsed.key;
  key.minisign_id_ = parsed.number;
  return key;
}

Result<PublicKey> PublicKey::FromFile(const std::string& path) {
  SAFEMODEL_ASSIGN(const auto file, OpenKeyFile(path));
  SAFEMODEL_ASSIGN(const ByteBuffer text, ReadRange(*file, 0, file->size(), kKeyFileBytes));
  auto key = FromMinisign(AsText(text));
  if (!key.ok()) return About(key.error(), path);
  return key;
}

Result<PublicKey> PublicKey::Parse(const std::string& path_or_text) {
  auto key = FromMinisign(path_or_text);
  if (key.ok() || std::string_view(key.error().code) == "unusable_key") return key;
  return FromFile(path_or_text);
}

std::string PublicKey::KeyId() const { return IdOf(bytes_); }

std::string PublicKey::ToMinisign() const { return crypto::SerializeMinisignPublic({bytes_, minisign_id_}); }

struct Passphrase::Guarded {
  crypto::SecretBytes memory{kMostBytes};
  std::size_t size = 0;
};

Passphrase::Passphrase() : guarded_(std::make_unique<Guarded>()) {}
Passphrase::Passphrase(Passphrase&&) noexcept = default;
Passphrase& Passphrase::operator=(Passphrase&&) noexcept = default;
Passphrase::~Passphrase() = default;

Result<Passphrase> Passphrase::FromBytes(ByteView text) {
  Passphrase passphrase;
  SAFEMODEL_TRY(passphrase.Append(text));
  return passphrase;
}

Status Passphrase::Append(ByteView text) {
  const std::size_t size = bytes().size();
  if (text.size() > kMostBytes - size)
    return Error{Stage::kKey, "long_passphrase", "a passphrase has at most 1024 bytes"};
  if (guarded_ == nullptr) guarded_ = std::make_unique<Guarded>();
  std::copy(text.begin(), text.end(), guarded_->memory.bytes().begin() + static_cast<std::ptrdiff_t>(size));
  guarded_->size = size + text.size();
  return {};
}

ByteView Passphrase::bytes() const {
  if (guarded_ == nullptr) return {};
  return ByteView(guarded_->memory.bytes()).first(guarded_->size);
}

bool Passphrase::Equals(const Passphrase& other) const { return crypto::EqualSecrets(bytes(), other.bytes()); }

struct SecretKey::Guarded {
  crypto::MinisignSecretKey key;
  PublicKey public_key;
};

SecretKey::SecretKey() = default;
SecretKey::SecretKey(SecretKey&&) noexcept = default;
SecretKey& SecretKey::operator=(SecretKey&&) noexcept = default;
SecretKey::~SecretKey() = default;

Result<SecretKey> SecretKey::Generate() {
  auto pair = crypto::Ed25519KeyPair::Generate();
  SAFEMODEL_ASSIGN(PublicKey public_key, PublicKey::FromBytes(pair.public_key()));
  SecretKey key;
  key.guarded_ = std::make_unique<Guarded>(Guarded{{std::move(pair), public_key.minisign_id_}, public_key});
  return key;
}

Result<SecretKey> SecretKey::FromFile(const std::string& path, const PassphraseSource& passphrase) {
  SAFEMODEL_ASSIGN(const auto file, OpenKeyFile(path));
  if (file->size() == 0) return Error{Stage::kKey, "bad_key_file", "the key file is empty", kNoOffset, path};
  crypto::SecretBytes text(static_cast<std::size_t>(file->size()));
  SAFEMODEL_TRY(file->ReadAt(0, text.bytes()));
  auto parsed = crypto::ParseMinisignSecret(text.bytes(), passphrase);
  if (!parsed.ok()) return About(parsed.error(), path);
  SAFEMODEL_ASSIGN(PublicKey public_key, PublicKey::FromBytes(parsed.value().pair.public_key()));
  public_key.minisign_id_ = parsed.value().number;
  SecretKey key;
  key.guarded_ = std::make_unique<Guarded>(Guarded{std::move(parsed).value(), public_key});
  return key;
}

const PublicKey& SecretKey::public_key() const { return guarded_->public_key; }

Status SecretKey::WriteFiles(const std::string& stem, const Passphrase* passphrase, Overwrite overwrite) const {
  if (passphrase != nullptr && passphrase->empty()) {
    return Error{Stage::kUsage, "empty_passphrase",
                 "an empty passphrase protects nothing; ask for no passphrase instead"};
  }
  const auto mode = overwrite == Overwrite::kReplace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse;
  const std::string secret_path = stem + ".key";
  // Both are opened before either gets its name, and the secret one is 0600 from its first moment.
  SAFEMODEL_ASSIGN(OutputFile secret_file, OutputFile::Create(secret_path, mode, 0600));
  SAFEMODEL_ASSIGN(OutputFile public_file, OutputFile::Create(stem + ".pub", mode));
  SAFEMODEL_ASSIGN(const auto text, crypto::SerializeMinisignSecret(guarded_->key, passphrase, crypto::kScryptCost));
  SAFEMODEL_TRY(secret_file.Append(text.bytes()));
  SAFEMODEL_TRY(public_file.Append(AsBytes(public_key().ToMinisign())));
  Status kept = secret_file.Commit();
  // A secret key that replaced another one has its name for good: the public key must follow.
  if (!kept.ok() && std::string_view(kept.error().code) != "not_durable") return kept;
  Status published = public_file.Commit();
  if (!published.ok() && overwrite == Overwrite::kRefuse) unlink(secret_path.c_str());
  return published.ok() ? kept : published;
}

Result<std::array<std::uint8_t, 64>> SecretKey::SignBytes(ByteView message) const { return guarded_->key.pair.Sign(message); }

}  // namespace safemodel
