// SPDX-License-Identifier: Apache-2.0
// Scanning of files and folders.
#include <safemodel/model.h>
#include <safemodel/scan.h>
#include <safemodel/unverified.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/cursor.h"
#include "base/file.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "formats/safetensors.h"
#include "model/allowed_table.h"
#include "model/import_any.h"
#include "model/loaded_model.h"
#include "model/scan_file.h"
#include "model/scan_folder.h"
#include "pickle/allow_list.h"
#include "pickle/recognise.h"
#include "pickle/scan.h"
#include "pickle/scan_end.h"
#include "pickle/scan_text.h"

namespace safemodel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeadBytes = 16;

// Place says how a file came to be scanned: a file that nobody reads is a fault of whoever named it, and nothing
// special in a folder.
enum class Place : std::uint8_t { kNamed, kInFolder };

// ScanSafetensors reads the header. A file that is a pickle too shows each of its readers another model.
Result<pickle::ScanClaim> ScanSafetensors(const std::shared_ptr<const File>& file, const pickle::ImportOptions& options,
                                          pickle::Findings& findings) {
  const auto model = formats::ReadSafetensors(file, options.limits);
  if (!model.ok() && model.error().stage == Stage::kIo) return model.error();
  SAFEMODEL_ASSIGN(const pickle::ScanClaim other, pickle::ScanSource(file, options, findings));
  if (!model.ok()) {
    if (!other.layout.empty()) return other;
    findings.Add(model.error());
    return pickle::ScanClaim{"safetensors", 0};
  }
  if (!other.layout.empty()) {
    findings.Add({Stage::kUnsafe, "FILE-POLYGLOT",
                  "this file is both safetensors and a pickle or an archive; readers would disagree on what it holds",
                  0});
  }
  return pickle::ScanClaim{"safetensors", file->size()};
}

Error DoesNotOpen(const Error& error) {
  if (std::string_view(error.code) == "identity_needed") {
    return {Stage::kUnsupported, "FILE-ENCRYPTED",
            "the container is encrypted; what safemodel decrypt writes can be scanned"};
  }
  return {Stage::kMalformed, "FILE-CONTAINER", "the container does not open", error.offset, error.code};
}

// ScanContainer judges the files that were packed into a container. Tensors are data; signatures are for `verify`.
Result<pickle::ScanClaim> ScanContainer(const std::shared_ptr<const File>& file, const pickle::ImportOptions& options,
                                        pickle::Findings& findings) {
  OpenOptions open;
  open.limits = options.limits;
  const auto model = OpenUnverified(file->path(), InsecureSkipVerification(), open);
  if (!model.ok()) {
    if (model.error().stage == Stage::kIo) return model.error();
    findings.Add(DoesNotOpen(model.error()));
    // What only begins like a container may be something else for other readers.
    SAFEMODEL_ASSIGN(const pickle::ScanClaim other, pickle::ScanSource(file, options, findings));
    if (!other.layout.empty()) {
      findings.Add(
          {Stage::kUnsafe, "FILE-POLYGLOT", "the file begins like a container and is an archive or a pickle", 0});
    }
    return pickle::ScanClaim{"safemodel", 0};
  }
  const LoadedModel& loaded = VerifiedModelAccess::Of(model.value());
  // A container is opened by its name, which has to lead to the file that is looked at.
  if (loaded.store->trusted().file()->state() != file->state()) {
    return Error{Stage::kIo, "changed", "the file changed while it was scanned; try again once nothing writes to it",
                 kNoOffset, file->path()};
  }
  for (std::size_t i = 0; i < loaded.files.size(); ++i) {
    const pickle::Findings::MemberScope scope(findings, loaded.files[i].path);
    const SharedSource packed = loaded.store->Plain(loaded.file_objects[i]);
    const auto claim = pickle::ScanSource(packed, options, findings);
    if (!claim.ok()) {
      findings.Add({Stage::kMalformed, "FILE-CONTAINER", "a packed file is not what its digests name", kNoOffset,
                    claim.error().code});
    } else if (claim.value().layout.empty()) {
      findings.AddOpaque();
      SAFEMODEL_TRY(pickle::ScanText(*packed, findings));
    }
  }
  // Chunks that are stored as they are may hold archives: at the end for zipfile, and behind the preamble for tarfile.
  SAFEMODEL_ASSIGN(const ByteBuffer head, pickle::HeadOf(*file));
  if (const Status no_tar = pickle::CheckNoTar(head); !no_tar.ok()) findings.Add(no_tar.error());
  SAFEMODEL_TRY(pickle::ScanArchiveAtEnd(file, options, findings));
  return pickle::ScanClaim{"safemodel", file->size()};
}

