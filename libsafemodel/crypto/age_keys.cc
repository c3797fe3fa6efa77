// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_keys.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/armor.h"
#include "crypto/bech32.h"
#include "crypto/openssh.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kPluginRecipientPrefix = "age1";  // then the name
constexpr std::string_view kSecretPrefix = "AGE-SECRET-KEY-";
constexpr std::string_view kHybridSecretPrefix = "AGE-SECRET-KEY-PQ-";
constexpr std::string_view kPluginPrefix = "AGE-PLUGIN-";
constexpr std::size_t kProgramKeyBytes = 4096;  // a hybrid recipient has 1 216

Error BadRecipient(const char* text) { return {Stage::kKey, "bad_recipient", text}; }
Error BadIdentity(const char* text) { return {Stage::kKey, "bad_identity", text}; }

// CheckPluginName: age runs the program named "age-plugin-" and the name, and one with a slash could be any program of
// the machine (GHSA-32gq-x56h-299c).
Status CheckPluginName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+-._").find(c) != std::string_view::npos;
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), allowed) && name.find("..") == std::string_view::npos) {
    return {};
  }
  return Error{Stage::kKey, "bad_plugin_name", "a plugin of age is named in letters, digits and +-._"};
}

// IsLowOrder multiplies by any number at all: with a point of low order each gives zero.
bool IsLowOrder(const X25519Public& key) {
  return !X25519Shared(X25519Scalar(GenerateIdentity().secret.bytes()), key).has_value();
}

Result<Recipient> ParseX25519(ByteView data) {
  X25519Recipient recipient;
  if (data.size() != recipient.key.size()) return BadRecipient("a recipient age1… holds 32 bytes");
  std::copy(data.begin(), data.end(), recipient.key.begin());
  if (IsLowOrder(recipient.key)) return Error{Stage::kKey, "unusable_key", "this recipient's key is of low order"};
  return Recipient(recipient);
}

Result<Recipient> ParseSsh(std::string_view line) {
  SAFEMODEL_ASSIGN(const OpenSshPublicKey parsed, ParseOpenSshPublic(line));
  if (!parsed.application.empty())
    return BadRecipient("a hardware key of OpenSSH signs only; it cannot be a recipient");
  if (!X25519OfEd25519(parsed.key).has_value()) {
    return Error{Stage::kKey, "unusable_key", "this ssh-ed25519 key is of low order or not canonical"};
  }
  return Recipient(SshRecipient{parsed.key});
}

Result<Identity> ParseX25519Secret(ByteView data) {
  if (data.size() != kX25519Bytes) return BadIdentity("an identity AGE-SECRET-KEY-1… holds 32 bytes");
  X25519Identity identity{SecretBytes(kX25519Bytes), {}};
  std::copy(data.begin(), data.end(), identity.secret.bytes().begin());
  identity.public_key = X25519PublicOf(X25519Scalar(identity.secret.bytes()));
  return Identity(std::move(identity));
}

Result<Identity> ForProgram(std::string_view text) {
  ProgramIdentity identity{SecretBytes(text.size())};
  std::copy(text.begin(), text.end(), identity.text.bytes().begin());
  return Identity(std::move(identity));
}

// ForOpening says what a refusal of an OpenSSH key means to somebody who wants to open something: an agent only signs.
Error ForOpening(Error error) {
  const std::string_view code = error.code;
  if (code == "encrypted_key") {
    error.text =
        "this OpenSSH key has a passphrase, and no agent can open a container; make a copy of the key without "
        "one (ssh-keygen -p -f COPY) and delete it afterwards";
  }
  if (code == "hardware_key") error.text = "this key lives in a hardware token, which signs only; it opens nothing";
  return error;
}

Result<Identity> ParseOpenSshIdentity(std::string_view text) {
  SAFEMODEL_ASSIGN(const Armored armored, ParseArmor(text));
  if (armored.label != kOpenSshLabel)
    return BadIdentity("only OpenSSH's private keys and age's identities can open this");
  SAFEMODEL_ASSIGN(const SecretBytes bytes, DecodeArmor(armored));
  const auto pair = ParseOpenSshSecret(bytes.bytes());
  if (!pair.ok()) return ForOpening(pair.error());
  return Identity(SshIdentity{X25519OfEd25519(pair.value()), pair.value().public_key()});
}

// ParseLines parses each line that is not empty and no comment. Errors name the offset of their line.
template <typename Key>
Result<std::vector<Key>> ParseLines(std::string_view text, Result<Key> (*parse)(std::string_view)) {
  std::vector<Key> keys;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with('#')) {
      if (keys.size() == kMostKeys) return Error{Stage::kLimit, "too_many_keys", "a file of keys has at most 64", at};
      auto key = parse(line);
      if (!key.ok()) {
        Error error = key.error();
        error.offset = at;
        return error;
      }
      keys.push_back(std::move(key).value());
    }
    at = end + 1;
  }
  if (keys.empty()) return Error{Stage::kKey, "no_keys", "there is no key in this file"};
  return keys;
}

