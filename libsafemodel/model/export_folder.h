// SPDX-License-Identifier: Apache-2.0
// Export to a folder: the packed files, and the tensors in one file beside them.
#pragma once

#include <safemodel/export.h>

#include "base/file.h"
#include "model/loaded_model.h"

namespace safemodel {

inline constexpr const char* kExportedTensors = "model.safetensors";

// FolderPath returns the path of a folder without slashes at its end.
std::string FolderPath(std::string path);

// CheckFolderExport decides before anything is written: the name is free, no packed file has the name of the tensors',
// and no packed file runs unless that was asked for. Files are judged by what is in the container, whatever their
// packer thought of them. Errors: those of OutputFolder::CheckFree and JudgeFile; kUnsupported "path_taken"; kUnsafe
// "executable_file" and those of CheckMayTravel.
Status CheckFolderExport(const LoadedModel& model, const std::string& path, ExportOptions::Executables executables);

// WriteFolder moves the complete file of tensors into a new folder, adds the packed files and gives it its name.
// Returns the bytes of the packed files.
Result<std::uint64_t> WriteFolder(const LoadedModel& model, const std::string& path, OutputFile tensors);

}  // namespace safemodel
