// SPDX-License-Identifier: Apache-2.0
// The vectors of C2SP/CCTV for age v1: of 143 the 92 that are binary and not hybrid. A file has lines "NAME: VALUE", an
// empty line, and the age file, which may be compressed.
#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>
#include <map>

#include "crypto/age_wrap.h"
#include "crypto/hash.h"
#include "testing/vectors.h"

namespace safemodel::crypto::age {
namespace {

struct Vector {
  std::multimap<std::string, std::string> fields;
  ByteBuffer file;

  [[nodiscard]] std::string Field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  }
};

ByteBuffer Inflated(const std::string& bytes) {
  ByteBuffer out(18u << 20);
  auto size = static_cast<uLongf>(out.size());
  REQUIRE(uncompress(out.data(), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) == Z_OK);
  out.resize(size);
  return out;
}

Vector ReadVector(const std::string& path) {
  const std::string text = testing::ReadText(path);
  Vector vector;
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != at; end = text.find('\n', at)) {
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(at, end - at);
    const std::size_t colon = line.find(": ");
    vector.fields.emplace(line.substr(0, colon), colon == std::string::npos ? "" : line.substr(colon + 2));
    at = end + 1;
  }
  const std::string rest = text.substr(at + 1);
  vector.file = vector.Field("compressed") == "zlib" ? Inflated(rest) : ByteBuffer(rest.begin(), rest.end());
  return vector;
}

std::vector<Identity> IdentitiesOf(const Vector& vector) {
  std::vector<Identity> identities;
  const auto [first, last] = vector.fields.equal_range("identity");
  for (auto at = first; at != last; ++at) {
    auto identity = ParseIdentity(at->second);
    REQUIRE(identity.ok());
    identities.push_back(std::move(identity).value());
  }
  const auto [phrase, end] = vector.fields.equal_range("passphrase");
  for (auto at = phrase; at != end; ++at) {
    identities.emplace_back(PassphraseIdentity{[text = at->second]() { return Passphrase::FromBytes(AsBytes(text)); }});
  }
  return identities;
}

// WordOf returns the suite's word for an answer of ours.
std::string WordOf(const Result<SecretBytes>& opened) {
  if (opened.ok()) return "success";
  const std::map<std::string, std::string> words = {
      {"age_header", "header failure"}, {"scrypt_cost", "header failure"}, {"age_payload", "payload failure"},
      {"no_identity", "no match"},      {"wrong_passphrase", "no match"},  {"age_mac", "HMAC failure"},
  };
  const auto found = words.find(opened.error().code);
  return found == words.end() ? std::string("other: ") + opened.error().code : found->second;
}

Stage StageOf(const std::string& word, const std::string& name) {
  if (name == "scrypt_work_factor_23" || name == "scrypt_work_factor_overflow") return Stage::kLimit;
  return word == "header failure" ? Stage::kMalformed : Stage::kKey;
}

TEST_CASE("age: CCTV, 92 vectors") {
  const std::string folder = testing::CorpusPath("vectors/cctv-age");
  if (folder.empty()) return;
  std::map<std::string, int> counts;
  int all = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const Vector vector = ReadVector(entry.path().string());
    ++all;
    // Wraps are binary, and hybrid keys are left to the program age.
    if (vector.fields.count("armored") != 0 || name.starts_with("hybrid")) continue;
    const auto opened = OpenWrap(vector.file, IdentitiesOf(vector), {32u << 20, 64});
    const std::string word = WordOf(opened);
    CHECK(word == vector.Field("expect"));
    counts[word] += 1;
    if (opened.ok()) CHECK(Hex(Sha256Of(opened.value().bytes())) == vector.Field("payload"));
    if (!opened.ok() && word != "payload failure") CHECK(opened.error().stage == StageOf(word, name));
    if (vector.file.size() > FileLimits().file_bytes) {  // a wrap is smaller
      CHECK(std::string(OpenWrap(vector.file, IdentitiesOf(vector)).error().code) == "age_size");
    }
  }
  CHECK(all == 143);
  CHECK(counts["success"] == 15);
  CHECK(counts["header failure"] == 51);
  CHECK(counts["payload failure"] == 18);
  CHECK(counts["no match"] == 7);
  CHECK(counts["HMAC failure"] == 1);
  CHECK(counts.size() == 5);
}

}  // namespace
}  // namespace safemodel::crypto::age
