// SPDX-License-Identifier: Apache-2.0
// Options of the verbs that verify: whose signatures count, and which model is expected.
#pragma once

#include <string>
#include <vector>

#include <safemodel/model.h>
#include <safemodel/policy.h>

#include "encryption_options.h"

namespace CLI {
class App;
}

namespace safemodel::cli {

// TrustOptions are --policy, --key, --expect, --envelope and --threads.
class TrustOptions {
 public:
  void AddOptions(CLI::App& verb);

  // trusts says that somebody is trusted: by a policy or by keys.
  [[nodiscard]] bool trusts() const { return !policy_.empty() || !keys_.empty(); }
  // MakePolicy reads the policy file, or makes a policy of the --key options; kUntrusted "no_policy" when there is
  // neither.
  [[nodiscard]] Result<Policy> MakePolicy() const;
  // MakeExpectation reads --expect NAME[@VERSION]; without it, any name.
  [[nodiscard]] Expectation MakeExpectation() const;
  [[nodiscard]] bool expects() const { return !expect_.empty(); }
  [[nodiscard]] OpenOptions MakeOpenOptions(const IdentityOptions& identities) const;
  [[nodiscard]] unsigned threads() const { return threads_; }

 private:
  std::string policy_;
  std::vector<std::string> keys_;
  std::string expect_;
  std::string envelope_;
  unsigned threads_ = 0;
};

}  // namespace safemodel::cli
