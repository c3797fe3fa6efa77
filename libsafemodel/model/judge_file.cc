// SPDX-License-Identifier: Apache-2.0
#include "model/judge_file.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/try.h"
#include "formats/safetensors.h"
#include "pickle/import.h"

namespace safemodel {
namespace {

using namespace std::string_view_literals;  // signatures have NUL in them

constexpr std::uint64_t kHeadBytes = 512;
constexpr std::uint64_t kTailBytes = 65557;  // the end record of a zip archive and its longest comment
constexpr std::uint64_t kEndRecordBytes = 22;
constexpr std::uint32_t kEndSignature = 0x06054B50;
constexpr std::uint8_t kProto = 0x80;

constexpr std::array kScripts = {".py"sv,   ".pyw"sv, ".pyx"sv, ".pyc"sv,  ".pyo"sv, ".sh"sv,  ".bash"sv,
                                 ".zsh"sv,  ".csh"sv, ".ksh"sv, ".fish"sv, ".bat"sv, ".cmd"sv, ".ps1"sv,
                                 ".psm1"sv, ".vbs"sv, ".js"sv,  ".mjs"sv,  ".cjs"sv, ".ts"sv,  ".rb"sv,
                                 ".pl"sv,   ".php"sv, ".lua"sv, ".r"sv,    ".jl"sv};
constexpr std::array kPrograms = {".so"sv,  ".dll"sv, ".dylib"sv, ".pyd"sv, ".exe"sv,   ".com"sv, ".msi"sv,
                                  ".scr"sv, ".o"sv,   ".a"sv,     ".lib"sv, ".class"sv, ".wasm"sv};
constexpr std::array kArchives = {".jar"sv, ".whl"sv, ".egg"sv, ".apk"sv, ".deb"sv, ".rpm"sv, ".mar"sv};

struct Signature {
  std::string_view bytes;
  const char* reason;
  std::size_t offset = 0;
};

constexpr Signature kSignatures[] = {
    {"#!"sv, "script"},
    {"\x7F"
     "ELF"sv,
     "program"},
    {"MZ"sv, "program"},
    {"\xFE\xED\xFA\xCE"sv, "program"},  // Mach-O, in both byte orders and word sizes
    {"\xFE\xED\xFA\xCF"sv, "program"},
    {"\xCE\xFA\xED\xFE"sv, "program"},
    {"\xCF\xFA\xED\xFE"sv, "program"},
    {"\xCA\xFE\xBA\xBE"sv, "program"},  // a Mach-O for several processors, or a class of Java
    {"\0asm"sv, "program"},
    {"!<arch>\n"sv, "program"},
    {"\x89HDF\r\n\x1A\n"sv, "keras"},  // layers of Keras may be code
    {"\x1F\x8B\x08"sv, "archive"},
    {"BZh"sv, "archive"},
    {"\xFD"
     "7zXZ\0"sv,
     "archive"},
    {"\x5D\0\0"sv, "archive"},  // LZMA
    {"\x28\xB5\x2F\xFD"sv, "archive"},
    {"\x04\x22\x4D\x18"sv, "archive"},
    {"\x78\x01"sv, "archive"},  // zlib; joblib reads all of these
    {"\x78\x9C"sv, "archive"},
    {"\x78\xDA"sv, "archive"},
    {"ZF0x"sv, "archive"},
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
  // libx.so.1 too
  if (EndsWithOneOf(folded, kPrograms) || folded.find(".so.") != std::string::npos) return Executable("program");
  if (EndsWithOneOf(folded, kArchives)) return Executable("archive");
  return {};
}

// IsZlib: 0x78 0x5E is what joblib writes, and "x^" begins a text just as well.
bool IsZlib(ByteView head) {
  if (!StartsWith(head, 0, "\x78\x5E")) return false;
  return std::any_of(head.begin(), head.end(),
                     [](std::uint8_t byte) { return byte >= 0x80 || (byte < 0x20 && (byte < 9 || byte > 13)); });
}

FileJudgement JudgeHead(ByteView head) {
  for (const Signature& signature : kSignatures) {
    if (StartsWith(head, signature.offset, signature.bytes)) return Executable(signature.reason);
  }
  return IsZlib(head) ? Executable("archive") : FileJudgement{};
}

// EndsAsZip finds a zip archive whatever stands in front of it: Python runs such files, and unpackers open them.
Result<bool> EndsAsZip(const ByteSource& source) {
  if (source.size() < kEndRecordBytes) return false;
  const std::uint64_t length = std::min(kTailBytes, source.size());
  SAFEMODEL_ASSIGN(const ByteBuffer tail, ReadRange(source, source.size() - length, length, kTailBytes));
  for (std::size_t i = tail.size() - kEndRecordBytes + 1; i-- > 0;) {
    ByteReader end(ByteView(tail).subspan(i));
    SAFEMODEL_ASSIGN(const std::uint32_t signature, end.U32());
    if (signature != kEndSignature) continue;
    SAFEMODEL_TRY(end.Take(kEndRecordBytes - 6));
    SAFEMODEL_ASSIGN(const std::uint16_t comment, end.U16());
    if (end.remaining() == comment) return true;
  }
  return false;
}

// JudgePickle asks the importer, keeping unknown classes as inert data, so that what is refused as unsafe is dangerous.
Result<FileJudgement> JudgePickle(const std::string& path, const SharedSource& source, ByteView head,
                                  const Limits& limits, const pickle::AllowList* user) {
  pickle::ImportOptions options;
  options.limits = limits;
  options.user = user;
  options.unknown = ConvertOptions::Unknown::kKeepInert;
  const auto model = pickle::ImportPickleFamily(source, options);
  const bool declared = !head.empty() && head[0] == kProto;
  if (!model.ok()) {
    Error error = model.error();
    if (error.stage == Stage::kIo) return error;
    const std::string_view code = error.code;
    if (code == "CALL-UNLISTED" || code == "NEW-UNLISTED")
      return FileJudgement{FileJudgement::Kind::kCallingPickle, "unlisted_call"};
    if (error.stage == Stage::kUnsafe) {
      error.subject = error.subject.empty() ? path : path + ": " + error.subject;
      return error;
    }
    // A text may begin like a pickle ("c" starts an import), and goes wrong soon; what only this reader cannot follow
    // is no text.
    SAFEMODEL_ASSIGN(const bool pickle, pickle::MayBePickle(source, limits));
    if (!pickle) return FileJudgement{};
    return FileJudgement{FileJudgement::Kind::kUnreadablePickle, "unreadable_pickle"};
  }
  if (model.value().verdict != "clean") return FileJudgement{FileJudgement::Kind::kUnknownPickle, "unknown_pickle"};
  // Without a single import there is nothing to run; .npy and .npz of plain arrays are of this kind.
  const bool is_torch = model.value().layout.starts_with("torch");
  if (model.value().globals.empty() && !declared && !is_torch) return FileJudgement{};
  return FileJudgement{FileJudgement::Kind::kPickle, "pickle"};
}

}  // namespace

Result<FileJudgement> JudgeFile(const std::string& path, const SharedSource& source, const Limits& limits,
                                const pickle::AllowList* user) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*source, 0, std::min(kHeadBytes, source->size()), kHeadBytes));
  // The pickle comes first: whatever else a file is, a dangerous pickle is refused.
  SAFEMODEL_ASSIGN(const FileJudgement content, JudgePickle(path, source, head, limits, user));
  if (content.kind != FileJudgement::Kind::kData) return content;
  const FileJudgement named = JudgeName(path);
  if (named.kind != FileJudgement::Kind::kData) return named;
  // The length that safetensors begin with may spell any of the signatures.
  const bool is_safetensors =
      formats::LooksLikeSafetensors(head, source->size()) && formats::ReadSafetensors(source, limits).ok();
  const FileJudgement begun = is_safetensors ? FileJudgement{} : JudgeHead(head);
  if (begun.kind != FileJudgement::Kind::kData) return begun;
  SAFEMODEL_ASSIGN(const bool is_zip, EndsAsZip(*source));
  const bool is_npz = is_zip && StartsWith(head, 0, "PK\x03\x04") && [&] {
    pickle::ImportOptions options;
    options.limits = limits;
    const auto model = pickle::ImportPickleFamily(source, options);
    return model.ok() && model.value().layout == "npz" && model.value().globals.empty();
  }();
  return is_zip && !is_npz ? Executable("archive") : FileJudgement{};
}

Status CheckMayTravel(const FileJudgement& judgement, const std::string& path, UnknownClasses unknown) {
  if (judgement.kind == FileJudgement::Kind::kUnreadablePickle) {
    return Error{Stage::kUnsafe, "unreadable_pickle", "a pickle that cannot be judged to its end is never packed",
                 kNoOffset, path};
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
