// SPDX-License-Identifier: Apache-2.0
// Signing and verifying what is no container: a file of any format, a folder, a set of containers. The signatures lie
// in a file of their own, with a manifest that lists what they cover.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <safemodel/sign.h>
#include <safemodel/verify.h>

namespace safemodel {

struct ArtifactOptions {
  std::string envelope_path = {};              // empty: PATH.envelope, beside the file or folder
  std::optional<std::string> name = {};        // of the release; made from the path when absent
  std::optional<std::string> version = {};     // "0" when absent
  std::optional<std::uint64_t> sequence = {};  // 0, unsequenced, when absent; one more than before on an update
  std::vector<std::string> ignore = {};        // patterns of paths in the folder that the signature does not cover
  // Existing says what happens to a manifest that is there already. kCosign adds a signature to it, and refuses when
  // the files are not those that it lists. kUpdate makes a new one, whose only signature is the new one.
  enum class Existing : std::uint8_t { kCosign, kUpdate };
  Existing existing = Existing::kCosign;
  // Check says what is looked at before a signature is added to a manifest that is there: names and sizes only, or
  // every byte. The statement tells which it was.
  enum class Check : std::uint8_t { kNames, kContent };
  Check check = Check::kNames;
  unsigned threads = 0;  // 0: one for each processor
};

struct ArtifactReport : SignReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> patterns;   // of the manifest: what they match now or later is not covered
  std::vector<std::string> left_out;   // what they leave out now
  std::size_t dropped_signatures = 0;  // of the manifest that an update replaced
};

// FileDifference is one way in which files are not those that were signed. `code` is stable: "file_missing",
// "file_extra", "file_renamed" (the new name is in `other`), "file_truncated", "file_grown", "file_changed",
// "file_type_changed". Text fields are raw, unescaped.
struct FileDifference {
  const char* code = "";
  std::string path;
  std::string other;
};

struct ArtifactVerdict : Verdict {
  std::uint64_t files = 0;                  // listed in the manifest
  std::vector<FileDifference> differences;  // by path, at most kMostDifferences
  std::size_t more_differences = 0;         // how many are not in the list
  std::vector<std::string> patterns;        // signed: what they match now or later is not covered
  std::vector<std::string> left_out;        // files and folders that they leave out
};
inline constexpr std::size_t kMostDifferences = 1000;

// SignArtifact signs the file or folder at `path` as it lies. The first time, and on an update, every byte is read.
// Links in a folder stand for the files below it that they lead to. Errors: those of Sign; kUsage when the envelope
// would lie in the folder that it covers; kDigestMismatch (codes of FileDifference) when co-signing changed files.
Result<ArtifactReport> SignArtifact(const std::string& path, const Signer& key, const SignOptions& options,
                                    const ArtifactOptions& artifact, const Progress& progress = {});

// VerifyArtifact authenticates the manifest of the file or folder at `path`, then compares every file with it. Scope
// kManifest reads no files; both others read all. OpenOptions::envelope_path as ArtifactOptions::envelope_path.
ArtifactVerdict VerifyArtifact(const std::string& path, const Policy& policy, const Expectation& expectation,
                               VerifyScope scope, const OpenOptions& options = {}, const Progress& progress = {});

// SignSet signs a set of containers that lie in the folder of `set_path` or below it. With no members, a signature is
// added to the set that is there. ArtifactOptions::envelope_path, ignore and check mean nothing here.
Result<ArtifactReport> SignSet(const std::string& set_path, const std::vector<std::string>& members, const Signer& key,
                               const SignOptions& options, const ArtifactOptions& artifact);

struct MemberVerdict {
  std::string path;  // as the set lists it
  Verdict verdict;   // signatures and rule are those of the set
};

struct SetVerdict : Verdict {
  std::vector<MemberVerdict> members;
};

// VerifySet authenticates the set at `set_path`, then checks that each member is the container that it lists, and the
// member's content within `scope`. Members need no signature of their own: the set is signed, and names their manifests
// by digest. The status is that of the set, else of the first member that fails.
SetVerdict VerifySet(const std::string& set_path, const Policy& policy, const Expectation& expectation,
                     VerifyScope scope, const OpenOptions& options = {}, const Progress& progress = {});

// IsForeignArtifact says whether sign and verify take a path for something that is no container: a folder, or a file
// that neither begins as a container nor is called one (.safemodel). False when there is nothing.
bool IsForeignArtifact(const std::string& path);

}  // namespace safemodel
