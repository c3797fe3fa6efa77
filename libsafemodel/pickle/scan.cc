// SPDX-License-Identifier: Apache-2.0
#include "pickle/scan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/carved_storages.h"
#include "pickle/joblib_layout.h"
#include "pickle/joblib_readings.h"
#include "pickle/machine.h"
#include "pickle/npy.h"
#include "pickle/npy_header.h"
#include "pickle/opcode.h"
#include "pickle/pickle_probe.h"
#include "pickle/recognise.h"
#include "pickle/scan_end.h"
#include "pickle/scan_role.h"
#include "pickle/scan_text.h"
#include "pickle/tar.h"
#include "pickle/torch_layout.h"
#include "pickle/torch_legacy.h"
#include "pickle/torch_tar.h"
#include "pickle/wrapper.h"
#include "pickle/zip.h"

namespace safemodel::pickle {
namespace {

constexpr unsigned kMostLevels = 8;  // of archives and wrappers inside each other

Error Unsupported(const char* text, const char* subject) {
  return {Stage::kUnsupported, "FILE-UNSUPPORTED", text, 0, subject};
}

// Scanner judges one input and what is inside it. Its functions call each other once for each level of nesting, of
// which there are few.
class Scanner {
 public:
  Scanner(const ImportOptions& options, Findings& findings) : options_(options), findings_(findings) {}

  Result<ScanClaim> ScanInner(const SharedSource& source, Role role, unsigned level);
  // ScanMembers judges the members of an archive; without the pickles that a reader has run already, `known`, whose
  // storages lie in folders of their names.
  Status ScanMembers(const ZipArchive& archive, const std::vector<std::string>& known, unsigned level);
  Status ScanZipMember(const ZipArchive& archive, const ZipEntry& entry, Role role, unsigned level);

 private:
  Result<ScanClaim> Scan(const SharedSource& source, Role role, unsigned level);
  Result<ScanClaim> ScanZip(const SharedSource& source, unsigned level);
  Result<ScanClaim> ScanCarved(const SharedSource& source, const std::vector<ZipEntry>& listed, unsigned level);
  Status ScanCarvedPickle(const SharedSource& pickle, CarvedStorages& storages, unsigned level);
  Status ScanMember(const std::string& name, const Result<SharedSource>& source, Role role, unsigned level);
  Status ScanOtherThanTar(const SharedSource& source, ByteView head, unsigned level);
  Result<ScanClaim> ScanTar(const SharedSource& source, ByteView head, unsigned level);
  Result<ScanClaim> ScanWrapped(const SharedSource& source, Unwrapped unwrapped, unsigned level);
  Result<ScanClaim> ScanNpy(const SharedSource& source, unsigned level);
  Result<ScanClaim> ScanStreams(const SharedSource& source, ByteView head, unsigned level);
  // Before is what stands in front of a rest: where a stream broke, what follows is no trailing bytes.
  enum class Before : std::uint8_t { kWhole, kBroken };
  Status ScanRest(const SharedSource& file, std::uint64_t& at, unsigned level, Before before);
  // Stream is what one stream turned out to be.
  struct Stream {
    MachineResult reached;
    std::optional<JoblibReading> joblib;  // when there are arrays of joblib in it
    bool legacy_torch = false;
  };
  Status ScanOtherReadings(const SharedSource& source, std::uint64_t at, const Stream& stream);
  Result<Stream> RunStream(const SharedSource& source, std::uint64_t at, unsigned level);
  Result<ScanClaim> ScanLegacyTorch(const SharedSource& source, std::uint64_t behind_magic, unsigned level);
  Result<bool> ScanArchiveBehind(const SharedSource& source, std::uint64_t begin, unsigned level);
  Status ScanBehind(const SharedSource& source, std::uint64_t begin, unsigned level);
  Status ScanConstants(const Graph& graph, unsigned level);
  // Options for a reader whose stream stands at this level.
  [[nodiscard]] ImportOptions OptionsAt(unsigned level) {
    ImportOptions options = options_;
    options.on_graph = [this, level](const Graph& graph) { return ScanConstants(graph, level); };
    return options;
  }

  // Take records an error of a reader unless its part holds it already; only kIo stays an error.
  Status Take(const Findings::Part& part, const Error& error);

