// SPDX-License-Identifier: Apache-2.0
// Export of verified models to formats that other tools read.
#pragma once

#include <string>
#include <vector>

#include <safemodel/model.h>

namespace safemodel {

enum class ExportFormat : std::uint8_t { kSafetensors, kNpz };

struct ExportOptions {
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Overwrite overwrite = Overwrite::kRefuse;
  Progress progress = {};
};

struct ExportReport {
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;
  // Groups of names that shared memory in the model and are separate copies in the output.
  std::vector<std::vector<std::string>> broken_aliases;
};

// Export writes all tensors of a verified model. What the target cannot hold is refused by name before the first byte
// is written (kUnsupported); nothing is renamed. On failure no output exists.
Result<ExportReport> Export(const VerifiedModel& model, const std::string& output, ExportFormat format,
                            const ExportOptions& options);

// InsecureSkipVerification is the one way round verification, for tools that must look at unverified files. Its name is
// made to be searched for.
class InsecureSkipVerification {
 public:
  explicit InsecureSkipVerification() = default;
};

// OpenUnverified opens a container without any signature or policy. Digests of chunks are still checked.
Result<VerifiedModel> OpenUnverified(const std::string& path, InsecureSkipVerification token,
                                     const OpenOptions& options = {});

}  // namespace safemodel
