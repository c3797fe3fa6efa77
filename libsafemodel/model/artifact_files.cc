// SPDX-License-Identifier: Apache-2.0
#include "model/artifact_files.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>

#include "base/try.h"
#include "model/folder_walk.h"
#include "trust/glob.h"

namespace safemodel {
namespace {

using container::FilesManifest;
using container::ListedFile;

constexpr const char* kMissing = "file_missing";
constexpr const char* kExtra = "file_extra";
constexpr const char* kRenamed = "file_renamed";
constexpr const char* kTruncated = "file_truncated";
constexpr const char* kGrown = "file_grown";
constexpr const char* kChanged = "file_changed";
constexpr const char* kTypeChanged = "file_type_changed";

// TextOf says a difference in words.
const char* TextOf(std::string_view code) {
  if (code == kMissing) return "a signed file is missing";
  if (code == kExtra) return "there is a file that was not signed";
  if (code == kRenamed) return "a signed file has another name";
  if (code == kTruncated) return "a file is shorter than the one that was signed";
  if (code == kGrown) return "a file is longer than the one that was signed";
  if (code == kTypeChanged) return "where a file was signed there is something else, such as a folder";
  return "the bytes of a file are not those that were signed";
}

// IsBelow says whether a path lies in a folder of that name.
bool IsBelow(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path[folder.size()] == '/' && path.substr(0, folder.size()) == folder;
}

// MeetsFolder says whether one of the found files stands where the listed path needs a folder, or the other way round.
bool MeetsFolder(const FoundFiles& found, const std::string& listed) {
  for (std::size_t slash = listed.find('/'); slash != std::string::npos; slash = listed.find('/', slash + 1)) {
    if (std::binary_search(found.files.begin(), found.files.end(), listed.substr(0, slash))) return true;
  }
  const auto below = std::lower_bound(found.files.begin(), found.files.end(), listed + "/");
  return below != found.files.end() && IsBelow(*below, listed);
}

const char* CodeOfAbsent(const ArtifactRoot& root, const FoundFiles& found, const std::string& listed) {
  if (MeetsFolder(found, listed)) return kTypeChanged;
  const auto file = root.OpenFile(listed);  // an empty folder is found by nobody else
  return !file.ok() && std::string_view(file.error().code) == "not_regular" ? kTypeChanged : kMissing;
}

// Pairing is what names and sizes tell: which listed files are there and of their size, and what differs.
struct Pairing {
  std::vector<FileDifference> differences;
  std::vector<MeasuredFile> same_size;      // to be read
  std::vector<const ListedFile*> expected;  // one for each of those
  std::vector<const ListedFile*> missing;
  std::vector<std::string> extra;
  FoundFiles found;
};

Status PairSizes(const ArtifactRoot& root, const std::vector<const ListedFile*>& both, Pairing& pairing) {
  std::vector<std::string> paths;
  paths.reserve(both.size());
  for (const ListedFile* file : both) paths.push_back(file->path);
  SAFEMODEL_ASSIGN(std::vector<MeasuredFile> measured, MeasureFiles(root, paths));
  for (std::size_t i = 0; i < both.size(); ++i) {
    const std::uint64_t size = measured[i].state.size;
    if (size == both[i]->size) {
      pairing.same_size.push_back(std::move(measured[i]));
      pairing.expected.push_back(both[i]);
    } else {
      pairing.differences.push_back({size < both[i]->size ? kTruncated : kGrown, both[i]->path, {}});
    }
  }
  return {};
}

// Pair walks along both ascending lists.
Result<Pairing> Pair(const ArtifactRoot& root, const FilesManifest& manifest) {
  Pairing pairing;
  if (root.shape() != manifest.shape) {
    pairing.differences.push_back({kTypeChanged, root.name(), {}});
    return pairing;
  }
  SAFEMODEL_ASSIGN(pairing.found, FindFiles(root, manifest.patterns));
  std::vector<const ListedFile*> both;
  auto found = pairing.found.files.begin();
  const auto end = pairing.found.files.end();
  for (const ListedFile& listed : manifest.files) {
    for (; found != end && *found < listed.path; ++found) pairing.extra.push_back(*found);
    if (found != end && *found == listed.path) {
      both.push_back(&listed);
      ++found;
    } else {
      pairing.missing.push_back(&listed);
    }
  }
  pairing.extra.insert(pairing.extra.end(), found, end);
  SAFEMODEL_TRY(PairSizes(root, both, pairing));
  return pairing;
}

// SizedLike returns those of the extra files that can be opened and have the size of a missing one.
std::vector<MeasuredFile> SizedLike(const ArtifactRoot& root, const Pairing& pairing) {
  std::set<std::uint64_t> sizes;
  for (const ListedFile* missing : pairing.missing) sizes.insert(missing->size);
  std::vector<MeasuredFile> alike;
  for (const std::string& path : pairing.extra) {
    const auto file = root.OpenFile(path);
    if (file.ok() && sizes.count(file.value()->size()) != 0) alike.push_back({path, file.value()->state()});
  }
  return alike;
}

// MatchRenamed finds the files that were not signed under their name and have the bytes of one that is missing.
Status MatchRenamed(const ArtifactRoot& root, unsigned threads, Pairing& pairing) {
  const std::vector<MeasuredFile> alike = SizedLike(root, pairing);
  SAFEMODEL_ASSIGN(const std::vector<Digest> digests, DigestArtifact(root, alike, threads, {}));
  std::multimap<Digest, std::string> by_digest;
  for (std::size_t i = 0; i < alike.size(); ++i) by_digest.emplace(digests[i], alike[i].path);
  std::set<std::string> taken;
  std::vector<const ListedFile*> gone;
  for (const ListedFile* missing : pairing.missing) {
    const auto match = by_digest.find(missing->digest);
    if (match == by_digest.end()) {
      gone.push_back(missing);
      continue;
    }
    pairing.differences.push_back({kRenamed, missing->path, match->second});
    taken.insert(match->second);
    by_digest.erase(match);
  }
  pairing.missing = std::move(gone);
  std::erase_if(pairing.extra, [&taken](const std::string& path) { return taken.count(path) != 0; });
  return {};
}

// ForgetInTheWay leaves out the files that make a listed path one of another type: they are not told twice.
void ForgetInTheWay(const std::string& listed, std::set<std::string>& extra) {
  for (std::size_t slash = listed.find('/'); slash != std::string::npos; slash = listed.find('/', slash + 1)) {
    extra.erase(listed.substr(0, slash));
  }
  auto below = extra.lower_bound(listed + "/");
  while (below != extra.end() && IsBelow(*below, listed)) below = extra.erase(below);
}

// Finish adds what is missing and what is extra, and puts all in order.
Comparison Finish(const ArtifactRoot& root, Pairing pairing, std::uint64_t bytes_read) {
  Comparison comparison;
  comparison.differences = std::move(pairing.differences);
  std::set<std::string> extra(pairing.extra.begin(), pairing.extra.end());
  for (const ListedFile* missing : pairing.missing) {
    const char* code = CodeOfAbsent(root, pairing.found, missing->path);
    if (code == kTypeChanged) ForgetInTheWay(missing->path, extra);
    comparison.differences.push_back({code, missing->path, {}});
  }
  for (const std::string& path : extra) comparison.differences.push_back({kExtra, path, {}});
  std::stable_sort(comparison.differences.begin(), comparison.differences.end(),
                   [](const FileDifference& a, const FileDifference& b) { return a.path < b.path; });
  comparison.found = std::move(pairing.found);
  comparison.bytes_read = bytes_read;
  return comparison;
}

}  // namespace

Result<ArtifactRoot> ArtifactRoot::Open(const std::string& path) {
  ArtifactRoot root;
  root.path_ = path;
  while (root.path_.size() > 1 && root.path_.back() == '/') root.path_.pop_back();
  root.name_ = NameOf(root.path_);
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) {
    SAFEMODEL_TRY(File::Open(path));  // says what is wrong with it
    return root;
  }
  SAFEMODEL_ASSIGN(root.folder_, Folder::Open(path));
  if (root.name_.empty() || root.name_ == "." || root.name_ == "..") {
    const auto whole = std::filesystem::canonical(path, failure);
    if (failure || whole == whole.root_path())
      return Error{Stage::kUsage, "bad_arguments", "a folder that is signed has a name", kNoOffset, path};
    root.path_ = whole.string();
    root.name_ = NameOf(root.path_);
  }
  return root;
}

