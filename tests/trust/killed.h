// SPDX-License-Identifier: Apache-2.0
// A process that is killed at each of its system calls in turn.
#pragma once

#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace safemodel::trust {

inline constexpr int kUnreachable = 99;

// Runs `body` in a child that is killed at its n-th stop at a system call (entry or exit). Returns false when it ended
// by itself before.
template <typename Body>
bool KilledAt(int n, const Body& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kUnreachable);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSTOPPED(status));
  for (int stop = 0; stop < n; ++stop) {
    REQUIRE(ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      return false;
    }
  }
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, &status, 0) == child);
  return true;
}

}  // namespace safemodel::trust