Result<pickle::ScanClaim> ScanOpened(const std::shared_ptr<const File>& file, const ScanOptions& options,
                                     pickle::Findings& findings) {
  pickle::ImportOptions import;
  import.limits = options.limits;
  import.user = TableOf(options.allowed);
  SAFEMODEL_ASSIGN(const bool container, IsContainer(*file));
  if (container) return ScanContainer(file, import, findings);
  import.open_sibling = OpenBeside(file->path());
  SAFEMODEL_ASSIGN(const ByteBuffer head,
                   ReadRange(*file, 0, std::min<std::uint64_t>(kHeadBytes, file->size()), kHeadBytes));
  if (formats::LooksLikeSafetensors(head, file->size())) return ScanSafetensors(file, import, findings);
  return pickle::ScanSource(file, import, findings);
}

// AddMisnamed notes a pickle or archive under a name that promises a format without programs. The verdict never rests
// on names, but whoever chooses files by them should know.
void AddMisnamed(const std::string& path, const std::string& layout, pickle::Findings& findings) {
  constexpr std::string_view kHarmless[] = {".safetensors", ".txt", ".json", ".md",
                                            ".gguf",        ".h5",  ".onnx", ".safemodel"};
  const bool harmless = std::any_of(std::begin(kHarmless), std::end(kHarmless),
                                    [&](std::string_view suffix) { return path.ends_with(suffix); });
  if (!harmless || layout.empty() || layout == "safetensors" || layout == "safemodel" || layout == "foreign") return;
  findings.Add({Stage::kUnsafe, "FILE-MISNAMED", "the name of the file promises a format that it does not have", 0},
               ScanVerdict::kClean);
}

// AddUnclaimed says what it means that no reader claims a file.
Status AddUnclaimed(const File& file, Place place, pickle::Findings& findings) {
  if (place == Place::kNamed) {
    findings.Add({Stage::kUnsupported, "FILE-UNSUPPORTED", "the file is none of the formats that are read", 0});
    return {};
  }
  findings.Add({Stage::kUnsupported, "FILE-OPAQUE", "no reader claims the file; nothing loads it as a model", 0},
               ScanVerdict::kClean);
  findings.AddOpaque();
  return pickle::ScanText(file, findings);
}

// ScanWith scans the file that `open` returns.
template <typename Open>
ScanReport ScanWith(const std::string& path, Place place, const ScanOptions& options, const Open& open) {
  ScanReport report;
  report.path = path;
  pickle::Findings findings;
  const auto scan = [&]() -> Status {
    SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, open());
    report.size = file->size();
    SAFEMODEL_ASSIGN(const pickle::ScanClaim claim, ScanOpened(file, options, findings));
    report.layout = claim.layout.empty() ? "opaque" : claim.layout;
    report.bytes_explained = claim.layout.empty() && place == Place::kInFolder ? file->size() : claim.explained;
    AddMisnamed(path, claim.layout, findings);
    if (claim.layout.empty()) SAFEMODEL_TRY(AddUnclaimed(*file, place, findings));
    return file->CheckUnchanged();
  };
  report.status = CatchOutOfMemory(scan);
  std::move(findings).MoveTo(report);
  if (!report.status.ok()) report.verdict = std::max(report.verdict, ScanVerdict::kUnreadable);
  return report;
}

