// SPDX-License-Identifier: Apache-2.0
// The file that a new container is written to.
#pragma once

#include <span>
#include <string>

#include "base/file.h"

namespace safemodel {

// ContainerOutput gets its name when it is complete; an old envelope is never left beside a new core.
class ContainerOutput {
 public:
  // Create refuses (kUsage) "same_file" when the path names one of the inputs; "exists", and "sidecar_exists" when an
  // envelope lies beside the name, unless the old container is to be replaced.
  static Result<ContainerOutput> Create(const std::string& path, OutputFile::Overwrite overwrite,
                                        std::span<const FileIdentity> inputs);

  [[nodiscard]] OutputFile& file() { return file_; }
  // Commit gives the file its name, and then removes the envelope of what it replaced: between the two, readers refuse.
  // The first error is returned. kIo "not_durable" and an error about the envelope come when the file has its name.
  [[nodiscard]] Status Commit();

 private:
  ContainerOutput(OutputFile file, std::string path, OutputFile::Overwrite overwrite)
      : file_(std::move(file)), path_(std::move(path)), overwrite_(overwrite) {}
  OutputFile file_;
  std::string path_;
  OutputFile::Overwrite overwrite_;
};

}  // namespace safemodel
