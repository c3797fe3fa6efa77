// SPDX-License-Identifier: Apache-2.0
#include "trust/envelope_store.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "crypto/hash.h"

namespace safemodel::trust {
namespace {

// Attempts of a reader that meets a writer between the two places. A writer takes milliseconds.
constexpr int kAttempts = 3;

// CheckOwner refuses the envelope of another container, such as one left behind when a file was copied over;
// [E-FOREIGN].
Status CheckOwner(const Frame& frame, const Digest& manifest_digest, const std::string& path) {
  if (frame.envelope.manifest_digest == manifest_digest) return {};
  return Error{Stage::kDigestMismatch, "foreign_envelope",
               "the envelope belongs to another container; put the right one beside this file", kNoOffset, path};
}

// StartsFrame says whether the bytes are the beginning of a longer frame.
bool StartsFrame(ByteView bytes) {
  const auto& magic = container::kEnvelopeMagic;
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), magic.size())),
                  magic.begin())) {
    return false;
  }
  if (bytes.size() < container::kEnvelopeHeadBytes) return true;
  ByteReader reader(bytes);
  constexpr std::uint64_t kBeforeLength = 16;
  if (!reader.Take(kBeforeLength).ok()) return false;
  const auto length = reader.U64();
  return length.ok() && length.value() > bytes.size();
}

// IsTrace says whether what lies behind the core can be what a writer leaves that is stopped while it appends the frame
// of the sidecar: a frame cut short, or that frame with bytes that never reached the disk. Other bytes have no business
// there.
Result<bool> IsTrace(const File& file, std::uint64_t offset, const Frame& sidecar, const Limits& limits) {
  const std::uint64_t size = file.size() - offset;
  if (size > limits.envelope_bytes) return false;
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(file, offset, size, limits.envelope_bytes));
  if (StartsFrame(bytes)) return true;
  if (bytes.size() > sidecar.bytes.size()) return false;
  return std::equal(bytes.begin(), bytes.end(), sidecar.bytes.begin(),
                    [](std::uint8_t found, std::uint8_t meant) { return found == meant || found == 0; });
}

Error Stale(const std::string& path) {
  return {Stage::kMalformed, "envelope_stale",
          "the file holds a newer envelope than the one beside it; remove the one that is out of date", kNoOffset,
          path};
}

// CheckOrder compares a good embedded frame with the sidecar; [E-SIDECAR].
Status CheckOrder(const Frame& embedded, const Frame& sidecar, const std::string& path) {
  if (sidecar.envelope.generation > embedded.envelope.generation) return {};
  if (sidecar.bytes == embedded.bytes) return {};
  return Stale(path);
}

Result<OpenedContainer> ReadCore(std::shared_ptr<const File> file, const Limits& limits) {
  OpenedContainer opened;
  const std::uint64_t head_bytes = std::min(file->size(), container::kPreambleBytes);
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*file, 0, head_bytes, container::kPreambleBytes));
  SAFEMODEL_ASSIGN(opened.preamble, container::ParsePreamble(head, file->size(), limits));
  SAFEMODEL_ASSIGN(opened.manifest_bytes, ReadRange(*file, opened.preamble.manifest_offset,
                                                    opened.preamble.manifest_length, limits.manifest_bytes));
  opened.manifest_digest = crypto::Sha256Of(opened.manifest_bytes);
  opened.file = std::move(file);
  return opened;
}

bool IsLink(const std::string& path) {
  std::error_code failure;
  return std::filesystem::is_symlink(std::filesystem::symlink_status(path, failure));
}

bool SameSidecar(const std::shared_ptr<const File>& a, const std::shared_ptr<const File>& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->state() == b->state();
}

}  // namespace

Result<Frame> ReadFrame(const File& file, std::uint64_t offset, const Limits& limits) {
  const std::uint64_t available = file.size() - offset;
  const std::uint64_t head_bytes = std::min(available, container::kEnvelopeHeadBytes);
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(file, offset, head_bytes, container::kEnvelopeHeadBytes));
  SAFEMODEL_ASSIGN(const std::uint64_t length, container::MeasureEnvelope(head, available, limits));
  Frame frame;
  SAFEMODEL_ASSIGN(frame.bytes, ReadRange(file, offset, length, limits.envelope_bytes));
  const ByteView body = ByteView(frame.bytes).first(frame.bytes.size() - container::kEnvelopeTailBytes);
  SAFEMODEL_ASSIGN(frame.envelope, container::ParseEnvelope(frame.bytes, crypto::Blake3Of(body), limits));
  return frame;
}

