// SPDX-License-Identifier: Apache-2.0
// sign --from-log and sign --manifest: containers that a leaked key had signed are signed anew.
#pragma once

#include <string>
#include <vector>

#include <safemodel/resign.h>

#include "console.h"

namespace safemodel::cli {

// ResignArguments are --from-log, --before, --signed-by, --manifest and --policy.
class ResignArguments {
 public:
  void AddOptions(CLI::App& verb);
  // given says that containers are to be signed anew at all; from_log that a log decides which.
  [[nodiscard]] bool given() const { return from_log() || !manifests_.empty(); }
  [[nodiscard]] bool from_log() const { return !folder_.empty(); }
  // Check looks for options that are missing, or that do not go together. kUsage.
  [[nodiscard]] Status Check(const SignOptions& options) const;

  // Run signs the containers among `inputs`, files or folders, reports each, and returns the exit code. `log_key` is
  // the log's public key, for --from-log; `owner` gets entries for the new statements when it is not null.
  [[nodiscard]] int Run(const Console& console, const std::vector<std::string>& inputs, const Signer& key,
                        const SignOptions& options, const PublicKey* log_key, const LogOwner* owner) const;

 private:
  [[nodiscard]] Result<ResignBasis> MakeBasis(const PublicKey* log_key) const;

  std::string folder_;
  std::string before_;
  std::string leaked_;
  std::vector<std::string> manifests_;
  std::string policy_;
};

}  // namespace safemodel::cli
