// SPDX-License-Identifier: Apache-2.0
#include "container/paths.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/ascii.h"
#include "base/utf8.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

// IsDeviceName knows the names that Windows takes for devices in every folder, whatever suffix follows them.
bool IsDeviceName(std::string_view folded) {
  std::string_view stem = folded.substr(0, folded.find('.'));
  stem = stem.substr(0, stem.find_last_not_of(' ') + 1);
  constexpr std::array<std::string_view, 6> kNames = {"con", "prn", "aux", "nul", "conin$", "conout$"};
  if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) return true;
  if (stem.substr(0, 3) != "com" && stem.substr(0, 3) != "lpt") return false;
  // Superscript one, two and three count as digits there.
  constexpr std::array<std::string_view, 12> kNumbers = {"1", "2", "3", "4",        "5",        "6",
                                                         "7", "8", "9", "\xC2\xB9", "\xC2\xB2", "\xC2\xB3"};
  return std::find(kNumbers.begin(), kNumbers.end(), stem.substr(3)) != kNumbers.end();
}

// Use says what the path is for: hooks in a .git folder run once somebody writes it.
enum class Use : std::uint8_t { kWritten, kListed };

Status CheckComponent(std::string_view component, std::string_view path, Use use, const Limits& limits) {
  const auto bad = [path](const char* text) { return Malformed("bad_path", text, path); };
  if (component.empty()) return bad("a path is relative, and none of its components is empty");
  if (component == "." || component == "..") return bad("a path has no '.' or '..' component");
  if (component.size() > limits.path_component_bytes) {
    return OverLimit("long_path_component", "a component of a path is longer than file systems hold", path);
  }
  if (component.back() == '.' || component.back() == ' ')
    return bad("no component of a path ends with a dot or a space");
  if (use == Use::kWritten && IsGitName(component)) {
    return Error{Stage::kUnsafe, "git_folder", "a packed file lies in a .git folder, whose hooks would run", kNoOffset,
                 std::string(path)};
  }
  if (IsDeviceName(FoldAscii(component))) return bad("a component of a path is the name of a device");
  return {};
}

Status CheckPath(std::string_view path, Use use, const Limits& limits) {
  // Bounds the work below before anything is looked at.
  if (path.size() > (std::uint64_t{limits.path_component_bytes} + 1) * limits.path_components) {
    return OverLimit("deep_path", "a path is longer than its components may be together");
  }
  if (!IsUtf8(path) || HasControls(path))
    return Malformed("bad_path", "a path is UTF-8 without control characters", path);
  if (path.find_first_of("\\:") != std::string_view::npos) {
    return Malformed("bad_path", "a path has no backslash and no colon", path);
  }
  std::string_view rest = path;
  for (std::uint32_t components = 1;; ++components) {
    if (components > limits.path_components)
      return OverLimit("deep_path", "a path has more folders than its limit", path);
    const std::size_t slash = rest.find('/');
    Status status = CheckComponent(rest.substr(0, slash), path, use, limits);
    if (!status.ok()) return status;
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

bool IsGitName(std::string_view component) {
  const std::string folded = FoldAscii(component);
  return folded == ".git" || folded == "git~1";
}

Status CheckFilePath(std::string_view path, const Limits& limits) { return CheckPath(path, Use::kWritten, limits); }

Status CheckListedPath(std::string_view path, const Limits& limits) { return CheckPath(path, Use::kListed, limits); }

Status CheckPathsApart(const std::vector<std::string_view>& paths) {
  // With '/' below every other character (controls are excluded), whatever lies in a folder sorts directly behind the
  // folder's own name, so neighbours are all there is to compare.
  std::vector<std::string> folded;
  folded.reserve(paths.size());
  for (const std::string_view path : paths) {
    folded.push_back(FoldAscii(path));
    std::replace(folded.back().begin(), folded.back().end(), '/', '\x01');
  }
  // Compared as unsigned bytes: std::string does, by char_traits.
  std::sort(folded.begin(), folded.end());
  for (std::size_t i = 1; i < folded.size(); ++i) {
    const std::string& first = folded[i - 1];
    const std::string& second = folded[i];
    if (second == first || (second.size() > first.size() && second.compare(0, first.size(), first) == 0 &&
                            second[first.size()] == '\x01')) {
      std::string subject = second;
      std::replace(subject.begin(), subject.end(), '\x01', '/');
      return Malformed("paths_meet", "two packed files would have one name, or one would be the folder of the other",
                       subject);
    }
  }
  return {};
}

}  // namespace safemodel::container