std::string SidecarOf(const std::string& container_path) { return container_path + ".envelope"; }

Result<std::shared_ptr<const File>> LookAtSidecar(const std::string& path, SidecarLookup lookup) {
  const auto links = lookup == SidecarLookup::kToReplace ? File::Links::kRefuse : File::Links::kFollow;
  auto file = File::Open(path, File::Access::kRead, links);
  if (file.ok() || lookup == SidecarLookup::kDemanded) return file;
  Error error = file.error();
  const bool is_link = IsLink(path);
  if (std::string_view(error.code) == "not_found" && !is_link) return std::shared_ptr<const File>();
  if (is_link && lookup == SidecarLookup::kToReplace) {
    error.text =
        "the signatures lie behind a link, which is not written through; put a copy of that file in the place of the "
        "link, or sign where it lies";
  }
  if (is_link && lookup == SidecarLookup::kToRead) error.text = "the envelope is a link that cannot be followed";
  return error;
}

Result<FoundEnvelopes> FindEnvelopes(std::shared_ptr<const File> file, const std::shared_ptr<const File>& sidecar,
                                     const Limits& limits) {
  FoundEnvelopes found;
  SAFEMODEL_ASSIGN(found.opened, ReadCore(std::move(file), limits));
  OpenedContainer& opened = found.opened;
  const std::uint64_t core = opened.preamble.manifest_offset + opened.preamble.manifest_length;
  const bool embedded_bytes = opened.file->size() > core;
  if (sidecar == nullptr) {
    if (!embedded_bytes) return found;
    SAFEMODEL_ASSIGN(Frame embedded, ReadFrame(*opened.file, core, limits));
    SAFEMODEL_TRY(CheckOwner(embedded, opened.manifest_digest, opened.file->path()));
    opened.envelope = std::move(embedded.envelope);
    opened.envelope_place = OpenedContainer::EnvelopePlace::kAppended;
    return found;
  }
  SAFEMODEL_ASSIGN(Frame beside, ReadFrame(*sidecar, 0, limits));
  SAFEMODEL_TRY(CheckOwner(beside, opened.manifest_digest, sidecar->path()));
  if (embedded_bytes) {
    const auto embedded = ReadFrame(*opened.file, core, limits);
    if (embedded.ok()) {
      SAFEMODEL_TRY(CheckOwner(embedded.value(), opened.manifest_digest, opened.file->path()));
      SAFEMODEL_TRY(CheckOrder(embedded.value(), beside, sidecar->path()));
      found.interrupted = embedded.value().bytes == beside.bytes;
    } else {
      if (embedded.error().stage != Stage::kMalformed) return embedded.error();
      SAFEMODEL_ASSIGN(found.interrupted, IsTrace(*opened.file, core, beside, limits));
      if (!found.interrupted) return embedded.error();
    }
  }
  found.sidecar = true;
  opened.envelope = std::move(beside.envelope);
  opened.envelope_place = OpenedContainer::EnvelopePlace::kSidecar;
  return found;
}

Result<OpenedContainer> OpenContainer(const std::string& path, const std::string& envelope_path, const Limits& limits) {
  const auto lookup = envelope_path.empty() ? SidecarLookup::kToRead : SidecarLookup::kDemanded;
  const std::string sidecar_path = envelope_path.empty() ? SidecarOf(path) : envelope_path;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    SAFEMODEL_ASSIGN(const auto before, LookAtSidecar(sidecar_path, lookup));
    SAFEMODEL_ASSIGN(auto file, File::Open(path));
    auto found = FindEnvelopes(file, before, limits);
    // A signer may have been between its steps while we read: what was read counts only if nothing moved meanwhile.
    SAFEMODEL_ASSIGN(const auto after, LookAtSidecar(sidecar_path, lookup));
    if (!SameSidecar(before, after) || !file->CheckUnchanged().ok()) continue;
    if (!found.ok()) return found.error();
    return std::move(found).value().opened;
  }
  return Error{Stage::kIo, "changed", "the container or its envelope keeps changing; try again", kNoOffset, path};
}

}  // namespace safemodel::trust
