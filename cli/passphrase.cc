// SPDX-License-Identifier: Apache-2.0
#include "passphrase.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>

namespace safemodel::cli {
namespace {

// EchoOff hides what is typed, and shows it again however the function is left; signals wait until then.
class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTSTP);
    sigprocmask(SIG_BLOCK, &blocked, &signals_);
    if (tcgetattr(terminal_, &before_) != 0) return;
    termios hidden = before_;
    // Without ISIG, Ctrl-C arrives as a character: the prompt ends with the echo restored.
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    changed_ = tcsetattr(terminal_, TCSAFLUSH, &hidden) == 0;
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  ~EchoOff() {
    if (changed_) tcsetattr(terminal_, TCSAFLUSH, &before_);
    sigprocmask(SIG_SETMASK, &signals_, nullptr);
  }

 private:
  int terminal_;
  termios before_{};
  sigset_t signals_{};
  bool changed_ = false;
};

Result<std::string> Prompt(const char* question) {
  const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) {
    return Error{Stage::kKey, "no_terminal",
                 "the key needs a passphrase and there is no terminal: use --passphrase-file"};
  }
  dprintf(terminal, "%s", question);
  std::string line;
  bool complete = false;
  {
    const EchoOff echo_off(terminal);
    char c = 0;
    while (read(terminal, &c, 1) == 1 && c != '\x03' && c != '\x04') {
      if (c == '\n' || c == '\r') {
        complete = true;
        break;
      }
      line += c;
    }
  }
  dprintf(terminal, "\n");
  close(terminal);
  if (!complete) return Error{Stage::kKey, "interrupted", "no passphrase was entered"};
  return line;
}

Result<std::string> FirstLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (!in || !std::getline(in, line)) {
    return Error{Stage::kKey, "no_passphrase", "the passphrase file cannot be read or is empty", kNoOffset, path};
  }
  return line;
}

}  // namespace

PassphraseSource AskPassphrase(const std::string& file, Confirm confirm) {
  return [file, confirm]() -> Result<std::string> {
    if (!file.empty()) return FirstLine(file);
    auto first = Prompt("Passphrase: ");
    if (!first.ok() || confirm == Confirm::kNo) return first;
    auto second = Prompt("Passphrase again: ");
    if (!second.ok()) return second;
    if (first.value() != second.value()) return Error{Stage::kKey, "passphrases_differ", "the two passphrases differ"};
    return first;
  };
}

}  // namespace safemodel::cli
