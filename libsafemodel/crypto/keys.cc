// SPDX-License-Identifier: Apache-2.0
#include <safemodel/keys.h>

#include <algorithm>

#include "base/cursor.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/armor.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "crypto/minisign.h"
#include "crypto/openssh.h"
#include "crypto/pem.h"
#include "crypto/secret_input.h"

namespace safemodel {
namespace {

constexpr std::string_view kMinisignComment = "untrusted comment: ";
constexpr std::size_t kPemWidth = 64;      // letters in a line, as OpenSSL writes them
constexpr std::size_t kOpenSshWidth = 70;  // and OpenSSH
constexpr std::string_view kPublicIntro = "safemodel key ed25519\n";
constexpr std::string_view kHardwareIntro = "safemodel key sk-ed25519\n";

Error NotAKey(const char* text) { return {Stage::kKey, "bad_key_file", text}; }

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

// KindInstead says what a text is that is no public key, for those who give the other half or a key for something else.
const char* KindInstead(std::string_view text) {
  if (text.find("AGE-SECRET-KEY-") != std::string_view::npos || text.starts_with("age1")) {
    return "this is a key of age, which contents are encrypted for; signatures are by keys of minisign, OpenSSH or "
           "OpenSSL (PEM)";
  }
  if (crypto::HoldsSecret(text)) return "this is a secret key; give its public half, the file that ends in .pub";
  return "this is no public key of minisign, OpenSSH or OpenSSL (PEM)";
}

Error About(Error error, const std::string& path) {
  if (error.subject.empty()) error.subject = path;
  return error;
}

// BytesOfPem decodes a public block. A secret one is pasted here by mistake; its text is shown nowhere.
Result<crypto::Ed25519PublicKey> BytesOfPem(std::string_view text) {
  SAFEMODEL_ASSIGN(const crypto::Armored armored, crypto::ParseArmor(text));
  if (armored.label.ends_with(crypto::kSecretLabel)) {
    return NotAKey("this is a secret key; give its public half, as written by ssh-keygen -y or openssl pkey -pubout");
  }
  if (armored.label != crypto::kPublicLabel) return NotAKey("this text block is not a public key");
  SAFEMODEL_ASSIGN(const crypto::SecretBytes der, crypto::DecodeArmor(armored));
  return crypto::ParseSpki(der.bytes());
}

// PairOfArmor decodes a secret block of OpenSSH or OpenSSL.
Result<crypto::Ed25519KeyPair> PairOfArmor(std::string_view text) {
  SAFEMODEL_ASSIGN(const crypto::Armored armored, crypto::ParseArmor(text));
  if (armored.label == crypto::kPublicLabel) return NotAKey("this is a public key; what signs is its secret half");
  if (armored.label == "ENCRYPTED PRIVATE KEY") {
    return Error{Stage::kKey, "encrypted_key", "this PEM key is encrypted; decrypt it with openssl pkey first"};
  }
  if (armored.label != crypto::kOpenSshLabel && armored.label != crypto::kSecretLabel) {
    return NotAKey("this text block is not an Ed25519 key; other kinds do not sign releases");
  }
  SAFEMODEL_ASSIGN(const crypto::SecretBytes bytes, crypto::DecodeArmor(armored));
  return armored.label == crypto::kSecretLabel ? crypto::ParsePkcs8(bytes.bytes())
                                               : crypto::ParseOpenSshSecret(bytes.bytes());
}

// MeansToBeKey tells the text of a key, good or bad, from the path of one.
bool MeansToBeKey(std::string_view text) {
  return crypto::IsArmored(text) || crypto::IsOpenSshLine(text) || text.starts_with(kMinisignComment) ||
         text.find('\n') != std::string_view::npos || crypto::HoldsSecret(text);
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

Result<PublicKey> PublicKey::FromText(std::string_view text) {
  if (crypto::IsArmored(text)) {
    SAFEMODEL_ASSIGN(const auto bytes, BytesOfPem(text));
    return FromBytes(bytes);
  }
  if (!crypto::IsOpenSshLine(text)) {
    auto key = FromMinisign(text);
    const bool means_minisign = text.starts_with(kMinisignComment) && !crypto::HoldsSecret(text);
    if (key.ok() || std::string_view(key.error().code) == "unusable_key" || means_minisign) return key;
    return NotAKey(KindInstead(text));
  }
  SAFEMODEL_ASSIGN(crypto::OpenSshPublicKey parsed, crypto::ParseOpenSshPublic(text));
  SAFEMODEL_ASSIGN(PublicKey key, FromBytes(parsed.key));
  key.application_ = std::move(parsed.application);
  return key;
}

Result<PublicKey> PublicKey::FromFile(const std::string& path) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path));
  if (file->size() > crypto::kKeyFileBytes) return About(NotAKey("this is too long for a public key"), path);
  SAFEMODEL_ASSIGN(const ByteBuffer text, ReadRange(*file, 0, file->size(), crypto::kKeyFileBytes));
  auto key = FromText(AsText(text));
  if (!key.ok()) return About(key.error(), path);
  return key;
}

