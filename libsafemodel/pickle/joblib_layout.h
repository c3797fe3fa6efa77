// SPDX-License-Identifier: Apache-2.0
// joblib: a pickle with the raw bytes of arrays between its opcodes (since 0.10), or in files of their own (before).
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "pickle/import.h"
#include "pickle/joined_source.h"
#include "pickle/machine.h"

namespace safemodel::pickle {

// JoblibLayout reads the array of each wrapper right after its BUILD. Everything else is a plain pickle. Errors:
// kUnsafe JOBLIB-FRAME (readers take the bytes from the file, others from the frame), JOBLIB-PADDING, JOBLIB-REUSE,
// MEM-SIZE, FILE-PATH (a companion file that is named by a path); kMalformed FILE-MISSING; those of the companions.
class JoblibLayout final : public Layout {
 public:
  // `options` is borrowed.
  JoblibLayout(SharedSource file, const ImportOptions& options);
  // stream is what the graph has to read from: the file, then the companions that were met.
  [[nodiscard]] SharedSource stream() const { return stream_; }
  Result<NodeIndex> AfterBuild(RuleContext& context, NodeIndex built, RawInput& input) override;
  Status OnMemoGet(RuleContext& context, NodeIndex node) override;
  // used says that the stream held at least one wrapper.
  [[nodiscard]] bool used() const { return !wrappers_.empty(); }

 private:
  Result<NodeIndex> ReadFollowing(RuleContext& context, NodeIndex built, RawInput& input);
  Result<NodeIndex> ReadCompanion(RuleContext& context, NodeIndex built);
  Result<SharedSource> OpenCompanion(const Graph& graph, NodeIndex built, const std::string& name);
  Result<NodeIndex> ReadNpyCompanion(RuleContext& context, NodeIndex built, const SharedSource& file);
  Result<NodeIndex> ReadZFileCompanion(RuleContext& context, NodeIndex built, const SharedSource& file);

  const ImportOptions& options_;
  std::shared_ptr<JoinedSource> stream_;
  std::unordered_set<std::string> companions_;
  std::uint64_t companion_memory_ = 0;
  std::unordered_set<NodeIndex> wrappers_;
};

}  // namespace safemodel::pickle
