// SPDX-License-Identifier: Apache-2.0
// The command line: one subcommand for each verb. Exit codes and output rules are a contract with scripts.
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/open_signer.h>

#include <CLI/CLI.hpp>

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
    "Exit codes: 0 done and trusted, 1 refused, 2 usage, 3 malformed, unsupported or over a limit,\n"
    "4 input/output, 5 key or passphrase, 6 configuration, 70 a bug in safemodel.";

// OutputOf looks for --json before anything is parsed: whatever fails from here on is told in the form asked for.
Output OutputOf(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json") return Output::kJson;
  }
  return Output::kText;
}

// WordsOf returns what the parser says, unless it repeats a secret that was given where none belongs.
std::string WordsOf(const CLI::ParseError& error) {
  const std::string words = error.what();
  return safemodel::IsSecretKeyText(words) ? "a secret key or an identity is no argument: every process can see it"
                                           : words;
}

// Reports a mistake in the arguments. CLI11 also ends parsing this way for --help and --version, which are no mistakes.
int ReportParse(CLI::App& app, const CLI::ParseError& error, Output output) {
  if (error.get_exit_code() == 0) return app.exit(error);
  if (output == Output::kJson) {
    safemodel::cli::JsonWriter writer(stdout);
    writer.BeginObject();
    writer.Key("ok"), writer.Boolean(false);
    safemodel::cli::WriteError(writer, {safemodel::Stage::kUsage, "bad_arguments", "the arguments are wrong",
                                        safemodel::kNoOffset, WordsOf(error)});
    writer.Key("exit"), writer.Signed(safemodel::cli::kUsage);
    writer.EndObject();
    writer.Finish();
  }
  std::fprintf(stderr, "safemodel: %s\nTry: safemodel %s --help\n",
               safemodel::cli::EscapeForTerminal(WordsOf(error)).c_str(),
               app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name().c_str());
  return safemodel::cli::kUsage;
}

// RefuseEmpty: an empty value is a variable of a script that was never set. No option means something by it, and one
// that is taken for "not given" would sign, name or trust something else than was asked for.
void RefuseEmpty(const CLI::App& app) {
  for (const CLI::App* verb : app.get_subcommands()) {
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& value : option->results()) {
        if (value.empty()) throw CLI::ValidationError(option->get_name(), "the value is empty");
      }
    }
    RefuseEmpty(*verb);
  }
}

// RefuseEmptyText refuses `--option=`, for which CLI11 would take the next argument.
void RefuseEmptyText(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, 2) == "--" && argument.find('=') == argument.size() - 1)
      throw CLI::ValidationError(std::string(argument), "the value is empty");
  }
}

int RunVerb(const std::vector<Verb>& verbs) {
  for (const Verb& verb : verbs) {
    if (!verb.app->parsed()) continue;
    const int code = verb.run();
    // Results that nobody could read are no results: a full disk or a closed pipe is an error.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::fprintf(stderr, "safemodel: standard output could not be written (io: write_failed)\n");
      return safemodel::cli::Graver(code, safemodel::cli::kSystem);
    }
    return code;
  }
  return safemodel::cli::kUsage;
}

int Run(int argc, char** argv) {
  CLI::App app(kDescription, "safemodel");
  app.set_version_flag("--version", std::string("safemodel ") + SAFEMODEL_VERSION);
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
    RefuseEmptyText(argc, argv);
    app.parse(argc, argv);
    RefuseEmpty(app);
  } catch (const CLI::ParseError& error) {
    return ReportParse(app, error, OutputOf(argc, argv));
  }
  return RunVerb(verbs);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is reported as an error of writing
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a limit on the size of files
  safemodel::cli::StopOnSignals();
  try {
    return safemodel::cli::EndBySignal(Run(argc, argv));
  } catch (...) {
    return safemodel::cli::ReportException(OutputOf(argc, argv), stdout, stderr);
  }
}
