// SPDX-License-Identifier: Apache-2.0
#include "trust/envelope_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"

namespace safemodel::trust {
namespace {

constexpr int kAttempts = 3;
constexpr const char* kEnvelopeChanged = "envelope_changed";

using MaybeFile = std::shared_ptr<const File>;  // null: there is no such file

// Only "no such file" means that there is none: a reader never falls back from a sidecar it cannot read [E-SIDECAR].
Result<MaybeFile> OpenIfPresent(const std::string& path) {
  auto file = File::Open(path, File::Access::kRead, File::Links::kRefuse);
  if (file.ok()) return MaybeFile(file.value());
  if (std::string_view(file.error().code) == "not_found") return MaybeFile();
  return file.error();
}

// Reads and parses the frame that must fill [begin, end of file) exactly.
Result<container::Envelope> ReadFrame(const File& file, std::uint64_t begin, const Limits& limits, ByteBuffer& frame) {
  const std::uint64_t available = file.size() - begin;
  const std::uint64_t head_bytes = std::min<std::uint64_t>(available, container::kEnvelopeHeadBytes);
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(file, begin, head_bytes, container::kEnvelopeHeadBytes));
  SAFEMODEL_ASSIGN(const std::uint64_t length, container::MeasureEnvelope(head, available, limits));
  SAFEMODEL_ASSIGN(frame, ReadRange(file, begin, length, limits.envelope_bytes));
  const ByteView body =
      ByteView(frame).first(frame.size() - std::min<std::size_t>(frame.size(), container::kEnvelopeTailBytes));
  return container::ParseEnvelope(frame, crypto::Blake3Of(body), limits);
}

Status CheckBelongs(const container::Envelope& envelope, const OpenedContainer& container, const std::string& path) {
  if (envelope.manifest_digest == container.manifest_digest) return {};
  return Error{Stage::kDigestMismatch, "foreign_envelope", "the envelope belongs to another container", kNoOffset,
               path + ", " + container.file->path()};
}

// A fold that was cut short leaves the start of the sidecar's frame behind the core, zeros where blocks had not been
// written yet. Nothing else may stand there.
bool IsTornFold(ByteView rest, ByteView sidecar_frame) {
  if (rest.size() > sidecar_frame.size()) return false;
  const auto differs = std::mismatch(rest.begin(), rest.end(), sidecar_frame.begin()).first;
  return std::all_of(differs, rest.end(), [](std::uint8_t byte) { return byte == 0; });
}

Status CompareWithEmbedded(const OpenedContainer& container, std::uint64_t core_bytes, ByteView sidecar_frame,
                           const Limits& limits) {
  const File& file = *container.file;
  if (file.size() == core_bytes) return {};
  ByteBuffer frame;
  const auto embedded = ReadFrame(file, core_bytes, limits, frame);
  if (!embedded.ok()) {
    const std::uint64_t rest_bytes = file.size() - core_bytes;
    if (embedded.error().stage == Stage::kIo || rest_bytes > sidecar_frame.size()) return embedded.error();
    SAFEMODEL_ASSIGN(const ByteBuffer rest, ReadRange(file, core_bytes, rest_bytes, limits.envelope_bytes));
    if (IsTornFold(rest, sidecar_frame)) return {};
    return embedded.error();
  }
  SAFEMODEL_TRY(CheckBelongs(embedded.value(), container, file.path()));
  const std::uint64_t theirs = embedded.value().generation;
  const std::uint64_t ours = container.envelope->generation;
  if (theirs < ours ||
      (theirs == ours && std::equal(frame.begin(), frame.end(), sidecar_frame.begin(), sidecar_frame.end())))
    return {};
  return Error{Stage::kMalformed, "envelope_stale",
               "the sidecar is older than the envelope inside the file; one of the two does not belong here",
               core_bytes, SidecarOf(file.path())};
}

Status TakeSidecar(const File& sidecar, std::uint64_t core_bytes, bool compare, const Limits& limits,
                   OpenedContainer& out) {
  ByteBuffer frame;
  SAFEMODEL_ASSIGN(out.envelope, ReadFrame(sidecar, 0, limits, frame));
  out.envelope_place = OpenedContainer::EnvelopePlace::kSidecar;
  SAFEMODEL_TRY(CheckBelongs(*out.envelope, out, sidecar.path()));
  return compare ? CompareWithEmbedded(out, core_bytes, frame, limits) : Status();
}

Status TakeEmbedded(std::uint64_t core_bytes, const Limits& limits, OpenedContainer& out) {
  if (out.file->size() == core_bytes) return {};
  ByteBuffer frame;
  SAFEMODEL_ASSIGN(out.envelope, ReadFrame(*out.file, core_bytes, limits, frame));
  out.envelope_place = OpenedContainer::EnvelopePlace::kAppended;
  return CheckBelongs(*out.envelope, out, out.file->path());
}

// Two looks at the sidecar's name agree when nobody changed it meanwhile.
Result<bool> SameSidecar(const MaybeFile& before, const std::string& path) {
  SAFEMODEL_ASSIGN(const MaybeFile after, OpenIfPresent(path));
  if (before == nullptr || after == nullptr) return before == after;
  return before->state() == after->state();
}

Status ReadCoreEnds(const Limits& limits, OpenedContainer& out) {
  const std::uint64_t head = std::min<std::uint64_t>(out.file->size(), container::kPreambleBytes);
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(*out.file, 0, head, container::kPreambleBytes));
  SAFEMODEL_ASSIGN(out.preamble, container::ParsePreamble(bytes, out.file->size(), limits));
  SAFEMODEL_ASSIGN(out.manifest_bytes, ReadRange(*out.file, out.preamble.manifest_offset, out.preamble.manifest_length,
                                                 limits.manifest_bytes));
  out.manifest_digest = crypto::Sha256Of(out.manifest_bytes);
  return {};
}

