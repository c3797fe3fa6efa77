// SPDX-License-Identifier: Apache-2.0
// Signed notes (C2SP signed-note) and the cosignatures of witnesses (C2SP tlog-cosignature, v1). A note is
//
//   text, which ends in a newline
//   an empty line
//   one or more signature lines: EM DASH, space, key name, space, base64 of key hash (4 bytes) and signature
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/keys.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel::log {

using KeyHash = std::array<std::uint8_t, 4>;

// SignatureType is the byte in a key's hash that keeps kinds of signatures apart.
enum class SignatureType : std::uint8_t { kEd25519 = 1, kCosignature = 4 };

struct NoteSignature {
  std::string name;
  KeyHash key_hash{};
  ByteBuffer bytes;
  bool operator==(const NoteSignature&) const = default;
};

struct Note {
  std::string text;
  std::vector<NoteSignature> signatures;
  bool operator==(const Note&) const = default;
};

// IsKeyName: not empty, UTF-8 without spaces of any kind, controls, or '+'.
[[nodiscard]] bool IsKeyName(std::string_view name);
KeyHash KeyHashOf(std::string_view name, SignatureType type, const PublicKey& key);

// ParseNote reads a note strictly, so that it has one encoding: SerializeNote gives the same bytes. Nothing is
// verified. kMalformed "bad_note", kLimit; [L-NOTE].
Result<Note> ParseNote(ByteView bytes, const Limits& limits);
ByteBuffer SerializeNote(const Note& note);

// SignNote returns the signature of a note's text. The one place where a log's key is used.
Result<NoteSignature> SignNote(std::string_view text, const std::string& name, const Signer& key);

// Fate is what a note holds by one key: a signature under another name or hash is by somebody else.
enum class Fate : std::uint8_t { kAbsent, kHolds, kFails };
Fate FateOf(const Note& note, const std::string& name, SignatureType type, const PublicKey& key);

}  // namespace safemodel::log
