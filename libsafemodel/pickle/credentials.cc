// SPDX-License-Identifier: Apache-2.0
#include "pickle/credentials.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <iterator>
#include <string_view>

namespace safemodel::pickle {
namespace {

// Set is a set of characters: one bit of each entry of kSets.
enum Set : std::uint16_t {
  kNone = 0,
  kBase32 = 1 << 0,     // [A-Z2-7], what AWS numbers its keys with
  kAlnum = 1 << 1,      // [A-Za-z0-9]
  kWord = 1 << 2,       // [A-Za-z0-9_]
  kUrlSafe = 1 << 3,    // [A-Za-z0-9_-]
  kDotted = 1 << 4,     // [A-Za-z0-9_.-]
  kHex = 1 << 5,        // [0-9a-f]
  kBase64 = 1 << 6,     // [A-Za-z0-9+/]
  kDigit = 1 << 7,      // [0-9]
  kSlackKind = 1 << 8,  // which kind of token it is
  kQuoting = 1 << 9,    // what stands between a key of JSON and its text, also when it is quoted once more
  kPemLabel = 1 << 10,  // [A-Z0-9 ]
  kPemBody = 1 << 11,   // base64, line ends (also as \n in JSON), and the punctuation of headers
  kLineEnd = 1 << 12,   // line ends, also as \n in JSON
  kBech32 = 1 << 13,    // upper case
};

using SetTable = std::array<std::uint16_t, 256>;

constexpr void Include(SetTable& table, std::string_view characters, unsigned sets) {
  for (const char c : characters) {
    auto& entry = table[static_cast<std::uint8_t>(c)];
    entry = static_cast<std::uint16_t>(entry | sets);
  }
}

constexpr SetTable MakeSets() {
  constexpr unsigned kAllAlnum = kAlnum | kWord | kUrlSafe | kDotted | kBase64 | kPemBody;
  SetTable table{};
  Include(table, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", kAllAlnum | kPemLabel | kBase32);
  Include(table, "abcdefghijklmnopqrstuvwxyz", kAllAlnum);
  Include(table, "0123456789", kAllAlnum | kHex | kDigit | kPemLabel);
  Include(table, "234567", kBase32);
  Include(table, "abcdef", kHex);
  Include(table, "_", kWord | kUrlSafe | kDotted);
  Include(table, "-", kUrlSafe | kDotted);
  Include(table, ".", kDotted);
  Include(table, "+/", kBase64 | kPemBody);
  Include(table, "abeoprs", kSlackKind);
  Include(table, " \t\r\n:\"'\\", kQuoting);
  Include(table, " ", kPemLabel);
  Include(table, "=: ,\r\n\t\\", kPemBody);
  Include(table, "\r\n\\nr ", kLineEnd);
  Include(table, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", kBech32);
  return table;
}

constexpr SetTable kSets = MakeSets();

// Stretch is a literal and then as many characters of a set as there are, which must be min to max.
struct Stretch {
  std::string_view before;
  Set set = kNone;
  std::uint16_t min = 0;
  std::uint16_t max = 0;
};

// Where a form may begin and end.
enum class Edge : std::uint8_t {
  kWord,    // at the edges of a word
  kAnyEnd,  // begins anywhere, and goes on behind what is recognised
};

// Form is one published form. Runs are greedy and never go back, so sets must not contain what follows them. `anchor`
// is where in the prefix its rarest pair of characters stands.
struct Form {
  CredentialKind kind;
  const char* name;
  std::string_view prefix;
  std::uint8_t anchor;
  std::array<Stretch, 3> runs;
  std::string_view inside = {};  // must stand within the first run
  std::string_view tail = {};
  Edge edge = Edge::kWord;
};

constexpr CredentialKind kCloud = CredentialKind::kCloud;
constexpr CredentialKind kToken = CredentialKind::kToken;
constexpr CredentialKind kKey = CredentialKind::kPrivateKey;

// The forms, where the provider publishes one (GitHub, GitLab, Google, AWS, Slack, Stripe, npm, PyPI, SendGrid, age,
// minisign, RFC 7468); otherwise the one that secret scanners agree on. Two forms that can begin at the same place: the
// first wins.
constexpr Form kForms[] = {
    {kCloud, "AWS access key id", "AKIA", 0, {{{"", kBase32, 16, 16}}}},
    {kCloud, "AWS access key id", "ASIA", 1, {{{"", kBase32, 16, 16}}}},
    {kCloud, "Google API key", "AIza", 1, {{{"", kUrlSafe, 35, 35}}}},
    {kCloud,
     "Google service account key",
     "private_key_id",
     10,
     {{{"", kQuoting, 3, 24}, {"", kHex, 40, 40}}},
     {},
     {},
     Edge::kAnyEnd},
    {kCloud,
     "Azure storage account key",
     "AccountKey=",
     6,
     {{{"", kBase64, 86, 86}}},
     {},
     "==",
     Edge::kAnyEnd},  // 64 bytes
    {kToken, "GitHub token", "ghp_", 0, {{{"", kAlnum, 36, 251}}}},
    {kToken, "GitHub token", "gho_", 0, {{{"", kAlnum, 36, 251}}}},
    {kToken, "GitHub token", "ghu_", 0, {{{"", kAlnum, 36, 251}}}},
    {kToken, "GitHub token", "ghr_", 0, {{{"", kAlnum, 36, 251}}}},
    {kToken, "GitHub token", "ghs_", 0, {{{"", kDotted, 36, 1024}}}},  // since 2026 also a JSON web token
    {kToken, "GitHub token", "github_pat_", 5, {{{"", kAlnum, 22, 22}, {"_", kAlnum, 59, 59}}}},
    {kToken, "GitLab token", "glpat-", 0, {{{"", kDotted, 20, 310}}}},
    {kToken, "Hugging Face token", "hf_", 0, {{{"", kAlnum, 34, 64}}}},
    {kToken, "Hugging Face token", "api_org_", 5, {{{"", kAlnum, 34, 64}}}},
    {kToken, "Anthropic key", "sk-ant-", 0, {{{"", kUrlSafe, 80, 140}}}},
    {kToken, "OpenAI key", "sk-", 0, {{{"", kUrlSafe, 48, 200}}}, "T3BlbkFJ"},  // "OpenAI" in base64
    {kToken, "Slack token", "xox", 0, {{{"", kSlackKind, 1, 1}, {"-", kDigit, 1, 14}, {"-", kUrlSafe, 18, 250}}}},
    {kToken, "Slack token", "xapp-", 2, {{{"", kDigit, 1, 2}, {"-", kUrlSafe, 40, 200}}}},
    {kToken, "Stripe key", "sk_live_", 0, {{{"", kAlnum, 16, 120}}}},
    {kToken, "Stripe key", "rk_live_", 0, {{{"", kAlnum, 16, 120}}}},
    {kToken, "npm token", "npm_", 1, {{{"", kAlnum, 36, 36}}}},
    {kToken, "PyPI token", "pypi-AgEI", 4, {{{"", kUrlSafe, 50, 1000}}}},  // a macaroon begins so
    {kToken, "Databricks token", "dapi", 1, {{{"", kHex, 32, 32}}}},
    {kToken, "SendGrid key", "SG.", 0, {{{"", kUrlSafe, 22, 22}, {".", kUrlSafe, 43, 43}}}},
    // A header alone is no key: programs hold it as text. 64 bytes of content must follow, or the header of an old
    // encrypted one.
    {kKey,
     "private key",
     "-----BEGIN ",
     4,
     {{{"", kPemLabel, 11, 40}, {"-----", kPemBody, 64, 64}}},
     "PRIVATE KEY",
     {},
     Edge::kAnyEnd},
    {kKey,
     "private key",
     "-----BEGIN ",
     4,
     {{{"", kPemLabel, 11, 40}, {"-----", kLineEnd, 1, 6}, {"Proc-Type:", kPemBody, 2, 64}}},
     "PRIVATE KEY",
     {},
     Edge::kAnyEnd},
    {kKey, "age secret key", "AGE-SECRET-KEY-1", 3, {{{"", kBech32, 58, 58}}}},
    {kKey, "minisign secret key", "RWRTY0Iy", 4, {{{"", kBase64, 203, 203}}}, {}, "=", Edge::kAnyEnd},
    {kKey, "minisign secret key", "RWQAAEIy", 5, {{{"", kBase64, 203, 203}}}, {}, "=", Edge::kAnyEnd},
};

// ShortestForm: most texts of a pickle are names and words, too short for any credential.
constexpr std::size_t ShortestForm() {
  std::size_t shortest = ~std::size_t{0};
  for (const Form& form : kForms) {
    std::size_t size = form.prefix.size() + form.tail.size();
    for (const Stretch& run : form.runs) size += run.before.size() + run.min;
    shortest = std::min(shortest, size);
  }
  return shortest;
}

constexpr std::size_t PairAt(const std::uint8_t* at) { return static_cast<std::size_t>(at[0] | at[1] << 8); }

// The search looks at every second pair of bytes only, so each form is anchored at two pairs in a row: one of them lies
// at an even place.
struct Anchor {
  std::uint8_t form = 0;
  std::uint8_t offset = 0;  // of the pair within the prefix
  std::uint8_t next = 0;    // of the same pair: a number from 1, or 0
};

struct Anchors {
  std::array<std::uint8_t, 65536> first{};  // for each pair a number from 1, or 0
  std::array<Anchor, 2 * std::size(kForms)> all{};
};

constexpr Anchors MakeAnchors() {
  Anchors anchors;
  for (std::size_t i = anchors.all.size(); i-- > 0;) {  // backwards, so that the first form comes first
    const std::size_t form = i / 2;
    const std::size_t offset = kForms[form].anchor + i % 2;
    const std::uint8_t pair[] = {static_cast<std::uint8_t>(kForms[form].prefix[offset]),
                                 static_cast<std::uint8_t>(kForms[form].prefix[offset + 1])};
    std::uint8_t& first = anchors.first[PairAt(pair)];
    anchors.all[i] = {static_cast<std::uint8_t>(form), static_cast<std::uint8_t>(offset), first};
    first = static_cast<std::uint8_t>(i + 1);
  }
  return anchors;
}

constexpr Anchors kAnchors = MakeAnchors();

class Finder {
 public:
  Finder(ByteView text, const std::function<void(const Credential&)>& found) : text_(text), found_(found) {}

  void FindAll() {
    constexpr std::size_t kStep = 16;  // bytes that share one branch
    std::size_t i = 0;
    for (; text_.size() - i >= kStep; i += kStep) {
      const std::uint8_t* at = text_.data() + i;
      unsigned any = 0;
      for (std::size_t k = 0; k < kStep; k += 2) any |= kAnchors.first[PairAt(at + k)];
      if (any != 0) TryPairs(i, i + kStep);
    }
    TryPairs(i, text_.size());
  }

 private:
  void TryPairs(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i + 1 < end; i += 2) TryPair(i);
  }

  void TryPair(std::size_t at) {
    std::uint8_t number = kAnchors.first[PairAt(text_.data() + at)];
    while (number != 0) {
      const Anchor& anchor = kAnchors.all[number - 1u];
      if (at >= anchor.offset && Try(kForms[anchor.form], at - anchor.offset)) return;
      number = anchor.next;
    }
  }

  bool Try(const Form& form, std::size_t begin) {
    if (begin < free_ || !HasAt(begin, form.prefix)) return false;
    if (form.edge == Edge::kWord && !WordBegins(begin)) return false;
    const std::size_t end = End(form, begin);
    if (end == 0 || IsPlaceholder(begin + form.prefix.size(), end)) return false;
    free_ = end;
    found_({form.kind, form.name, begin, end - begin, form.prefix.size()});
    return true;
  }

  // End returns where a form that begins at `begin` ends, or 0 when it is not there.
  [[nodiscard]] std::size_t End(const Form& form, std::size_t begin) const {
    std::size_t at = begin + form.prefix.size();
    Set last = kNone;
    for (const Stretch& run : form.runs) {
      if (run.set == kNone) break;
      if (!HasAt(at, run.before)) return 0;
      at += run.before.size();
      std::size_t count = 0;
      while (count < run.max && In(at + count, run.set)) ++count;
      if (count < run.min) return 0;
      if (&run == form.runs.data() && !Holds(at, count, form.inside)) return 0;
      at += count;
      last = run.set;
    }
    if (!HasAt(at, form.tail)) return 0;
    if (form.edge == Edge::kWord && (In(at, last) || In(at, kWord))) return 0;
    return at + form.tail.size();
  }

  [[nodiscard]] bool In(std::size_t at, Set set) const { return at < text_.size() && (kSets[text_[at]] & set) != 0; }

  [[nodiscard]] bool HasAt(std::size_t at, std::string_view literal) const {
    return at <= text_.size() && literal.size() <= text_.size() - at && View(at, literal.size()) == literal;
  }

  [[nodiscard]] bool Holds(std::size_t at, std::size_t size, std::string_view inside) const {
    return inside.empty() || View(at, size).find(inside) != std::string_view::npos;
  }

  // A word begins at the front, behind what is no part of a word, and behind an escape such as the \n of JSON.
  [[nodiscard]] bool WordBegins(std::size_t at) const {
    if (at == 0 || !In(at - 1, kWord)) return true;
    constexpr std::string_view kEscapes = "nrtbf";
    return at >= 2 && text_[at - 2] == '\\' &&
           kEscapes.find(static_cast<char>(text_[at - 1])) != std::string_view::npos;
  }

  // Documentation has credentials that are none: they end with EXAMPLE, or repeat a few characters.
  [[nodiscard]] bool IsPlaceholder(std::size_t begin, std::size_t end) const {
    constexpr std::size_t kFewestDifferent = 6;
    const std::string_view body = View(begin, end - begin);
    if (body.ends_with("EXAMPLE")) return true;
    std::bitset<256> different;
    for (const char c : body) different.set(static_cast<std::uint8_t>(c));
    return different.count() < kFewestDifferent;
  }

  [[nodiscard]] std::string_view View(std::size_t at, std::size_t size) const {
    const ByteView part = text_.subspan(at, size);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  ByteView text_;
  const std::function<void(const Credential&)>& found_;
  std::size_t free_ = 0;  // behind the last credential
};

}  // namespace

void FindCredentials(ByteView text, const std::function<void(const Credential&)>& found) {
  constexpr std::size_t kShortest = ShortestForm();
  if (text.size() >= kShortest) Finder(text, found).FindAll();
}

const char* CredentialRule(CredentialKind kind) {
  switch (kind) {
    case CredentialKind::kCloud: return "SECRET-CLOUD";
    case CredentialKind::kToken: return "SECRET-TOKEN";
    case CredentialKind::kPrivateKey: return "SECRET-PRIVATE-KEY";
  }
  return "SECRET-TOKEN";
}

std::string RedactCredential(ByteView text, const Credential& credential) {
  const ByteView shown = text.subspan(credential.offset, credential.shown);
  return std::string(shown.begin(), shown.end()) + "\u2026 (" + std::to_string(credential.length) + " bytes)";
}

}  // namespace safemodel::pickle
