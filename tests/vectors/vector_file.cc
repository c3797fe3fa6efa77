// SPDX-License-Identifier: Apache-2.0
#include "vectors/vector_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/cursor.h"

namespace safemodel::testing {
namespace {

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// Assignment is a word of the form NAME=VALUE.
struct Assignment {
  explicit Assignment(const std::string& word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) throw std::runtime_error("no assignment: " + word);
    name = word.substr(0, equals);
    value = std::stoull(word.substr(equals + 1));
  }
  std::string name;
  std::uint64_t value = 0;
};

ByteBuffer BytesOf(const std::string& hex) {
  ByteBuffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Digest DigestOf(const std::string& hex) {
  const ByteBuffer bytes = BytesOf(hex);
  Digest digest{};
  if (bytes.size() != digest.size()) throw std::runtime_error("no digest: " + hex);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

// KeyOf reads 32 bytes in hex, or TYPE:BASE64 of an OpenSSH key.
PublicKey KeyOf(const std::string& hex) {
  if (const std::size_t colon = hex.find(':'); colon != std::string::npos) {
    auto key = PublicKey::FromText(hex.substr(0, colon) + " " + hex.substr(colon + 1));
    if (!key.ok()) throw std::runtime_error("no public key: " + hex);
    return key.value();
  }
  const ByteBuffer bytes = BytesOf(hex);
  auto key = PublicKey::FromBytes(bytes);
  if (!key.ok()) throw std::runtime_error("no public key: " + hex);
  return key.value();
}

// key: HEX ROLE,ROLE [not_before=SECONDS] [not_after=SECONDS]
TrustedKey ParseKey(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  TrustedKey key{KeyOf(words.at(0)), Split(words.at(1), ',')};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const Assignment bound(words[i]);
    if (bound.name != "not_before" && bound.name != "not_after") throw std::runtime_error("unknown bound: " + words[i]);
    (bound.name == "not_before" ? key.not_before : key.not_after) = static_cast<std::int64_t>(bound.value);
  }
  return key;
}

// rule: GLOB ROLE=COUNT ... [overlap] [minimum_sequence=NUMBER]
Rule ParseRule(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  Rule rule{words.at(0), {}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "overlap") {
      rule.roles_may_overlap = Rule::Overlap::kAllowed;
      continue;
    }
    const Assignment part(words[i]);
    if (part.name == "minimum_sequence") {
      rule.minimum_sequence = part.value;
    } else {
      rule.required.push_back({part.name, static_cast<std::uint32_t>(part.value)});
    }
  }
  return rule;
}

// limit: NAME=VALUE, a limit of the reader other than the default.
void SetLimit(Limits& limits, const std::string& text) {
  const std::map<std::string, std::function<void(std::uint64_t)>> setters = {
      {"bucket_bytes_max", [&](std::uint64_t v) { limits.bucket_bytes_max = static_cast<std::uint32_t>(v); }},
      {"key_wraps", [&](std::uint64_t v) { limits.key_wraps = static_cast<std::uint32_t>(v); }},
      {"total_plain_bytes", [&](std::uint64_t v) { limits.total_plain_bytes = v; }},
      {"directory_bytes", [&](std::uint64_t v) { limits.directory_bytes = v; }},
      {"envelope_bytes", [&](std::uint64_t v) { limits.envelope_bytes = v; }},
      {"envelope_items", [&](std::uint64_t v) { limits.envelope_items = static_cast<std::uint32_t>(v); }},
      {"extensions", [&](std::uint64_t v) { limits.extensions = static_cast<std::uint32_t>(v); }},
      {"files", [&](std::uint64_t v) { limits.files = static_cast<std::uint32_t>(v); }},
      {"int_bytes", [&](std::uint64_t v) { limits.int_bytes = static_cast<std::uint32_t>(v); }},
      {"listing_bytes", [&](std::uint64_t v) { limits.listing_bytes = v; }},
      {"listing_patterns", [&](std::uint64_t v) { limits.listing_patterns = static_cast<std::uint32_t>(v); }},
      {"metadata_bytes", [&](std::uint64_t v) { limits.metadata_bytes = static_cast<std::uint32_t>(v); }},
      {"metadata_entries", [&](std::uint64_t v) { limits.metadata_entries = static_cast<std::uint32_t>(v); }},
      {"note_signatures", [&](std::uint64_t v) { limits.note_signatures = static_cast<std::uint32_t>(v); }},
      {"name_bytes", [&](std::uint64_t v) { limits.name_bytes = static_cast<std::uint32_t>(v); }},
      {"record_fields", [&](std::uint64_t v) { limits.record_fields = static_cast<std::uint32_t>(v); }},
      {"set_members", [&](std::uint64_t v) { limits.set_members = static_cast<std::uint32_t>(v); }},
      {"statement_bytes", [&](std::uint64_t v) { limits.statement_bytes = static_cast<std::uint32_t>(v); }},
      {"statements", [&](std::uint64_t v) { limits.statements = static_cast<std::uint32_t>(v); }},
      {"tensors", [&](std::uint64_t v) { limits.tensors = static_cast<std::uint32_t>(v); }},
      {"tree_depth", [&](std::uint64_t v) { limits.tree_depth = static_cast<std::uint32_t>(v); }},
      {"tree_nodes", [&](std::uint64_t v) { limits.tree_nodes = static_cast<std::uint32_t>(v); }},
  };
  const Assignment limit(text);
  const auto setter = setters.find(limit.name);
  if (setter == setters.end()) throw std::runtime_error("unknown limit: " + text);
  setter->second(limit.value);
}

// expect-name: NAME[@VERSION], or * for any.
void SetExpectation(VectorFile& vector, const std::string& text) {
  const std::size_t at = text.find('@');
  vector.expected_name = text.substr(0, at);
  if (at != std::string::npos) vector.expected_version = text.substr(at + 1);
}

// log: ORIGIN HEX
TrustedLog ParseLog(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  return {words.at(0), KeyOf(words.at(1))};
}

// witness: NAME HEX
TrustedWitness ParseWitness(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  return {words.at(0), KeyOf(words.at(1))};
}

// before: ORIGIN SIZE ROOT
LogCheckpoint ParseState(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  return {words.at(0), std::stoull(words.at(1)), DigestOf(words.at(2))};
}

// earlier: SIZE ROOT HASH ...
ConsistencyProof ParseEarlier(const std::string& text) {
  const std::vector<std::string> words = Words(text);
  ConsistencyProof proof;
  proof.before = {{}, std::stoull(words.at(0)), DigestOf(words.at(1))};
  for (std::size_t i = 2; i < words.size(); ++i) proof.hashes.push_back(DigestOf(words[i]));
  return proof;
}

// Sizes of the parts behind the header.
struct Sizes {
  std::size_t container = 0;
  std::optional<std::size_t> sidecar;
  std::optional<std::size_t> policy;
};

void ReadLine(const std::string& line, VectorFile& vector, Sizes& sizes) {
  using Reader = std::function<void(const std::string&)>;
  const std::map<std::string, Reader> readers = {
      {"name", [&](const std::string& v) { vector.name = v; }},
      {"reason", [&](const std::string& v) { vector.reason = v; }},
      {"spec", [](const std::string&) {}},
      {"twin", [](const std::string&) {}},
      {"at", [&](const std::string& v) { vector.at = Words(v); }},
      {"expect", [&](const std::string& v) { vector.expect = v; }},
      {"code", [&](const std::string& v) { vector.code = v; }},
      {"now", [&](const std::string& v) { vector.now = std::stoll(v); }},
      {"key", [&](const std::string& v) { vector.keys.push_back(ParseKey(v)); }},
      {"rule", [&](const std::string& v) { vector.rules.push_back(ParseRule(v)); }},
      {"limit", [&](const std::string& v) { SetLimit(vector.limits, v); }},
      {"identity", [&](const std::string& v) { vector.identities.push_back(v); }},
      {"log", [&](const std::string& v) { vector.log.logs.push_back(ParseLog(v)); }},
      {"witness", [&](const std::string& v) { vector.log.witnesses.push_back(ParseWitness(v)); }},
      {"witnesses",
       [&](const std::string& v) { vector.log.witness_threshold = static_cast<std::uint32_t>(std::stoul(v)); }},
      {"before", [&](const std::string& v) { vector.before = ParseState(v); }},
      {"earlier", [&](const std::string& v) { vector.earlier = ParseEarlier(v); }},
      {"expect-name", [&](const std::string& v) { SetExpectation(vector, v); }},
      {"kind", [&](const std::string& v) { vector.kind = v; }},
      {"path", [&](const std::string& v) { vector.path = v; }},
      {"container", [&](const std::string& v) { sizes.container = std::stoull(v); }},
      {"sidecar", [&](const std::string& v) { sizes.sidecar = std::stoull(v); }},
      {"policy", [&](const std::string& v) { sizes.policy = std::stoull(v); }},
  };
  const std::size_t colon = line.find(": ");
  const auto reader = readers.find(line.substr(0, colon));
  if (colon == std::string::npos || reader == readers.end()) throw std::runtime_error("unknown line: " + line);
  reader->second(line.substr(colon + 2));
}

// PassphraseOf answers whoever asks for a passphrase.
PassphraseSource PassphraseOf(const std::string& text) {
  return [text] { return Passphrase::FromBytes(AsBytes(text)); };
}

}  // namespace