FilesManifest::Shape ArtifactRoot::shape() const {
  return folder_ == nullptr ? FilesManifest::Shape::kFile : FilesManifest::Shape::kFolder;
}

Result<std::shared_ptr<const File>> ArtifactRoot::OpenFile(const std::string& below) const {
  if (folder_ != nullptr) return folder_->OpenFile(below);
  if (below == name_) return File::Open(path_);
  return Error{Stage::kIo, "not_found", "there is no such file", kNoOffset, below};
}

std::string ArtifactRoot::PathOf(const std::string& below) const {
  return folder_ == nullptr ? path_ : folder_->PathOf(below);
}

Result<FoundFiles> FindFiles(const ArtifactRoot& root, const std::vector<std::string>& patterns) {
  FoundFiles found;
  if (root.folder() == nullptr) {
    found.files.push_back(root.name());
    return found;
  }
  const PassOver is_left_out = [&patterns](const std::string& path) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&path](const std::string& pattern) { return trust::GlobMatches(pattern, path); });
  };
  const Visit visit = [&found](const WalkEntry& entry) -> Status {
    (entry.kind == WalkEntry::Kind::kFile ? found.files : found.left_out).push_back(entry.path);
    return {};
  };
  SAFEMODEL_TRY(WalkFolder(*root.folder(), {}, visit, is_left_out));
  std::sort(found.files.begin(), found.files.end());
  std::sort(found.left_out.begin(), found.left_out.end());
  return found;
}

