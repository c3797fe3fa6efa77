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
#include "pickle/tar.h"
#include "pickle/torch_layout.h"
#include "pickle/torch_legacy.h"
#include "pickle/torch_tar.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

namespace {

constexpr std::uint64_t kHeadBytes = 512;  // the first header of a tar
constexpr std::uint8_t kProto = 0x80;
constexpr int kMostStreams = 64;  // that are judged; the file is refused whatever they hold

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

// CheckPolyglot refuses what other readers open as something else: torch.load looks for a tar first, joblib.load for
// bz2, whose magic is a pickle's BINBYTES too.
Status CheckPolyglot(ByteView head) {
  const bool bzip2 = head.size() >= 4 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && head[3] >= '1' &&
                     head[3] <= '9';
  if (!bzip2 && !LooksLikeTar(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the file is an archive too, whose content other readers load", 0};
}

// CheckRest judges the streams that follow the first one. Loaders ignore them or read them later; either way none may
// be dangerous, and a file whose bytes are not all explained is not read.
Status CheckRest(const SharedSource& source, std::uint64_t begin, const ImportOptions& options) {
  std::uint64_t at = begin;
  for (int stream = 0; stream < kMostStreams && at < source->size(); ++stream) {
    Graph graph(source);
    ImportTables tables;
    RuleContext context{graph, tables, options.limits};
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
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits};
  const auto plain = RunMachine(context, 0, {.unknown = options.unknown});
  if (plain.ok() || plain.error().stage != Stage::kUnsafe) return {};
  const std::string_view code = plain.error().code;
  for (const std::string_view family : {"GLOBAL-DANGEROUS", "GLOBAL-DOTTED", "CALL-", "NEW-"}) {
    if (code.starts_with(family)) return plain.error();
  }
  return {};
}

Result<ImportedModel> ImportPickle(const SharedSource& source, ByteView head, const ImportOptions& options) {
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits};
  JoblibLayout joblib;
  const auto result = RunMachine(context, 0, {.unknown = options.unknown, .layout = &joblib});
  if (!result.ok()) return IsPickle(head, graph, result.error()) ? result.error() : NotRead();
  SAFEMODEL_TRY(CheckPolyglot(head));
  if (IsTorchLegacyMagic(graph, result.value().root)) return ImportTorchLegacy(source, options);
  SAFEMODEL_TRY(CheckMagicIsPlain(source, graph, result.value(), options.limits));
  SAFEMODEL_TRY(CheckRest(source, result.value().end, options));
  if (joblib.used()) SAFEMODEL_TRY(CheckPlainReading(source, options));
  return FinishImport(graph, std::move(tables), result.value().root, joblib.used() ? "joblib" : "pickle", options);
}

Result<ImportedModel> ImportZip(const SharedSource& source, const ImportOptions& options) {
  SAFEMODEL_ASSIGN(const ZipArchive archive, ZipArchive::Open(source));
  if (IsTorchArchive(archive)) return ImportTorchZip(archive, options);
  SAFEMODEL_ASSIGN(const bool is_npz, IsNpzArchive(archive));
  if (is_npz) return ImportNpz(archive, options);
  return NotRead();
}

// ImportTar judges the file as a pickle too, for which readers other than torch.load take it.
Result<ImportedModel> ImportTar(const SharedSource& source, ByteView head, const ImportOptions& options) {
  auto as_pickle = ImportPickle(source, head, options);
  if (as_pickle.ok() || as_pickle.error().stage == Stage::kUnsafe) return as_pickle;
  SAFEMODEL_ASSIGN(const TarArchive archive, TarArchive::Open(source));
  return ImportTorchTar(archive, options);
}

}  // namespace

Result<ImportedModel> ImportPickleFamily(SharedSource source, const ImportOptions& options) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*source, 0, std::min(kHeadBytes, source->size()), kHeadBytes));
  if (LooksLikeZip(head)) return ImportZip(source, options);
  if (LooksLikeNpy(head)) {
    SAFEMODEL_TRY(CheckPolyglot(head));
    return ImportNpy(source, options);
  }
  if (LooksLikeTar(head)) return ImportTar(source, head, options);
  return ImportPickle(source, head, options);
}

}  // namespace safemodel::pickle