ScanReport ScanFile(const std::string& path, Place place, const ScanOptions& options) {
  return ScanWith(path, place, options, [&path] { return File::Open(path); });
}

// NotScanned reports a folder, or a link to one, that nothing was read of.
ScanReport NotScanned(const std::string& path, const Error& why) {
  ScanReport report;
  report.path = path;
  report.layout = "folder";
  pickle::Findings findings;
  findings.Add(why);
  std::move(findings).MoveTo(report);
  return report;
}

ScanReport NothingIn(const std::string& path) {
  return NotScanned(path,
                    {Stage::kUnsupported, "FILE-NOTHING", "no file was analysed, so nothing is known of this input"});
}

// Summing hands reports on and counts them.
class Summing {
 public:
  explicit Summing(const std::function<void(const ScanReport&)>& report) : report_(report) {
    summary_.worst = ScanVerdict::kClean;
  }

  void Take(const ScanReport& report) {
    ++summary_.files;
    ++summary_.by_verdict[static_cast<std::size_t>(report.verdict)];
    summary_.worst = std::max(summary_.worst, report.verdict);
    report_(report);
  }

  [[nodiscard]] ScanSummary Summary() const {
    ScanSummary summary = summary_;
    if (summary.files == 0) summary.worst = ScanVerdict::kUnreadable;
    return summary;
  }

 private:
  const std::function<void(const ScanReport&)>& report_;
  ScanSummary summary_;
};

void ScanFolder(const std::string& folder, const ScanOptions& options, Summing& summing) {
  const auto found = FindBelow(folder);
  if (!found.ok()) {
    ScanReport report = NothingIn(folder);
    report.status = found.error();
    return summing.Take(report);
  }
  bool analysed = false;
  for (const FoundBelow& one : found.value()) {
    const ScanReport report =
        one.unread ? NotScanned(one.path, *one.unread) : ScanFile(one.path, Place::kInFolder, options);
    analysed = analysed || report.layout != "opaque";
    summing.Take(report);
  }
  if (!analysed) summing.Take(NothingIn(folder));
}

Status ScanInput(const std::string& input, const ScanOptions& options, Summing& summing) {
  std::error_code error;
  if (fs::is_directory(input, error)) {
    ScanFolder(input, options, summing);
  } else {
    summing.Take(ScanFile(input, Place::kNamed, options));
  }
  return {};
}

// TakeUnscanned reports an input for which memory ran out outside the scan of a file; without a name where there is
// none even for that.
void TakeUnscanned(const std::string& input, const Status& status, Summing& summing) {
  ScanReport report;
  report.status = status;
  static_cast<void>(CatchOutOfMemory([&]() -> Status {
    report.path = input;
    return {};
  }));
  summing.Take(report);
}

}  // namespace

ScanReport ScanOpenFile(const std::shared_ptr<const File>& file, const ScanOptions& options) {
  const auto open = [&file]() -> Result<std::shared_ptr<const File>> { return file; };
  return ScanWith(file->path(), Place::kNamed, options, open);
}

ScanSummary Scan(const std::vector<std::string>& inputs, const ScanOptions& options,
                 const std::function<void(const ScanReport&)>& report) {
  Summing summing(report);
  std::uint64_t done = 0;
  for (const std::string& input : inputs) {
    const Status scanned = CatchOutOfMemory([&] { return ScanInput(input, options, summing); });
    if (!scanned.ok()) TakeUnscanned(input, scanned, summing);
    if (options.progress) options.progress(++done, inputs.size());
  }
  return summing.Summary();
}

Digest AllowListDigest() {
  crypto::Blake3 hash;
  for (const std::string_view table : pickle::AllowList::BuiltInTables()) hash.Update(AsBytes(table));
  return hash.Finish();
}

}  // namespace safemodel
