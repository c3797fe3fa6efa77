// SPDX-License-Identifier: Apache-2.0
#include "stop_signals.h"

#include <safemodel/stop.h>

#include <array>
#include <csignal>

namespace safemodel::cli {
namespace {

constexpr std::array kStopSignals = {SIGHUP, SIGINT, SIGTERM};

volatile std::sig_atomic_t stop_signal = 0;  // NOLINT: a handler can reach nothing else

void EndBy(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // in a handler: as soon as that returns
}

// Stop may be called more than once: timeout(1) signals a program and then its group, which is the program again.
void Stop(int signal) {
  stop_signal = signal;
  if (RequestStop() == Unfinished::kNothing) EndBy(signal);
}

}  // namespace

void StopOnSignals() {
  for (const int signal : kStopSignals) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = Stop;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

int EndBySignal(int code) {
  if (stop_signal != 0 && code != 0) EndBy(stop_signal);
  return code;
}

}  // namespace safemodel::cli
