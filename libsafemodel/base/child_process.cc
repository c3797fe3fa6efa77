// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/file.h"
#include "base/try.h"

namespace safemodel {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kWaitStep{2};
constexpr int kSecretDescriptor = 3;  // kSecretPath

Error Failed(const char* code, const char* text) { return {Stage::kIo, code, text}; }

// InputFile returns a descriptor of an unnamed file in memory that holds the input. A pipe could block both sides, and
// would raise a signal when the program does not read.
Result<Descriptor> InputFile(ByteView input) {
  Descriptor file(memfd_create("safemodel", MFD_CLOEXEC));
  if (!file.valid()) return SystemError("no_memory", "there is no memory for the input of a program", "memfd");
  for (std::size_t written = 0; written < input.size();) {
    const ssize_t n = write(file.get(), input.data() + written, input.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return SystemError("no_memory", "there is no memory for the input of a program", "memfd");
    written += static_cast<std::size_t>(n);
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return SystemError("no_memory", "the input cannot be rewound", "memfd");
  return file;
}

// SecretPipe returns the end to read of a pipe that holds the secret and is closed behind it. Whoever reads it cannot
// block us, nor end us with a signal: everything is written before there is such a program.
Result<Descriptor> SecretPipe(ByteView secret) {
  constexpr int kAboveTheChilds = 10;
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("open_failed", "no pipe can be made", "pipe");
  const Descriptor low(ends[0]);
  const Descriptor writing(ends[1]);
  Descriptor reading(fcntl(low.get(), F_DUPFD_CLOEXEC, kAboveTheChilds));
  fcntl(writing.get(), F_SETFL, O_NONBLOCK);
  while (!secret.empty()) {
    const ssize_t n = write(writing.get(), secret.data(), secret.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed("program_input", "a pipe does not hold what the program has to read");
    secret = secret.subspan(static_cast<std::size_t>(n));
  }
  if (!reading.valid()) return SystemError("open_failed", "no pipe can be made", "pipe");
  return reading;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Child is a running program. It never outlives the object.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (ended_) return;
    kill(id_, SIGKILL);
    while (waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  Status Wait(Clock::time_point deadline) {
    int status = 0;
    for (;;) {
      const pid_t found = waitpid(id_, &status, WNOHANG);
      if (found == id_) break;
      if (found < 0 && errno != EINTR) {
        ended_ = true;  // the caller ignores SIGCHLD: its end cannot be learned
        return Failed("program_failed", "the program's exit code is not known");
      }
      if (Clock::now() >= deadline) return Failed("program_timeout", "the program did not end in time");
      std::this_thread::sleep_for(kWaitStep);
    }
    ended_ = true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return Failed("program_failed", "the program reported an error");
  }

 private:
  pid_t id_;
  bool ended_ = false;
};

// Ends are the descriptors that become the child's.
struct Ends {
  int input;
  int output;
  int secret;
};

// Spawn starts the program with default signals: the command line ignores some that programs expect.
Result<pid_t> Spawn(std::vector<std::string> words, const Ends& ends, const ChildOptions& options) {
  std::vector<std::string> environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (!options.leave_out || !options.leave_out(*variable)) environment.emplace_back(*variable);
  }
  environment.insert(environment.end(), options.variables.begin(), options.variables.end());
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, ends.input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends.output, STDOUT_FILENO);
  if (ends.secret >= 0) posix_spawn_file_actions_adddup2(&actions, ends.secret, kSecretDescriptor);
  sigset_t none;
  sigset_t defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGQUIT}) sigaddset(&defaults, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t id = 0;
  const int error = posix_spawn(&id, words.front().c_str(), &actions, &attributes, Pointers(words).data(),
                                Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Failed("program_missing", "the program cannot be started");
  return id;
}

Result<std::size_t> ReadOutput(int descriptor, MutableBytes output, Clock::time_point deadline) {
  std::size_t size = 0;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Failed("program_timeout", "the program did not answer in time");
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1000)));
    if (ready <= 0) continue;
    std::uint8_t beyond = 0;
    const bool full = size == output.size();
    const ssize_t n =
        full ? read(descriptor, &beyond, 1) : read(descriptor, output.data() + size, output.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("program_failed", "the program's output cannot be read");
    if (n == 0) return size;
    if (full) return Failed("program_output", "the program prints more than belongs there");
    size += static_cast<std::size_t>(n);
  }
}

}  // namespace

Result<std::string> FindProgram(const std::string& name) {
  const auto missing = [&name] {
    return Error{Stage::kIo, "program_missing", "there is no such program", kNoOffset, name};
  };
  if (name.empty()) return missing();
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), X_OK) != 0) return missing();
    return name;
  }
  const std::string folders = AbsolutePath();
  for (std::size_t at = 0; at < folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string path = folders.substr(at, end - at) + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
    at = end + 1;
  }
  return missing();
}

std::string AbsolutePath() {
  const char* variable = getenv("PATH");
  const std::string folders = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  std::string absolute;
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    if (folders[at] == '/') absolute += (absolute.empty() ? "" : ":") + folders.substr(at, end - at);
    at = end + 1;
  }
  return absolute;
}

Result<ByteBuffer> RunProgram(const std::vector<std::string>& words, ByteView input, const ChildOptions& options) {
  ByteBuffer output(options.output_bytes);
  SAFEMODEL_ASSIGN(const std::size_t size, RunProgramInto(words, input, options, output));
  output.resize(size);
  return output;
}

Result<std::size_t> RunProgramInto(const std::vector<std::string>& words, ByteView input, const ChildOptions& options,
                                   MutableBytes output) {
  const Clock::time_point deadline = Clock::now() + options.timeout;
  SAFEMODEL_ASSIGN(const Descriptor input_file, InputFile(input));
  Descriptor secret;
  if (!options.secret.empty()) {
    SAFEMODEL_ASSIGN(secret, SecretPipe(options.secret));
  }
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return SystemError("open_failed", "no pipe can be made", words.front());
  const Descriptor from_child(ends[0]);
  Descriptor to_us(ends[1]);
  SAFEMODEL_ASSIGN(const pid_t id, Spawn(words, {input_file.get(), to_us.get(), secret.get()}, options));
  Child child(id);
  to_us.Reset();
  secret.Reset();
  SAFEMODEL_ASSIGN(const std::size_t size, ReadOutput(from_child.get(), output, deadline));
  SAFEMODEL_TRY(child.Wait(deadline));
  return size;
}

}  // namespace safemodel
