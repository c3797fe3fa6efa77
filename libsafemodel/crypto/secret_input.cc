// SPDX-License-Identifier: Apache-2.0
#include "crypto/secret_input.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/cursor.h"
#include "base/file.h"
#include "base/try.h"

namespace safemodel::crypto {
namespace {

Error BadInput(const char* code, const char* text, const std::string& subject = {}) {
  return {Stage::kKey, code, text, kNoOffset, subject};
}

Error TooLong(const std::string& subject = {}) {
  return BadInput("bad_key_file", "this is too long for a secret key", subject);
}
Error Empty(const std::string& subject = {}) { return BadInput("bad_key_file", "the secret key is empty", subject); }

Result<SecretText> CloseAfter(int fd, std::size_t most) {
  auto text = ReadSecretDescriptor(fd, most);
  close(fd);
  return text;
}

// DescriptorOf reads the N of fd:N, digits only.
std::optional<int> DescriptorOf(std::string_view digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

Result<SecretText> ReadSecretFile(const std::string& path, std::size_t most) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path));
  if (file->size() == 0) return Empty(path);
  if (file->size() > most) return TooLong(path);
  SecretText text(most);
  text.size = static_cast<std::size_t>(file->size());
  SAFEMODEL_TRY(file->ReadAt(0, text.memory.bytes().first(text.size)));
  return text;
}

Result<SecretText> ReadSecretDescriptor(int fd, std::size_t most) {
  SecretText text(most);
  while (text.size < most) {
    const MutableBytes room = text.memory.bytes().subspan(text.size);
    const ssize_t n = read(fd, room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return BadInput("no_key", "the secret key cannot be read from there");
    if (n == 0) break;
    text.size += static_cast<std::size_t>(n);
  }
  if (text.size == 0) return Empty();
  if (text.size == most) return TooLong();  // there may be more, and no key is of exactly this size
  return text;
}

Result<SecretText> TakeSecretVariable(const std::string& name, std::size_t most) {
  char* value = name.empty() || name.find('=') != std::string::npos ? nullptr : std::getenv(name.c_str());
  if (value == nullptr) return BadInput("no_key", "there is no such environment variable", name);
  const std::size_t size = std::strlen(value);
  SecretText text(most);
  text.size = std::min(size, most);
  std::copy_n(AsBytes(value).begin(), text.size, text.memory.bytes().begin());
  // Also from where the kernel shows the environment that the process began with.
  sodium_memzero(value, size);
  unsetenv(name.c_str());
  if (size == 0) return Empty(name);
  if (size > most) return TooLong(name);
  return text;
}

Result<SecretText> ReadSecret(const std::string& source, std::size_t most) {
  constexpr std::string_view kVariable = "env:";
  constexpr std::string_view kDescriptor = "fd:";
  if (source == "-") return ReadSecretDescriptor(STDIN_FILENO, most);
  if (source.starts_with(kVariable)) return TakeSecretVariable(source.substr(kVariable.size()), most);
  if (!source.starts_with(kDescriptor)) return ReadSecretFile(source, most);
  const auto number = DescriptorOf(std::string_view(source).substr(kDescriptor.size()));
  if (!number.has_value()) return BadInput("no_key", "fd: takes the number of an open descriptor", source);
  return CloseAfter(*number, most);
}

bool HoldsSecret(std::string_view variable) {
  constexpr std::array<std::string_view, 5> kMarks = {
      "PRIVATE KEY-----",  // PEM and OpenSSH
      "RWRTY0Iy",          // minisign's "Ed", "Sc", "B2", which a protected key begins with ...
      "RWQAAEIy",          // ... and "Ed", 0, 0, "B2" of another
      "AGE-SECRET-KEY-",  "AGE-PLUGIN-",
  };
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [variable](std::string_view mark) { return variable.find(mark) != std::string_view::npos; });
}

}  // namespace safemodel::crypto
