// SPDX-License-Identifier: Apache-2.0
#include "model/identity.h"

#include <safemodel/scan.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "container/names.h"
#include "crypto/hash.h"

namespace safemodel {
namespace {

constexpr std::size_t kGlobalsBytes = 256u << 10;

Error Usage(const char* code, const char* text, std::string subject) {
  return {Stage::kUsage, code, text, kNoOffset, std::move(subject)};
}

bool IsLetterOrDigit(char letter) {
  const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  return is_letter || (letter >= '0' && letter <= '9');
}

bool IsNameLetter(char letter) { return IsLetterOrDigit(letter) || letter == '.' || letter == '_' || letter == '-'; }

Result<std::int64_t> CreatedTime(ConvertOptions::Reproducible reproducible) {
  if (reproducible == ConvertOptions::Reproducible::kNo) return NowUnless(std::nullopt);
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr) return std::int64_t{0};
  const std::string_view digits = text;
  std::int64_t seconds = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || seconds < 0 || seconds > kLastSecond) {
    return Usage("bad_source_date_epoch", "SOURCE_DATE_EPOCH is not a number of seconds since 1970", text);
  }
  return seconds;
}

// CleanGlobal makes a raw name fit one line of UTF-8.
std::string CleanGlobal(const std::string& name) {
  if (IsUtf8(name) && !HasControls(name)) return name;
  std::string clean;
  for (const char letter : name) {
    const auto byte = static_cast<std::uint8_t>(letter);
    if (byte >= 0x20 && byte < 0x7F) {
      clean += letter;
    } else {
      clean += "\\x" + crypto::Hex(ByteView(&byte, 1));
    }
  }
  return clean;
}

// DigestsOf joins the digests of the files by spaces, in ascending order.
std::string DigestsOf(const AllowedClasses& allowed) {
  std::vector<std::string> digests;
  for (const AllowedClasses::File& file : allowed.files()) digests.push_back(crypto::Hex(file.blake3));
  std::sort(digests.begin(), digests.end());
  std::string joined;
  for (const std::string& digest : digests) joined += (joined.empty() ? "" : " ") + digest;
  return joined;
}

void FrameText(ByteWriter& writer, std::string_view text) {
  writer.U64(text.size());
  writer.Text(text);
}

}  // namespace

Status CheckIdentityOptions(const ConvertOptions& options) {
  const Limits& limits = options.limits;
  if (!options.name.empty() && !container::CheckModelName(options.name, limits).ok()) {
    return Usage("bad_model_name",
                 "a model name has letters, digits, '.', '_', '-' and '/' between its parts, at most 255 bytes",
                 options.name);
  }
  if (!container::CheckModelVersion(options.version, limits).ok()) {
    return Usage("bad_model_version", "a model version has letters, digits, '.', '_' and '-', at most 255 bytes",
                 options.version);
  }
  if (options.sequence > limits.json_integer_max)
    return Usage("bad_sequence", "a release sequence is at most 2^53-1", "");
  for (const auto& [key, value] : options.metadata) {
    if (key.empty() || !IsUtf8(key) || HasControls(key) || !IsUtf8(value) || value.find('\0') != std::string::npos) {
      return Usage("bad_metadata", "metadata is UTF-8 text, with a key that is not empty", key);
    }
    if (std::string_view(key).substr(0, kSourcePrefix.size()) == kSourcePrefix) {
      return Usage("reserved_metadata", "metadata keys that start with source. are written by the converter", key);
    }
  }
  return {};
}

std::string StemOf(const std::string& path) {
  const auto slash = path.rfind('/');
  std::string stem = slash == std::string::npos ? path : path.substr(slash + 1);
  const auto dot = stem.rfind('.');
  if (dot != std::string::npos && dot > 0) stem.resize(dot);
  return stem;
}

