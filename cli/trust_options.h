// SPDX-License-Identifier: Apache-2.0
// Options of the verbs that verify: whose signatures count, and which model is expected.
#pragma once

#include <string>
#include <vector>

#include <safemodel/model.h>
#include <safemodel/policy.h>

namespace CLI {
class App;
}

namespace safemodel::cli {

// TrustOptions are --key, --expect, --envelope and --threads.
class TrustOptions {
 public:
  void AddOptions(CLI::App& verb);

  [[nodiscard]] bool has_keys() const { return !keys_.empty(); }
  // MakePolicy is the policy of the --key options; kUntrusted "no_policy" when there is none.
  [[nodiscard]] Result<Policy> MakePolicy() const;
  // MakeExpectation reads --expect NAME[@VERSION]; without it, any name.
  [[nodiscard]] Expectation MakeExpectation() const;
  [[nodiscard]] bool expects() const { return !expect_.empty(); }
  [[nodiscard]] OpenOptions MakeOpenOptions() const;

 private:
  std::vector<std::string> keys_;
  std::string expect_;
  std::string envelope_;
  unsigned threads_ = 0;
};

}  // namespace safemodel::cli
