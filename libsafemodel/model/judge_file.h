// SPDX-License-Identifier: Apache-2.0
// Whether a file that travels beside the tensors is data, or something that runs.
#pragma once

#include <string>

#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"

namespace safemodel {

namespace pickle {
class AllowList;
}

// FileJudgement says what a file is. Scripts and programs are told by suffix or first bytes, pickles and archives by
// content alone, as the scanner sees it. An archive that is no .npz counts as executable: it may hold scripts.
struct FileJudgement {
  enum class Kind : std::uint8_t {
    kData,
    kExecutable,
    kPickle,         // everything in it is on the allow-list
    kUnknownPickle,  // it names classes that nobody vouches for
    kCallingPickle,  // it calls something that nobody vouches for, as the settings of a Trainer do
    kUnreadable,     // a pickle or archive that could not be judged to its end
  };
  Kind kind = Kind::kData;
  // One word for reports: "script", "program", "notebook", "keras", "archive", "pickle", "unknown_pickle",
  // "unlisted_call", "unreadable_pickle", "unreadable_archive"; empty for data.
  const char* reason = "";
};

// JudgeFile never runs anything. `user` is what the caller vouches for. A file that the scanner calls dangerous, for
// more than an unlisted call, is no kind of file but an error: kUnsafe with the rule's code, and path and global as
// subject. Other errors are those of reading.
Result<FileJudgement> JudgeFile(const std::string& path, const SharedSource& source, const Limits& limits,
                                const pickle::AllowList* user = nullptr);

// CheckMayTravel says whether a container may carry a file although it runs: never a pickle or archive that could not
// be judged, nor a pickle that calls what nobody vouches for, nor one of unknown classes unless these are allowed.
// kUnsafe "unreadable_pickle", "unreadable_archive", "unlisted_call", "unknown_pickle".
enum class UnknownClasses : std::uint8_t { kRefuse, kAllow };
Status CheckMayTravel(const FileJudgement& judgement, const std::string& path, UnknownClasses unknown);

}  // namespace safemodel
