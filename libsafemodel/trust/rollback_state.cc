// SPDX-License-Identifier: Apache-2.0
#include "trust/rollback_state.h"

#include <algorithm>
#include <charconv>

#include "base/cursor.h"
#include "base/file.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "trust/locked_file.h"
#include "trust/timestamp.h"

namespace safemodel {
namespace trust {
namespace {

constexpr std::string_view kFirstLine = "safemodel rollback state 1";
constexpr std::string_view kAnyVersion = "safemodel rollback state ";
constexpr std::size_t kModelNameBytes = 255;

Error Refuse(const char* code, const char* text, const std::string& subject = {}) {
  return {Stage::kConfig, code, text, kNoOffset, subject};
}
Error Malformed() {
  return Refuse("state_malformed",
                "the rollback state file is damaged; restore it, or make it anew, which forgets what was accepted, "
                "with: safemodel policy state init POLICY --force");
}

// TakeLine cuts the next line off. Each line ends with a line feed, the last one too.
Result<std::string_view> TakeLine(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return Malformed();
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// TakeWord cuts off what stands before the next space.
std::string_view TakeWord(std::string_view& line) {
  const auto end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

Result<std::uint64_t> NumberOf(std::string_view text) {
  std::uint64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool canonical =
      result.ec == std::errc() && result.ptr == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
  if (!canonical || number > kMostSequence) return Malformed();
  return number;
}

bool IsModelName(std::string_view name) {
  return !name.empty() && name.size() <= kModelNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// model SEQUENCE MANIFEST NAME
Status ParseModel(std::string_view line, RollbackState& state) {
  SeenRelease seen;
  SAFEMODEL_ASSIGN(seen.sequence, NumberOf(TakeWord(line)));
  const std::string_view manifest = TakeWord(line);
  seen.manifest = crypto::DigestOfHex(manifest);
  if (!seen.manifest.has_value() && manifest != "-") return Malformed();
  if (!IsModelName(line)) return Malformed();
  if (!state.models.empty() && state.models.rbegin()->first >= line) return Malformed();
  if (state.models.size() >= kStateModels) return Refuse("state_large", "the rollback state has too many models");
  state.models.emplace_hint(state.models.end(), line, seen);
  return {};
}

// ParseNamed tells in its errors which file they are about.
Result<RollbackState> ParseNamed(const std::string& path, std::string_view text) {
  auto state = ParseState(text);
  if (state.ok()) return state;
  Error error = state.error();
  error.subject = path;
  return error;
}

// AsConfig turns what the system refuses into trouble with the configuration, which a state file is.
Error AsConfig(Error error) {
  if (error.stage != Stage::kIo) return error;
  const bool missing = std::string_view(error.code) == "not_found";
  error.stage = Stage::kConfig;
  error.code = missing ? "state_missing" : "state_unusable";
  error.text = missing ? "the rollback state file is missing; make it once with: safemodel policy state init POLICY"
                       : "the rollback state file cannot be used";
  return error;
}

Status UpdateLocked(const std::string& path, const StateChange& change) {
  SAFEMODEL_ASSIGN(const auto file, LockNamed(path));
  SAFEMODEL_ASSIGN(const std::string text, ReadOwned(*file, kStateBytes));
  SAFEMODEL_ASSIGN(RollbackState state, ParseNamed(path, text));
  SAFEMODEL_ASSIGN(const Changed changed, change(state));
  if (changed == Changed::kNo) return {};
  const std::string written = SerializeState(state);
  // What could not be read again must not take the place of what can be.
  if (state.models.size() > kStateModels || written.size() > kStateBytes)
    return Refuse("state_large", "the rollback state has no room for one more model; nothing was written", path);
  return ReplaceFile(*file, written);
}

// CreateState holds the lock of a file that it replaces: an update that had read it would put what was forgotten back.
Status CreateState(const std::string& path, const std::string& text, OldState old) {
  std::shared_ptr<const File> locked;
  if (old == OldState::kReplace) {
    auto file = LockNamed(path);
    if (!file.ok() && std::string_view(file.error().code) != "not_found") return file.error();
    if (file.ok()) locked = std::move(file).value();
  }
  const auto overwrite = old == OldState::kReplace ? OutputFile::Overwrite::kReplace : OutputFile::Overwrite::kRefuse;
  SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(path, overwrite, 0644));
  SAFEMODEL_TRY(output.Append(AsBytes(text)));
  return output.Commit();
}

Result<RollbackState> ReadState(const std::string& path) {
  SAFEMODEL_ASSIGN(const auto file, File::Open(path, File::Access::kRead, File::Links::kRefuse));
  SAFEMODEL_ASSIGN(const std::string text, ReadOwned(*file, kStateBytes));
  return ParseNamed(path, text);
}

}  // namespace

Result<RollbackState> ParseState(std::string_view text) {
  RollbackState state;
  SAFEMODEL_ASSIGN(const std::string_view first, TakeLine(text));
  if (first != kFirstLine && first.substr(0, kAnyVersion.size()) == kAnyVersion)
    return Refuse("state_version", "the rollback state file is of another version than this program knows");
  if (first != kFirstLine) return Malformed();
  SAFEMODEL_ASSIGN(std::string_view newest, TakeLine(text));
  if (TakeWord(newest) != "newest") return Malformed();
  const auto time = ParseTimestamp(newest);
  if (!time.ok()) return Malformed();
  state.newest = time.value();
  for (;;) {
    SAFEMODEL_ASSIGN(std::string_view line, TakeLine(text));
    const std::string_view word = TakeWord(line);
    if (word == "model") {
      SAFEMODEL_TRY(ParseModel(line, state));
      continue;
    }
    // The count at the end tells a file that was cut between two lines.
    SAFEMODEL_ASSIGN(const std::uint64_t count, NumberOf(line));
    if (word != "end" || count != state.models.size() || !text.empty()) return Malformed();
    return state;
  }
}

std::string SerializeState(const RollbackState& state) {
  std::string text(kFirstLine);
  text += "\nnewest " + FormatTimestamp(state.newest) + "\n";
  for (const auto& [name, seen] : state.models) {
    text += "model " + std::to_string(seen.sequence) + " " +
            (seen.manifest.has_value() ? crypto::Hex(*seen.manifest) : "-") + " " + name + "\n";
  }
  return text + "end " + std::to_string(state.models.size()) + "\n";
}

Status UpdateState(const std::string& path, const StateChange& change) {
  const Status status = UpdateLocked(path, change);
  return status.ok() ? status : Status(AsConfig(status.error()));
}

}  // namespace trust

Status InitRollbackState(const std::string& path, std::int64_t now, OldState old) {
  return CatchOutOfMemory([&]() -> Status {
    SAFEMODEL_TRY(trust::CheckNow(now));
    RollbackState state;
    state.newest = now;
    const Status status = trust::CreateState(path, trust::SerializeState(state), old);
    if (status.ok()) return status;
    if (std::string_view(status.error().code) != "exists") return trust::AsConfig(status.error());
    return Error{Stage::kUsage, "exists",
                 "the rollback state file is there already; --force makes it anew and forgets which releases were "
                 "accepted, so that old ones are accepted again",
                 kNoOffset, path};
  });
}

Result<RollbackState> ReadRollbackState(const std::string& path) {
  return CatchOutOfMemory([&]() -> Result<RollbackState> {
    auto state = trust::ReadState(path);
    return state.ok() ? state : Result<RollbackState>(trust::AsConfig(state.error()));
  });
}

Status SetHighestSequence(const std::string& path, const std::string& model, std::uint64_t sequence) {
  return CatchOutOfMemory([&]() -> Status {
    if (!trust::IsModelName(model))
      return Error{Stage::kUsage, "bad_name", "this is no name of a model", kNoOffset, model};
    if (sequence > trust::kMostSequence)
      return Error{Stage::kUsage, "bad_sequence", "a release sequence is at most 2^53-1"};
    return trust::UpdateState(path, [&](RollbackState& state) -> Result<trust::Changed> {
      state.models[model] = {sequence, std::nullopt};
      return trust::Changed::kYes;
    });
  });
}

Status SetNewestTime(const std::string& path, std::int64_t time) {
  return CatchOutOfMemory([&]() -> Status {
    SAFEMODEL_TRY(trust::CheckNow(time));
    return trust::UpdateState(path, [&](RollbackState& state) -> Result<trust::Changed> {
      state.newest = time;
      return trust::Changed::kYes;
    });
  });
}

}  // namespace safemodel
