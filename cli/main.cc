// SPDX-License-Identifier: Apache-2.0
// The command line: one subcommand for each verb. Exit codes and output rules are a contract with scripts.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/open_signer.h>

#include <CLI/CLI.hpp>

#include "command_words.h"
#include "console.h"
#include "escape.h"
#include "last_words.h"
#include "report.h"
#include "stop_signals.h"

namespace {

using safemodel::cli::Console;
using safemodel::cli::Output;
using safemodel::cli::Verb;

constexpr const char* kDescription =
    "safemodel: trained models that cannot execute anything; signed, compressed, verified as they load.\n"
    "Convert a legacy pickle without running it, sign it, verify it, load it.";

constexpr const char* kFooter =
    "safemodel help VERB tells more of a verb.\n"
    "Exit codes: 0 done and trusted, 1 refused, 2 usage, 3 malformed, unsupported or over a limit,\n"
    "4 input/output, 5 key or passphrase, 6 configuration, 70 a bug in safemodel.\n"
    "4 also when only the report could not be written: then the output file is whole and stays.";

// OutputOf looks for --json before anything is parsed: whatever fails from here on is told in the form asked for.
Output OutputOf(const std::vector<std::string>& arguments) {
  return std::find(arguments.begin(), arguments.end(), "--json") == arguments.end() ? Output::kText : Output::kJson;
}

// WordsOf returns what the parser says, or first of all which word it does not know, unless that repeats a secret that
// was given where none belongs.
std::string WordsOf(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  std::optional<std::string> better = safemodel::cli::UnknownWord(app, arguments);
  if (!better && error.get_name() == "RequiredError") better = safemodel::cli::MissingVerb(app);
  const std::string words = better.value_or(error.what());
  return safemodel::IsSecretKeyText(words) ? "a secret key or an identity is no argument: every process can see it"
                                           : words;
}

// ReaderLeft says whether standard output is a pipe that nobody reads any more, as behind `head`.
bool ReaderLeft() {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

// Written returns the exit code of a run that has printed its results. Results that nobody could read are no results:
// a full disk is an error, and so is a closed pipe, of which nobody needs to be told.
int Written(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (!ReaderLeft()) std::fprintf(stderr, "safemodel: standard output could not be written (io: write_failed)\n");
  return safemodel::cli::Graver(code, safemodel::cli::kSystem);
}

int PrintVersion() {
  safemodel::cli::JsonWriter writer(stdout);
  writer.BeginObject();
  writer.Key("ok"), writer.Boolean(true);
  writer.Member("version", SAFEMODEL_VERSION);
  writer.EndObject();
  writer.Finish();
  return safemodel::cli::kDone;
}

// Reports a mistake in the arguments. CLI11 also ends parsing this way for --help and --version, which are no mistakes.
int ReportParse(CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  if (error.get_name() == "CallForVersion" && OutputOf(arguments) == Output::kJson) return Written(PrintVersion());
  if (error.get_exit_code() == 0) return Written(app.exit(error));
  const std::string words = WordsOf(app, error, arguments);
  if (OutputOf(arguments) == Output::kJson) {
    safemodel::cli::JsonWriter writer(stdout);
    writer.BeginObject();
    writer.Key("ok"), writer.Boolean(false);
    safemodel::cli::WriteError(
        writer, {safemodel::Stage::kUsage, "bad_arguments", "the arguments are wrong", safemodel::kNoOffset, words});
    writer.Key("exit"), writer.Signed(safemodel::cli::kUsage);
    writer.EndObject();
    writer.Finish();
  }
  std::fprintf(stderr, "safemodel: %s\nTry: %s --help\n", safemodel::cli::EscapeForTerminal(words).c_str(),
               safemodel::cli::CommandOf(app).c_str());
  return safemodel::cli::kUsage;
}

// RefuseEmpty: an empty value is a variable of a script that was never set. No option means something by it, and one
// that is taken for "not given" would sign, name or trust something else than was asked for.
void RefuseEmpty(const CLI::App& app) {
  for (const CLI::App* verb : app.get_subcommands()) {
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& value : option->results()) {
        if (value.empty()) throw CLI::ValidationError(option->get_name(), "the value is empty");
        if (value == "-" && option->check_lname("output"))
          throw CLI::ValidationError(option->get_name(), "this verb writes to a file, never to standard output");
      }
    }
    RefuseEmpty(*verb);
  }
}