  const ImportOptions& options_;
  Findings& findings_;
  SearchBudget search_;
  bool end_judged_ = false;
  StreamBudget streams_;
};

Status Scanner::Take(const Findings::Part& part, const Error& error) {
  if (error.stage == Stage::kIo) return error;
  if (!part.Holds(error)) findings_.Add(error);
  return {};
}

Result<ScanClaim> Scanner::Scan(const SharedSource& source, Role role, unsigned level) {
  if (level > kMostLevels) {
    findings_.Add({Stage::kLimit, "LIMIT-DEPTH", "archives are nested too deeply inside each other", 0});
    return ScanClaim{"nested", 0};
  }
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*source));
  if (head.empty()) return ScanClaim{};
  if (LooksLikeZip(head)) {
    if (const Status no_tar = CheckNoTar(head); role == Role::kInput && !no_tar.ok()) findings_.Add(no_tar.error());
    return ScanZip(source, level);
  }
  // Nothing but a checksum tells a tar archive: one small tensor in some thousands has a right one by chance.
  if (LooksLikeTar(head) && role == Role::kInput) return ScanTar(source, head, level);
  if (LooksLikeNpy(head)) return ScanNpy(source, level);
  const char* format = nullptr;
  if (role == Role::kInput) {
    SAFEMODEL_ASSIGN(format, ForeignFormat(*source));
  }
  if (format != nullptr) {
    findings_.Add(Unsupported("this format may carry programs and is not read; scan it with its own tools", format));
  }
  if (role == Role::kInput) {
    SAFEMODEL_ASSIGN(std::optional<Unwrapped> unwrapped, Unwrap(source, source->size(), {}));
    if (unwrapped) {
      SAFEMODEL_ASSIGN(ScanClaim claim, ScanWrapped(source, std::move(*unwrapped), level));
      if (!claim.layout.empty()) return claim;
    }
  }
  const ProbeDepth depth = role == Role::kInput ? ProbeDepth::kWhole : ProbeDepth::kShallow;
  SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, 0, depth, options_.limits));
  if (pickle) return ScanStreams(source, head, level);
  if (role == Role::kInput) {
    SAFEMODEL_ASSIGN(const bool archive, ScanArchiveBehind(source, 0, level));
    if (archive) return ScanClaim{"zip", 0};
  }
  return format != nullptr ? ScanClaim{"foreign", 0} : ScanClaim{};
}

// ScanArchiveBehind judges an archive that ends behind `begin`, where the claim of another reader ends, if there is
// one.
Result<bool> Scanner::ScanArchiveBehind(const SharedSource& source, std::uint64_t begin, unsigned level) {
  // To look at the end of what is unpacked on the way is to unpack it all once more.
  if (source->sequential() && source->size() > kMostText) return false;
  SAFEMODEL_ASSIGN(const std::optional<FoundArchive> found, FindArchive(*source));
  if (!found || found->end_record < begin) return false;
  end_judged_ = true;
  if (begin > 0) {
    findings_.Add({Stage::kUnsafe, "FILE-POLYGLOT", "a zip archive follows, which other readers load instead", begin});
  } else {
    findings_.Add({Stage::kUnsafe, "ZIP-OUTSIDE", "bytes lie in front of the first member", 0});
  }
  SAFEMODEL_TRY(ScanCarved(source, {}, level));
  return true;
}

// ScanInner judges what lies in another file like a file of its own: whoever takes it out may open it by its end.
Result<ScanClaim> Scanner::ScanInner(const SharedSource& source, Role role, unsigned level) {
  const bool outer = std::exchange(end_judged_, false);
  SAFEMODEL_ASSIGN(ScanClaim claim, Scan(source, role, level));
  if (role == Role::kInput && !end_judged_) SAFEMODEL_TRY(ScanArchiveAtEnd(source, options_, findings_, level));
  end_judged_ = outer;
  return claim;
}

// ScanBehind judges what follows a compressed file.
Status Scanner::ScanBehind(const SharedSource& source, std::uint64_t begin, unsigned level) {
  SAFEMODEL_ASSIGN(const SharedSource rest, MakeSliceSource(source, begin, source->size() - begin));
  SAFEMODEL_ASSIGN(const ScanClaim claim, ScanInner(rest, Role::kInput, level + 1));
  if (!claim.layout.empty()) return {};
  std::uint64_t at = 0;
  return ScanRest(rest, at, level, Before::kWhole);
}

