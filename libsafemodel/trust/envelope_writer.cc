// SPDX-License-Identifier: Apache-2.0
#include "trust/envelope_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/try.h"

namespace safemodel::trust {
namespace {

// Attempts to lock the file that still has the name: a writer before us may just have changed or replaced it.
constexpr int kAttempts = 3;

// LockNow never waits: a build that signs twice at once has a bug, and its author should learn of it. Closing the
// descriptor unlocks.
Status LockNow(const File& file) {
  if (TryLock(file.descriptor())) return {};
  if (errno == EWOULDBLOCK)
    return Error{Stage::kIo, "locked", "another signer is at work on this file; try again", kNoOffset, file.path()};
  return SystemError("open_failed", "the file cannot be locked", file.path());
}

// OpenForWriting opens the container. Writing is needed only to fold; where an envelope beside the file will do, a file
// that may only be read can be signed too.
Result<std::shared_ptr<const File>> OpenForWriting(const std::string& path, bool must_write, bool& writable) {
  auto file = File::Open(path, File::Access::kReadWrite, File::Links::kRefuse);
  writable = file.ok();
  if (file.ok() || must_write) return file;
  return File::Open(path, File::Access::kRead, File::Links::kRefuse);
}

Status WriteSidecar(const std::string& path, ByteView frame) {
  SAFEMODEL_ASSIGN(OutputFile sidecar, OutputFile::Create(path, OutputFile::Overwrite::kReplace));
  SAFEMODEL_TRY(sidecar.Append(frame));
  return sidecar.Commit();
}

}  // namespace

Result<EnvelopeWriter> EnvelopeWriter::Open(const std::string& path, Placement placement, const Limits& limits) {
  const std::string sidecar_path = SidecarOf(path);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    EnvelopeWriter writer;
    writer.path_ = path;
    writer.placement_ = placement;
    SAFEMODEL_ASSIGN(const auto beside, LookAtSidecar(sidecar_path, SidecarLookup::kToReplace));
    const bool must_write = placement == Placement::kAppended || (placement == Placement::kKeep && beside == nullptr);
    SAFEMODEL_ASSIGN(auto file, OpenForWriting(path, must_write, writer.writable_));
    SAFEMODEL_TRY(LockNow(*file));
    // Between open and lock another writer may have finished, or the file may have been replaced under its name.
    SAFEMODEL_ASSIGN(const auto named, IdentityOf(path));
    if (!file->CheckUnchanged().ok() || named != file->state().identity) continue;
    SAFEMODEL_ASSIGN(const auto sidecar, LookAtSidecar(sidecar_path, SidecarLookup::kToReplace));
    if (must_write != (placement == Placement::kAppended || (placement == Placement::kKeep && sidecar == nullptr)))
      continue;
    SAFEMODEL_ASSIGN(writer.found_, FindEnvelopes(std::move(file), sidecar, limits));
    return writer;
  }
  return Error{Stage::kIo, "changed", "the container keeps changing; try again", kNoOffset, path};
}

bool EnvelopeWriter::Folds() const {
  if (placement_ == Placement::kAppended) return true;
  if (placement_ == Placement::kDetached) return false;
  // An envelope beside the file stays there, unless it lies there only because a writer was stopped.
  return !found_.sidecar || (found_.interrupted && writable_);
}

Status EnvelopeWriter::Fold(ByteView frame) const {
  const File& file = *found_.opened.file;
  const std::uint64_t core = found_.opened.preamble.manifest_offset + found_.opened.preamble.manifest_length;
  if (ftruncate(file.descriptor(), static_cast<off_t>(core)) != 0) {
    return SystemError("write_failed", "the old envelope could not be removed", path_);
  }
  if (!WriteFully(file.descriptor(), core, frame))
    return SystemError("write_failed", "the envelope could not be appended", path_);
  if (fsync(file.descriptor()) != 0)
    return SystemError("write_failed", "the envelope could not be written to disk", path_);
  // Only now, with the frame safe in the file, may the sidecar go.
  const std::string sidecar = SidecarOf(path_);
  if (unlink(sidecar.c_str()) != 0) return SystemError("write_failed", "the sidecar could not be removed", sidecar);
  return SyncFolder(FolderOf(path_));
}

Result<std::string> EnvelopeWriter::Write(ByteView frame) {
  const std::string sidecar = SidecarOf(path_);
  SAFEMODEL_TRY(WriteSidecar(sidecar, frame));
  if (!Folds()) return sidecar;
  const Status folded = Fold(frame);
  if (folded.ok()) return path_;
  return Error{Stage::kIo, "fold_failed",
               "the new envelope is complete, but beside the file: it could not be appended; keep both files together",
               kNoOffset, folded.error().subject};
}

}  // namespace safemodel::trust
