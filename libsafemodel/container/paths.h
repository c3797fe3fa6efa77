// SPDX-License-Identifier: Apache-2.0
// Rules of the paths of packed files: they must be harmless on every system, whichever packed them.
#pragma once

#include <string_view>
#include <vector>

#include <safemodel/limits.h>
#include <safemodel/result.h>

namespace safemodel::container {

// IsGitName says whether a component of a path names a .git folder: hooks in it run at the next git command. In any
// case, and as "git~1", the short name that some systems give the same folder (CVE-2014-9390).
bool IsGitName(std::string_view component);

// CheckFilePath accepts a relative path that names the same place below a folder on every system; [D-PATHS]. Errors:
// kMalformed "bad_path", kLimit "deep_path" and "long_path_component", kUnsafe "git_folder".
Status CheckFilePath(std::string_view path, const Limits& limits);

// CheckListedPath is CheckFilePath for files that are only looked at where they lie, never written: a .git folder may
// be among them; [F-PATHS].
Status CheckListedPath(std::string_view path, const Limits& limits);

// CheckPathsApart refuses two paths that meet: equal when ASCII letters of both cases count as one, or one the folder
// of the other; [D-PATHS]. kMalformed "paths_meet".
Status CheckPathsApart(const std::vector<std::string_view>& paths);

}  // namespace safemodel::container
