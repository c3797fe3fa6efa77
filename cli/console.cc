// SPDX-License-Identifier: Apache-2.0
#include "console.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>

#include "escape.h"
#include "json_writer.h"
#include "report.h"

namespace safemodel::cli {

ExitCode ExitCodeOf(Stage stage) {
  switch (stage) {
    case Stage::kIo: return kSystem;
    case Stage::kMalformed:
    case Stage::kUnsupported:
    case Stage::kLimit: return kUnreadable;
    case Stage::kDigestMismatch:
    case Stage::kBadSignature:
    case Stage::kUntrusted:
    case Stage::kUnsafe: return kRefused;
    case Stage::kKey: return kKeyTrouble;
    case Stage::kConfig: return kConfiguration;
    case Stage::kUsage: return kUsage;
    case Stage::kInternal: return kBug;
  }
  return kBug;
}

int Graver(int a, int b) {
  constexpr std::array<int, 8> kOrder = {kBug,        kConfiguration, kKeyTrouble, kSystem,
                                         kUnreadable, kRefused,       kUsage,      kDone};
  for (const int code : kOrder) {
    if (a == code || b == code) return code;
  }
  return kBug;
}

void AddThreads(CLI::App& verb, unsigned& threads) {
  const auto is_number = [](const std::string& text) {
    unsigned number = 0;
    const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    return digits && CLI::detail::lexical_cast(text, number)
               ? std::string()
               : "takes a whole number from 0 on, where 0 is one for each processor; at most 256 are used";
  };
  verb.add_option("--threads", threads, "Number of threads; 0 is one for each processor")
      ->capture_default_str()
      ->check(is_number)
      ->type_name("N");
}

void Console::AddOptions(CLI::App& verb) {
  verb.add_flag("--json", json_, "Print one JSON document on standard output, also on failure");
  verb.add_flag("--quiet", quiet_, "Print nothing but results and errors");
  verb.add_flag("--no-progress", no_progress_, "Draw no progress bar");
}

Error BadArguments(const char* text, std::string subject) {
  return {Stage::kUsage, "bad_arguments", text, kNoOffset, std::move(subject)};
}

std::string Describe(const Error& error, const std::string& input) {
  std::string line;
  if (!input.empty()) line += EscapeForTerminal(input) + ": ";
  line += error.text;
  if (!error.subject.empty() && error.subject != input) line += " [" + EscapeKeepingEnd(error.subject) + "]";
  if (error.offset != kNoOffset) line += " at byte " + std::to_string(error.offset);
  return line + " (" + StageName(error.stage) + ": " + error.code + ")";
}

void Console::Explain(const Error& error, const std::string& input) const {
  std::fprintf(stderr, "safemodel: %s\n", Describe(error, input).c_str());
}

int Console::Fail(const Error& error, const std::string& input) const {
  const int code = ExitCodeOf(error.stage);
  Explain(error, input);
  if (!json_) return code;
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(false);
  if (!input.empty()) json.Member("input", input);
  WriteError(json, error);
  json.Key("exit"), json.Signed(code);
  json.EndObject();
  json.Finish();
  return code;
}

void Console::Note(const std::string& line) const {
  if (quiet_) return;
  std::fflush(stdout);  // on a terminal the note comes after the result it is about
  std::fprintf(stderr, "%s\n", line.c_str());
}

int RunFirst(const std::vector<Verb>& verbs) {
  for (const Verb& verb : verbs) {
    if (verb.app->parsed()) return verb.run();
  }
  return kUsage;
}

namespace {

class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;
  ProgressBar(std::string what, Console::Counts counts)
      : what_(std::move(what)), counts_(counts), start_(Clock::now()), drawn_(start_) {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() {
    if (visible_) std::fprintf(stderr, "\r\033[K");
  }

  void Update(std::uint64_t done, std::uint64_t total) {
    const auto now = Clock::now();
    if (total == 0 || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    visible_ = true;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(done) / seconds;
    const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
    const auto filled = static_cast<int>(done * kWidth / total);
    const std::string bar = std::string(static_cast<std::size_t>(filled), '#') +
                            std::string(static_cast<std::size_t>(kWidth - filled), '.');
    const bool bytes = counts_ == Console::Counts::kBytes;
    const std::string speed = bytes ? HumanBytes(static_cast<std::uint64_t>(rate)) + "/s  " : std::string();
    std::fprintf(stderr, "\r\033[K%s [%s] %3u %%  %s%.0f s left", what_.c_str(), bar.c_str(),
                 static_cast<unsigned>(done * 100 / total), speed.c_str(), left);
    std::fflush(stderr);
  }

 private:
  static constexpr int kWidth = 30;
  std::string what_;
  Console::Counts counts_;
  Clock::time_point start_;
  Clock::time_point drawn_;
  bool visible_ = false;
};

}  // namespace

Progress Console::MakeProgress(const std::string& what, Counts counts) const {
  if (quiet_ || no_progress_ || isatty(STDERR_FILENO) == 0) return {};
  auto bar = std::make_shared<ProgressBar>(what, counts);
  return [bar](std::uint64_t done, std::uint64_t total) { bar->Update(done, total); };
}

std::string HumanBytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return buffer.data();
}

std::string HumanTime(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm fields{};
  if (gmtime_r(&time, &fields) == nullptr) return std::to_string(unix_seconds);
  std::array<char, 40> buffer{};
  if (std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &fields) == 0)
    return std::to_string(unix_seconds);
  return buffer.data();
}

std::optional<std::int64_t> ParseTime(const std::string& text) {
  if (text.size() > 1 && text.back() == 'd' && text.find_first_not_of("0123456789") == text.size() - 1 &&
      text.size() <= 6) {
    return std::time(nullptr) + std::stoll(text) * 86400;
  }
  constexpr std::size_t kDateBytes = 10;
  const std::string full = text.size() == kDateBytes ? text + "T00:00:00Z" : text;
  std::tm fields{};
  const char* end = strptime(full.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  if (end == nullptr || *end != '\0') return std::nullopt;
  // strptime takes 31 February, second 60 and single digits, and timegm makes other times of them: only what is
  // written back as it was is a time.
  const std::int64_t time = timegm(&fields);
  if (HumanTime(time) != full) return std::nullopt;
  return time;
}

}  // namespace safemodel::cli
