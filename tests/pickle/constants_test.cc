// SPDX-License-Identifier: Apache-2.0
// Which constants of a pickle are searched for credentials, and how often.
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "pickle/scan.h"
#include "pickle/structure_builder.h"

namespace safemodel::pickle {
namespace {

const std::string kToken = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";  // of no one

std::uint64_t Found(const std::string& value) {
  const std::string bytes = Program(3).Raw(value).Stop();
  Findings findings;
  const auto claim = ScanSource(MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end())), {}, findings);
  REQUIRE(claim.ok());
  ScanReport report;
  std::move(findings).MoveTo(report);
  return report.finding_count;
}

// Elements is an array of a type whose bytes are the token.
std::string Elements(std::string_view descr, std::uint64_t size) {
  return code::ArrayOf(code::Dtype(descr), {kToken.size() / size}, Program().Bytes(kToken).bytes());
}

}  // namespace

TEST_CASE("constants: a credential counts once, however often its constant is copied") {
  CHECK(Found(code::Text(kToken)) == 1);
  CHECK(Found(Program().Bytes(kToken).bytes()) == 1);
  const std::string kept = Program().Bytes(kToken).Ops("q\1").bytes();
  const std::string copy = code::Call("builtins", "bytearray", {Program().Ops("h\1").bytes()});
  CHECK(Found(code::List({kept, copy, copy, copy})) == 1);
}

TEST_CASE("constants: numbers are no text") {
  REQUIRE(kToken.size() % 8 == 0);
  CHECK(Found(Elements("u1", 1)) == 1);
  for (const std::string_view descr : {"i2", "f4", "i8", "f8"}) {
    CAPTURE(descr);
    CHECK(Found(Elements(descr, static_cast<std::uint64_t>(descr.back() - '0'))) == 0);
  }
}

}  // namespace safemodel::pickle
