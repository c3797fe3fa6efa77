// SPDX-License-Identifier: Apache-2.0
// What sign and verify do with things that are no containers: files of any format, folders, and sets of containers.
#pragma once

#include <string>
#include <vector>

#include <safemodel/artifact.h>

#include "console.h"
#include "json_writer.h"

namespace safemodel::cli {

// ArtifactArguments are the options of `sign` that are about such things.
class ArtifactArguments {
 public:
  void AddOptions(CLI::App& verb);

  // TakesOver says whether what is to be signed is no container.
  [[nodiscard]] bool TakesOver(const std::vector<std::string>& files) const {
    return !set_.empty() || (files.size() == 1 && IsForeignArtifact(files.front()));
  }
  // CheckThere tells (kIo) of one input that there is none, before its options are judged by what it would be.
  static Status CheckThere(const std::vector<std::string>& files);
  // CheckUnused refuses (kUsage) options that mean nothing for a container: silence would look like consent.
  [[nodiscard]] Status CheckUnused() const;
  // Run signs and reports; returns the exit code.
  int Run(const Console& console, const std::vector<std::string>& files, const Signer& key, const SignOptions& options);

 private:
  [[nodiscard]] int FailSet(const Console& console, Error error, const std::vector<std::string>& files) const;

  std::string set_;
  std::string name_;
  std::string version_;
  std::string sequence_;
  bool update_ = false;
  bool check_ = false;
  ArtifactOptions options_;
};

// AnyVerdict is the answer of `verify` about anything.
struct AnyVerdict : Verdict {
  enum class Kind : std::uint8_t { kContainer, kArtifact, kSet };
  Kind kind = Kind::kContainer;
  std::vector<FileDifference> differences;
  std::size_t more_differences = 0;
  std::vector<std::string> patterns;
  std::vector<std::string> left_out;
  std::vector<MemberVerdict> members;
};

// VerifyAny verifies a container, a foreign artifact, or (asked for) a set.
enum class Wanted : std::uint8_t { kAny, kSet };
AnyVerdict VerifyAny(const std::string& file, Wanted wanted, const Policy& policy, const Expectation& expectation,
                     VerifyScope scope, const OpenOptions& options, const Progress& progress);

// WriteArtifact adds what only artifacts and sets have to an open object; PrintArtifact prints it.
void WriteArtifact(JsonWriter& json, const AnyVerdict& verdict);
void PrintArtifact(const AnyVerdict& verdict);

}  // namespace safemodel::cli
