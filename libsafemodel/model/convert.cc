// SPDX-License-Identifier: Apache-2.0
#include <safemodel/convert.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/allowed_table.h"
#include "model/identity.h"
#include "model/model_input.h"
#include "model/write_model.h"
#include "trust/envelope_store.h"

namespace safemodel {
namespace {

// CheckOutput refuses what a conversion may not write over: its own input, and a name whose sidecar would then vouch
// for another file.
Status CheckOutput(const ModelInput& input, const std::string& output, ConvertOptions::Overwrite overwrite) {
  SAFEMODEL_ASSIGN(const auto identity, IdentityOf(output));
  for (const InputPart& part : input.parts) {
    if (!identity || *identity != part.identity) continue;
    return Error{Stage::kUsage, "same_file", "the output is the input", kNoOffset, output};
  }
  if (overwrite == ConvertOptions::Overwrite::kReplace) return {};
  const std::string sidecar = trust::SidecarOf(output);
  SAFEMODEL_ASSIGN(const auto beside, IdentityOf(sidecar));
  if (!beside) return {};
  return Error{Stage::kUsage, "sidecar_exists",
               "an envelope lies beside the output's name; use --force to replace both", kNoOffset, sidecar};
}

// RemoveSidecar unlinks the old envelope. It comes after the new core has its name: between the two, readers refuse.
Status RemoveSidecar(const std::string& output) {
  const std::string sidecar = trust::SidecarOf(output);
  if (unlink(sidecar.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return SystemError("write_failed", "the old envelope beside the output cannot be removed; remove it by hand",
                       sidecar);
  }
  const auto slash = output.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : output.substr(0, slash + 1);
  const Descriptor descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid() || fsync(descriptor.get()) != 0) {
    return SystemError("write_failed", "the folder could not be written to disk", folder);
  }
  return {};
}

ConvertReport ReportOf(const ModelInput& input, const WrittenModel& written, const SourceDigests& source) {
  const ImportedModel& model = input.model;
  ConvertReport report;
  report.layout = model.layout;
  report.verdict = model.verdict;
  report.name = written.identity.name;
  report.version = written.identity.version;
  report.sequence = written.identity.sequence;
  report.tensors = written.tensors;
  report.tensor_bytes = written.tensor_bytes;
  report.source_digest = source.blake3;
  report.tensor_digest = written.tensor_digest;
  report.content_digest = written.content_digest;
  report.manifest_digest = written.manifest_digest;
  report.inert = model.inert;
  report.source_bytes = input.bytes();
  report.weights = input.weights;
  report.left_out = input.left_out;
  report.unmapped = input.unmapped;
  for (const ImportedFile& file : model.files) {
    report.files.push_back({file.path, file.source->size(), file.executable});
  }
  return report;
}

std::vector<NamedSource> SourcesOf(const ModelInput& input) {
  std::vector<NamedSource> sources;
  for (const InputPart& part : input.parts) sources.push_back({part.name, part.source});
  return sources;
}

Result<ConvertReport> ConvertInputs(const std::vector<std::string>& inputs, const std::string& output_path,
                                    const ConvertOptions& options) {
  SAFEMODEL_TRY(CheckIdentityOptions(options));
  SAFEMODEL_ASSIGN(const ModelInput input, ReadModelInput(inputs, {options.limits, options.unknown, options.executables,
                                                                   options.weights, TableOf(options.allowed)}));
  SAFEMODEL_TRY(CheckOutput(input, output_path, options.overwrite));
  SourceDigest source_digest(SourcesOf(input), options.source_sha256);
  SourceDigests source;
  const bool replace = options.overwrite == ConvertOptions::Overwrite::kReplace;
  SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(output_path, replace ? OutputFile::Overwrite::kReplace
                                                                              : OutputFile::Overwrite::kRefuse));
  const Identify identify = [&]() -> Result<ModelIdentity> {
    SAFEMODEL_ASSIGN(source, source_digest.Wait());
    return IdentityFor(input.default_name, options, input.model, source);
  };
  SAFEMODEL_ASSIGN(const WrittenModel written, WriteModel(output, input.model, options, identify));
  SAFEMODEL_TRY(input.CheckUnchanged());
  ConvertReport report = ReportOf(input, written, source);
  report.container_bytes = output.size();
  SAFEMODEL_TRY(output.Commit());
  if (replace) SAFEMODEL_TRY(RemoveSidecar(output_path));
  return report;
}

}  // namespace

Result<ConvertReport> Convert(const std::vector<std::string>& inputs, const std::string& output,
                              const ConvertOptions& options) {
  return CatchOutOfMemory([&] { return ConvertInputs(inputs, output, options); });
}

Result<ConvertReport> Convert(const std::string& input, const std::string& output, const ConvertOptions& options) {
  return CatchOutOfMemory([&] { return ConvertInputs({input}, output, options); });
}

}  // namespace safemodel
