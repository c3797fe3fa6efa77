// SPDX-License-Identifier: Apache-2.0
#include "artifact.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "escape.h"
#include "report.h"

namespace safemodel::cli {
namespace {

void PrintLeftOut(const std::vector<std::string>& patterns, const std::vector<std::string>& paths) {
  for (const std::string& pattern : patterns)
    std::printf("ignoring   %s (what it matches is not covered)\n", EscapeForTerminal(pattern).c_str());
  for (const std::string& path : paths)
    std::printf("left out   %s (not covered by the signature)\n", EscapeForTerminal(path).c_str());
}

// Covers says what was signed. Of a set nobody reads the members' content: their manifests say what they are.
enum class Covers : std::uint8_t { kFiles, kMembers };

void PrintReport(const Console& console, const ArtifactReport& report, Covers covers) {
  WarnOfOutlasted(console, report);
  if (report.dropped_signatures > 0) {
    console.Note("warning: the new manifest has none of the " + std::to_string(report.dropped_signatures) +
                 " signature(s) of the old one; whoever signed it must sign again (signatures_dropped)");
  }
  if (!console.json()) {
    PrintSigned(report);
    const auto count = static_cast<unsigned long long>(report.files);
    if (covers == Covers::kMembers) {
      std::printf("members    %llu container%s\n", count, count == 1 ? "" : "s");
    } else {
      std::printf("files      %llu, %s\n", count, HumanBytes(report.bytes).c_str());
    }
    PrintLeftOut(report.patterns, report.left_out);
    PrintEnvelope(report);
    return;
  }
  JsonWriter json(stdout);
  json.BeginObject();
  json.Key("ok"), json.Boolean(true);
  WriteSigned(json, report);
  json.Member("dropped_signatures", static_cast<std::uint64_t>(report.dropped_signatures));
  json.Member("files", report.files);
  if (covers == Covers::kFiles) json.Member("bytes", report.bytes);
  json.Texts("patterns", report.patterns);
  json.Texts("left_out", report.left_out);
  json.EndObject();
  json.Finish();
}

}  // namespace

void ArtifactArguments::AddOptions(CLI::App& verb) {
  verb.add_option("--set", set_, "Sign the containers as one set, listed in this new file beside or above them")
      ->type_name("OUT.set");
  verb.add_option("--name", name_, "Name of a release that is no container");
  verb.add_option("--version", version_, "Its version; 0, or on --update the one before");
  verb.add_option("--sequence", sequence_, "Its release sequence; 0, or on --update one more than before")
      ->type_name("N");
  verb.add_option(
          "--ignore", options_.ignore,
          "Leave out the paths in a folder that match this pattern; * stays in a folder, ** does not; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  verb.add_option("--envelope", options_.envelope_path, "Where the signatures of a file or folder go")
      ->type_name("FILE");
  verb.add_flag("--update", update_,
                "The files changed: make a new manifest, which drops all signatures of the old one");
  verb.add_flag("--check", check_, "Before adding a signature to a manifest, read every byte and say so in it");
  AddThreads(verb, options_.threads);
}

Status ArtifactArguments::CheckThere(const std::vector<std::string>& files) {
  if (files.size() != 1) return {};
  std::error_code failure;
  const auto type = std::filesystem::status(files.front(), failure).type();
  if (type != std::filesystem::file_type::not_found) return {};
  return Error{Stage::kIo, "not_found", "there is no such file or folder", kNoOffset, files.front()};
}

Status ArtifactArguments::CheckUnused() const {
  const bool used = !name_.empty() || !version_.empty() || !sequence_.empty() || !options_.ignore.empty() ||
                    !options_.envelope_path.empty() || !set_.empty() || update_ || check_ || options_.threads != 0;
  if (!used) return {};
  return BadArguments("a container has its name and version in it, and is signed alone without --set");
}

int ArtifactArguments::Run(const Console& console, const std::vector<std::string>& files, const Signer& key,
                           const SignOptions& options) {
  if (!name_.empty()) options_.name = name_;
  if (!version_.empty()) options_.version = version_;
  if (!sequence_.empty()) {
    std::uint64_t sequence = 0;
    if (!CLI::detail::lexical_cast(sequence_, sequence))
      return console.Fail(BadArguments("a release sequence is a number", sequence_));
    options_.sequence = sequence;
  }
  if (update_) options_.existing = ArtifactOptions::Existing::kUpdate;
  if (check_) options_.check = ArtifactOptions::Check::kContent;
  if (options.placement == Placement::kAppended)
    return console.Fail(BadArguments("signatures can be appended to containers only"));
  if (set_.empty()) {
    const std::string& file = files.front();
    auto report = SignArtifact(file, key, options, options_, console.MakeProgress("hashing"));
    if (!report.ok()) return console.Fail(report.error(), file);
    PrintReport(console, report.value(), Covers::kFiles);
    return kDone;
  }
  if (!options_.ignore.empty() || !options_.envelope_path.empty() || check_)
    return console.Fail(BadArguments("a set takes neither --ignore nor --envelope nor --check"));
  auto report = SignSet(set_, files, key, options, options_);
  if (!report.ok()) return FailSet(console, report.error(), files);
  PrintReport(console, report.value(), Covers::kMembers);
  return kDone;
}

// FailSet tells an error of a member about that.
int ArtifactArguments::FailSet(const Console& console, Error error, const std::vector<std::string>& files) const {
  if (std::find(files.begin(), files.end(), error.subject) == files.end()) return console.Fail(error, set_);
  const std::string member = std::exchange(error.subject, {});
  return console.Fail(error, member);
}

AnyVerdict VerifyAny(const std::string& file, Wanted wanted, const Policy& policy, const Expectation& expectation,
                     VerifyScope scope, const OpenOptions& options, const Progress& progress) {
  AnyVerdict any;
  if (wanted == Wanted::kSet) {
    SetVerdict verdict = VerifySet(file, policy, expectation, scope, options, progress);
    any.kind = AnyVerdict::Kind::kSet;
    any.members = std::move(verdict.members);
    static_cast<Verdict&>(any) = std::move(verdict);
  } else if (IsForeignArtifact(file)) {
    ArtifactVerdict verdict = VerifyArtifact(file, policy, expectation, scope, options, progress);
    any.kind = AnyVerdict::Kind::kArtifact;
    any.differences = std::move(verdict.differences);
    any.more_differences = verdict.more_differences;
    any.patterns = std::move(verdict.patterns);
    any.left_out = std::move(verdict.left_out);
    static_cast<Verdict&>(any) = std::move(verdict);
  } else {
    static_cast<Verdict&>(any) = Verify(file, policy, expectation, scope, options, progress);
  }
  return any;
}

namespace {

void WriteDifferences(JsonWriter& json, const AnyVerdict& verdict) {
  json.Key("differences"), json.BeginArray();
  for (const FileDifference& difference : verdict.differences) {
    json.BeginObject();
    json.Member("code", difference.code);
    json.Member("path", difference.path);
    if (!difference.other.empty()) json.Member("now", difference.other);
    json.EndObject();
  }
  json.EndArray();
  json.Member("more_differences", static_cast<std::uint64_t>(verdict.more_differences));
  json.Texts("patterns", verdict.patterns);
  json.Texts("left_out", verdict.left_out);
}

void WriteMembers(JsonWriter& json, const AnyVerdict& verdict) {
  json.Key("members"), json.BeginArray();
  for (const MemberVerdict& member : verdict.members) {
    json.BeginObject();
    json.Member("path", member.path);
    json.Key("ok"), json.Boolean(member.verdict.status.ok());
    if (!member.verdict.status.ok()) WriteError(json, member.verdict.status.error());
    if (member.verdict.info) WriteIdentity(json, *member.verdict.info);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

void WriteArtifact(JsonWriter& json, const AnyVerdict& verdict) {
  if (verdict.kind == AnyVerdict::Kind::kArtifact) WriteDifferences(json, verdict);
  if (verdict.kind == AnyVerdict::Kind::kSet) WriteMembers(json, verdict);
}

void PrintArtifact(const AnyVerdict& verdict) {
  for (const FileDifference& difference : verdict.differences) {
    std::printf("%-18s %s%s%s\n", difference.code, EscapeForTerminal(difference.path).c_str(),
                difference.other.empty() ? "" : " is now ", EscapeForTerminal(difference.other).c_str());
  }
  if (verdict.more_differences > 0) std::printf("and %zu more differences\n", verdict.more_differences);
  PrintLeftOut(verdict.patterns, verdict.left_out);
  for (const MemberVerdict& member : verdict.members) {
    const Verdict& answer = member.verdict;
    std::printf("member     %s: %s\n", EscapeForTerminal(member.path).c_str(),
                answer.status.ok() ? "verified" : answer.status.error().code);
  }
}

}  // namespace safemodel::cli