std::vector<Identity> VectorFile::MakeIdentities() const {
  const std::string passphrase = "passphrase:";
  std::vector<Identity> made;
  for (const std::string& text : identities) {
    if (text.starts_with(passphrase)) {
      made.push_back(Identity::FromPassphrase(PassphraseOf(text.substr(passphrase.size()))));
      continue;
    }
    auto parsed = Identity::FromText(text);
    if (!parsed.ok() || parsed.value().size() != 1) throw std::runtime_error("no identity: " + text);
    made.push_back(std::move(parsed.value().front()));
  }
  return made;
}

std::vector<std::string> VectorNames(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().extension() == ".smv") names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

VectorFile ReadVector(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::size_t blank = bytes.find("\n\n");
  if (blank == std::string::npos) throw std::runtime_error("no header: " + path);
  std::istringstream header(bytes.substr(0, blank));
  std::string line;
  std::getline(header, line);
  if (line != "safemodel vector 1") throw std::runtime_error("another format of vectors: " + line);
  VectorFile vector;
  Sizes sizes;
  while (std::getline(header, line)) ReadLine(line, vector, sizes);
  const std::string body = bytes.substr(blank + 2);
  const std::size_t behind = sizes.container + sizes.sidecar.value_or(0);
  if (body.size() != behind + sizes.policy.value_or(0)) throw std::runtime_error("sizes do not add up: " + path);
  vector.container = body.substr(0, sizes.container);
  if (sizes.sidecar.has_value()) vector.sidecar = body.substr(sizes.container, *sizes.sidecar);
  if (sizes.policy.has_value()) vector.policy = body.substr(behind);
  return vector;
}

}  // namespace safemodel::testing
