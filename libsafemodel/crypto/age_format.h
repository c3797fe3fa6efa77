// SPDX-License-Identifier: Apache-2.0
// The header of an age v1 file (https://c2sp.org/age), strict: one header has one encoding.
//
//   header   "age-encryption.org/v1" LF  stanza…  "---" SP base64(MAC) LF
//   stanza   "->" SP type [SP argument]… LF  body
//   body     lines of base64 without padding: 64 columns each, and one shorter line that ends it, if need be an empty
//   one
//
// The MAC is HMAC-SHA-256 of everything up to and including "---", under a key derived from the file key.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/cursor.h"

namespace safemodel::crypto::age {

// Stanza holds the file key, sealed for one recipient.
struct Stanza {
  std::string type;  // like the arguments: not empty, printable ASCII without spaces
  std::vector<std::string> arguments;
  ByteBuffer body;
  bool operator==(const Stanza&) const = default;
};

struct Header {
  std::vector<Stanza> stanzas;
  Digest mac{};
  bool operator==(const Header&) const = default;
};

// FileLimits bound an age file: one that holds a data key has a few hundred bytes. Over them is kLimit.
struct FileLimits {
  std::uint64_t file_bytes = 16u << 10;
  std::size_t stanzas = 64;
};

// ParseHeader reads a header and leaves the reader behind it. Errors: kMalformed "age_header"; kLimit "age_stanzas".
Result<Header> ParseHeader(ByteReader& reader, const FileLimits& limits);

// SerializeHeader is the pair of ParseHeader. The caller keeps types and arguments within their alphabet.
ByteBuffer SerializeHeader(const Header& header);

// AuthenticatedPart returns what the MAC is of.
ByteBuffer AuthenticatedPart(const Header& header);

// BadHeader is the error of a header that is not as the specification says; `offset` may be unknown.
Error BadHeader(const char* text, std::uint64_t offset = kNoOffset);

}  // namespace safemodel::crypto::age