// RefuseEmptyText refuses `--option=`, for which CLI11 would take the next argument.
void RefuseEmptyText(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") return;
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1)
      throw CLI::ValidationError(argument, "the value is empty");
  }
}

// RefuseUnknownHelp: the parser answers --help and --version whatever stands beside them, also a verb that there is
// none of.
void RefuseUnknownHelp(const CLI::App& app, const std::vector<std::string>& arguments) {
  constexpr std::array<std::string_view, 4> kAnswered = {"-h", "--help", "-V", "--version"};
  if (std::find_first_of(arguments.begin(), arguments.end(), kAnswered.begin(), kAnswered.end()) == arguments.end())
    return;
  if (const auto unknown = safemodel::cli::UnknownWord(app, arguments))
    throw CLI::ParseError(*unknown, CLI::ExitCodes::ExtrasError);
}

// WithoutJson leaves --json out where help or the version is asked for: what shows those is no verb, which could take
// it.
std::vector<std::string> WithoutJson(std::vector<std::string> arguments) {
  const auto is_help = [](const std::string& word) { return word == "-h" || word == "--help"; };
  const auto is_asked = [&](const std::string& word) {
    return is_help(word) || word == "-V" || word == "--version" || word == "--json";
  };
  const bool help = std::any_of(arguments.begin(), arguments.end(), is_help);
  const bool nothing_else = arguments.size() > 1 && std::all_of(arguments.begin(), arguments.end(), is_asked);
  if (help || nothing_else) std::erase(arguments, "--json");
  return arguments;
}

int RunVerb(const std::vector<Verb>& verbs) {
  for (const Verb& verb : verbs) {
    if (!verb.app->parsed()) continue;
    return Written(verb.run());
  }
  return safemodel::cli::kUsage;
}

int Run(const std::vector<std::string>& arguments) {
  CLI::App app(kDescription, "safemodel");
  app.set_version_flag("-V,--version", std::string("safemodel ") + SAFEMODEL_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  Console console;
  const std::vector<Verb> verbs = {
      safemodel::cli::AddConvert(app, console),    safemodel::cli::AddKeygen(app, console),
      safemodel::cli::AddSign(app, console),       safemodel::cli::AddVerify(app, console),
      safemodel::cli::AddInspect(app, console),    safemodel::cli::AddExport(app, console),
      safemodel::cli::AddDigest(app, console),     safemodel::cli::AddAttest(app, console),
      safemodel::cli::AddScan(app, console),       safemodel::cli::AddLog(app, console),
      safemodel::cli::AddPolicy(app, console),     safemodel::cli::AddEncrypt(app, console),
      safemodel::cli::AddDecrypt(app, console),    safemodel::cli::AddReencrypt(app, console),
      safemodel::cli::AddRecipients(app, console),
  };
  try {
    RefuseEmptyText(arguments);
    const std::vector<std::string> words = WithoutJson(arguments);
    RefuseUnknownHelp(app, words);
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // it takes them from the back
    RefuseEmpty(app);
  } catch (const CLI::ParseError& error) {
    return ReportParse(app, error, arguments);
  }
  return RunVerb(verbs);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of writing
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a limit on the size of files
  safemodel::cli::StopOnSignals();
  Output output = Output::kText;
  try {
    const std::vector<std::string> arguments = safemodel::cli::ArgumentsOf(argc, argv);
    output = OutputOf(arguments);
    return safemodel::cli::EndBySignal(Run(arguments));
  } catch (...) {
    return safemodel::cli::ReportException(output, stdout, stderr);
  }
}
