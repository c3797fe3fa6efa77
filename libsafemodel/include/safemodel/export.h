// SPDX-License-Identifier: Apache-2.0
// Export of verified models to formats that other tools read.
#pragma once

#include <string>
#include <vector>

#include <safemodel/model.h>

namespace safemodel {

// kFolder is a new folder with the packed files, and the tensors as model.safetensors.
enum class ExportFormat : std::uint8_t { kSafetensors, kNpz, kFolder };

struct ExportOptions {
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Overwrite overwrite = Overwrite::kRefuse;  // of a file; a folder is never replaced
  enum class Executables : std::uint8_t { kRefuse, kWrite };
  // What happens when a packed file can run (kFolder). Dangerous pickles are refused either way.
  Executables executables = Executables::kRefuse;
  Progress progress = {};
};

struct ExportReport {
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;
  // Groups of names that shared memory in the model and are separate copies in the output.
  std::vector<std::vector<std::string>> broken_aliases;
  std::size_t files = 0;           // packed files that were written
  std::size_t files_left_out = 0;  // packed files that the format has no place for
};

// Export writes all tensors of a verified model, and to a folder all its files. What the target cannot hold is refused
// by name before the first byte is written (kUnsupported); nothing is renamed. Until the output gets its name a failure
// leaves nothing behind and nothing changed; kIo "not_durable" comes when it has its name already.
Result<ExportReport> Export(const VerifiedModel& model, const std::string& output, ExportFormat format,
                            const ExportOptions& options);

}  // namespace safemodel