Status Scanner::ScanMember(const std::string& name, const Result<SharedSource>& source, Role role, unsigned level) {
  const Findings::MemberScope scope(findings_, name);
  const Findings::Part part(findings_);
  if (!source.ok()) return Take(part, source.error());
  const auto claim = ScanInner(source.value(), role, level + 1);
  if (!claim.ok() && claim.error().stage == Stage::kIo) return claim.error();
  if (!claim.ok()) return Take(part, claim.error());
  if (!claim.value().layout.empty() || role == Role::kStorage) return {};
  findings_.AddOpaque();
  const Status text = ScanText(*source.value(), findings_);
  return text.ok() ? Status() : Take(part, text.error());
}

Status Scanner::ScanMembers(const ZipArchive& archive, const std::vector<std::string>& known, unsigned level) {
  std::array<std::uint8_t, 6> start{};
  const ReadAhead starts(archive.source());
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.directory() || IsKnown(entry.name, known)) continue;
    const Role role = RoleOf(entry.name, known);
    // The cheapest no comes first: an archive may have very many tensors.
    if (role == Role::kStorage && entry.method == ZipMethod::kStored) {
      const MutableBytes first = MutableBytes(start).first(std::min<std::uint64_t>(start.size(), entry.size));
      SAFEMODEL_TRY(starts.ReadAt(entry.data_offset, first));
      // numpy.load takes each member that begins as it writes arrays, with the pickle inside.
      if (first.empty() || (!MayStartPickle(first[0]) && !LooksLikeZip(first) && !LooksLikeNpy(first))) continue;
    }
    SAFEMODEL_ASSIGN(const bool record, IsRecord(archive, entry, known));
    if (!record) SAFEMODEL_TRY(ScanZipMember(archive, entry, role, level));
  }
  return {};
}

Status Scanner::ScanZipMember(const ZipArchive& archive, const ZipEntry& entry, Role role, unsigned level) {
  return ScanMember(entry.name, archive.OpenEntry(entry, ZipCrc::kIgnore), role, level);
}

Result<ScanClaim> Scanner::ScanZip(const SharedSource& source, unsigned level) {
  const Findings::Part part(findings_);
  auto survey = SurveyZip(source);
  if (!survey.ok()) {
    SAFEMODEL_TRY(Take(part, survey.error()));
    return ScanCarved(source, {}, level);
  }
  const ZipArchive& archive = survey.value().archive;
  for (const Error& fault : survey.value().faults) findings_.Add(fault);
  if (!survey.value().faults.empty()) return ScanCarved(source, archive.entries(), level);
  if (!IsTorchArchive(archive)) {
    SAFEMODEL_TRY(ScanMembers(archive, {}, level));
    return ScanClaim{"zip", source->size()};
  }
  const auto model = ImportTorchZip(archive, OptionsAt(level), findings_);
  if (!model.ok()) SAFEMODEL_TRY(Take(part, model.error()));
  SAFEMODEL_TRY(ScanMembers(archive, TorchPickleNames(archive), level));
  return ScanClaim{"torch-zip", source->size()};
}

// ScanCarved judges whatever looks like a member in an archive that readers would see differently, and the members as
// the directory lists them, which most readers believe.
Result<ScanClaim> Scanner::ScanCarved(const SharedSource& source, const std::vector<ZipEntry>& listed, unsigned level) {
  SAFEMODEL_ASSIGN(const std::vector<ZipEntry> entries, CarveZip(*source, listed));
  CarvedStorages storages(source);
  for (const ZipEntry& entry : entries) {
    if (IsTorchStorageName(entry.name)) storages.Add(BareName(entry.name), entry);
  }
  for (const ZipEntry& entry : entries) {
    if (entry.stored_size == 0) continue;
    const auto member = OpenCarved(source, entry);
    if (!member.ok()) {
      SAFEMODEL_TRY(ScanMember(entry.name, member.error(), Role::kInput, level));
      continue;
    }
    const SharedSource& plain = member.value().plain;
    const bool is_torch = !storages.empty() && IsTorchPickleName(entry.name);
    {
      const Findings::MemberScope scope(findings_, entry.name);
      if (member.value().fault) findings_.Add(*member.value().fault);
      if (is_torch) SAFEMODEL_TRY(ScanCarvedPickle(plain, storages, level));
    }
    if (!is_torch) SAFEMODEL_TRY(ScanMember(entry.name, plain, Role::kInput, level));  // which names the member itself
  }
  return ScanClaim{"zip", 0};
}

