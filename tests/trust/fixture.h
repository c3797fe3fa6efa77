// SPDX-License-Identifier: Apache-2.0
// A container as far as trust/ looks at it: preamble, filler for the objects, manifest.
#pragma once

#include <doctest/doctest.h>
#include <safemodel/sign.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/cursor.h"
#include "container/parse.h"
#include "crypto/hash.h"
#include "trust/authenticate.h"
#include "trust/envelope_store.h"

namespace safemodel::trust {

inline constexpr std::int64_t kNow = 1800000000;

inline container::Manifest TestManifest() {
  container::Manifest manifest;
  manifest.file_id.fill(7);
  manifest.name = "acme/model";
  manifest.version = "1.0";
  manifest.sequence = 3;
  manifest.created = 1700000000;
  manifest.chunk_size = 4096;
  manifest.object_count = 1;
  manifest.chunk_count = 1;
  manifest.index_offset = 1000;
  manifest.table_offset = 1048;
  manifest.manifest_offset = 1144;
  return manifest;
}

inline ByteBuffer TestCore(const container::Manifest& manifest) {
  const auto bytes = container::SerializeManifest(manifest);
  REQUIRE(bytes.ok());
  ByteBuffer core = container::SerializePreamble({manifest.major, manifest.minor, manifest.flags, manifest.file_id,
                                                  manifest.manifest_offset, bytes.value().size()});
  core.resize(manifest.manifest_offset, 0xAB);
  core.insert(core.end(), bytes.value().begin(), bytes.value().end());
  return core;
}

inline ByteBuffer ReadFileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFileBytes(const std::string& path, ByteView bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

// A folder that is gone with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "safemodel-test-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline SecretKey NewKey() {
  auto key = SecretKey::Generate();
  REQUIRE(key.ok());
  return std::move(key).value();
}

inline SignOptions At(std::int64_t issued_at, std::string role = "builder") {
  SignOptions options;
  options.issued_at = issued_at;
  options.role = std::move(role);
  return options;
}

inline Policy Trusting(std::vector<PublicKey> keys) {
  auto policy = Policy::AnyOf(std::move(keys));
  REQUIRE(policy.ok());
  return std::move(policy).value();
}

inline Result<TrustedManifest> Verify(const std::string& path, const Policy& policy,
                                      const Expectation& expectation = Expectation::Any(), std::int64_t now = kNow,
                                      AuthenticationTrace* trace = nullptr) {
  auto opened = OpenContainer(path, {}, {});
  if (!opened.ok()) return opened.error();
  return Authenticate(std::move(opened).value(), policy, expectation, now, {}, trace);
}

inline std::string CodeOf(const Result<TrustedManifest>& result) { return result.ok() ? "ok" : result.error().code; }

}  // namespace safemodel::trust
