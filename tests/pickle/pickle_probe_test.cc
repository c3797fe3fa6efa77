// SPDX-License-Identifier: Apache-2.0
// What counts as a pickle: programs do, whatever they lack; elements of tensors do not, whatever they begin with.
#include "pickle/pickle_probe.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "base/cursor.h"

namespace safemodel::pickle {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

bool IsPickle(ByteView bytes, ProbeDepth depth) {
  const auto found = ProbePickle(MakeMemorySource(ByteBuffer(bytes.begin(), bytes.end())), 0, depth, {});
  REQUIRE(found.ok());
  return found.value();
}

bool IsPickle(const std::string& bytes, ProbeDepth depth) { return IsPickle(AsBytes(bytes), depth); }

const std::string kJunk(64, '\xFF');

}  // namespace

TEST_CASE("probe: programs are pickles, also where they break, among the bytes of a tensor too") {
  for (const std::string& program : {"cos\nsystem\n(S'id'\ntR"s, "(i__main__\nname\n"s}) {
    CAPTURE(program);
    CHECK(IsPickle(program + kJunk, ProbeDepth::kWhole));
    CHECK(IsPickle(program + kJunk, ProbeDepth::kShallow));
  }
  CHECK(IsPickle("]."s, ProbeDepth::kShallow));
  CHECK(IsPickle("\x80\x04K\x01K\x02KK"s + kJunk, ProbeDepth::kWhole));  // among numbers that is no sign
}

TEST_CASE(
    "probe: an extension that is called; among the elements of a tensor, chance calls one in fifty thousand times") {
  for (const std::string& program : {"\x82\x01)R"s, "\x83\x01\x02)\x81"s, "\x84\x01\0\0\0(S'id'\ntR"s}) {
    CAPTURE(program);
    CHECK(IsPickle(program + kJunk, ProbeDepth::kWhole));
    CHECK(!IsPickle(program + kJunk, ProbeDepth::kShallow));
    CHECK(IsPickle(program + "." + kJunk, ProbeDepth::kShallow));
    CHECK(IsPickle("\x80\x02" + program + kJunk, ProbeDepth::kShallow));
  }
  CHECK(!IsPickle("\x84\x97\x5E\xBF\x75\x32\x81\x3F" + kJunk, ProbeDepth::kShallow));  // four float32 of a model
}

TEST_CASE("probe: a file that takes an extension and ends is a pickle, whatever follows") {
  CHECK(IsPickle("\x82\x01." + kJunk, ProbeDepth::kWhole));
  CHECK(IsPickle("\x82\x01."s, ProbeDepth::kShallow));
  CHECK(!IsPickle("\x82\x01" + kJunk, ProbeDepth::kWhole));
}

TEST_CASE("probe: no is said only of what every reader refuses") {
  const std::string program = "0cos\nsystem\n(S'id'\ntR";
  const std::string begins[] = {
      "FNaN\n"s,
      "F-Infinity\n"s,
      "F1e999\n"s,
      "I\0x\n"s,
      "L 5\n"s,
      "I" + std::string(5000, '1') + "\n",
      "Nr\xFF\xFF\xFF\xFF"s,
      "Np100000000\n"s,
      "Np" + std::string(30, '9') + "\n",
      "C\x01x\x98"s,
      "\x97"s,
      "N\x95\xFF\0\0\0\0\0\0\0"s,
      "cm\nf\nVsystem\n\x93"s,
      "ca.b\nC\n)cm\nf\n\x92"s,
      "cm\nf\n(]Nu"s,
  };
  for (const std::string& begin : begins) {
    for (const std::string& before : {""s, "\x80\x02"s, "\x80\x04"s}) {
      CAPTURE(begin.substr(0, 20));
      CHECK(IsPickle(before + begin + program + kJunk, ProbeDepth::kWhole));
      CHECK(IsPickle(before + begin + program + kJunk, ProbeDepth::kShallow));
      CHECK(IsPickle(before + begin + program + ".", ProbeDepth::kWhole));
    }
  }
  CHECK(IsPickle("(S'id'\nios\nsystemX"s, ProbeDepth::kWhole));  // the Python reader calls what its file ends with
  CHECK(IsPickle("cm\nf\n}Nb" + kJunk, ProbeDepth::kWhole));     // what is imported is changed
  for (const std::string& begin : {"Fabc\n"s, "Ixyz\n"s, "Np-1\n"s, "g5\n"s, "N(2"s, "V\\u12\n"s}) {
    CAPTURE(begin);
    CHECK(!IsPickle(begin + program + ".", ProbeDepth::kWhole));
  }
}

TEST_CASE("probe: streams that say nothing before one that does something") {
  const std::string program = "cos\nsystem\n(S'id'\ntR.";
  for (const std::string& before : {"N."s, "I1\n."s, "N.\0\0\0"s, "N.]."s, "N.N.N.N.N.N.N.N.N.N."s}) {
    CAPTURE(before);
    CHECK(IsPickle(before + program + kJunk, ProbeDepth::kWhole));
  }
  CHECK(!IsPickle("N." + kJunk, ProbeDepth::kWhole));
}

TEST_CASE("probe: the first stream of an old file of PyTorch, written with protocol 1") {
  const std::string magic = "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.";
  CHECK(IsPickle(magic + kJunk, ProbeDepth::kWhole));
  CHECK(!IsPickle("\x8A\x02\x6C\xFC." + kJunk, ProbeDepth::kWhole));
}

TEST_CASE("probe: a file that was cut off, and a counter") {
  const std::string bytes = "\x80\x02N\0\0\0\0\0"s;  // 5112448, and the start of a pickle
  CHECK(IsPickle(bytes, ProbeDepth::kWhole));
  CHECK(!IsPickle(bytes, ProbeDepth::kShallow));
}

TEST_CASE("probe: elements of tensors are no pickles") {
  std::mt19937 random(5);
  std::normal_distribution<float> weight(0, 0.02F);
  std::size_t pickles = 0;
  for (int i = 0; i < 30'000; ++i) {
    ByteBuffer bytes(std::size_t{4} << random() % 8);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random() & 0xFF); });
    if (IsPickle(bytes, ProbeDepth::kShallow)) ++pickles;
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
      const float value = weight(random);
      std::memcpy(bytes.data() + at, &value, 4);
    }
    if (IsPickle(bytes, ProbeDepth::kShallow)) ++pickles;
  }
  // Only the shortest can be whole programs by chance. With extension codes alone it was 536.
  CHECK(pickles <= 3);
}

}  // namespace safemodel::pickle