Status Scanner::ScanCarvedPickle(const SharedSource& pickle, CarvedStorages& storages, unsigned level) {
  TorchLayout layout([&](std::string_view key) { return storages.Open(key); });
  Graph graph(pickle);
  ImportTables tables;
  RuleContext context{graph, tables, options_.limits, findings_, options_.user};
  const auto run = RunMachine(context, 0, {.unknown = options_.unknown, .layout = &layout});
  if (!run.ok() && run.error().stage == Stage::kIo) return run.error();
  return ScanConstants(graph, level);
}

// ScanOtherThanTar judges what readers other than torch.load take the file for.
Status Scanner::ScanOtherThanTar(const SharedSource& source, ByteView head, unsigned level) {
  SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, 0, ProbeDepth::kWhole, options_.limits));
  if (pickle) SAFEMODEL_TRY(ScanStreams(source, head, level));
  SAFEMODEL_ASSIGN(std::optional<Unwrapped> unwrapped, Unwrap(source, source->size(), {}));
  const bool wrapped = unwrapped && unwrapped->plain->size() != 0;  // the name of a member may begin like one
  if (!wrapped && !LooksLikeNpy(head)) return {};
  if (const Status no_tar = CheckNoTar(head); !no_tar.ok()) findings_.Add(no_tar.error());
  const auto claim = wrapped ? ScanWrapped(source, std::move(*unwrapped), level) : ScanNpy(source, level);
  return claim.ok() ? Status() : claim.error();
}

Result<ScanClaim> Scanner::ScanTar(const SharedSource& source, ByteView head, unsigned level) {
  SAFEMODEL_TRY(ScanOtherThanTar(source, head, level));
  const Findings::Part part(findings_);
  const auto archive = TarArchive::Open(source);
  if (!archive.ok()) {
    SAFEMODEL_TRY(Take(part, archive.error()));
    return ScanClaim{"tar", 0};
  }
  const bool torch = archive.value().Find("pickle") != nullptr || archive.value().Find("storages") != nullptr;
  if (torch) {
    const auto model = ImportTorchTar(archive.value(), OptionsAt(level), findings_);
    if (!model.ok()) SAFEMODEL_TRY(Take(part, model.error()));
    if (model.ok()) return ScanClaim{"torch-tar", source->size()};
  }
  for (const TarEntry& entry : archive.value().entries()) {
    if (entry.kind != TarEntry::Kind::kFile) continue;
    SAFEMODEL_TRY(ScanMember(entry.name, archive.value().OpenEntry(entry), Role::kInput, level));
  }
  return ScanClaim{torch ? "torch-tar" : "tar", source->size()};
}

Result<ScanClaim> Scanner::ScanWrapped(const SharedSource& source, Unwrapped unwrapped, unsigned level) {
  // A reader that does not unpack the file may take it for a pickle of its own.
  SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, 0, ProbeDepth::kWhole, options_.limits));
  if (pickle) {
    findings_.Add({Stage::kUnsafe, "FILE-POLYGLOT", "the compressed file is a pickle too", 0});
    SAFEMODEL_TRY(ScanStreams(source, {}, level));
  }
  const Findings::MemberScope scope(findings_, std::string("(") + WrapperName(unwrapped.kind) + ")");
  SAFEMODEL_ASSIGN(ScanClaim inner, ScanInner(unwrapped.plain, Role::kInput, level + 1));
  // Two bytes begin some of these formats, and texts too: what breaks before anything comes of it is none.
  const bool broken = unwrapped.fault && std::string_view(unwrapped.fault->code) == "WRAP-MALFORMED";
  if (broken && inner.layout.empty() && HasShortMagic(unwrapped.kind)) return ScanClaim{};
  if (unwrapped.fault) {
    findings_.Add(*unwrapped.fault);
    if (std::string_view(unwrapped.fault->code) == "WRAP-OUTSIDE") {
      SAFEMODEL_TRY(ScanBehind(source, unwrapped.fault->offset, level));
    }
  }
  if (inner.layout.empty()) {
    findings_.AddOpaque();
    inner.layout = "opaque";
  }
  inner.layout += std::string(", ") + WrapperName(unwrapped.kind);
  inner.explained = unwrapped.fault ? 0 : source->size();
  return inner;
}

Result<ScanClaim> Scanner::ScanNpy(const SharedSource& source, unsigned level) {
  const Findings::Part part(findings_);
  const auto model = ImportNpy(source, OptionsAt(level), findings_);
  if (!model.ok()) SAFEMODEL_TRY(Take(part, model.error()));
  return ScanClaim{"npy", model.ok() ? source->size() : 0};
}

