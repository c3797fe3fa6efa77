// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <doctest/doctest.h>

#include "base/cursor.h"

namespace safemodel::crypto {
namespace {

// Pattern is the input of the official BLAKE3 vectors: 0, 1, … 250, 0, 1, …
ByteBuffer Pattern(std::size_t size) {
  ByteBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i % 251);
  return bytes;
}

struct Blake3Vector {
  std::size_t length;
  const char* hash;
  const char* derived;
};

constexpr Blake3Vector kBlake3Vectors[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
     "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
     "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
     "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706"},
};

TEST_CASE("hash: BLAKE3 agrees with the official vectors, whole and in pieces") {
  for (const Blake3Vector& vector : kBlake3Vectors) {
    CAPTURE(vector.length);
    const ByteBuffer input = Pattern(vector.length);
    CHECK(Hex(Blake3Of(input)) == vector.hash);
    Blake3 hash;
    Blake3 derived("BLAKE3 2019-12-27 16:29:52 test vectors context");
    for (std::size_t at = 0; at < input.size(); at += 100) {
      const ByteView piece = ByteView(input).subspan(at, std::min<std::size_t>(100, input.size() - at));
      hash.Update(piece);
      derived.Update(piece);
    }
    CHECK(Hex(hash.Finish()) == vector.hash);
    CHECK(Hex(derived.Finish()) == vector.derived);
  }
}

TEST_CASE("hash: SHA-256 agrees with FIPS 180-4, and finishing does not end the stream") {
  CHECK(Hex(Sha256Of({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 hash;
  hash.Update(AsBytes("ab"));
  CHECK(Hex(hash.Finish()) == Hex(Sha256Of(AsBytes("ab"))));
  hash.Update(AsBytes("c"));
  CHECK(Hex(hash.Finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 moved = std::move(hash);
  CHECK(moved.Finish() == Sha256Of(AsBytes("abc")));
}

TEST_CASE("hash: random bytes differ") {
  Digest a{};
  Digest b{};
  RandomBytes(a);
  RandomBytes(b);
  CHECK(a != b);
  CHECK(a != Digest{});
}

TEST_CASE("hash: hex is lower case and keeps leading zeros") {
  const ByteBuffer bytes = {0x00, 0x0F, 0xF0, 0xAB};
  CHECK(Hex(bytes) == "000ff0ab");
  CHECK(Hex({}).empty());
}

}  // namespace
}  // namespace safemodel::crypto
