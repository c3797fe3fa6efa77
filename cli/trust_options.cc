// SPDX-License-Identifier: Apache-2.0
#include "trust_options.h"

#include <safemodel/open_signer.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "console.h"

namespace safemodel::cli {

namespace {

// RefuseHalf: an empty name or version is a variable of a script that was never set, and no model has one.
std::string RefuseHalf(const std::string& text) {
  const auto at = text.find('@');
  if (text.empty() || at == 0) return "an empty name expects nothing: NAME or NAME@VERSION";
  if (at == text.size() - 1) return "the version behind @ is empty; leave out the @ to expect any";
  return {};
}

}  // namespace

void TrustOptions::AddOptions(CLI::App& verb) {
  verb.add_option("--policy", policy_, "Accept what this policy file accepts")->type_name("FILE");
  verb.add_option(
          "--key,-k", keys_,
          "Accept a signature in role builder by this public key of minisign, OpenSSH or OpenSSL: a file, or its text; "
          "repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  verb.add_option("--expect", expect_, "Refuse any other model, and any other version if given")
      ->check(RefuseHalf)
      ->type_name("NAME[@VERSION]");
  verb.add_option("--envelope", envelope_, "Read the signatures from this detached envelope")->type_name("FILE");
  AddThreads(verb, threads_);
}

Result<Policy> TrustOptions::MakePolicy() const {
  if (!policy_.empty() && !keys_.empty())
    return BadArguments("--policy and --key exclude each other: put the key into the policy");
  if (!policy_.empty()) return Policy::FromFile(policy_);
  if (keys_.empty()) {
    return Error{Stage::kUntrusted, "no_policy",
                 "nobody is trusted: give a policy with --policy, or the signer's public key with --key"};
  }
  std::vector<PublicKey> keys;
  for (const std::string& text : keys_) {
    auto key = PublicKey::Parse(text);
    if (!key.ok()) {
      Error error = key.error();
      if (error.subject.empty() && !IsSecretKeyText(text)) error.subject = text;
      return error;
    }
    if (std::find(keys.begin(), keys.end(), key.value()) != keys.end())
      return BadArguments("a key is given twice; one --key for each is enough", text);
    keys.push_back(key.value());
  }
  return Policy::AnyOf(std::move(keys));
}

Expectation TrustOptions::MakeExpectation() const {
  if (expect_.empty()) return Expectation::Any();
  const auto at = expect_.find('@');
  if (at == std::string::npos) return Expectation::Model(expect_);
  return Expectation::Model(expect_.substr(0, at), expect_.substr(at + 1));
}

OpenOptions TrustOptions::MakeOpenOptions(const IdentityOptions& identities) const {
  OpenOptions options;
  options.envelope_path = envelope_;
  options.threads = threads_;
  options.identities = identities.source();
  return options;
}

}  // namespace safemodel::cli
