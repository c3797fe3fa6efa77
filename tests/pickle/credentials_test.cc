// SPDX-License-Identifier: Apache-2.0
// Credentials in texts. All of them are made up; those of this file are put together from two parts, so that no scanner
// of repositories takes them for real ones.
#include "pickle/credentials.h"
#include "testing/cpu_time.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

namespace {

std::string Random(std::size_t size, std::string_view alphabet) {
  std::string text;
  std::uint32_t state = 12345;
  while (text.size() < size) {
    state = state * 1664525u + 1013904223u;
    text += alphabet[(state >> 16) % alphabet.size()];
  }
  return text;
}

constexpr std::string_view kAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kUrlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
constexpr std::string_view kBech32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

std::string Alnum(std::size_t size) { return Random(size, kAlnum); }

std::vector<Credential> Find(const std::string& text) {
  std::vector<Credential> all;
  FindCredentials({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                  [&](const Credential& credential) { all.push_back(credential); });
  return all;
}

struct Case {
  const char* rule;
  const char* name;
  std::string text;
  std::string what = {};  // the part that is recognised; empty: all of it
};

std::vector<Case> Genuine() {
  const std::string slack = std::string("xox") + "b-123456789012-1234567890123-" + Alnum(24);
  const std::string pem = std::string("-----BEGIN ") + "RSA PRIVATE KEY-----\n" + Alnum(64);
  return {
      {"SECRET-CLOUD", "AWS access key id", "AKIA" + Random(16, kBase32)},
      {"SECRET-CLOUD", "AWS access key id", "ASIA" + Random(16, kBase32)},
      {"SECRET-CLOUD", "Google API key", "AIza" + Random(35, kUrlSafe)},
      {"SECRET-CLOUD", "Google service account key", "private_key_id\": \"" + Random(40, kHex)},
      {"SECRET-CLOUD", "Google service account key", "private_key_id\\\": \\\"" + Random(40, kHex)},
      {"SECRET-CLOUD", "Azure storage account key", "AccountKey=" + Alnum(86) + "=="},
      {"SECRET-TOKEN", "GitHub token", "ghp_" + Alnum(36)},
      {"SECRET-TOKEN", "GitHub token", "gho_" + Alnum(36)},
      {"SECRET-TOKEN", "GitHub token", "ghu_" + Alnum(36)},
      {"SECRET-TOKEN", "GitHub token", "ghr_" + Alnum(76)},
      {"SECRET-TOKEN", "GitHub token", "ghs_" + Alnum(36)},
      {"SECRET-TOKEN", "GitHub token", "ghs_12345_" + Alnum(36) + "." + Alnum(200) + "." + Alnum(86)},
      {"SECRET-TOKEN", "GitHub token", "github_pat_" + Alnum(22) + "_" + Alnum(59)},
      {"SECRET-TOKEN", "GitLab token", "glpat-" + Random(20, kUrlSafe)},
      {"SECRET-TOKEN", "GitLab token", "glpat-" + Random(27, kUrlSafe) + ".01." + Alnum(9)},
      {"SECRET-TOKEN", "Hugging Face token", "hf_" + Alnum(34)},
      {"SECRET-TOKEN", "Hugging Face token", "api_org_" + Alnum(34)},
      {"SECRET-TOKEN", "Anthropic key", "sk-ant-api03-" + Random(93, kUrlSafe) + "AA"},
      {"SECRET-TOKEN", "OpenAI key", "sk-" + Alnum(20) + "T3BlbkFJ" + Alnum(20)},
      {"SECRET-TOKEN", "OpenAI key", "sk-proj-" + Random(74, kUrlSafe) + "T3BlbkFJ" + Random(74, kUrlSafe)},
      {"SECRET-TOKEN", "Slack token", slack},
      {"SECRET-TOKEN", "Slack token", std::string("xapp-") + "1-A0123456789-1234567890123-" + Random(64, kHex)},
      {"SECRET-TOKEN", "Stripe key", "sk_live_" + Alnum(24)},
      {"SECRET-TOKEN", "Stripe key", "rk_live_" + Alnum(99)},
      {"SECRET-TOKEN", "npm token", "npm_" + Alnum(36)},
      {"SECRET-TOKEN", "PyPI token", "pypi-AgEIcHlwaS5vcmc" + Random(150, kUrlSafe)},
      {"SECRET-TOKEN", "Databricks token", "dapi" + Random(32, kHex)},
      {"SECRET-TOKEN", "SendGrid key", "SG." + Random(22, kUrlSafe) + "." + Random(43, kUrlSafe)},
      {"SECRET-PRIVATE-KEY", "private key", pem + "\n" + Alnum(64), pem.substr(0, pem.size() - 1)},
      {"SECRET-PRIVATE-KEY", "private key", std::string("-----BEGIN ") + "PRIVATE KEY-----\\n" + Alnum(62)},
      {"SECRET-PRIVATE-KEY", "private key", std::string("-----BEGIN ") + "OPENSSH PRIVATE KEY-----\n" + Alnum(63)},
      {"SECRET-PRIVATE-KEY", "private key", std::string("-----BEGIN ") + "PGP PRIVATE KEY BLOCK-----\n\n" + Alnum(62)},
      {"SECRET-PRIVATE-KEY", "private key",
       std::string("-----BEGIN ") + "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x",
       std::string("-----BEGIN ") + "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK"},
      {"SECRET-PRIVATE-KEY", "age secret key", std::string("AGE-SECRET-") + "KEY-1" + Random(58, kBech32)},
      {"SECRET-PRIVATE-KEY", "minisign secret key", "RWRTY0Iy" + Alnum(203) + "="},
      {"SECRET-PRIVATE-KEY", "minisign secret key", "RWQAAEIy" + Alnum(203) + "="},
  };
}

}  // namespace

TEST_CASE("credentials: each published form is found, wherever it stands") {
  for (const Case& row : Genuine()) {
    for (const char* front : {"", "key = \"", "a\n", "\\n", "(", "https://user:", "\x01"}) {
      for (std::size_t pad = 0; pad < 9; ++pad) {  // every place within a step of the search
        const std::string before = std::string(pad, ' ') + front;
        const std::string text = before + row.text + "\" and so on";
        INFO(text);
        const auto found = Find(text);
        REQUIRE(found.size() == 1);
        CHECK(std::string(CredentialRule(found[0].kind)) == row.rule);
        CHECK(std::string(found[0].name) == row.name);
        CHECK(found[0].offset == before.size());
        CHECK(found[0].length == (row.what.empty() ? row.text : row.what).size());
      }
    }
    CHECK(Find(row.text).size() == 1);  // up to the very end of the text
  }
}

TEST_CASE("credentials: a cut at any place leaves none") {
  for (const Case& row : Genuine()) {
    const std::size_t needed = (row.what.empty() ? row.text : row.what).size();
    std::size_t shortest = needed;  // forms of varying length stay valid for a while
    while (shortest > 0 && !Find(row.text.substr(0, shortest)).empty()) --shortest;
    INFO(row.text);
    CHECK(shortest >= 19);
    for (std::size_t size = 0; size <= shortest; ++size) CHECK(Find(row.text.substr(0, size)).empty());
  }
}

TEST_CASE("credentials: near misses") {
  const std::vector<std::pair<std::string, const char*>> rows = {
      {"AKIA" + Random(15, kBase32), "one short"},
      {"AKIA" + Random(17, kBase32), "one long"},
      {"XAKIA" + Random(16, kBase32), "the middle of a word"},
      {"AKIA" + Random(15, kBase32) + "8", "a digit that base 32 does not have"},
      {"akia" + Random(16, kBase32), "lower case"},
      {std::string("AKIA") + "IOSFODNN7EXAMPLE", "the example of AWS"},
      {"AKIA" + std::string(16, 'X'), "a placeholder"},
      {"AIza" + Random(36, kUrlSafe), "one long"},
      {"AccountKey=" + Alnum(86) + "=", "a shorter key"},
      {"AccountKey=" + Alnum(87) + "==", "a longer key"},
      {"ghp_" + Alnum(35), "one short"},
      {"ghp_" + std::string(36, 'x'), "a placeholder"},
      {"ghx_" + Alnum(36), "no such kind"},
      {"weigh_" + Alnum(36), "a word that ends like a prefix"},
      {"github_pat_" + Alnum(22) + "-" + Alnum(59), "another separator"},
      {"hf_hub_download_with_some_very_long_name_of_a_function", "a function"},
      {"shelf_" + Alnum(34), "the middle of a word"},
      {"hf_" + Alnum(33), "one short"},
      {"scikit-learn sk-learn-based-estimators-with-a-very-long-name-and-nothing-else", "text"},
      {"sk-" + Alnum(48), "not OpenAI's"},
      {"sk_test_" + Alnum(24), "a key for tests"},
      {"npm_config_registry=https", "a variable"},
      {"pypi-AgEI" + Random(49, kUrlSafe), "too short"},
      {"dapi" + Random(31, kHex) + "g", "no hexadecimal digit"},
      {"dapi" + Random(33, kHex), "one long"},
      {"SG." + Random(22, kUrlSafe) + "_" + Random(43, kUrlSafe), "no second dot"},
      {std::string("-----BEGIN ") + "PRIVATE KEY-----", "the header alone"},
      {std::string("-----BEGIN ") + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n" + Alnum(99), "no content"},
      {std::string("-----BEGIN ") + "PUBLIC KEY-----\n" + Alnum(99), "a public key"},
      {std::string("-----BEGIN ") + "CERTIFICATE-----\n" + Alnum(99), "a certificate"},
      {"AGE-SECRET-KEY-1" + std::string(57, 'Q'), "too short"},
      {"", "nothing"},
      {"A", "one byte"},
      {"AK", "two bytes"},
  };
  for (const auto& row : rows) {  // no structured binding: clang 14 lets no lambda, such as INFO, capture one
    INFO(row.second, ": ", row.first);
    CHECK(Find(row.first).empty());
  }
}

TEST_CASE("credentials: several in one text, in order and without overlap") {
  const std::string text = "a = ghp_" + Alnum(36) + "\nb = 'hf_" + Alnum(34) + "'\nc: AKIA" + Random(16, kBase32) + ";";
  const auto found = Find(text);
  REQUIRE(found.size() == 3);
  CHECK(std::string(found[0].name) == "GitHub token");
  CHECK(std::string(found[1].name) == "Hugging Face token");
  CHECK(std::string(found[2].name) == "AWS access key id");
  CHECK(found[0].offset + found[0].length <= found[1].offset);
  CHECK(found[1].offset + found[1].length <= found[2].offset);
}

TEST_CASE("credentials: a report never holds more than the public prefix") {
  for (const Case& row : Genuine()) {
    const std::string text = "x " + row.text;
    const ByteView view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const auto found = Find(text);
    REQUIRE(found.size() == 1);
    const std::string shown = RedactCredential(view, found[0]);
    INFO(shown);
    const std::string prefix = text.substr(found[0].offset, found[0].shown);
    CHECK(shown == prefix + "\u2026 (" + std::to_string(found[0].length) + " bytes)");
    // The made up part is the same in each row, so its first characters would show.
    CHECK(found[0].shown <= 16);
    CHECK(found[0].length >= found[0].shown + 16);
  }
}

TEST_CASE("credentials: time is linear in texts that begin forms and never end them") {
  for (const char* part : {"sk-", "sk-ant-", "glpat-", "ghs_", "-----BEGIN PRIVATE KEY-----",
                           "private_key_id:::", "AKIA", "pypi-AgEI", "xoxb-1-", "----------BEGIN "}) {
    std::string text;
    while (text.size() < (4u << 20)) text += part;
    CAPTURE(part);
    CHECK(testing::CpuSeconds([&] { (void)Find(text); }) < 5);  // a quadratic search takes hours
  }
}
