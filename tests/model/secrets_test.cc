// SPDX-License-Identifier: Apache-2.0
// Where secrets lie in memory while an encrypted model is open: nowhere that a core dump has.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/file.h"

#include "encryption/key_wraps.h"
#include "model/encryption_fixture.h"
#include "model/loaded_model.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kMostBytes = 1u << 30;  // what is larger is the address sanitizer's own

// Region is a mapping of this process.
struct Region {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool readable = false;
  bool dumped = true;
};

std::vector<Region> Regions() {
  std::vector<Region> regions;
  std::ifstream maps("/proc/self/smaps");
  for (std::string line; std::getline(maps, line);) {
    Region region;
    char access[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &region.begin, &region.end, access) == 3) {
      region.readable = access[0] == 'r' && line.find("[v") == std::string::npos;
      regions.push_back(region);
    }
    if (line.starts_with("VmFlags:") && !regions.empty())
      regions.back().dumped = line.find(" dd ") == std::string::npos && !line.ends_with(" dd");
  }
  return regions;
}

// Masked keeps bytes in a form in which they are not found.
ByteBuffer Masked(ByteView secret) {
  ByteBuffer masked(secret.begin(), secret.end());
  for (std::uint8_t& byte : masked) byte ^= 0x5A;
  return masked;
}

// CountIn counts how often a masked secret lies in the mappings that a core dump has, or in the others. The
// search must not leave what it looks for: unmasking what it reads would make secrets of masked copies.
std::size_t CountIn(const ByteBuffer& masked, bool dumped) {
  const Descriptor memory(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
  REQUIRE(memory.valid());
  std::size_t found = 0;
  for (const Region& region : Regions()) {
    if (!region.readable || region.dumped != dumped || region.end - region.begin > kMostBytes) continue;
    ByteBuffer bytes(static_cast<std::size_t>(region.end - region.begin));
    const ssize_t size = pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(region.begin));
    if (size <= 0) continue;  // pages that nobody may read
    bytes.resize(static_cast<std::size_t>(size));
    const auto same = [](std::uint8_t byte, std::uint8_t of_masked) { return (byte ^ 0x5A) == of_masked; };
    for (auto at = bytes.begin();; ++at) {
      at = std::search(at, bytes.end(), masked.begin(), masked.end(), same);
      if (at == bytes.end()) break;
      ++found;
    }
  }
  return found;
}

TEST_CASE("secrets: the data key of an open model lies in guarded memory alone") {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  const Pair pair = MakePair();
  REQUIRE(WriteTo(path, std::move(ModelBuilder().Bytes("a", Noise(9 * kSmallChunk, 1))).Finish(),
                  EncryptedOptions(pair.recipients))
              .ok());
  const VerifiedModel model = OpenTest(path, OpenWith(pair));
  (void)ReadTensor(model, "a");
  const encryption::DataKey& key = VerifiedModelAccess::Of(model).store->cipher()->key();
  const ByteBuffer masked = Masked(key.bytes());
  const ByteBuffer masked_object_key = [&] {
    crypto::SecretBytes object_key(32);
    key.ObjectKey(VerifiedModelAccess::Of(model).store->objects()[1].salt, object_key.bytes());
    return Masked(object_key.bytes());
  }();
  CHECK(CountIn(masked, true) == 0);
  CHECK(CountIn(masked_object_key, true) == 0);
  CHECK(CountIn(masked, false) >= 1);  // the search finds it where it is
}

}  // namespace
}  // namespace safemodel
