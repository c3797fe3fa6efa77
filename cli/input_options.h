// SPDX-License-Identifier: Apache-2.0
// Options of the verbs that read one container and write something of it: whose signatures count, that none is asked
// for, and who opens it.
#pragma once

#include <string>

#include <safemodel/model.h>

#include "console.h"
#include "encryption_options.h"
#include "trust_options.h"

namespace safemodel::cli {

class InputOptions {
 public:
  explicit InputOptions(const Console& console) : console_(console), identities_(console) {}
  // AddOptions adds FILE, the options of TrustOptions and --insecure-skip-verification; AddIdentities those of
  // IdentityOptions, for verbs that take what is encrypted.
  void AddOptions(CLI::App& verb);
  void AddIdentities(CLI::App& verb) { identities_.AddOptions(verb); }

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] unsigned threads() const { return trust_.threads(); }
  [[nodiscard]] bool verified() const { return !insecure_; }
  // Check refuses (kUsage) options that contradict each other, and an output that is the input: writing over it would
  // lose it, by whatever name it goes.
  [[nodiscard]] Status Check(const std::string& output) const;
  // Open verifies and opens, or warns that nothing is verified.
  [[nodiscard]] Result<VerifiedModel> Open() const;

 private:
  const Console& console_;
  std::string file_;
  TrustOptions trust_;
  IdentityOptions identities_;
  bool insecure_ = false;
};

}  // namespace safemodel::cli
