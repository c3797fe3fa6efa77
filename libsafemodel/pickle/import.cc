// SPDX-License-Identifier: Apache-2.0
// Which reader takes a file: decided by its content, never by its name.
#include "pickle/import.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "pickle/finish_import.h"
#include "pickle/joblib_layout.h"
#include "pickle/joblib_readings.h"
#include "pickle/machine.h"
#include "pickle/npy.h"
#include "pickle/npy_header.h"
#include "pickle/pickle_probe.h"
#include "pickle/recognise.h"
#include "pickle/scan.h"
#include "pickle/scan_end.h"
#include "pickle/tar.h"
#include "pickle/torch_layout.h"
#include "pickle/torch_legacy.h"
#include "pickle/torch_tar.h"
#include "pickle/wrapper.h"
#include "pickle/zip.h"

namespace safemodel::pickle {

namespace {

constexpr int kMostStreams = 64;  // that are judged; the file is refused whatever they hold

Error NotRead() {
  return {Stage::kUnsupported, "FILE-UNSUPPORTED", "the file is none of the formats that are read", 0};
}

// CheckRest judges the streams that follow the first one. Loaders ignore them or read them later; either way none may
// be dangerous, and a file whose bytes are not all explained is not read.
Status CheckRest(const SharedSource& source, std::uint64_t begin, const ImportOptions& options, Findings& findings) {
  std::uint64_t at = begin;
  for (int stream = 0; stream < kMostStreams && at < source->size(); ++stream) {
    Graph graph(source);
    ImportTables tables;
    RuleContext context{graph, tables, options.limits, findings, options.user};
    const auto next = RunMachine(context, at, {.unknown = options.unknown});
    if (!next.ok() && next.error().stage == Stage::kUnsafe) return next.error();
    if (!next.ok()) break;
    at = next.value().end;
  }
  if (begin == source->size()) return {};
  return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", begin};
}

Result<ImportedModel> ImportPickle(const SharedSource& source, ByteView head, const ImportOptions& options,
                                   Findings& findings) {
  JoblibLayout joblib(source, options);
  Graph graph(joblib.stream());
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings, options.user};
  const auto result = RunMachine(context, 0, {.unknown = options.unknown, .layout = &joblib, .end = source->size()});
  if (!result.ok()) {
    SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, 0, ProbeDepth::kWhole, options.limits));
    return pickle ? result.error() : NotRead();
  }
  SAFEMODEL_TRY(CheckPolyglot(head));
  if (IsTorchLegacyMagic(graph, result.value().root)) return ImportTorchLegacy(source, options, findings);
  SAFEMODEL_TRY(CheckMagicIsPlain(source, graph, result.value(), options.limits));
  SAFEMODEL_TRY(CheckRest(source, result.value().end, options, findings));
  if (joblib.used()) {
    StreamBudget budget;
    SAFEMODEL_TRY(CheckOtherReadings(source, 0, options, ReadingOf(graph, joblib, result.value().end), budget));
  }
  return FinishImport(graph, std::move(tables), result.value().root, joblib.used() ? "joblib" : "pickle", options);
}

Result<ImportedModel> ImportZip(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_ASSIGN(const ZipArchive archive, ZipArchive::Open(source));
  if (IsTorchArchive(archive)) {
    auto model = ImportTorchZip(archive, options, findings);
    if (model.ok()) SAFEMODEL_TRY(CheckMembers(archive, options, findings));
    return model;
  }
  SAFEMODEL_ASSIGN(const bool is_npz, IsNpzArchive(archive));
  if (is_npz) return ImportNpz(archive, options, findings);
  return NotRead();
}

// ImportTar judges the file as a pickle too, for which readers other than torch.load take it.
Result<ImportedModel> ImportTar(const SharedSource& source, ByteView head, const ImportOptions& options,
                                Findings& findings) {
  auto as_pickle = ImportPickle(source, head, options, findings);
  if (as_pickle.ok() || as_pickle.error().stage != Stage::kUnsupported) return as_pickle;
  SAFEMODEL_ASSIGN(const TarArchive archive, TarArchive::Open(source));
  return ImportTorchTar(archive, options, findings);
}

Result<ImportedModel> ImportPlain(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  if (LooksLikeZip(head)) {
    SAFEMODEL_TRY(CheckNoTar(head));
    return ImportZip(source, options, findings);
  }
  if (LooksLikeNpy(head)) {
    SAFEMODEL_TRY(CheckPolyglot(head));
    return ImportNpy(source, options, findings);
  }
  if (LooksLikeTar(head)) return ImportTar(source, head, options, findings);
  return ImportPickle(source, head, options, findings);
}

// CheckWrapped refuses a compressed file that readers which do not unpack it take for something else.
Status CheckWrapped(const SharedSource& source, const ImportOptions& options) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, 0, ProbeDepth::kWhole, options.limits));
  if (!pickle && !LooksLikeTar(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the compressed file is a pickle or a tar archive too", 0};
}

// ImportPeeled judges the content first: what a reader takes from a damaged file before it notices counts.
Result<ImportedModel> ImportPeeled(const SharedSource& source, Peeled peeled, const ImportOptions& options,
                                   Findings& findings) {
  SAFEMODEL_TRY(CheckWrapped(source, options));
  SAFEMODEL_TRY(CheckArchiveAtEnd(peeled.plain, options));
  auto model = ImportPlain(peeled.plain, options, findings);
  const bool unsafe = !model.ok() && model.error().stage == Stage::kUnsafe;
  if (peeled.fault && !unsafe) return *peeled.fault;
  if (!model.ok()) return model;
  for (const WrapperKind kind : peeled.wrappers) model.value().layout += std::string(", ") + WrapperName(kind);
  return model;
}

}  // namespace

Result<bool> MayBePickle(const SharedSource& source, const Limits& limits) {
  return ProbePickle(source, 0, ProbeDepth::kWhole, limits);
}

Result<ImportedModel> ImportPickleFamily(SharedSource source, const ImportOptions& options) {
  Findings findings;
  SAFEMODEL_ASSIGN(Peeled peeled, PeelWrappers(source, {}));
  auto model = peeled.wrappers.empty() ? ImportPlain(source, options, findings)
                                       : ImportPeeled(source, std::move(peeled), options, findings);
  if (!model.ok() && (model.error().stage == Stage::kUnsafe || model.error().stage == Stage::kIo)) return model;
  SAFEMODEL_TRY(CheckArchiveAtEnd(source, options));
  return model;
}

}  // namespace safemodel::pickle
