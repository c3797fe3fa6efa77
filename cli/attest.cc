// SPDX-License-Identifier: Apache-2.0
#include <safemodel/attest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>

#include "artifact.h"
#include "console.h"
#include "escape.h"
#include "input_file.h"
#include "json_writer.h"
#include "signing_key.h"

namespace safemodel::cli {
namespace {

struct State {
  Console& console;
  std::string file;
  SigningKeyOptions key;
  std::string predicate_file;
  std::string scan_source;
  std::string type;
  bool set = false;
  bool replace = false;
  AttestOptions options;
};

// TypeOf turns the short names into predicate types. A URI has a colon.
Result<std::string> TypeOf(const State& state) {
  if (state.type.empty() && !state.scan_source.empty()) return std::string(kScanPredicate);
  constexpr std::array<std::pair<const char*, std::string_view>, 3> kShort = {
      {{"slsa", kSlsaPredicate}, {"cyclonedx", kBomPredicate}, {"scan", kScanPredicate}}};
  for (const auto& [name, uri] : kShort) {
    if (state.type == name) return std::string(uri);
  }
  if (state.type.empty()) return BadArguments("say with --type what the predicate is: slsa, cyclonedx, scan, or a URI");
  if (state.type.find(':') == std::string::npos)
    return BadArguments("--type takes slsa, cyclonedx, scan, or the URI of a predicate type", state.type);
  return state.type;
}

Result<std::string> PredicateOf(const State& state) {
  if (state.scan_source.empty()) return ReadInputFile(state.predicate_file, state.options.limits.statement_bytes);
  ScanOptions options;
  options.progress = state.console.MakeProgress("scanning");
  return ScanPredicate(state.scan_source, static_cast<std::int64_t>(std::time(nullptr)), options);
}

void PrintReport(const State& state, const AttestReport& report) {
  if (!state.console.json()) {
    std::printf("attested   %s version %s\n", report.model_name.c_str(), report.model_version.c_str());
    std::printf("manifest   sha256:%s\n", HexOf(report.manifest_digest).c_str());
    std::printf("type       %s\n", EscapeForTerminal(report.predicate_type).c_str());
    if (!report.verdict.empty()) std::printf("verdict    %s\n", report.verdict.c_str());
    if (report.replaced > 0) {
      std::printf("replaced   %zu earlier attestation%s of this type by this key\n", report.replaced,
                  report.replaced == 1 ? "" : "s");
    }
    std::printf("envelope   %s\n", EscapeForTerminal(report.envelope_path).c_str());
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  json.Member("name", report.model_name);
  json.Member("version", report.model_version);
  json.Hex("manifest_sha256", report.manifest_digest);
  json.Member("predicate_type", report.predicate_type);
  if (!report.verdict.empty()) json.Member("verdict", report.verdict);
  json.Member("key_id", report.key_id);
  json.Member("replaced_attestations", static_cast<std::uint64_t>(report.replaced));
  json.Member("envelope", report.envelope_path);
  json.EndObject();
  json.Finish();
}

// IsItself says whether two paths name one file.
bool IsItself(const std::string& a, const std::string& b) {
  std::error_code failure;
  return std::filesystem::equivalent(a, b, failure) && !failure;
}

// About returns the input that an error is about: the predicate or what was scanned for it, or what it is attached to.
const std::string& About(const State& state, const Error& error) {
  constexpr std::array<std::string_view, 4> kOfPredicate = {"bad_predicate", "scan_not_clean", "other_source",
                                                            "source_not_named"};
  if (std::find(kOfPredicate.begin(), kOfPredicate.end(), error.code) == kOfPredicate.end()) return state.file;
  return state.predicate_file.empty() ? state.scan_source : state.predicate_file;
}

// CheckScanned: what a scan found is told as what it is, and of what it was found in. Of a file or folder nobody
// records what it was made of, so a clean scan of anything else would say nothing about it.
Status CheckScanned(const State& state) {
  const AttestOptions& options = state.options;
  const bool is_scan = options.predicate_type == kScanPredicate;
  if (!state.scan_source.empty() && !is_scan) return BadArguments("--scan makes a scan result: leave out --type");
  if (!is_scan || options.subject == AttestOptions::Subject::kContainer) return {};
  if (options.scanned == AttestOptions::Scanned::kRelease) return {};
  return BadArguments("a file is attested by scanning that file itself: --scan FILE");
}

int RunAttest(State& state) {
  if (state.predicate_file.empty() == state.scan_source.empty()) {
    return state.console.Fail(BadArguments("give what is to be attached: either --predicate FILE, or --scan SOURCE"));
  }
  auto type = TypeOf(state);
  if (!type.ok()) return state.console.Fail(type.error());
  state.options.predicate_type = type.value();
  if (IsForeignArtifact(state.file)) state.options.subject = AttestOptions::Subject::kArtifact;
  if (state.replace) state.options.earlier = SignOptions::Earlier::kReplace;
  if (state.set) state.options.subject = AttestOptions::Subject::kSet;
  if (IsItself(state.scan_source, state.file)) state.options.scanned = AttestOptions::Scanned::kRelease;
  if (const Status scanned = CheckScanned(state); !scanned.ok()) return state.console.Fail(scanned.error(), state.file);
  auto predicate = PredicateOf(state);
  if (!predicate.ok()) return state.console.Fail(predicate.error());
  auto key = OpenSigningKey(state.console, state.key);
  if (!key.ok()) return state.console.Fail(key.error(), state.key.ShownKey());
  const std::string& text = predicate.value();
  const ByteView bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  auto report = Attest(state.file, bytes, *key.value(), state.options);
  if (!report.ok()) return state.console.Fail(report.error(), About(state, report.error()));
  PrintReport(state, report.value());
  return kDone;
}

}  // namespace

Verb AddAttest(CLI::App& parent, Console& console) {
  CLI::App* verb = parent.add_subcommand("attest",
                                         "Attach what is known about a release: provenance, a bill of "
                                         "materials, a scan result; reads no weights");
  auto state = std::make_shared<State>(State{console, {}, {}, {}, {}, {}, false, false, {}});
  verb->add_option("FILE", state->file, "The container, or a file or folder that was signed")->required();
  verb->add_option("-k,--key", state->key.key, std::string("The signing key: ") + kKeyHelp)
      ->required()
      ->type_name("KEY");
  verb->add_option("--predicate", state->predicate_file, "The JSON object to attach, at most 64 KiB")
      ->type_name("FILE");
  verb->add_option("--scan", state->scan_source,
                   "Scan this file, which FILE was made of, or FILE itself, and attach the result if it is clean")
      ->type_name("SOURCE");
  verb->add_option("--type", state->type, "Predicate type: slsa, cyclonedx, scan, or a URI")->type_name("TYPE");
  verb->add_option("--envelope", state->options.envelope_path, "The envelope of a file or folder")->type_name("FILE");
  verb->add_flag("--set", state->set, "FILE is a signed set");
  verb->add_flag("--replace", state->replace, "Take out earlier attestations of this type by this key");
  state->key.AddOptions(*verb);
  console.AddOptions(*verb);
  return {verb, [state] { return RunAttest(*state); }};
}

}  // namespace safemodel::cli
