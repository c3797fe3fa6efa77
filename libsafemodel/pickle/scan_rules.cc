// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan_rules.h"

#include <algorithm>
#include <iterator>

namespace safemodel {
namespace {

using enum Severity;

constexpr ScanVerdict VerdictOfLetter(char letter) {
  switch (letter) {
    case 'D': return ScanVerdict::kDangerous;
    case 'X': return ScanVerdict::kUnreadable;
    case 'U': return ScanVerdict::kUnknown;
    default: return ScanVerdict::kClean;
  }
}

// The table names the gravest verdict first.
constexpr ScanRule kRules[] = {
#define SAFEMODEL_RULE(id, verdicts, severity, atlas, title, advice) \
  {id, VerdictOfLetter((verdicts)[0]), severity, atlas, title, advice},
#include "pickle/scan_rules.inc"
#undef SAFEMODEL_RULE
};

constexpr const char* kVerdicts[] = {
#define SAFEMODEL_RULE(id, verdicts, severity, atlas, title, advice) verdicts,
#include "pickle/scan_rules.inc"
#undef SAFEMODEL_RULE
};

constexpr bool Ascending() {
  for (std::size_t i = 1; i < std::size(kRules); ++i) {
    if (std::string_view(kRules[i - 1].id) >= kRules[i].id) return false;
  }
  return true;
}
static_assert(Ascending(), "the catalogue is searched by halving");

}  // namespace

const char* ScanVerdictName(ScanVerdict verdict) {
  switch (verdict) {
    case ScanVerdict::kClean: return "clean";
    case ScanVerdict::kUnknown: return "unknown";
    case ScanVerdict::kUnreadable: return "unreadable";
    case ScanVerdict::kDangerous: return "dangerous";
  }
  return "dangerous";  // what is not understood is never clean
}

const char* SeverityName(Severity severity) {
  switch (severity) {
    case kNote: return "note";
    case kMedium: return "medium";
    case kHigh: return "high";
    case kCritical: return "critical";
  }
  return "critical";
}

std::span<const ScanRule> ScanRules() { return kRules; }

const ScanRule* FindScanRule(std::string_view id) {
  const auto found = std::lower_bound(
      std::begin(kRules), std::end(kRules), id,
      [](const ScanRule& rule, std::string_view wanted) { return std::string_view(rule.id) < wanted; });
  return found != std::end(kRules) && std::string_view(found->id) == id ? found : nullptr;
}

const char* ScanRuleSetVersion() { return "1.0.0"; }

namespace pickle {

Severity SeverityOf(const ScanRule& rule, ScanVerdict verdict) {
  if (verdict == rule.gravest) return rule.severity;
  switch (verdict) {
    case ScanVerdict::kClean: return kNote;
    case ScanVerdict::kUnknown: return kMedium;
    case ScanVerdict::kUnreadable: return kHigh;
    case ScanVerdict::kDangerous: return kCritical;
  }
  return kCritical;
}

bool CanGive(const ScanRule& rule, ScanVerdict verdict) {
  const ScanRule* entry = FindScanRule(rule.id);
  if (entry == nullptr) return false;
  const std::string_view letters = kVerdicts[entry - kRules];
  return std::any_of(letters.begin(), letters.end(), [&](char letter) { return VerdictOfLetter(letter) == verdict; });
}

}  // namespace pickle
}  // namespace safemodel
