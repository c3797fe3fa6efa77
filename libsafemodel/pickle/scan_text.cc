// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan_text.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "base/try.h"
#include "pickle/credentials.h"

namespace safemodel::pickle {

void AddCredentials(ByteView text, std::optional<std::uint64_t> instruction, Findings& findings) {
  const auto add = [&](const Credential& found) {
    const std::uint64_t offset = instruction.value_or(found.offset);
    Error error{Stage::kUnsafe, CredentialRule(found.kind),
                "a credential was saved with the model; whoever gets the file can use it", offset,
                std::string(found.name) + " " + RedactCredential(text, found)};
    findings.Add(std::move(error), ScanVerdict::kUnknown);
  };
  FindCredentials(text, std::ref(add));  // a reference: a copy would be allocated for each of a million texts
}

Status ScanText(const ByteSource& source, Findings& findings) {
  const std::uint64_t size = std::min(source.size(), kMostText);
  if (size == 0) return {};
  constexpr std::uint64_t kLook = 4096;
  SAFEMODEL_ASSIGN(const ByteBuffer look, ReadRange(source, 0, std::min(size, kLook), kLook));
  if (std::find(look.begin(), look.end(), 0) != look.end()) return {};  // not text
  SAFEMODEL_ASSIGN(const ByteBuffer text, ReadRange(source, 0, size, kMostText));
  AddCredentials(text, std::nullopt, findings);
  return {};
}

}  // namespace safemodel::pickle