namespace {

// PlainName makes one dash of what a model name may not have between what it may: "net (v1)" is net-v1.
std::string PlainName(const std::string& name) {
  std::string plain;
  bool replaced = false;  // the last letter stands for others
  for (const char letter : name) {
    if (!IsNameLetter(letter)) {
      if (!plain.empty() && plain.back() != '-') plain += '-';
      replaced = true;
    } else if (letter != '-' || !replaced) {
      plain += letter;
      replaced = false;
    }
  }
  if (replaced && !plain.empty() && plain.back() == '-') plain.pop_back();
  return plain;
}

}  // namespace

Result<std::string> CleanName(std::string name) {
  const std::string raw = std::exchange(name, PlainName(name));
  const bool ascii = std::all_of(raw.begin(), raw.end(), [](char letter) { return (letter & 0x80) == 0; });
  const bool says_something =
      name == raw || std::any_of(name.begin(), name.end(), [](char letter) { return IsLetterOrDigit(letter); });
  if (!ascii || !says_something) {
    return Usage(
        "name_needed",
        "no model name can be made of the file name, which would lose what tells it from others; give one with "
        "--name",
        raw);
  }
  if (name.size() > 255) name.resize(255);
  const bool only_dots = name.find_first_not_of('.') == std::string::npos;
  return only_dots ? "model" : name;
}

Result<ModelIdentity> IdentityFor(const std::string& name, const ConvertOptions& options, const ImportedModel& model,
                                  const SourceDigests& source) {
  ModelIdentity identity;
  identity.name = name;
  identity.version = options.version;
  identity.sequence = options.sequence;
  SAFEMODEL_ASSIGN(identity.created, CreatedTime(options.reproducible));
  identity.metadata = options.metadata;
  identity.metadata.emplace_back("source.blake3", crypto::Hex(source.blake3));
  identity.metadata.emplace_back("source.layout", model.layout);
  identity.metadata.emplace_back("source.verdict", model.verdict);
  if (!options.allowed.files().empty()) {
    identity.metadata.emplace_back("source.allow_blake3", DigestsOf(options.allowed));
    identity.metadata.emplace_back("source.rule_set", ScanRuleSetVersion());
  }
  if (source.sha256) identity.metadata.emplace_back("source.sha256", crypto::Hex(*source.sha256));
  std::sort(identity.metadata.begin(), identity.metadata.end());
  const auto twice = std::adjacent_find(identity.metadata.begin(), identity.metadata.end(),
                                        [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != identity.metadata.end()) return Usage("metadata_twice", "a metadata key is given twice", twice->first);
  return identity;
}

FileId FileIdFor(const ConvertOptions& options, const ModelIdentity& identity, const Digest& content_digest) {
  FileId id{};
  if (options.reproducible == ConvertOptions::Reproducible::kNo) {
    crypto::RandomBytes(id);
    return id;
  }
  ByteWriter writer;
  writer.Bytes(content_digest);
  FrameText(writer, identity.name);
  FrameText(writer, identity.version);
  writer.U64(identity.sequence);
  writer.U64(static_cast<std::uint64_t>(identity.created));
  writer.U64(identity.metadata.size());
  for (const auto& [key, value] : identity.metadata) {
    FrameText(writer, key);
    FrameText(writer, value);
  }
  writer.U8(static_cast<std::uint8_t>(options.codec));
  writer.U32(static_cast<std::uint32_t>(options.level));
  writer.U32(options.chunk_bytes);
  crypto::Blake3 hash(container::kReproducibleIdContext);
  hash.Update(writer.view());
  const Digest digest = hash.Finish();
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

container::KeyValues PrivateMetadata(const ImportedModel& model) {
  container::KeyValues metadata = model.metadata;
  std::string globals;
  std::size_t written = 0;
  for (const std::string& name : model.globals) {
    const std::string clean = CleanGlobal(name);
    if (globals.size() + clean.size() + 1 > kGlobalsBytes) break;
    if (written > 0) globals += '\n';
    globals += clean;
    ++written;
  }
  if (written > 0) metadata.emplace_back("source.globals", globals);
  if (written < model.globals.size())
    metadata.emplace_back("source.globals_count", std::to_string(model.globals.size()));
  std::sort(metadata.begin(), metadata.end());
  return metadata;
}

}  // namespace safemodel