Result<Scanner::Stream> Scanner::RunStream(const SharedSource& source, std::uint64_t at, unsigned level) {
  JoblibLayout layout(source, options_);
  Graph graph(layout.stream());
  if (at == 0) graph.Expect(source->size());  // streams that follow others may be tiny, and many
  ImportTables tables;
  RuleContext context{graph, tables, options_.limits, findings_, options_.user};
  Stream stream;
  const auto run = RunMachine(
      context, at, {.unknown = options_.unknown, .layout = &layout, .end = source->size(), .reached = &stream.reached});
  if (!run.ok() && run.error().stage == Stage::kIo) return run.error();
  if (layout.used()) stream.joblib = ReadingOf(graph, layout, stream.reached.end);
  stream.legacy_torch = stream.reached.root != kNoNode && IsTorchLegacyMagic(graph, stream.reached.root);
  if (stream.reached.root != kNoNode) {
    const Status magic = CheckMagicIsPlain(source, graph, stream.reached, options_.limits);
    if (!magic.ok() && magic.error().stage == Stage::kIo) return magic.error();
    if (!magic.ok() && std::string_view(magic.error().code) == "TORCH-MAGIC") findings_.Add(magic.error());
  }
  SAFEMODEL_TRY(ScanConstants(graph, level));
  return stream;
}

Status Scanner::ScanOtherReadings(const SharedSource& source, std::uint64_t at, const Stream& stream) {
  if (!stream.joblib) return {};
  const Findings::Part part(findings_);
  const Status others = CheckOtherReadings(source, at, options_, *stream.joblib, streams_);
  return others.ok() ? Status() : Take(part, others.error());
}

// ScanLegacyTorch reads the five streams and the storages of a file of torch.save before 1.6.
Result<ScanClaim> Scanner::ScanLegacyTorch(const SharedSource& source, std::uint64_t behind_magic, unsigned level) {
  const Findings::Part part(findings_);
  const auto model = ImportTorchLegacy(source, OptionsAt(level), findings_);
  if (model.ok()) return ScanClaim{"torch-legacy", source->size()};
  SAFEMODEL_TRY(Take(part, model.error()));
  std::uint64_t at = behind_magic;
  SAFEMODEL_TRY(ScanRest(source, at, level, Before::kBroken));
  return ScanClaim{"torch-legacy", 0};
}

Result<ScanClaim> Scanner::ScanStreams(const SharedSource& source, ByteView head, unsigned level) {
  SAFEMODEL_ASSIGN(const Stream first, RunStream(source, 0, level));
  if (const Status polyglot = CheckPolyglot(head); !polyglot.ok()) findings_.Add(polyglot.error());
  if (first.legacy_torch) return ScanLegacyTorch(source, first.reached.end, level);
  SAFEMODEL_TRY(ScanOtherReadings(source, 0, first));
  const bool broken = first.reached.root == kNoNode;
  std::uint64_t at = broken ? std::min(source->size(), first.reached.end + 1) : first.reached.end;
  if (at < source->size()) SAFEMODEL_TRY(ScanArchiveBehind(source, at, level));
  SAFEMODEL_TRY(ScanRest(source, at, level, broken ? Before::kBroken : Before::kWhole));
  return ScanClaim{first.joblib ? "joblib" : "pickle", broken ? first.reached.end : at};
}

