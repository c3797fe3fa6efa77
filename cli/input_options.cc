// SPDX-License-Identifier: Apache-2.0
#include "input_options.h"

#include <safemodel/unverified.h>

#include <CLI/CLI.hpp>
#include <filesystem>

namespace safemodel::cli {

void InputOptions::AddOptions(CLI::App& verb) {
  verb.add_option("FILE", file_, "The container")->required();
  trust_.AddOptions(verb);
  verb.add_flag("--insecure-skip-verification", insecure_, "Go on without checking signatures");
}

Status InputOptions::Check(const std::string& output) const {
  std::error_code error;
  if (std::filesystem::equivalent(file_, output, error) && !error)
    return Error{Stage::kUsage, "output_is_input", "input and output are the same file"};
  if (insecure_ && (trust_.trusts() || trust_.expects())) {
    return BadArguments("--insecure-skip-verification checks nothing: leave out --policy, --key and --expect");
  }
  return identities_.Check();
}

Result<VerifiedModel> InputOptions::Open() const {
  const OpenOptions options = trust_.MakeOpenOptions(identities_);
  if (insecure_) {
    console_.Note("safemodel: WARNING: signatures are not checked (--insecure-skip-verification)");
    return OpenUnverified(file_, InsecureSkipVerification(), options);
  }
  auto policy = trust_.MakePolicy();
  if (!policy.ok()) return policy.error();
  return VerifiedModel::Open(file_, policy.value(), trust_.MakeExpectation(), options);
}

}  // namespace safemodel::cli