Status SyncFolder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid() || fsync(descriptor.get()) != 0) {
    return SystemError("write_failed", "the folder could not be written to disk", folder);
  }
  return {};
}

Status WriteAtEnd(const File& file, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return SystemError("fold_failed",
                         "the new signatures are complete in the sidecar, but could not be put into the file",
                         file.path());
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace

std::string SidecarOf(const std::string& path) { return path + ".envelope"; }

ByteBuffer SerializeEnvelope(const container::Envelope& envelope) {
  ByteBuffer frame = container::SerializeEnvelopeBody(envelope);
  const Digest digest = crypto::Blake3Of(frame);
  frame.insert(frame.end(), digest.begin(), digest.end());
  return frame;
}

Result<OpenedContainer> OpenFraming(std::shared_ptr<const File> file, const std::string& envelope_path,
                                    const Limits& limits) {
  const bool usual = envelope_path.empty();
  const std::string sidecar_path = usual ? SidecarOf(file->path()) : envelope_path;
  OpenedContainer out;
  out.file = file;
  SAFEMODEL_TRY(ReadCoreEnds(limits, out));
  const std::uint64_t core_bytes = out.preamble.manifest_offset + out.preamble.manifest_length;
  SAFEMODEL_ASSIGN(const MaybeFile sidecar, OpenIfPresent(sidecar_path));
  if (sidecar == nullptr && !usual)
    return Error{Stage::kIo, "not_found", "there is no such envelope", kNoOffset, envelope_path};
  const Status taken = sidecar == nullptr ? TakeEmbedded(core_bytes, limits, out)
                                          : TakeSidecar(*sidecar, core_bytes, usual, limits, out);
  // A signer at work may have shown half of the old state and half of the new one.
  SAFEMODEL_ASSIGN(const bool same, SameSidecar(sidecar, sidecar_path));
  if (!same || !file->CheckUnchanged().ok()) {
    return Error{Stage::kIo, kEnvelopeChanged, "the envelope changed while it was read; try again", kNoOffset,
                 sidecar_path};
  }
  SAFEMODEL_TRY(taken);
  return out;
}

Result<OpenedContainer> OpenContainer(const std::string& path, const std::string& envelope_path, const Limits& limits) {
  for (int attempt = 1;; ++attempt) {
    SAFEMODEL_ASSIGN(auto file, File::Open(path));  // anew each time: a fold changes the size
    auto opened = OpenFraming(std::move(file), envelope_path, limits);
    if (opened.ok() || attempt == kAttempts || std::string_view(opened.error().code) != kEnvelopeChanged) return opened;
  }
}

Status StoreEnvelope(const File& file, std::uint64_t core_bytes, const container::Envelope& envelope, Fold fold) {
  const ByteBuffer frame = SerializeEnvelope(envelope);
  const std::string sidecar = SidecarOf(file.path());
  SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(sidecar, OutputFile::Overwrite::kReplace));
  SAFEMODEL_TRY(output.Append(frame));
  SAFEMODEL_TRY(output.Commit());
  if (fold == Fold::kLeaveBeside) return {};
  if (ftruncate(file.descriptor(), static_cast<off_t>(core_bytes)) != 0) {
    return SystemError("fold_failed",
                       "the new signatures are complete in the sidecar, but could not be put into the file",
                       file.path());
  }
  SAFEMODEL_TRY(WriteAtEnd(file, core_bytes, frame));
  if (fsync(file.descriptor()) != 0) {
    return SystemError("fold_failed",
                       "the new signatures are complete in the sidecar, but could not be put into the file",
                       file.path());
  }
  if (unlink(sidecar.c_str()) != 0) return SystemError("write_failed", "the sidecar could not be removed", sidecar);
  return SyncFolder(file.path());
}

}  // namespace safemodel::trust