// ScanRest judges what follows a stream: further streams, zeros, and anything else that holds a stream. `at` becomes
// the end of what is explained.
Status Scanner::ScanRest(const SharedSource& file, std::uint64_t& at, unsigned level, Before before) {
  const SharedSource source = std::make_shared<ReadAhead>(*file);  // streams may be tiny, and many
  const std::uint64_t size = source->size();
  bool told = before == Before::kBroken;
  bool stopped = false;
  std::uint64_t next = at;
  for (std::size_t streams = 0; next < size; ++streams) {
    SAFEMODEL_ASSIGN(next, SkipZeros(*source, next));
    if (next == size) break;
    if (streams_.streams == 0) {
      findings_.Add({Stage::kLimit, "LIMIT-COUNT", "more streams follow one another than the limit", next});
      return {};
    }
    --streams_.streams;
    std::uint64_t probed = 0;
    SAFEMODEL_ASSIGN(const bool pickle, ProbePickle(source, next, ProbeDepth::kWhole, options_.limits, &probed));
    if (!pickle) {
      if (!std::exchange(told, true)) {
        findings_.Add({Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", next});
      }
      SAFEMODEL_ASSIGN(next, FindPickle(source, next + 1, options_.limits, search_));
      if (search_.opcodes == 0 && !std::exchange(stopped, true))
        findings_.Add({Stage::kLimit, "LIMIT-COUNT", "the search for pickles in what follows came to its limit", at});
      continue;
    }
    if (streams == 0) {
      findings_.Add(
          {Stage::kUnsafe, "PKL-MULTI-STREAM", "the file holds several pickles; pickle.load reads the first", next},
          ScanVerdict::kClean);
    }
    SAFEMODEL_ASSIGN(const Stream stream, RunStream(source, next, level));
    SAFEMODEL_TRY(ScanOtherReadings(source, next, stream));
    // A probe reads the arrays of joblib as instructions, and may run on through all streams that follow.
    search_.opcodes -= std::min(search_.opcodes, probed - std::min(probed, stream.reached.opcodes));
    if (search_.opcodes == 0) streams_.streams = 0;
    const bool broken = stream.reached.root == kNoNode;
    next = broken ? std::min(size, stream.reached.end + 1) : stream.reached.end;
    if (!told) at = next;
  }
  if (!told) at = size;
  return {};
}

// ScanConstants looks at texts and bytes that a stream holds: archives and pickles inside them, and credentials.
Status Scanner::ScanConstants(const Graph& graph, unsigned level) {
  constexpr std::uint64_t kShortest = 22;        // of an archive
  constexpr std::uint64_t kMostLeft = 1u << 20;  // bytes left in the stream that are searched
  ByteBuffer left;
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    const Kind kind = graph.kind(node);
    const bool text = kind == Kind::kStr || kind == Kind::kPy2Str;
    if (!text && kind != Kind::kBytes && kind != Kind::kByteArray) continue;
    if (graph.copied(node)) continue;
    auto bytes = kind == Kind::kStr ? std::optional(AsBytes(graph.TextOf(node))) : graph.BytesOf(node);
    const bool may_be_text = !graph.numbers(node);
    if (!bytes && may_be_text && graph.SizeOf(node) <= kMostLeft) {
      left.resize(static_cast<std::size_t>(graph.SizeOf(node)));
      SAFEMODEL_TRY(graph.stream()->ReadAt(graph.StreamOffsetOf(node), left));
      bytes = left;
    }
    if (bytes && may_be_text) AddCredentials(*bytes, graph.offset(node), findings_);
    if (kind == Kind::kStr || graph.SizeOf(node) < kShortest) continue;
    if (bytes && !MayHoldPickle(*bytes) && !LooksLikeZip(*bytes)) continue;
    SAFEMODEL_ASSIGN(const SharedSource inner, graph.SourceOf(node));
    SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*inner, 0, 4, 4));
    bool pickle = false;
    if (MayHoldPickle(head)) {
      SAFEMODEL_ASSIGN(pickle, ProbePickle(inner, 0, ProbeDepth::kShallow, options_.limits));
    }
    if (pickle) {
      findings_.Add({Stage::kUnsafe, "PKL-NESTED", "a constant is itself a pickle", graph.offset(node)},
                    ScanVerdict::kClean);
    }
    if (pickle || LooksLikeZip(head)) SAFEMODEL_TRY(ScanMember("(bytes)", inner, Role::kInput, level));
  }
  return {};
}

}  // namespace

Status CheckMembers(const ZipArchive& archive, const ImportOptions& options, Findings& findings) {
  ImportOptions scan = options;
  scan.purpose = ImportOptions::Purpose::kScan;
  scan.unknown = ConvertOptions::Unknown::kKeepInert;
  Scanner scanner(scan, findings);
  const std::vector<std::string> known = TorchPickleNames(archive);
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.directory() || IsKnown(entry.name, known)) continue;
    const Findings::Part part(findings);
    SAFEMODEL_TRY(scanner.ScanZipMember(archive, entry, RoleOf(entry.name, known), 0));
    auto refusal = part.Refusal(scan.unknown);
    if (!refusal) continue;
    refusal->subject = entry.name + (refusal->subject.empty() ? "" : ": ") + refusal->subject;
    return *refusal;
  }
  return {};
}

Result<ScanClaim> ScanSource(const SharedSource& source, const ImportOptions& options, Findings& findings,
                             unsigned level) {
  ImportOptions scan = options;
  scan.purpose = ImportOptions::Purpose::kScan;
  scan.unknown = ConvertOptions::Unknown::kKeepInert;
  Scanner scanner(scan, findings);
  return scanner.ScanInner(source, Role::kInput, level);
}

}  // namespace safemodel::pickle
