// SPDX-License-Identifier: Apache-2.0
#include <safemodel/sign.h>

#include <algorithm>
#include <limits>

#include "base/try.h"
#include "container/parse.h"
#include "trust/envelope_writer.h"
#include "trust/candidate.h"
#include "trust/sign_core.h"

namespace safemodel {
namespace {

std::size_t StatementsOf(const container::Envelope& envelope) {
  return static_cast<std::size_t>(
      std::count_if(envelope.items.begin(), envelope.items.end(), trust::IsStatement));
}

}  // namespace

Result<container::Envelope> trust::NextEnvelope(const OpenedContainer& opened) {
  container::Envelope envelope;
  envelope.manifest_digest = opened.manifest_digest;
  if (!opened.envelope.has_value()) return envelope;
  envelope = *opened.envelope;
  constexpr std::uint64_t kLastGeneration = std::numeric_limits<std::uint64_t>::max() - 1;
  if (envelope.generation >= kLastGeneration) {
    return Error{Stage::kLimit, "last_generation", "the envelope has no next generation; remove it and sign anew"};
  }
  ++envelope.generation;
  return envelope;
}

Result<SignReport> Sign(const std::string& path, const Signer& key, const SignOptions& options) {
  return trust::SignAnd(path, key, options, {});
}

Result<SignReport> trust::SignAnd(const std::string& path, const Signer& key, const SignOptions& options,
                                  const AfterStatement& after) {
  SAFEMODEL_TRY(trust::CheckSignOptions(options));
  SAFEMODEL_ASSIGN(auto writer, trust::EnvelopeWriter::Open(path, options.placement, options.limits));
  const trust::OpenedContainer& opened = writer.container();
  // The signer is about to vouch for these bytes itself, so nobody else has to have done it before they are parsed.
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, options.limits));
  SAFEMODEL_ASSIGN(container::Envelope envelope, trust::NextEnvelope(opened));
  SAFEMODEL_ASSIGN(container::EnvelopeItem item,
                   trust::MakeStatementItem(trust::ReleaseOf(manifest), opened.manifest_digest, key, options,
                                            trust::Checked::kManifest));
  envelope.items.push_back(std::move(item));
  // Whoever adds to a log must not find out afterwards that there is no room in the envelope.
  SAFEMODEL_ASSIGN(ByteBuffer frame, trust::FrameBytes(envelope, options.limits));
  if (after) {
    SAFEMODEL_TRY(after(envelope));
    SAFEMODEL_ASSIGN(frame, trust::FrameBytes(envelope, options.limits));
  }

  SignReport report;
  SAFEMODEL_ASSIGN(report.envelope_path, writer.Write(frame));
  report.model_name = manifest.name;
  report.model_version = manifest.version;
  report.sequence = manifest.sequence;
  report.manifest_digest = opened.manifest_digest;
  report.key_id = key.public_key().KeyId();
  report.role = options.role;
  report.signatures = StatementsOf(envelope);
  return report;
}

}  // namespace safemodel
