// SPDX-License-Identifier: Apache-2.0
// Which reader takes a file: decided by its content, never by its name.
#include "pickle/import.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "pickle/finish_import.h"
#include "pickle/joblib_layout.h"
#include "pickle/machine.h"
#include "pickle/npy.h"
#include "pickle/npy_header.h"
#include "pickle/torch_layout.h"
#include "pickle/wrapper.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

namespace {

constexpr std::uint64_t kHeadBytes = 512;  // the first header of a tar
constexpr std::uint8_t kProto = 0x80;
constexpr int kMostStreams = 64;  // that are judged; the file is refused whatever they hold
// The first stream of a file of torch.save before 1.6 is this number.
constexpr std::uint8_t kLegacyMagic[] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};

Error NotRead() {
  return {Stage::kUnsupported, "FILE-UNSUPPORTED", "the file is none of the formats that are read", 0};
}

// IsPickle tells a pickle that went wrong from bytes that only look like one for a moment: it declares a protocol, or
// it has imported something.
bool IsPickle(ByteView head, const Graph& graph, const Error& error) {
  if (head.size() >= 2 && head[0] == kProto && head[1] <= 5) return true;
  return !graph.globals().empty() || std::string_view(error.code) == "GLOBAL-DANGEROUS" ||
         std::string_view(error.code) == "GLOBAL-DOTTED";
}

// IsTarHeader tells what tarfile takes for a header: the sum of its bytes stands in it, as octal digits or in binary.
bool IsTarHeader(ByteView head) {
  constexpr std::size_t kSum = 148;
  constexpr std::size_t kSumSize = 8;
  if (head.size() < kHeadBytes) return false;
  const ByteView field = head.subspan(kSum, kSumSize);
  std::int64_t plain = std::int64_t{' '} * kSumSize;
  std::int64_t with_signs = plain;
  for (std::size_t i = 0; i < kHeadBytes; ++i) {
    if (i >= kSum && i < kSum + kSumSize) continue;
    plain += head[i];
    with_signs += static_cast<std::int8_t>(head[i]);
  }
  std::int64_t stated = 0;
  const bool binary = field[0] == 0x80;
  for (const std::uint8_t byte : field.subspan(binary ? 1 : 0)) {
    if (binary) {
      stated = stated << 8 | byte;
    } else if (byte == 0) {
      break;
    } else if (byte >= '0' && byte <= '7') {
      stated = stated << 3 | (byte - '0');
    }
  }
  return stated == plain || stated == with_signs;
}

