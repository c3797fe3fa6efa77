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
  std::vector<std::string> variables = {};  // "NAME=VALUE" that it gets besides
  // What the child reads once, at kSecretPath: through a pipe, which is never swapped to a disk. At most what a pipe
  // holds, 64 KiB on Linux.
  ByteView secret = {};
};

inline constexpr const char* kSecretPath = "/dev/fd/3";

// FindProgram returns a name with a slash as it is, and searches others in the absolute folders of PATH. kIo
// "program_missing".
Result<std::string> FindProgram(const std::string& name);

// RunProgram runs words[0], a path, with `input` as its whole standard input, and returns its standard output. Its
// standard error is ours. When it does not end in time, or prints too much, it is killed.
// Errors, all kIo: "program_missing", "program_failed" (exit code not 0, or a signal), "program_output",
// "program_timeout".
Result<ByteBuffer> RunProgram(const std::vector<std::string>& words, ByteView input, const ChildOptions& options);
// RunProgramInto is the same with an output that is secret: it goes straight into the caller's memory, whose size is
// the limit. Returns its length.
Result<std::size_t> RunProgramInto(const std::vector<std::string>& words, ByteView input, const ChildOptions& options,
                                   MutableBytes output);

// AbsolutePath returns the variable PATH without its relative entries, which would run what happens to lie in the
// folder one stands in.
std::string AbsolutePath();

}  // namespace safemodel
