// SPDX-License-Identifier: Apache-2.0
// Signals that end the program, and half-written outputs.
#pragma once

namespace safemodel::cli {

// StopOnSignals lets SIGHUP, SIGINT and SIGTERM end the program as ever, but not before unfinished outputs with a
// temporary name are gone: then the work is stopped, and fails. SIGQUIT still ends it at once. What whoever started the
// program ignores stays ignored.
void StopOnSignals();

// EndBySignal is told the exit code of the work. Work that failed after a signal ends the program by that signal, so
// that whoever started it sees why; otherwise the code is returned.
int EndBySignal(int code);

}  // namespace safemodel::cli
