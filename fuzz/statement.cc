// SPDX-License-Identifier: Apache-2.0
// Statements. Input: a payload, as if its signature had verified. What is accepted lies within the limits and is the
// same statement when it was written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fuzz/property.h"
#include "trust/statement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace safemodel;         // NOLINT(google-build-using-namespace)
  using namespace safemodel::trust;  // NOLINT(google-build-using-namespace)
  const Limits limits;
  const auto statement = ParseStatement({data, size}, limits);
  if (!statement.ok()) {
    const Stage stage = statement.error().stage;
    SAFEMODEL_PROPERTY(stage == Stage::kMalformed || stage == Stage::kLimit || stage == Stage::kUntrusted);
    return 0;
  }
  const Statement& parsed = statement.value();
  SAFEMODEL_PROPERTY(size <= limits.statement_bytes && parsed.sequence <= limits.json_integer_max);
  SAFEMODEL_PROPERTY(parsed.requires_roles.size() <= kRequiredRoles && IsRole(parsed.role.value_or("absent")) &&
                     std::all_of(parsed.requires_roles.begin(), parsed.requires_roles.end(), IsRole));
  SAFEMODEL_PROPERTY(parsed.not_after.value_or(parsed.issued_at) >= parsed.issued_at);
  const ByteBuffer written = SerializeStatement(parsed);
  const auto again = ParseStatement(written, limits);
  if (written.size() > limits.statement_bytes) {  // an escape such as \n is written longer, as a code unit
    SAFEMODEL_PROPERTY(!again.ok() && again.error().stage == Stage::kLimit);
    return 0;
  }
  SAFEMODEL_PROPERTY(again.ok() && again.value() == parsed);
  SAFEMODEL_PROPERTY(SerializeStatement(again.value()) == written);
  return 0;
}
