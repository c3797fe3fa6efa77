// SPDX-License-Identifier: Apache-2.0
#include <safemodel/digest.h>

#include <filesystem>

#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/file_digests.h"
#include "model/import_any.h"
#include "model/imported_records.h"
#include "model/loaded_model.h"
#include "model/model_input.h"

#include <safemodel/unverified.h>

namespace safemodel {
namespace {

TensorDigestJob JobOf(const ImportedModel& model, std::span<const container::TensorRecord> records, unsigned threads,
                      const Limits& limits) {
  TensorDigestJob job;
  job.tensors = records;
  job.element_types = model.element_types;
  job.limits = limits;
  job.threads = threads;
  for (std::uint32_t i = 0; i < model.storages.size(); ++i) {
    const SharedSource& source = model.storages[i].source;
    job.source_of_storage.push_back(i);
    job.sources.push_back({[source]() -> Result<SharedSource> { return source; }, source->size(), {}});
    if (source->sequential()) job.threads = 1;  // several storages may be parts of one compressed stream
  }
  return job;
}

Result<DigestReport> DigestImported(const std::string& path, unsigned threads, const Limits& limits,
                                    const Progress& progress) {
  // Inert data has digests too: nothing is built here.
  InputOptions options;
  options.limits = limits;
  options.unknown = ConvertOptions::Unknown::kKeepInert;
  SAFEMODEL_ASSIGN(const ModelInput input, ReadModelInput({path}, options));
  const ImportedModel& model = input.model;
  const std::vector<container::TensorRecord> records = RecordsOf(model);
  TensorDigestJob job = JobOf(model, records, threads, limits);
  job.progress = progress;
  SAFEMODEL_ASSIGN(const std::vector<Digest> digests, DigestTensors(job));
  DigestReport report;
  report.layout = model.layout;
  report.tensors = records.size();
  SAFEMODEL_ASSIGN(report.tensor_digest, TensorDigest(records, digests, model.element_types));
  SAFEMODEL_ASSIGN(const std::vector<FileDigest> files, DigestFiles(model.files));
  report.content_digest = ContentDigest(report.tensor_digest, files, model.tree);
  SAFEMODEL_TRY(input.CheckUnchanged());
  return report;
}

Result<DigestReport> DigestContainer(const std::string& path, unsigned threads, const Limits& limits,
                                     const Progress& progress, const IdentitySource& identities) {
  OpenOptions options;
  options.limits = limits;
  options.threads = threads;
  options.identities = identities;
  SAFEMODEL_ASSIGN(const VerifiedModel model, OpenUnverified(path, InsecureSkipVerification(), options));
  const LoadedModel& loaded = VerifiedModelAccess::Of(model);
  SAFEMODEL_ASSIGN(const ComputedDigests computed, ComputeFromPlainBytes(loaded, threads, progress));
  SAFEMODEL_TRY(CompareDigests(loaded, computed));
  return DigestReport{"safemodel", loaded.tensors.size(), computed.tensor_digest, computed.content_digest};
}

}  // namespace

Result<DigestReport> ComputeDigests(const std::string& path, unsigned threads, const Limits& limits,
                                    const Progress& progress, const IdentitySource& identities) {
  return CatchOutOfMemory([&]() -> Result<DigestReport> {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, File::Open(path));
      SAFEMODEL_ASSIGN(const bool is_container, IsContainer(*file));
      if (is_container) return DigestContainer(path, threads, limits, progress, identities);
    }
    return DigestImported(path, threads, limits, progress);
  });
}

}  // namespace safemodel
