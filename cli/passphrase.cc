// SPDX-License-Identifier: Apache-2.0
#include "passphrase.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <utility>

namespace safemodel::cli {
namespace {

// The signals that end a program and can be waited for.
constexpr std::array kEndingSignals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

volatile std::sig_atomic_t caught_signal = 0;  // NOLINT: a handler can reach nothing else

void Catch(int signal) { caught_signal = signal; }

// EchoOff hides what is typed, and shows it again however the function is left. Signals wait until then: SIGTSTP as it
// is, those that end the program by ending the wait for input.
class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTSTP);
    for (const int signal : kEndingSignals) sigaddset(&blocked, signal);
    sigprocmask(SIG_BLOCK, &blocked, &signals_);
    while_waiting_ = signals_;
    sigaddset(&while_waiting_, SIGTSTP);
    caught_signal = 0;
    for (std::size_t i = 0; i < kEndingSignals.size(); ++i) Handle(kEndingSignals[i], handlers_[i]);
    if (tcgetattr(terminal_, &before_) != 0) return;
    termios hidden = before_;
    // ISIG stays: Ctrl-C and Ctrl-\ become signals at once, and those end the wait with the echo restored. As
    // characters they would lie in the line until Enter.
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(terminal_, TCSAFLUSH, &hidden) == 0;
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  ~EchoOff() {
    if (changed_) tcsetattr(terminal_, TCSAFLUSH, &before_);
    for (std::size_t i = 0; i < kEndingSignals.size(); ++i) sigaction(kEndingSignals[i], &handlers_[i], nullptr);
    if (caught_signal != 0) raise(caught_signal);  // blocked until the next line
    sigprocmask(SIG_SETMASK, &signals_, nullptr);
  }

  // WaitForInput returns false when a signal came that ends the program, which it does as soon as the echo is back.
  [[nodiscard]] bool WaitForInput() const {
    pollfd input{terminal_, POLLIN, 0};
    // Only here can signals arrive, so none is lost between looking for it and waiting.
    while (ppoll(&input, 1, nullptr, &while_waiting_) < 0 && errno == EINTR && caught_signal == 0) continue;
    return caught_signal == 0;
  }

 private:
  // Handle leaves a signal alone that whoever started this program ignores, as nohup does.
  static void Handle(int signal, struct sigaction& before) {
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) return;
    struct sigaction action {};
    action.sa_handler = Catch;
    sigaction(signal, &action, nullptr);
  }

  int terminal_;
  termios before_{};
  sigset_t signals_{};
  sigset_t while_waiting_{};
  std::array<struct sigaction, kEndingSignals.size()> handlers_{};
  bool changed_ = false;
};

// ReadLine reads up to the first byte among `ends` and leaves that out. One byte at a time, straight into guarded
// memory: a buffer would be a second copy. Returns false when the input ended, or was given up with Ctrl-C, Ctrl-D or a
// signal on a terminal, before the line did. What was read before an error is never a passphrase: kKey "no_passphrase".
Result<bool> ReadLine(int fd, std::string_view ends, std::string_view gives_up, const EchoOff* terminal,
                      Passphrase& line) {
  for (;;) {
    if (terminal != nullptr && !terminal->WaitForInput()) return false;
    std::uint8_t byte = 0;
    const ssize_t n = read(fd, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{Stage::kKey, "no_passphrase", "the passphrase cannot be read to its end"};
    const char c = static_cast<char>(byte);
    if (n == 0 || gives_up.find(c) != std::string_view::npos) return false;
    if (ends.find(c) != std::string_view::npos) return true;
    if (Status added = line.Append({&byte, 1}); !added.ok()) return added.error();
  }
}

Result<Passphrase> Prompt(const std::string& question) {
  const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) {
    return Error{Stage::kKey, "no_terminal",
                 "a passphrase is needed and there is no terminal; name the file that holds it: --passphrase-file, "
                 "passphrase:FILE for a new recipient, or --key-passphrase-file for the key that signs one"};
  }
  dprintf(terminal, "%s: ", question.c_str());
  Passphrase line;
  Result<bool> complete = false;
  {
    const EchoOff echo_off(terminal);
    complete = ReadLine(terminal, "\n\r", "\x03\x04", &echo_off, line);
  }
  dprintf(terminal, "\n");
  close(terminal);
  if (!complete.ok()) return complete.error();
  if (!complete.value()) return Error{Stage::kKey, "interrupted", "no passphrase was entered"};
  return line;
}

// FirstLine reads a file, or a pipe such as a shell makes for <(command).
Result<Passphrase> FirstLine(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  Passphrase line;
  Result<bool> complete = false;
  if (file >= 0) {
    complete = ReadLine(file, "\n", {}, nullptr, line);
    close(file);
  }
  if (!complete.ok()) {
    Error refusal = complete.error();
    refusal.subject = path;
    return refusal;
  }
  if (!complete.value() && line.empty()) {
    return Error{Stage::kKey, "no_passphrase", "the passphrase file cannot be read or is empty", kNoOffset, path};
  }
  return line;
}

}  // namespace

PassphraseSource AskPassphrase(const std::string& file, Confirm confirm, const std::string& question) {
  return [file, confirm, question]() -> Result<Passphrase> {
    if (!file.empty()) return FirstLine(file);
    auto first = Prompt(question);
    if (!first.ok() || confirm == Confirm::kNo) return first;
    auto second = Prompt(question + " again");
    if (!second.ok()) return second;
    if (!first.value().Equals(second.value()))
      return Error{Stage::kKey, "passphrases_differ", "the two passphrases differ"};
    return first;
  };
}

}  // namespace safemodel::cli
