// SPDX-License-Identifier: Apache-2.0
#include "crypto/exec_signer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/child_process.h"
#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "crypto/secret_input.h"

namespace safemodel::crypto {
namespace {

constexpr std::size_t kOutputBytes = 90;  // 64 bytes in base64 and a line end

std::vector<std::string> SplitAtSpaces(const std::string& command) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < command.size();) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    if (end > at) words.push_back(command.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// ParseOutput takes the 64 bytes raw, or their base64 and at most one line end.
Result<Ed25519Signature> ParseOutput(ByteView output) {
  Ed25519Signature signature{};
  if (output.size() == signature.size()) {
    std::copy(output.begin(), output.end(), signature.begin());
    return signature;
  }
  std::string_view text = AsText(output);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  const auto size = DecodeBase64(text, Base64Alphabet::kStandard, signature);
  if (size.ok() && size.value() == signature.size()) return signature;
  return Error{Stage::kKey, "program_output",
               "the program did not print an Ed25519 signature: 64 bytes, or their base64"};
}

class ExecSigner final : public Signer {
 public:
  ExecSigner(std::vector<std::string> words, PublicKey key, std::chrono::seconds timeout)
      : words_(std::move(words)), key_(std::move(key)), timeout_(timeout) {}
  [[nodiscard]] const PublicKey& public_key() const override { return key_; }

  [[nodiscard]] Result<std::array<std::uint8_t, 64>> SignBytes(ByteView message) const override {
    auto output = RunProgram(words_, message, {timeout_, kOutputBytes, HoldsSecret});
    if (!output.ok()) {
      Error error = output.error();
      error.stage = Stage::kKey;
      if (error.subject.empty()) error.subject = words_.front();
      return error;
    }
    SAFEMODEL_ASSIGN(const Ed25519Signature signature, ParseOutput(output.value()));
    if (VerifyEd25519(message, signature, key_.bytes())) return signature;
    return Error{Stage::kKey, "wrong_signature",
                 "the program's signature does not verify under the public key that was stated for it"};
  }

 private:
  std::vector<std::string> words_;
  PublicKey key_;
  std::chrono::seconds timeout_;
};

}  // namespace

Result<std::unique_ptr<Signer>> OpenExecSigner(const std::string& command, PublicKey key,
                                               std::chrono::seconds timeout) {
  if (key.is_hardware()) {
    return Error{Stage::kKey, "hardware_key", "a program cannot sign for a hardware key: use ssh-agent:PUBKEY"};
  }
  std::vector<std::string> words = SplitAtSpaces(command);
  auto program = FindProgram(words.empty() ? std::string() : words.front());
  if (!program.ok()) {
    Error error = program.error();
    error.stage = Stage::kKey;
    return error;
  }
  words.front() = program.value();
  return std::unique_ptr<Signer>(std::make_unique<ExecSigner>(std::move(words), std::move(key), timeout));
}

}  // namespace safemodel::crypto
