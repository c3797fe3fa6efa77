// SPDX-License-Identifier: Apache-2.0
#include "model/judge_file.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/ascii.h"
#include "base/try.h"
#include "formats/safetensors.h"
#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/scan.h"
#include "pickle/zip.h"

namespace safemodel {
namespace {

using namespace std::string_view_literals;  // signatures have NUL in them

constexpr std::uint64_t kHeadBytes = 512;
constexpr std::uint8_t kProto = 0x80;

constexpr std::array kScripts = {".py"sv,   ".pyw"sv, ".pyx"sv, ".pyc"sv,  ".pyo"sv, ".sh"sv,  ".bash"sv,
                                 ".zsh"sv,  ".csh"sv, ".ksh"sv, ".fish"sv, ".bat"sv, ".cmd"sv, ".ps1"sv,
                                 ".psm1"sv, ".vbs"sv, ".js"sv,  ".mjs"sv,  ".cjs"sv, ".ts"sv,  ".rb"sv,
                                 ".pl"sv,   ".php"sv, ".lua"sv, ".r"sv,    ".jl"sv};
constexpr std::array kPrograms = {".so"sv,  ".dll"sv, ".dylib"sv, ".pyd"sv, ".exe"sv,   ".com"sv, ".msi"sv,
                                  ".scr"sv, ".o"sv,   ".a"sv,     ".lib"sv, ".class"sv, ".wasm"sv};
constexpr std::array kArchives = {".jar"sv, ".whl"sv, ".egg"sv, ".apk"sv, ".deb"sv, ".rpm"sv, ".mar"sv};

struct Signature {
  // Whether a text may begin so as well.
  enum class Text : std::uint8_t { kNever, kAlso };
  std::string_view bytes;
  const char* reason;
  std::size_t offset = 0;
  Text text = Text::kNever;
};

constexpr Signature kSignatures[] = {
    {"#!"sv, "script"},
    {"\x7F"
     "ELF"sv,
     "program"},
    {"MZ"sv, "program", 0, Signature::Text::kAlso},
    {"\xFE\xED\xFA\xCE"sv, "program"},  // Mach-O, in both byte orders and word sizes
    {"\xFE\xED\xFA\xCF"sv, "program"},
    {"\xCE\xFA\xED\xFE"sv, "program"},
    {"\xCF\xFA\xED\xFE"sv, "program"},
    {"\xCA\xFE\xBA\xBE"sv, "program"},  // a Mach-O for several processors, or a class of Java
    {"\0asm"sv, "program"},
    {"!<arch>\n"sv, "program"},
    {"\x89HDF\r\n\x1A\n"sv, "keras"},  // layers of Keras may be code
    {"\x1F\x8B\x08"sv, "archive"},
    {"BZh"sv, "archive", 0, Signature::Text::kAlso},
    {"\xFD"
     "7zXZ\0"sv,
     "archive"},
    {"\x5D\0\0"sv, "archive"},  // LZMA
    {"\x28\xB5\x2F\xFD"sv, "archive"},
    {"\x04\x22\x4D\x18"sv, "archive"},
    {"\x78\x01"sv, "archive"},  // zlib; joblib reads all of these
    {"\x78\x5E"sv, "archive", 0, Signature::Text::kAlso},
    {"\x78\x9C"sv, "archive"},
    {"\x78\xDA"sv, "archive"},
    {"ZF0x"sv, "archive"},
    {"LZIP\0"sv, "archive"},
    {"LZIP\1"sv, "archive"},
    {"7z\xBC\xAF\x27\x1C"sv, "archive"},
    {"Rar!\x1A\x07"sv, "archive"},
    {"ustar"sv, "archive", 257},
};

bool EndsWithOneOf(std::string_view path, std::span<const std::string_view> suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(), [&](std::string_view suffix) { return path.ends_with(suffix); });
}

bool StartsWith(ByteView head, std::size_t offset, std::string_view bytes) {
  return head.size() >= offset + bytes.size() &&
         std::equal(bytes.begin(), bytes.end(), head.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

FileJudgement Executable(const char* reason) { return {FileJudgement::Kind::kExecutable, reason}; }

FileJudgement JudgeName(const std::string& path) {
  const std::string folded = FoldAscii(path);
  if (folded.ends_with(".ipynb")) return Executable("notebook");
  if (EndsWithOneOf(folded, kScripts)) return Executable("script");
  const std::size_t library = folded.find(".so.");  // libx.so.1 too
  const bool versioned = library != std::string::npos && folded.find('/', library) == std::string::npos;
  if (EndsWithOneOf(folded, kPrograms) || versioned) return Executable("program");
  if (EndsWithOneOf(folded, kArchives)) return Executable("archive");
  return {};
}

bool IsText(ByteView head) {
  return std::none_of(head.begin(), head.end(),
                      [](std::uint8_t byte) { return byte >= 0x80 || (byte < 0x20 && (byte < 9 || byte > 13)); });
}

// SkipsFrame: LZ4 and zstd pass over frames with these sixteen magic numbers.
bool SkipsFrame(ByteView head) { return StartsWith(head, 1, "\x2A\x4D\x18"sv) && head[0] >> 4 == 5; }

FileJudgement JudgeHead(ByteView head) {
  for (const Signature& signature : kSignatures) {
    if (!StartsWith(head, signature.offset, signature.bytes)) continue;
    if (signature.text == Signature::Text::kNever || !IsText(head)) return Executable(signature.reason);
  }
  return SkipsFrame(head) ? Executable("archive") : FileJudgement{};
}

// JudgeUnmarked finds what a file is without a magic number at its start.
Result<FileJudgement> JudgeUnmarked(const SharedSource& source) {
  SAFEMODEL_ASSIGN(const char* format, pickle::ForeignFormat(*source));
  if (format != nullptr && std::string_view(format).starts_with("HDF5")) return Executable("keras");
  SAFEMODEL_ASSIGN(const bool lzma, pickle::IsUnmarkedLzma(source));
  return lzma ? Executable("archive") : FileJudgement{};
}

// Dangerous returns how a file is judged that the scanner calls dangerous: what calls something that nobody vouches
// for, and does nothing worse, is left out; everything else is an error.
Result<FileJudgement> Dangerous(const std::string& path, const ScanReport& report) {
  for (const Finding& finding : report.findings) {
    const std::string_view code = finding.error.code;
    if (finding.verdict != ScanVerdict::kDangerous || code == "CALL-UNLISTED" || code == "NEW-UNLISTED") continue;
    Error error = finding.error;
    error.stage = Stage::kUnsafe;
    error.subject = error.subject.empty() ? path : path + ": " + error.subject;
    return error;
  }
  return FileJudgement{FileJudgement::Kind::kCallingPickle, "unlisted_call"};
}

// IsArchive: layouts name what was unpacked last, as in "pickle, gzip".
bool IsArchive(const std::string& layout) {
  return layout.find("zip") != std::string::npos || layout.find("tar") != std::string::npos ||
         layout.find(", ") != std::string::npos;
}

// JudgeScanned asks the scanner, for which every file is one that somebody may load: nothing travels that it refuses.
// kData is what it has nothing against.
Result<FileJudgement> JudgeScanned(const std::string& path, const SharedSource& source,
                                   const pickle::ImportOptions& options) {
  pickle::Findings findings;
  SAFEMODEL_ASSIGN(const pickle::ScanClaim claim, pickle::ScanSource(source, options, findings));
  const ScanVerdict worst = findings.worst();
  if (worst == ScanVerdict::kDangerous) {
    ScanReport report;
    std::move(findings).MoveTo(report);
    return Dangerous(path, report);
  }
  if (claim.layout.empty() || claim.layout == "foreign") return FileJudgement{};
  if (worst == ScanVerdict::kUnreadable) {
    return FileJudgement{FileJudgement::Kind::kUnreadable,
                         IsArchive(claim.layout) ? "unreadable_archive" : "unreadable_pickle"};
  }
  if (worst == ScanVerdict::kUnknown) return FileJudgement{FileJudgement::Kind::kUnknownPickle, "unknown_pickle"};
  return FileJudgement{};
}

// Content is what a file holds that the scanner has nothing against.
struct Content {
  FileJudgement judgement;
  bool npz = false;  // an archive of plain arrays, which alone of all archives is data
};

Result<Content> ReadClean(const SharedSource& source, ByteView head, const pickle::ImportOptions& options) {
  const auto model = pickle::ImportPickleFamily(source, options);
  if (!model.ok()) {
    if (model.error().stage == Stage::kIo) return model.error();
    // A text may begin like a pickle ("c" starts an import), and goes wrong soon; what only the importer cannot follow
    // is no text.
    SAFEMODEL_ASSIGN(const bool pickle, pickle::MayBePickle(source, options.limits));
    if (!pickle) return Content{};
    return Content{{FileJudgement::Kind::kUnreadable, "unreadable_pickle"}};
  }
  if (model.value().verdict != "clean") return Content{{FileJudgement::Kind::kUnknownPickle, "unknown_pickle"}};
  // Without a single import there is nothing to run; .npy and .npz of plain arrays are of this kind.
  const bool declared = !head.empty() && head[0] == kProto;
  const bool is_torch = model.value().layout.starts_with("torch");
  if (!model.value().globals.empty() || declared || is_torch) return Content{{FileJudgement::Kind::kPickle, "pickle"}};
  return Content{{}, model.value().layout == "npz"};
}

}  // namespace

Result<FileJudgement> JudgeFile(const std::string& path, const SharedSource& source, const Limits& limits,
                                const pickle::AllowList* user) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*source, 0, std::min(kHeadBytes, source->size()), kHeadBytes));
  pickle::ImportOptions options;
  options.limits = limits;
  options.user = user;
  options.unknown = ConvertOptions::Unknown::kKeepInert;
  // The scan comes first: whatever else a file is, a dangerous pickle is refused.
  SAFEMODEL_ASSIGN(const FileJudgement scanned, JudgeScanned(path, source, options));
  if (scanned.kind != FileJudgement::Kind::kData) return scanned;
  SAFEMODEL_ASSIGN(const Content content, ReadClean(source, head, options));
  if (content.judgement.kind != FileJudgement::Kind::kData) return content.judgement;
  const FileJudgement named = JudgeName(path);
  if (named.kind != FileJudgement::Kind::kData) return named;
  if (content.npz) return FileJudgement{};
  // The length that safetensors begin with may spell any of the signatures.
  const bool is_safetensors =
      formats::LooksLikeSafetensors(head, source->size()) && formats::ReadSafetensors(source, limits).ok();
  const FileJudgement begun = is_safetensors ? FileJudgement{} : JudgeHead(head);
  if (begun.kind != FileJudgement::Kind::kData) return begun;
  SAFEMODEL_ASSIGN(const FileJudgement unmarked, JudgeUnmarked(source));
  if (unmarked.kind != FileJudgement::Kind::kData) return unmarked;
  // Whatever stands in front of a zip archive, Python runs the file, and unpackers open it.
  SAFEMODEL_ASSIGN(const std::optional<pickle::FoundArchive> archive, pickle::FindArchive(*source));
  return archive ? Executable("archive") : FileJudgement{};
}

Status CheckMayTravel(const FileJudgement& judgement, const std::string& path, UnknownClasses unknown) {
  if (judgement.kind == FileJudgement::Kind::kUnreadable) {
    return Error{Stage::kUnsafe, judgement.reason,
                 "a pickle or archive that cannot be judged to its end is never packed", kNoOffset, path};
  }
  if (judgement.kind == FileJudgement::Kind::kCallingPickle) {
    return Error{Stage::kUnsafe, "unlisted_call", "a pickle that calls what nobody vouches for is never packed",
                 kNoOffset, path};
  }
  if (judgement.kind == FileJudgement::Kind::kUnknownPickle && unknown == UnknownClasses::kRefuse) {
    return Error{Stage::kUnsafe, "unknown_pickle", "a pickle names classes that nobody vouches for", kNoOffset, path};
  }
  return {};
}

}  // namespace safemodel