Result<PublicKey> PublicKey::Parse(const std::string& path_or_text) {
  auto key = FromText(path_or_text);
  const bool is_text = key.ok() || std::string_view(key.error().code) == "unusable_key" || MeansToBeKey(path_or_text);
  return is_text ? std::move(key) : FromFile(path_or_text);
}

std::string PublicKey::KeyId() const {
  crypto::Sha256 hash;
  hash.Update(AsBytes(is_hardware() ? kHardwareIntro : kPublicIntro));
  hash.Update(bytes_);
  hash.Update(AsBytes(application_));
  return crypto::Hex(hash.Finish());
}

std::string PublicKey::ToText(KeyFormat format) const {
  if (is_hardware() || format == KeyFormat::kOpenSsh) return crypto::SerializeOpenSshPublic({bytes_, application_}, {});
  if (format == KeyFormat::kMinisign) return ToMinisign();
  const crypto::SecretBytes text =
      crypto::SerializeArmor(crypto::kPublicLabel, crypto::SerializeSpki(bytes_), kPemWidth);
  return std::string(AsText(text.bytes()));
}

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

Result<HardwareSignature> Signer::SignOnHardware(ByteView) const {
  return Error{Stage::kKey, "not_hardware", "this key does not live in a hardware token"};
}

struct SecretKey::Guarded {
  crypto::MinisignSecretKey key;
  PublicKey public_key;

  [[nodiscard]] Result<crypto::SecretBytes> Serialize(KeyFormat format, const Passphrase* passphrase) const;
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
  SAFEMODEL_ASSIGN(const crypto::SecretText text, crypto::ReadSecretFile(path));
  auto key = FromText(text.bytes(), passphrase);
  if (!key.ok()) return About(key.error(), path);
  return key;
}

Result<SecretKey> SecretKey::FromText(ByteView text, const PassphraseSource& passphrase) {
  SecretKey key;
  if (crypto::IsArmored(AsText(text))) {
    SAFEMODEL_ASSIGN(crypto::Ed25519KeyPair pair, PairOfArmor(AsText(text)));
    SAFEMODEL_ASSIGN(PublicKey public_key, PublicKey::FromBytes(pair.public_key()));
    key.guarded_ = std::make_unique<Guarded>(Guarded{{std::move(pair), public_key.minisign_id_}, public_key});
    return key;
  }
  // What holds a secret is decoded into guarded memory only, so a public key is looked for in all else.
  if (!crypto::HoldsSecret(AsText(text)) && PublicKey::FromText(AsText(text)).ok())
    return NotAKey("this is a public key; what signs is its secret half, the file that keygen ends in .key");
  if (AsText(text).find("AGE-SECRET-KEY-") != std::string_view::npos)
    return NotAKey("this is an age identity, which opens what is encrypted; it signs nothing");
  if (!AsText(text).starts_with(kMinisignComment))
    return NotAKey("this is no secret key of minisign, OpenSSH or OpenSSL (PEM)");
  SAFEMODEL_ASSIGN(crypto::MinisignSecretKey parsed, crypto::ParseMinisignSecret(text, passphrase));
  SAFEMODEL_ASSIGN(PublicKey public_key, PublicKey::FromBytes(parsed.pair.public_key()));
  public_key.minisign_id_ = parsed.number;
  key.guarded_ = std::make_unique<Guarded>(Guarded{std::move(parsed), public_key});
  return key;
}

const PublicKey& SecretKey::public_key() const { return guarded_->public_key; }

Result<crypto::SecretBytes> SecretKey::Guarded::Serialize(KeyFormat format, const Passphrase* passphrase) const {
  if (format == KeyFormat::kMinisign) return crypto::SerializeMinisignSecret(key, passphrase, crypto::kScryptCost);
  if (passphrase != nullptr) {
    return Error{Stage::kUsage, "unprotected_format",
                 "OpenSSH and PEM keys are written without a passphrase only; ssh-keygen -p or openssl pkey add one"};
  }
  if (format == KeyFormat::kPem)
    return crypto::SerializeArmor(crypto::kSecretLabel, crypto::SerializePkcs8(key.pair).bytes(), kPemWidth);
  return crypto::SerializeArmor(crypto::kOpenSshLabel, crypto::SerializeOpenSshSecret(key.pair).bytes(), kOpenSshWidth);
}

Status SecretKey::WriteFiles(const std::string& stem, const Passphrase* passphrase, Overwrite overwrite,
                             KeyFormat format) const {
  if (passphrase != nullptr && passphrase->empty()) {
    return Error{Stage::kUsage, "empty_passphrase",
                 "an empty passphrase protects nothing; ask for no passphrase instead"};
  }
  SAFEMODEL_ASSIGN(const crypto::SecretBytes text, guarded_->Serialize(format, passphrase));
  const auto mode = overwrite == Overwrite::kReplace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse;
  return crypto::WriteKeyFiles(stem, text.bytes(), public_key().ToText(format), mode);
}

Result<std::array<std::uint8_t, 64>> SecretKey::SignBytes(ByteView message) const {
  return guarded_->key.pair.Sign(message);
}

}  // namespace safemodel
