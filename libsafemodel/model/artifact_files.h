// SPDX-License-Identifier: Apache-2.0
// The files of a foreign artifact as they lie: found, measured, hashed, and compared with a manifest.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <safemodel/artifact.h>

#include "base/folder.h"
#include "container/artifact.h"

namespace safemodel {

// ArtifactRoot is the file or folder that is signed.
class ArtifactRoot {
 public:
  // Open takes the path as the user gave it. kIo "not_found", "not_regular", "open_failed".
  static Result<ArtifactRoot> Open(const std::string& path);

  [[nodiscard]] container::FilesManifest::Shape shape() const;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Folder* folder() const { return folder_.get(); }
  // OpenFile opens a file of the folder, or the file itself by its name.
  [[nodiscard]] Result<std::shared_ptr<const File>> OpenFile(const std::string& below) const;
  [[nodiscard]] std::string PathOf(const std::string& below) const;

 private:
  std::string path_;  // without slashes at its end
  std::string name_;  // its last part, also of "." and ".."
  std::shared_ptr<const Folder> folder_;
};

// FoundFiles is what lies there. All lists are ascending by bytes.
struct FoundFiles {
  std::vector<std::string> files;
  std::vector<std::string> left_out;  // files and folders that a pattern matches
};
Result<FoundFiles> FindFiles(const ArtifactRoot& root, const std::vector<std::string>& patterns);

// MeasuredFile is a file as it was when it was first looked at.
struct MeasuredFile {
  std::string path;
  FileState state;
};
Result<std::vector<MeasuredFile>> MeasureFiles(const ArtifactRoot& root, const std::vector<std::string>& paths);

// DigestArtifact hashes files, chunk by chunk with several threads and bounded memory. kIo "changed" when a file is not
// as it was when it was measured. artifact_digest.cc
Result<std::vector<Digest>> DigestArtifact(const ArtifactRoot& root, const std::vector<MeasuredFile>& files,
                                           unsigned threads, const Progress& progress);

// Comparison collects the ways in which files differ from a manifest.
struct Comparison {
  std::vector<FileDifference> differences;  // by path
  FoundFiles found;
  std::uint64_t bytes_read = 0;
};

// CompareNames looks at names and sizes; CompareContent at every byte of what has the right size, and recognises
// renamed files.
Result<Comparison> CompareNames(const ArtifactRoot& root, const container::FilesManifest& manifest);
Result<Comparison> CompareContent(const ArtifactRoot& root, const container::FilesManifest& manifest, unsigned threads,
                                  const Progress& progress);

// DifferenceError is the answer when there are differences: that of the first path.
Error DifferenceError(const FileDifference& difference);

// EnvelopePathOf returns where the signatures lie: `chosen`, or PATH.envelope.
std::string EnvelopePathOf(const ArtifactRoot& root, const std::string& chosen);

}  // namespace safemodel
