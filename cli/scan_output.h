// SPDX-License-Identifier: Apache-2.0
// The three forms in which a scan is told: text for people, one JSON document, one SARIF log. Each is written as
// reports come, so that a folder of any size needs little memory.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <safemodel/scan.h>

#include "json_writer.h"

namespace safemodel::cli {

// ScanBasis is what the verdicts rest on.
struct ScanBasis {
  std::string tool_version;
  std::string rule_set_version;
  Digest allow_list{};
  std::vector<AllowedClasses::File> allow_files = {};
};

// ScanOutput is told of every report once, between Begin and End.
class ScanOutput {
 public:
  ScanOutput() = default;
  ScanOutput(const ScanOutput&) = delete;
  ScanOutput& operator=(const ScanOutput&) = delete;
  virtual ~ScanOutput() = default;
  virtual void Begin() = 0;
  virtual void Add(const ScanReport& report) = 0;
  virtual void End(const ScanSummary& summary, int exit_code) = 0;
};

// ScanTextDetail says what the text leaves out: kProblems leaves out inputs that are clean, and the summary.
enum class ScanTextDetail : std::uint8_t { kEverything, kProblems };

std::unique_ptr<ScanOutput> MakeScanText(std::FILE* out, ScanTextDetail detail);
std::unique_ptr<ScanOutput> MakeScanJson(std::FILE* out, ScanBasis basis);
std::unique_ptr<ScanOutput> MakeScanSarif(std::FILE* out, ScanBasis basis);

// ScanExitCode returns 1 when something was unknown or dangerous, 4 when the system refused to give an input, 3 when
// something was unreadable or there was nothing, and else 0.
int ScanExitCode(const ScanSummary& summary, bool system_refused);

// The technique of ATLAS for every input that is dangerous: AI supply chain compromise, model.
inline constexpr const char* kSupplyChainTechnique = "AML.T0010.003";

// AtlasOf returns the techniques of a finding: those of its rule, if it is more than a note, and for a dangerous one
// the supply chain.
std::vector<std::string> AtlasOf(const Finding& finding);

// SubjectKey returns what the subject of a finding is: "global" for an imported name, otherwise "subject".
const char* SubjectKey(const Finding& finding);

}  // namespace safemodel::cli
