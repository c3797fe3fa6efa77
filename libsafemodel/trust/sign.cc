// SPDX-License-Identifier: Apache-2.0
#include <safemodel/sign.h>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "container/parse.h"
#include "trust/candidate.h"
#include "trust/earlier_statements.h"
#include "trust/envelope_writer.h"
#include "trust/sign_core.h"

namespace safemodel {
Result<SignReport> Sign(const std::string& path, const Signer& key, const SignOptions& options) {
  return CatchOutOfMemory([&]() -> Result<SignReport> { return trust::SignAnd(path, key, options, {}); });
}

Result<SignReport> trust::SignAnd(const std::string& path, const Signer& key, const SignOptions& options,
                                  const AfterStatement& after) {
  SAFEMODEL_TRY(trust::CheckSignOptions(options));
  SAFEMODEL_ASSIGN(auto writer, trust::EnvelopeWriter::Open(path, options.placement, options.limits));
  const trust::OpenedContainer& opened = writer.container();
  // The signer is about to vouch for these bytes itself, so nobody else has to have done it before they are parsed.
  SAFEMODEL_ASSIGN(const container::Manifest manifest,
                   container::ParseManifest(opened.manifest_bytes, opened.preamble, options.limits));
  SAFEMODEL_ASSIGN(container::Envelope envelope, trust::NextEnvelope(opened.envelope, opened.manifest_digest));
  const trust::EarlierStatements earlier =
      trust::FitEarlier(envelope, trust::ReleaseKind::kContainer, key.public_key(), options);
  SAFEMODEL_ASSIGN(container::EnvelopeItem item,
                   trust::MakeStatementItem(trust::ReleaseOf(manifest), opened.manifest_digest, key, options,
                                            trust::Checked::kManifest));
  envelope.items.push_back(std::move(item));
  if (after) SAFEMODEL_TRY(after(envelope));
  SAFEMODEL_ASSIGN(const ByteBuffer frame, trust::FrameBytes(envelope, options.limits));

  SignReport report;
  SAFEMODEL_ASSIGN(report.envelope_path, writer.Write(frame));
  report.model_name = manifest.name;
  report.model_version = manifest.version;
  report.sequence = manifest.sequence;
  report.manifest_digest = opened.manifest_digest;
  report.key_id = key.public_key().KeyId();
  report.role = options.role;
  report.signatures = trust::StatementsOf(envelope);
  report.replaced = earlier.replaced;
  report.outlasted = earlier.outlasts;
  return report;
}

}  // namespace safemodel
