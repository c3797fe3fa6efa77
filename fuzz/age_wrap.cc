// SPDX-License-Identifier: Apache-2.0
// A key wrap: an age file. A header that is accepted is within the limits and is written back byte for byte; what opens
// for the identity that most seeds were made for has such a header. Passphrases are not tried: scrypt up to its limit
// would take seconds each time.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "crypto/age_stanza.h"
#include "crypto/age_wrap.h"
#include "fuzz/property.h"

namespace {

using namespace safemodel;               // NOLINT(google-build-using-namespace)
using namespace safemodel::crypto::age;  // NOLINT(google-build-using-namespace)

const Identity& SeedIdentity() {
  static const Identity identity =
      ParseIdentity("AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN").value();
  return identity;
}

bool IsAnswer(const Error& error) {
  return error.stage == Stage::kMalformed || error.stage == Stage::kLimit || error.stage == Stage::kKey;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView file(data, size);
  const FileLimits limits;
  ByteReader reader(file);
  const auto header = ParseHeader(reader, limits);
  const auto opened = OpenWrap(file, {&SeedIdentity(), 1}, limits);
  if (!opened.ok()) SAFEMODEL_PROPERTY(IsAnswer(opened.error()));
  if (!header.ok()) {
    SAFEMODEL_PROPERTY(IsAnswer(header.error()) && !opened.ok());
    return 0;
  }
  SAFEMODEL_PROPERTY(header.value().stanzas.size() <= limits.stanzas);
  const ByteBuffer text = SerializeHeader(header.value());
  SAFEMODEL_PROPERTY(text.size() == size - reader.remaining() && std::equal(text.begin(), text.end(), file.begin()));
  if (!opened.ok()) return 0;
  SAFEMODEL_PROPERTY(size <= limits.file_bytes && CheckStanzas(header.value().stanzas).ok());
  SAFEMODEL_PROPERTY(opened.value().size() < reader.remaining());
  return 0;
}
