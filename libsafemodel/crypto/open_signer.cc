// SPDX-License-Identifier: Apache-2.0
#include <safemodel/open_signer.h>

#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/exec_signer.h"
#include "crypto/secret_input.h"
#include "crypto/ssh_agent.h"

namespace safemodel {
namespace {

constexpr std::string_view kAgent = "ssh-agent:";
constexpr std::string_view kProgram = "exec:";

Result<std::unique_ptr<Signer>> OpenAny(const std::string& spec, const OpenSignerOptions& options) {
  if (spec.starts_with(kAgent)) {
    SAFEMODEL_ASSIGN(PublicKey key, PublicKey::Parse(spec.substr(kAgent.size())));
    return crypto::OpenAgentSigner(std::move(key), options.timeout);
  }
  if (spec.starts_with(kProgram)) {
    if (!options.public_key.has_value()) {
      return Error{Stage::kUsage, "public_key_needed",
                   "a program does not say whose key it signs with: state the public key (--public-key)"};
    }
    return crypto::OpenExecSigner(spec.substr(kProgram.size()), *options.public_key, options.timeout);
  }
  SAFEMODEL_ASSIGN(const crypto::SecretText text, crypto::ReadSecret(spec));
  SAFEMODEL_ASSIGN(SecretKey key, SecretKey::FromText(text.bytes(), options.passphrase));
  return std::unique_ptr<Signer>(std::make_unique<SecretKey>(std::move(key)));
}

}  // namespace

Result<std::unique_ptr<Signer>> OpenSigner(const std::string& spec, const OpenSignerOptions& options) {
  if (IsSecretKeyText(spec)) {
    return Error{Stage::kUsage, "secret_as_argument",
                 "this is a secret key itself, which every process can see in the list of processes: use env:VAR or - "
                 "and make a new key"};
  }
  auto signer = OpenAny(spec, options);
  if (!signer.ok() || !options.public_key.has_value()) return signer;
  if (signer.value()->public_key() == *options.public_key) return signer;
  return Error{Stage::kKey, "other_key", "the signing key does not belong to the public key that was stated for it"};
}

bool IsSecretKeyText(std::string_view text) { return crypto::HoldsSecret(text); }

}  // namespace safemodel
