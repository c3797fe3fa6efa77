// SPDX-License-Identifier: Apache-2.0
#include "model/export_folder.h"

#include "base/output_folder.h"
#include "base/try.h"
#include "container/paths.h"
#include "model/gather.h"
#include "model/judge_file.h"

namespace safemodel {
namespace {

Status CheckPathOfTensors(const LoadedModel& model) {
  std::vector<std::string_view> paths = {kExportedTensors};
  for (const PackedFile& file : model.files) paths.emplace_back(file.path);
  if (container::CheckPathsApart(paths).ok()) return {};
  return Error{Stage::kUnsupported, "path_taken", "a packed file has the name that the file of tensors gets", kNoOffset,
               kExportedTensors};
}

Status CheckFile(const LoadedModel& model, std::size_t number, ExportOptions::Executables executables) {
  const std::string& path = model.files[number].path;
  const SharedSource plain = model.store->Plain(model.file_objects[number]);
  SAFEMODEL_ASSIGN(const FileJudgement judgement, JudgeFile(path, plain, model.limits));
  if (judgement.kind == FileJudgement::Kind::kData) return {};
  if (executables == ExportOptions::Executables::kRefuse) {
    return Error{Stage::kUnsafe, "executable_file",
                 "a packed file can run; export with --include-executable if you trust its signer with that", kNoOffset,
                 path};
  }
  return CheckMayTravel(judgement, path, UnknownClasses::kAllow);
}

}  // namespace

std::string FolderPath(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Status CheckFolderExport(const LoadedModel& model, const std::string& path, ExportOptions::Executables executables) {
  SAFEMODEL_TRY(OutputFolder::CheckFree(path));
  SAFEMODEL_TRY(CheckPathOfTensors(model));
  for (std::size_t i = 0; i < model.files.size(); ++i) SAFEMODEL_TRY(CheckFile(model, i, executables));
  return {};
}

Result<std::uint64_t> WriteFolder(const LoadedModel& model, const std::string& path, OutputFile tensors) {
  SAFEMODEL_ASSIGN(OutputFolder folder, OutputFolder::Create(path));
  SAFEMODEL_TRY(folder.Adopt(tensors, kExportedTensors));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    const SharedSource plain = model.store->Plain(model.file_objects[i]);
    SAFEMODEL_TRY(folder.AddFile(model.files[i].path, [&](const OutputFolder::Append& append) {
      return StreamRange(*plain, 0, plain->size(), append);
    }));
    bytes += plain->size();
  }
  SAFEMODEL_TRY(folder.Commit());
  return bytes;
}

}  // namespace safemodel
