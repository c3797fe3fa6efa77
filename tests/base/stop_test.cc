// SPDX-License-Identifier: Apache-2.0
// A stop that was asked for lasts for good, so each test is in a process of its own.
#include "base/stop.h"

#include <doctest/doctest.h>
#include <safemodel/stop.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/output_folder.h"
#include "testing/temp_folder.h"

namespace safemodel {
namespace {

using testing::TempFolder;

// InChild says whether `holds` does in a child of this process.
bool InChild(const std::function<bool()>& holds) {
  const pid_t child = fork();
  if (child == 0) _exit(holds() ? 0 : 1);
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// InFolder makes an output folder, lets `holds` use it, and lets it go.
bool InFolder(const TempFolder& temp, const std::function<bool(OutputFolder&)>& holds) {
  auto folder = OutputFolder::Create(temp.Path("out"));
  return folder.ok() && holds(folder.value());
}

bool Stopped(const Status& status) { return !status.ok() && std::string_view(status.error().code) == "stopped"; }

TEST_CASE("stop: without an unfinished output there is nothing to wait for, and none can begin") {
  const TempFolder temp;
  CHECK(InChild([&] {
    if (!CheckStop("x").ok() || RequestStop() != Unfinished::kNothing) return false;
    const auto folder = OutputFolder::Create(temp.Path("out"));
    return !folder.ok() && std::string_view(folder.error().code) == "stopped" && RequestStop() == Unfinished::kNothing;
  }));
  CHECK(std::filesystem::is_empty(temp.path()));
}

TEST_CASE("stop: a folder that is being written fails at the next step and goes away") {
  const TempFolder temp;
  const auto stopped = [](OutputFolder& folder) {
    const auto ten = [](const OutputFolder::Append& append) { return append(ByteBuffer(10)); };
    return folder.AddFile("a/b", ten).ok() && RequestStop() == Unfinished::kOutputs &&
           Stopped(folder.AddFile("a/c", ten)) && Stopped(folder.Commit());
  };
  CHECK(InChild([&] { return InFolder(temp, stopped) && RequestStop() == Unfinished::kNothing; }));
  CHECK(std::filesystem::is_empty(temp.path()));
}

TEST_CASE("stop: in the middle of a file") {
  const TempFolder temp;
  const auto append_twice = [](const OutputFolder::Append& append) {
    if (!append(ByteBuffer(10)).ok() || RequestStop() != Unfinished::kOutputs) return Status();
    return append(ByteBuffer(10));
  };
  CHECK(InChild([&] {
    return InFolder(temp, [&](OutputFolder& folder) { return Stopped(folder.AddFile("a", append_twice)); });
  }));
  CHECK(std::filesystem::is_empty(temp.path()));
}

TEST_CASE("stop: reading and writing files fails") {
  const TempFolder temp;
  testing::WriteText(temp.Path("in"), "text");
  CHECK(InChild([&] {
    const auto in = File::Open(temp.Path("in"));
    auto out = OutputFile::Create(temp.Path("out"), OutputFile::Overwrite::kRefuse);
    ByteBuffer bytes(4);
    if (!in.ok() || !out.ok() || !in.value()->ReadAt(0, bytes).ok() || !out.value().Append(bytes).ok()) return false;
    (void)RequestStop();
    return Stopped(in.value()->ReadAt(0, bytes)) && Stopped(out.value().Append(bytes)) &&
           Stopped(out.value().WriteAt(0, bytes)) && Stopped(out.value().Commit());
  }));
  CHECK_FALSE(std::filesystem::exists(temp.Path("out")));
}

TEST_CASE("stop: a name is unfinished from before it is there until after it is gone, wherever it is moved") {
  CHECK(InChild([] {
    UnfinishedName kept;
    {
      UnfinishedName first;
      UnfinishedName other;
      if (!first.Draw("x").ok() || !other.Draw("x").ok() || first.text() == other.text()) return false;
      kept = std::move(first);
      kept = UnfinishedName(std::move(other));
    }
    if (kept.empty() || RequestStop() != Unfinished::kOutputs) return false;
    kept.clear();
    kept.clear();
    return RequestStop() == Unfinished::kNothing;
  }));
}

}  // namespace
}  // namespace safemodel
