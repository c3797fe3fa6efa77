// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_program.h"

#include <algorithm>

#include "base/child_process.h"
#include "base/try.h"
#include "crypto/age_stanza.h"

namespace safemodel::crypto::age {
namespace {

// IsLeftOut keeps from the program, and from plugins, what they do not need: the environment often holds keys.
bool IsLeftOut(std::string_view variable) {
  constexpr std::array<std::string_view, 10> kPassedOn = {
      "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"};
  const std::string_view name = variable.substr(0, variable.find('='));
  return std::find(kPassedOn.begin(), kPassedOn.end(), name) == kPassedOn.end();
}

Error AsKeyError(Error error) {
  error.stage = Stage::kKey;
  return error;
}

Result<std::string> FindAge() {
  auto path = FindProgram("age");
  if (path.ok()) return path;
  return Error{
      Stage::kKey, "age_missing",
      "this key needs the program age, and no absolute folder of PATH has it; install age and the key's plugin"};
}

ChildOptions OptionsFor(ByteView secret, std::chrono::milliseconds timeout) {
  ChildOptions options;
  options.timeout = timeout;
  options.leave_out = IsLeftOut;
  options.variables = {"PATH=" + AbsolutePath()};  // where age looks for the plugin
  options.secret = secret;
  return options;
}

std::string LineOf(const Recipient& recipient) {
  if (const auto* x25519 = std::get_if<X25519Recipient>(&recipient)) return SerializeRecipient(*x25519) + "\n";
  if (const auto* ssh = std::get_if<SshRecipient>(&recipient)) return SerializeRecipient(*ssh) + "\n";
  if (const auto* program = std::get_if<ProgramRecipient>(&recipient)) return program->text + "\n";
  return {};  // a passphrase stands alone and never comes here
}

// LinesOf returns an identity file for the program.
SecretBytes LinesOf(std::span<const Identity* const> identities) {
  std::size_t size = 0;
  for (const Identity* identity : identities) {
    if (const auto* program = std::get_if<ProgramIdentity>(identity)) size += program->text.size() + 1;
  }
  SecretBytes lines(size);
  auto at = lines.bytes().begin();
  for (const Identity* identity : identities) {
    const auto* program = std::get_if<ProgramIdentity>(identity);
    if (program == nullptr) continue;
    at = std::copy(program->text.bytes().begin(), program->text.bytes().end(), at);
    *at++ = '\n';
  }
  return lines;
}

// CheckPrinted wants from the program what we would read again.
Status CheckPrinted(ByteView file, const FileLimits& limits) {
  ByteReader reader(file);
  const auto header = ParseHeader(reader, limits);
  if (!header.ok()) return AsKeyError({Stage::kKey, "program_output", header.error().text});
  const Status stanzas = CheckStanzas(header.value().stanzas);
  if (!stanzas.ok()) return AsKeyError({Stage::kKey, "program_output", stanzas.error().text});
  return {};
}

}  // namespace

Result<ByteBuffer> SealWithProgram(std::span<const Recipient> recipients, ByteView plain, const FileLimits& limits,
                                   std::chrono::milliseconds timeout) {
  SAFEMODEL_ASSIGN(const std::string age, FindAge());
  std::string lines;
  for (const Recipient& recipient : recipients) lines += LineOf(recipient);
  ChildOptions options = OptionsFor(plain, timeout);
  options.output_bytes = static_cast<std::size_t>(limits.file_bytes);
  auto file = RunProgram({age, "--encrypt", "--recipients-file", "-", kSecretPath}, AsBytes(lines), options);
  if (!file.ok()) return AsKeyError(file.error());
  SAFEMODEL_TRY(CheckPrinted(file.value(), limits));
  return file;
}

Result<SecretBytes> OpenWithProgram(ByteView file, std::span<const Identity* const> identities,
                                    std::chrono::milliseconds timeout) {
  SAFEMODEL_ASSIGN(const std::string age, FindAge());
  const SecretBytes lines = LinesOf(identities);
  SecretBytes output(file.size());  // what comes out is shorter than what goes in
  const auto size = RunProgramInto({age, "--decrypt", "--identity", kSecretPath}, file,
                                   OptionsFor(lines.bytes(), timeout), output.bytes());
  if (!size.ok()) return AsKeyError(size.error());
  SecretBytes plain(size.value());
  std::copy_n(output.bytes().begin(), plain.size(), plain.bytes().begin());
  return plain;
}

}  // namespace safemodel::crypto::age
