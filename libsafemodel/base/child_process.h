// SPDX-License-Identifier: Apache-2.0
// Running another program, without a shell.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

struct ChildOptions {
  std::chrono::milliseconds timeout{};
  std::size_t output_bytes = 0;  // more than this is refused
  // Which variables the child does not inherit, by their "NAME=VALUE".
  std::function<bool(std::string_view)> leave_out = {};
};

// FindProgram returns a name with a slash as it is, and searches others in the absolute folders of PATH. kIo
// "program_missing".
Result<std::string> FindProgram(const std::string& name);

// RunProgram runs words[0], a path, with `input` as its whole standard input, and returns its standard output. Its
// standard error is ours. When it does not end in time, or prints too much, it is killed.
// Errors, all kIo: "program_missing", "program_failed" (exit code not 0, or a signal), "program_output",
// "program_timeout".
Result<ByteBuffer> RunProgram(const std::vector<std::string>& words, ByteView input, const ChildOptions& options);

}  // namespace safemodel
