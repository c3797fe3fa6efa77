// SPDX-License-Identifier: Apache-2.0
// What every verb shares: the common options, messages, exit codes and progress bars.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/progress.h>
#include <safemodel/result.h>

namespace CLI {
class App;
}

namespace safemodel::cli {

// Exit codes are a contract: see the manual, section "Exit codes".
enum ExitCode : int {
  kDone = 0,
  kRefused = 1,  // signature, policy, digest, unsafe or unknown content
  kUsage = 2,
  kUnreadable = 3,  // malformed, unsupported, over a limit
  kSystem = 4,      // input/output, out of memory
  kKeyTrouble = 5,
  kConfiguration = 6,
  kBug = 70,
};

ExitCode ExitCodeOf(Stage stage);
// Graver returns the graver of two exit codes of several inputs, in the order 70, 6, 5, 4, 3, 1, 2, 0: what was refused
// is not hidden by another input that was not what the verb takes.
int Graver(int a, int b);

// Console is how a verb talks to its user: results on standard output, everything else on standard error.
class Console {
 public:
  // AddOptions adds --json, --quiet and --no-progress to a verb.
  void AddOptions(CLI::App& verb);

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool quiet() const { return quiet_; }

  // Fail reports an error about `input` (a path, or empty) and returns its exit code. With --json it prints the one
  // JSON document of a failed run.
  int Fail(const Error& error, const std::string& input = {}) const;
  // Explain prints one line about an error without ending anything: for verbs that go on with the next input.
  void Explain(const Error& error, const std::string& input) const;
  // Note prints one line on standard error unless --quiet.
  void Note(const std::string& line) const;

  // Counts says what a progress bar counts: bytes are shown with their rate.
  enum class Counts : std::uint8_t { kBytes, kInputs };
  // MakeProgress returns a progress bar named `what` on a terminal, otherwise nothing. It draws at most ten times a
  // second and erases itself when done.
  [[nodiscard]] Progress MakeProgress(const std::string& what, Counts counts = Counts::kBytes) const;

 private:
  bool json_ = false;
  bool quiet_ = false;
  bool no_progress_ = false;
};

// BadArguments is the error of arguments that do not go together, or of one that is not what it should be.
Error BadArguments(const char* text, std::string subject = {});

// AddThreads adds --threads.
void AddThreads(CLI::App& verb, unsigned& threads);

// Describe returns the line of an error, escaped: what and why, where, and its stage and code.
std::string Describe(const Error& error, const std::string& input);

// HumanBytes returns "1.2 GiB"; HumanTime an RFC 3339 time in UTC.
std::string HumanBytes(std::uint64_t bytes);
std::string HumanTime(std::int64_t unix_seconds);
// ParseTime reads "2027-01-31T00:00:00Z", "2027-01-31", or "90d" from now; real dates only.
std::optional<std::int64_t> ParseTime(const std::string& text);

// Verb is a subcommand: its options are bound to its own state, and Run does the work after parsing.
using Run = std::function<int()>;
struct Verb {
  CLI::App* app;
  Run run;
};

// RunFirst runs the verb of a group that was asked for.
int RunFirst(const std::vector<Verb>& verbs);

Verb AddAttest(CLI::App& parent, Console& console);
Verb AddConvert(CLI::App& parent, Console& console);
Verb AddDecrypt(CLI::App& parent, Console& console);
Verb AddEncrypt(CLI::App& parent, Console& console);
Verb AddKeygen(CLI::App& parent, Console& console);
Verb AddLog(CLI::App& parent, Console& console);
Verb AddRecipients(CLI::App& parent, Console& console);
Verb AddReencrypt(CLI::App& parent, Console& console);
Verb AddSign(CLI::App& parent, Console& console);
Verb AddVerify(CLI::App& parent, Console& console);
Verb AddInspect(CLI::App& parent, Console& console);
Verb AddExport(CLI::App& parent, Console& console);
Verb AddDigest(CLI::App& parent, Console& console);
Verb AddScan(CLI::App& parent, Console& console);
Verb AddPolicy(CLI::App& parent, Console& console);

}  // namespace safemodel::cli