// ReadKeys reads a file into guarded memory and parses it there.
template <typename Key>
Result<std::vector<Key>> ReadKeys(const std::string& path, Result<std::vector<Key>> (*parse)(std::string_view)) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path));
  if (file->size() > kKeysFileBytes) {
    return Error{Stage::kLimit, "keys_file", "this is too long for a file of keys", kNoOffset, path};
  }
  SecretBytes text(static_cast<std::size_t>(file->size()));
  SAFEMODEL_TRY(file->ReadAt(0, text.bytes()));
  auto keys = parse(AsText(text.bytes()));
  if (keys.ok()) return keys;
  Error error = keys.error();
  error.subject = path;
  return error;
}

}  // namespace

Result<Recipient> ParseRecipient(std::string_view text) {
  if (IsOpenSshLine(text)) return ParseSsh(text);
  std::array<std::uint8_t, kProgramKeyBytes> data{};
  const auto parsed = DecodeBech32(text, data);
  if (!text.starts_with(kPluginRecipientPrefix)) return BadRecipient("a recipient starts with age1 or ssh-ed25519");
  if (!parsed.ok()) return BadRecipient(parsed.error().text);
  std::string_view prefix = parsed.value().prefix;
  if (prefix == kRecipientPrefix) return ParseX25519(ByteView(data).first(parsed.value().size));
  prefix.remove_prefix(kPluginRecipientPrefix.size());
  SAFEMODEL_TRY(CheckPluginName(prefix));
  return Recipient(ProgramRecipient{std::string(text)});
}

Result<std::vector<Recipient>> ParseRecipients(std::string_view text) { return ParseLines(text, &ParseRecipient); }

Result<Identity> ParseIdentity(std::string_view text) {
  if (text.starts_with(kPluginRecipientPrefix) || IsOpenSshLine(text)) {
    return BadIdentity(
        "this is a recipient, the public half; what opens is the identity that belongs to it: a file "
        "with AGE-SECRET-KEY-1…, or the private key of OpenSSH");
  }
  if (!text.starts_with("AGE-")) return BadIdentity("an identity starts with AGE-SECRET-KEY- or AGE-PLUGIN-");
  SecretBytes data(kProgramKeyBytes);
  const auto parsed = DecodeBech32(text, data.bytes());
  if (!parsed.ok()) return BadIdentity(parsed.error().text);
  std::string_view prefix = parsed.value().prefix;
  if (prefix == kSecretPrefix) return ParseX25519Secret(ByteView(data.bytes()).first(parsed.value().size));
  if (prefix == kHybridSecretPrefix) return ForProgram(text);
  if (!prefix.starts_with(kPluginPrefix) || !prefix.ends_with('-') || prefix.size() == kPluginPrefix.size()) {
    return BadIdentity("an identity starts with AGE-SECRET-KEY- or AGE-PLUGIN-");
  }
  prefix.remove_prefix(kPluginPrefix.size());
  prefix.remove_suffix(1);
  SAFEMODEL_TRY(CheckPluginName(prefix));
  return ForProgram(text);
}

Result<std::vector<Identity>> ParseIdentities(std::string_view text) {
  if (text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE ")) {
    return Error{Stage::kKey, "encrypted_identities", "these identities are encrypted; decrypt them with age -d first"};
  }
  if (text.starts_with("untrusted comment: ")) {
    return BadIdentity(
        "this is a key of minisign, which signs only; what opens is an identity of age (keygen --format "
        "age) or an ssh-ed25519 key");
  }
  if (!IsArmored(text)) return ParseLines(text, &ParseIdentity);
  SAFEMODEL_ASSIGN(Identity identity, ParseOpenSshIdentity(text));
  std::vector<Identity> identities;
  identities.push_back(std::move(identity));
  return identities;
}

Result<std::vector<Recipient>> ReadRecipients(const std::string& path) { return ReadKeys(path, &ParseRecipients); }
Result<std::vector<Identity>> ReadIdentities(const std::string& path) { return ReadKeys(path, &ParseIdentities); }

SecretBytes SerializeIdentity(const X25519Identity& identity) {
  return EncodeBech32(kSecretPrefix, identity.secret.bytes());
}

std::string SerializeRecipient(const X25519Recipient& recipient) {
  return std::string(AsText(EncodeBech32(kRecipientPrefix, recipient.key).bytes()));
}

std::string SerializeRecipient(const SshRecipient& recipient) {
  std::string line = SerializeOpenSshPublic({recipient.key, {}}, {});
  line.pop_back();  // the line end
  return line;
}

}  // namespace safemodel::crypto::age