Result<std::vector<MeasuredFile>> MeasureFiles(const ArtifactRoot& root, const std::vector<std::string>& paths) {
  std::vector<MeasuredFile> measured;
  measured.reserve(paths.size());
  for (const std::string& path : paths) {
    SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, root.OpenFile(path));
    measured.push_back({path, file->state()});
  }
  return measured;
}

Result<Comparison> CompareNames(const ArtifactRoot& root, const FilesManifest& manifest) {
  SAFEMODEL_ASSIGN(Pairing pairing, Pair(root, manifest));
  return Finish(root, std::move(pairing), 0);
}

Result<Comparison> CompareContent(const ArtifactRoot& root, const FilesManifest& manifest, unsigned threads,
                                  const Progress& progress) {
  SAFEMODEL_ASSIGN(Pairing pairing, Pair(root, manifest));
  SAFEMODEL_ASSIGN(const std::vector<Digest> digests, DigestArtifact(root, pairing.same_size, threads, progress));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    bytes += pairing.same_size[i].state.size;
    if (digests[i] != pairing.expected[i]->digest)
      pairing.differences.push_back({kChanged, pairing.expected[i]->path, {}});
  }
  if (!pairing.missing.empty() && !pairing.extra.empty()) SAFEMODEL_TRY(MatchRenamed(root, threads, pairing));
  return Finish(root, std::move(pairing), bytes);
}

Error DifferenceError(const FileDifference& difference) {
  const std::string subject =
      difference.other.empty() ? difference.path : difference.path + " is now " + difference.other;
  return {Stage::kDigestMismatch, difference.code, TextOf(difference.code), kNoOffset, subject};
}

std::string EnvelopePathOf(const ArtifactRoot& root, const std::string& chosen) {
  return chosen.empty() ? root.path() + ".envelope" : chosen;
}

}  // namespace safemodel
