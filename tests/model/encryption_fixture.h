// SPDX-License-Identifier: Apache-2.0
// Recipients of the tests, and content that is easily found again.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string_view>

#include <safemodel/encrypt.h>

#include "model/fixture.h"

namespace safemodel {

// Pair is an identity and its recipient. Copies share the identity.
struct Pair {
  std::shared_ptr<Identity> identity;
  std::vector<Recipient> recipients;
};

inline Pair MakePair() {
  Pair pair;
  pair.identity = std::make_shared<Identity>(Identity::Generate());
  pair.recipients.push_back(pair.identity->ToRecipient().value());
  return pair;
}

inline std::string NameOf(const Pair& pair) { return pair.recipients.front().ToText(); }

// From hands out an identity as often as it is asked for one, through a file as a user would.
inline IdentitySource From(const Pair& pair) {
  const auto folder = std::make_shared<TempFolder>();
  const std::string path = folder->Path("identity");
  REQUIRE(pair.identity->WriteFiles(path, Identity::Overwrite::kRefuse).ok());
  return [folder, path] { return Identity::Read(path + ".key"); };
}

inline OpenOptions OpenWith(const Pair& pair, unsigned threads = 2) {
  OpenOptions options = TestOpen(threads);
  options.identities = From(pair);
  return options;
}

inline ConvertOptions EncryptedOptions(std::span<const Recipient> recipients, CodecChoice codec = CodecChoice::kAuto) {
  ConvertOptions options = TestOptions(codec);
  options.reproducible = ConvertOptions::Reproducible::kNo;
  options.encrypt_to = recipients;
  return options;
}

inline constexpr std::string_view kMarker = "MARKER";

// Marked returns bytes that have the marker all over.
inline ByteBuffer Marked(std::size_t size) {
  ByteBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(kMarker[i % kMarker.size()]);
  return bytes;
}

inline bool Contains(ByteView bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}

inline bool Exists(const std::string& path) { return std::filesystem::exists(path); }

}  // namespace safemodel
