// SPDX-License-Identifier: Apache-2.0
// Scanning: what loading a file would do, without loading it. The verdict fails closed: what is not vouched for is
// unknown, what could not be read to its end is unreadable, and neither is ever clean.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/allowed_classes.h>
#include <safemodel/bytes.h>
#include <safemodel/digest.h>
#include <safemodel/limits.h>
#include <safemodel/progress.h>
#include <safemodel/result.h>

namespace safemodel {

// ScanVerdict is what is said of an input, in ascending gravity; the gravest finding decides.
enum class ScanVerdict : std::uint8_t {
  kClean,       // every byte is explained, and everything it does matches the allow-list
  kUnknown,     // nothing dangerous, but something that nobody vouched for
  kUnreadable,  // it could not be read to its end
  kDangerous,   // loading it would call something unlisted, it hides content, or its data breaks memory safety
};

// ScanVerdictName returns "clean", "unknown", "unreadable" or "dangerous".
const char* ScanVerdictName(ScanVerdict verdict);

// Severity orders findings for people and for SARIF: critical (dangerous by a call, by evasion or by memory), high
// (dangerous by an import; unreadable), medium (unknown), note.
enum class Severity : std::uint8_t { kNote, kMedium, kHigh, kCritical };
const char* SeverityName(Severity severity);

// ScanRule is one entry of the catalogue of spec/scan-rules.md. Ids are stable and never reused.
struct ScanRule {
  const char* id;       // "CALL-UNLISTED"
  ScanVerdict gravest;  // the gravest verdict that the rule can give
  Severity severity;    // of that verdict
  const char* atlas;    // ids of MITRE ATLAS joined by a space, such as "AML.T0011.000 AML.T0018.002", or ""
  const char* title;    // one line: what the rule is about
  const char* advice;   // one or two sentences: what to do about it
};

// ScanRules returns the catalogue, ascending by id; FindScanRule one of its entries, or nothing.
std::span<const ScanRule> ScanRules();
const ScanRule* FindScanRule(std::string_view id);

// Finding is one thing that a scan has to say. Texts from the file are raw: whoever shows them escapes them.
struct Finding {
  ScanVerdict verdict = ScanVerdict::kClean;  // kClean: a note
  Severity severity = Severity::kNote;
  Error error;         // code is the rule's id; text says what a loader would have done; offset lies within `member`
  std::string member;  // path through archives, joined by '!'; empty: the input itself
  std::uint64_t length = 0;            // bytes that it is about, 0 when unknown
  std::uint64_t opcode_index = 0;      // which instruction of its stream, counted from 0
  std::string opcode;                  // its name, such as "REDUCE"; empty when it is not about an instruction
  std::string call;                    // the call as text, at most 256 bytes: "os.system('echo …')"
  std::string tree_path;               // where in the object, such as root["model"].hooks[0]; empty when it is in none
  std::vector<std::string> call_tree;  // names of the calls around it, outermost first
};

// ScannedStream is one pickle that was run symbolically.
struct ScannedStream {
  std::string member;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // up to STOP, or to where it broke
  std::uint8_t protocol = 0;
  std::uint64_t opcodes = 0;
};

// ScannedGlobal is one imported name.
struct ScannedGlobal {
  std::string module;
  std::string name;
  std::uint64_t count = 0;         // instructions that import it
  std::uint64_t first_offset = 0;  // within the member of its first import
  enum class Listed : std::uint8_t { kNo, kYes };
  Listed listed = Listed::kNo;
};

// ScanReport is what was found in one file.
struct ScanReport {
  std::string path;
  std::uint64_t size = 0;
  ScanVerdict verdict = ScanVerdict::kUnreadable;
  std::string layout;                 // "torch-zip", "pickle", "joblib", "zip", "opaque", …
  std::uint64_t bytes_explained = 0;  // bytes of the file that a reader claimed
  std::vector<std::string> opaque;    // members that no reader claims, the first 1 000
  std::uint64_t opaque_count = 0;
  std::vector<ScannedStream> streams;  // the first 1 000
  std::uint64_t stream_count = 0;
  std::vector<ScannedGlobal> globals;  // ascending by module and name
  std::vector<Finding> findings;       // in the order found; the first 1 000, and the first of each rule always
  std::uint64_t finding_count = 0;
  Status status = {};  // kIo when the system refused to give the file; then the verdict is kUnreadable
};

struct ScanOptions {
  Limits limits = {};
  AllowedClasses allowed = {};  // what the caller vouches for beside the built-in allow-list
  Progress progress = {};       // counts inputs
};

// ScanSummary is the outcome of several inputs.
struct ScanSummary {
  std::uint64_t files = 0;
  std::uint64_t by_verdict[4] = {};              // indexed by ScanVerdict
  ScanVerdict worst = ScanVerdict::kUnreadable;  // of all files; kUnreadable when there were none
};

// Scan scans files, and everything below folders, and hands over each report as it is made. Nothing is executed,
// imported or unpacked to disk, and bytes of tensors are read only where a proof needs them. Names never decide what a
// file is. An input without any file gets a report with the finding FILE-NOTHING: nothing scanned is never clean. When
// memory runs out for one, its report says so (kIo "out_of_memory"), and the next one is scanned. `report` must not
// throw; see progress.h.
ScanSummary Scan(const std::vector<std::string>& inputs, const ScanOptions& options,
                 const std::function<void(const ScanReport&)>& report);

// ScanRuleSetVersion returns the version of the catalogue and the allow-list, and AllowListDigest the BLAKE3 of the
// allow-list's tables: together they say what a verdict rests on.
const char* ScanRuleSetVersion();
Digest AllowListDigest();

}  // namespace safemodel
