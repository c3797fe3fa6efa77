// SPDX-License-Identifier: Apache-2.0
// The catalogue of rules, for whoever makes findings.
#pragma once

#include <safemodel/scan.h>

namespace safemodel::pickle {

// SeverityOf returns how grave a finding of `rule` with `verdict` is. The rule's own severity is that of its gravest
// verdict; a lesser verdict has the usual severity of that verdict.
Severity SeverityOf(const ScanRule& rule, ScanVerdict verdict);

// CanGive says whether `rule`, an entry of the catalogue, is stated to give `verdict`.
bool CanGive(const ScanRule& rule, ScanVerdict verdict);

}  // namespace safemodel::pickle
