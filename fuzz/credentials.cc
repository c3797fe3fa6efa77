// SPDX-License-Identifier: Apache-2.0
// Credentials. Input: a text. Properties: what is found lies in the text, in order and without overlap, shows only its
// public prefix, and is found again when it stands alone or when something without meaning is put in front.
#include "pickle/credentials.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/property.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

namespace {

std::vector<Credential> Find(ByteView text) {
  std::vector<Credential> all;
  FindCredentials(text, [&](const Credential& credential) { all.push_back(credential); });
  return all;
}

void CheckAlone(ByteView text, const Credential& credential) {
  const ByteView part = text.subspan(credential.offset, credential.length);
  const auto alone = Find(part);
  SAFEMODEL_PROPERTY(alone.size() == 1 && alone[0].offset == 0 && alone[0].length == credential.length);
  SAFEMODEL_PROPERTY(alone[0].kind == credential.kind);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text(data, size);
  const auto found = Find(text);
  std::size_t end = 0;
  for (const Credential& credential : found) {
    SAFEMODEL_PROPERTY(credential.offset >= end && credential.length <= size - credential.offset);
    SAFEMODEL_PROPERTY(credential.shown + 10 < credential.length);
    end = credential.offset + credential.length;
    SAFEMODEL_PROPERTY(RedactCredential(text, credential).size() < credential.shown + 32);
    CheckAlone(text, credential);
  }
  for (std::size_t shift = 1; shift < 9; ++shift) {
    ByteBuffer moved(shift, ' ');
    moved.insert(moved.end(), data, data + size);
    const auto again = Find(moved);
    SAFEMODEL_PROPERTY(again.size() == found.size());
    for (std::size_t i = 0; i < found.size(); ++i) SAFEMODEL_PROPERTY(again[i].offset == found[i].offset + shift);
  }
  return 0;
}
