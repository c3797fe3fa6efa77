// SPDX-License-Identifier: Apache-2.0
#include "model/container_output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/try.h"
#include "trust/envelope_store.h"

namespace safemodel {
namespace {

Status CheckName(const std::string& path, OutputFile::Overwrite overwrite, std::span<const FileIdentity> inputs) {
  SAFEMODEL_ASSIGN(const auto identity, IdentityOf(path));
  if (identity && std::find(inputs.begin(), inputs.end(), *identity) != inputs.end())
    return Error{Stage::kUsage, "same_file", "the output is the input", kNoOffset, path};
  if (overwrite == OutputFile::Overwrite::kReplace) return {};
  const std::string sidecar = trust::SidecarOf(path);
  SAFEMODEL_ASSIGN(const auto beside, IdentityOf(sidecar));
  if (!beside) return {};
  return Error{Stage::kUsage, "sidecar_exists",
               "an envelope lies beside the output's name; use --force to replace both", kNoOffset, sidecar};
}

Status RemoveSidecar(const std::string& output) {
  const std::string sidecar = trust::SidecarOf(output);
  if (unlink(sidecar.c_str()) == 0) return SyncFolder(FolderOf(output));
  if (errno == ENOENT) return {};
  return SystemError("write_failed", "the old envelope beside the output cannot be removed; remove it by hand",
                     sidecar);
}

}  // namespace

Result<ContainerOutput> ContainerOutput::Create(const std::string& path, OutputFile::Overwrite overwrite,
                                                std::span<const FileIdentity> inputs) {
  SAFEMODEL_TRY(CheckName(path, overwrite, inputs));
  SAFEMODEL_ASSIGN(OutputFile file, OutputFile::Create(path, overwrite));
  return ContainerOutput(std::move(file), path, overwrite);
}

Status ContainerOutput::Commit() {
  Status named = file_.Commit();
  // A core that replaced another one has its name for good, however long it lasts: the old envelope must go.
  const bool in_place = named.ok() || std::string_view(named.error().code) == "not_durable";
  if (!in_place || overwrite_ == OutputFile::Overwrite::kRefuse) return named;
  Status removed = RemoveSidecar(path_);
  return named.ok() ? removed : named;
}

}  // namespace safemodel