// CheckPolyglot refuses what other readers open as something else: torch.load looks for a tar first, joblib.load for
// bz2, whose magic is a pickle's BINBYTES too.
Status CheckPolyglot(ByteView head) {
  const bool bzip2 =
      head.size() >= 4 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && head[3] >= '1' && head[3] <= '9';
  if (!bzip2 && !IsTarHeader(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the pickle is an archive too, whose content other readers load", 0};
}

bool IsLegacyMagic(const Graph& graph, NodeIndex root) {
  return graph.kind(root) == Kind::kLong && std::ranges::equal(graph.LongOf(root), kLegacyMagic);
}

// CheckRest judges the streams that follow the first one. Loaders ignore them or read them later; either way none may
// be dangerous, and a file whose bytes are not all explained is not read.
Status CheckRest(const SharedSource& source, std::uint64_t begin, const ImportOptions& options, Findings& findings) {
  std::uint64_t at = begin;
  for (int stream = 0; stream < kMostStreams && at < source->size(); ++stream) {
    Graph graph(source);
    ImportTables tables;
    RuleContext context{graph, tables, options.limits, findings};
    const auto next = RunMachine(context, at, {.unknown = options.unknown});
    if (!next.ok() && next.error().stage == Stage::kUnsafe) return next.error();
    if (!next.ok()) break;
    at = next.value().end;
  }
  if (begin == source->size()) return {};
  return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", begin};
}

// CheckPlainReading runs a joblib file as pickle.load would, which takes the raw bytes of an array for opcodes. Arrays
// by joblib 0.10 to 1.1 stand behind their wrapper without a byte that stops such a reader. That it goes wrong is
// normal; that it comes to call something is an attack on those who use the other reader.
Status CheckPlainReading(const SharedSource& source, const ImportOptions& options) {
  Findings findings;
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings};
  const auto plain = RunMachine(context, 0, {.unknown = options.unknown});
  if (plain.ok() || plain.error().stage != Stage::kUnsafe) return {};
  const std::string_view code = plain.error().code;
  for (const std::string_view family : {"GLOBAL-DANGEROUS", "GLOBAL-DOTTED", "CALL-", "NEW-"}) {
    if (code.starts_with(family)) return plain.error();
  }
  return {};
}

Result<ImportedModel> ImportPickle(const SharedSource& source, ByteView head, const ImportOptions& options,
                                   Findings& findings) {
  JoblibLayout joblib(source, options);
  Graph graph(joblib.stream());
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings};
  const auto result = RunMachine(context, 0, {.unknown = options.unknown, .layout = &joblib, .end = source->size()});
  if (!result.ok()) return IsPickle(head, graph, result.error()) ? result.error() : NotRead();
  const Status rest = CheckRest(source, result.value().end, options, findings);
  if (!rest.ok() && rest.error().stage == Stage::kUnsafe) return rest.error();
  if (IsLegacyMagic(graph, result.value().root)) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "files of torch.save before version 1.6 are not read; save it again", 0};
  }
  SAFEMODEL_TRY(rest);
  SAFEMODEL_TRY(CheckPolyglot(head));
  if (joblib.used()) SAFEMODEL_TRY(CheckPlainReading(source, options));
  return FinishImport(graph, std::move(tables), result.value().root, joblib.used() ? "joblib" : "pickle", options);
}

Result<ImportedModel> ImportZip(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_ASSIGN(const ZipArchive archive, ZipArchive::Open(source));
  if (IsTorchArchive(archive)) return ImportTorchZip(archive, options, findings);
  SAFEMODEL_ASSIGN(const bool is_npz, IsNpzArchive(archive));
  if (is_npz) return ImportNpz(archive, options, findings);
  return NotRead();
}

Result<ByteBuffer> HeadOf(const ByteSource& source) {
  return ReadRange(source, 0, std::min(kHeadBytes, source.size()), kHeadBytes);
}

Result<ImportedModel> ImportPlain(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  if (LooksLikeZip(head)) return ImportZip(source, options, findings);
  if (LooksLikeNpy(head)) return ImportNpy(source, options, findings);
  return ImportPickle(source, head, options, findings);
}

// CheckWrapped refuses a compressed file that readers which do not unpack it take for something else.
Status CheckWrapped(const SharedSource& source, const ImportOptions& options) {
  Findings findings;
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings};
  const auto raw = RunMachine(context, 0, {.unknown = options.unknown});
  const bool pickle = raw.ok() || raw.error().stage == Stage::kUnsafe;
  if (!pickle && !IsTarHeader(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the compressed file is a pickle or a tar archive too", 0};
}

// ImportPeeled judges the content first: what a reader takes from a damaged file before it notices counts.
Result<ImportedModel> ImportPeeled(const SharedSource& source, Peeled peeled, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_TRY(CheckWrapped(source, options));
  auto model = ImportPlain(peeled.plain, options, findings);
  const bool unsafe = !model.ok() && model.error().stage == Stage::kUnsafe;
  if (peeled.fault && !unsafe) return *peeled.fault;
  if (!model.ok()) return model;
  for (const WrapperKind kind : peeled.wrappers) model.value().layout += std::string(", ") + WrapperName(kind);
  return model;
}

}  // namespace

Result<ImportedModel> ImportPickleFamily(SharedSource source, const ImportOptions& options) {
  Findings findings;
  SAFEMODEL_ASSIGN(Peeled peeled, PeelWrappers(source, {}));
  if (peeled.wrappers.empty()) return ImportPlain(source, options, findings);
  return ImportPeeled(source, std::move(peeled), options, findings);
}

}  // namespace safemodel::pickle
