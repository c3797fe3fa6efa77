// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan_end.h"

#include <algorithm>
#include <optional>

#include "base/try.h"
#include "pickle/scan.h"
#include "pickle/scan_text.h"
#include "pickle/zip.h"

namespace safemodel::pickle {
namespace {

Error Polyglot(const char* text, const FoundArchive& found) {
  return {Stage::kUnsafe, "FILE-POLYGLOT", text, found.end_record};
}

void AddEmbedded(const FoundArchive& found, Findings& findings) {
  findings.Add(
      {Stage::kUnsafe, "FILE-EMBEDDED", "the data end with a zip archive, which zip readers open", found.begin},
      ScanVerdict::kClean);
}

// FindBehindOther looks for an archive where the file does not begin as one.
Result<std::optional<FoundArchive>> FindBehindOther(const ByteSource& source) {
  // To look at the end of what is unpacked on the way is to unpack it all once more.
  if (source.sequential() && source.size() > kMostText) return std::optional<FoundArchive>();
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(source, 0, std::min<std::uint64_t>(4, source.size()), 4));
  if (LooksLikeZip(head)) return std::optional<FoundArchive>();
  return FindArchive(source);
}

// ScanPiece judges an archive apart from the file that holds it.
Result<ScanVerdict> ScanPiece(const SharedSource& source, const FoundArchive& found, const ImportOptions& options,
                              Findings& findings, unsigned level) {
  SAFEMODEL_ASSIGN(const SharedSource piece, MakeSliceSource(source, found.begin, found.size));
  SAFEMODEL_TRY(ScanSource(piece, options, findings, level + 1));
  return findings.worst();
}

}  // namespace

Status ScanArchiveAtEnd(const SharedSource& source, const ImportOptions& options, Findings& findings, unsigned level) {
  SAFEMODEL_ASSIGN(const std::optional<FoundArchive> found, FindBehindOther(*source));
  if (!found) return {};
  if (found->scattered) {
    findings.Add(Polyglot("zip readers find an archive at the end of the file, and not all the same one", *found));
    return {};
  }
  if (found->size == 0) return {};  // no reader opens a member of it
  // Members may have been judged already, as constants of a pickle: what is all right is not to be counted twice.
  Findings apart;
  SAFEMODEL_ASSIGN(const ScanVerdict verdict, ScanPiece(source, *found, options, apart, level));
  if (verdict == ScanVerdict::kDangerous || verdict == ScanVerdict::kUnreadable) {
    findings.Add(Polyglot("the file ends with a zip archive, which other readers load instead", *found));
  } else {
    AddEmbedded(*found, findings);
  }
  // Once more to tell what is in it, unless that has been said: archives at the end of archives double the work.
  if (verdict == ScanVerdict::kClean || (level > 0 && verdict != ScanVerdict::kUnknown)) return {};
  const Findings::MemberScope scope(findings, "(archive at the end)");
  SAFEMODEL_TRY(ScanPiece(source, *found, options, findings, level));
  return {};
}

Status CheckArchiveAtEnd(const SharedSource& source, const ImportOptions& options) {
  Findings findings;
  const Findings::Part part(findings);
  SAFEMODEL_TRY(ScanArchiveAtEnd(source, options, findings));
  const auto refusal = part.Refusal(options.unknown);
  return refusal ? Status(*refusal) : Status();
}

}  // namespace safemodel::pickle
