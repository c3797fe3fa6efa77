// SPDX-License-Identifier: Apache-2.0
// What is taken for a pickle, and what is not: numbers that start like one are common.
#include "pickle/pickle_probe.h"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "pickle/assemble.h"

namespace safemodel::pickle {
namespace {

using P = Program;
using O = Opcode;

bool Probe(const std::string& bytes, ProbeDepth depth) {
  const ByteView view = AsBytes(bytes);
  const auto found = ProbePickle(MakeMemorySource(ByteBuffer(view.begin(), view.end())), 0, depth, Limits{});
  REQUIRE(found.ok());
  return found.value();
}

const std::string kNoise = "\x01\xFE\xFF\x07\xFC\xFF";  // breaks any stream

}  // namespace

TEST_CASE("probe: what acts is a pickle at any depth, whatever breaks later") {
  const std::string streams[] = {
      P().Global("some_package", "function").Ops(")R").Raw(kNoise).bytes(),
      P(4).StackGlobal("some_package", "function").Ops(")R").Raw(kNoise).bytes(),
      P().Global("os", "system").Raw(kNoise).bytes(),
      P(2).Op(O::kExt1).U8(1).Ops(")R").Raw(kNoise).bytes(),
      P().Op(O::kExt1).U8(1).Ops(")R").Stop(),
      P(4).Int(1).Stop(),
      P(4).Str("x").Op(O::kFrame).Number(2, 8).Bytes("across its end").bytes(),
      P().Int(1).Stop(),
  };
  for (const std::string& stream : streams) {
    CHECK(Probe(stream, ProbeDepth::kWhole));
    CHECK(Probe(stream, ProbeDepth::kShallow));
  }
}

TEST_CASE("probe: an extension code that nothing calls is a number") {
  for (const O opcode : {O::kExt1, O::kExt2, O::kExt4}) {
    const std::string bytes = P().Op(opcode).Number(1, 4).Raw(kNoise).bytes();
    CHECK_FALSE(Probe(bytes, ProbeDepth::kWhole));
    CHECK_FALSE(Probe(bytes, ProbeDepth::kShallow));
  }
}

TEST_CASE("probe: of claimed bytes a protocol and a few opcodes are no sign") {
  const std::string bytes = P(2).Ops("NNNN").Raw(kNoise).bytes();
  CHECK(Probe(bytes, ProbeDepth::kWhole));
  CHECK_FALSE(Probe(bytes, ProbeDepth::kShallow));
}

// As masks and tensors of small integers have them: a stream without an end, longer than the first look.
TEST_CASE("probe: equal numbers are no pickles, however many there are") {
  for (const char opcode : {'N', '(', ']', '}', ')', '\x88'}) {
    CAPTURE(opcode);
    for (const std::size_t count : {4096u, 4097u, 100'000u}) {
      CHECK_FALSE(Probe(std::string(count, opcode), ProbeDepth::kShallow));
      CHECK_FALSE(Probe(std::string(count, opcode), ProbeDepth::kWhole));
    }
    CHECK(Probe(std::string(5000, opcode) + P().Global("os", "system").Raw(kNoise).bytes(), ProbeDepth::kShallow));
  }
}

TEST_CASE("probe: random numbers of small tensors are no pickles") {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same numbers each time
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes;
    for (int word = 0; word < 2; ++word) {
      std::uint64_t value = random();
      for (int byte = 0; byte < 8; ++byte, value >>= 8) bytes.push_back(static_cast<char>(value & 0xFF));
    }
    CHECK_FALSE(Probe(bytes, ProbeDepth::kShallow));
  }
}

}  // namespace safemodel::pickle
