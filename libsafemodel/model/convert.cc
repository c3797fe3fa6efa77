// SPDX-License-Identifier: Apache-2.0
#include <safemodel/convert.h>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/allowed_table.h"
#include "model/container_output.h"
#include "model/identity.h"
#include "model/model_input.h"
#include "model/write_model.h"

namespace safemodel {
namespace {

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
  report.shard = input.shard;
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
  std::string name = options.name;
  if (name.empty()) {
    SAFEMODEL_ASSIGN(name, CleanName(input.default_name));
  }
  SourceDigest source_digest(SourcesOf(input), options.source_sha256);
  SourceDigests source;
  const bool replace = options.overwrite == ConvertOptions::Overwrite::kReplace;
  std::vector<FileIdentity> identities;
  for (const InputPart& part : input.parts) identities.push_back(part.identity);
  SAFEMODEL_ASSIGN(
      ContainerOutput output,
      ContainerOutput::Create(output_path, replace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse,
                              identities));
  const Identify identify = [&]() -> Result<ModelIdentity> {
    SAFEMODEL_ASSIGN(source, source_digest.Wait());
    return IdentityFor(name, options, input.model, source);
  };
  SAFEMODEL_ASSIGN(const WrittenModel written, WriteModel(output.file(), input.model, options, identify));
  SAFEMODEL_TRY(input.CheckUnchanged());
  ConvertReport report = ReportOf(input, written, source);
  report.container_bytes = output.file().size();
  SAFEMODEL_TRY(output.Commit());
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
