// SPDX-License-Identifier: Apache-2.0
// joblib: a pickle with the raw bytes of arrays between its opcodes (since 0.10), or in files of their own (before).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>

#include "pickle/import.h"
#include "pickle/joined_source.h"
#include "pickle/machine.h"

namespace safemodel::pickle {

// JoblibLayout reads the array of each wrapper right after its BUILD. Everything else is a plain pickle. Errors:
// kUnsafe JOBLIB-FRAME (readers take the bytes from the file, others from the frame), JOBLIB-PADDING, JOBLIB-REUSE,
// MEM-SIZE, MEM-OBJECT (objects in a memory map), FILE-PATH (a companion file that is named by a path); kMalformed
// FILE-MISSING; those of the companions.
class JoblibLayout final : public Layout {
 public:
  // kBeforeAlignment is joblib before 1.2, for which padding belongs to the array. kPlain is pickle.load: the bytes of
  // an array stay instructions; where it stands is entered all the same, so that who uses it as such is no finding.
  enum class Reader : std::uint8_t { kJoblib, kBeforeAlignment, kPlain };
  // `options` is borrowed.
  JoblibLayout(SharedSource file, const ImportOptions& options, Reader reader = Reader::kJoblib);
  // stream is what the graph has to read from: the file, then the companions that were met.
  [[nodiscard]] SharedSource stream() const { return stream_; }
  Result<NodeIndex> AfterBuild(RuleContext& context, NodeIndex built, RawInput& input) override;
  Status OnMemoGet(RuleContext& context, NodeIndex node) override;
  // used says that the stream held at least one wrapper.
  [[nodiscard]] bool used() const { return !wrappers_.empty(); }
  [[nodiscard]] Reader reader() const { return reader_; }
  // aligned says that padding stood in front of some array.
  [[nodiscard]] bool aligned() const { return aligned_; }
  // changed says that the stream set the state of a wrapper, or of its array, once more.
  [[nodiscard]] bool changed() const { return changed_; }
  // Follows says whether an instruction stands right behind an array, or what other readers take for one.
  [[nodiscard]] bool Follows(std::uint64_t offset) const { return behind_.contains(offset); }

 private:
  NodeIndex Glance(RuleContext& context, NodeIndex built, RawInput& input);
  Result<NodeIndex> ReadFollowing(RuleContext& context, NodeIndex built, RawInput& input);
  Result<NodeIndex> ReadCompanion(RuleContext& context, NodeIndex built);
  Result<SharedSource> OpenCompanion(const Graph& graph, NodeIndex built, const std::string& name);
  Result<NodeIndex> ReadNpyCompanion(RuleContext& context, NodeIndex built, const SharedSource& file);
  Result<NodeIndex> ReadZFileCompanion(RuleContext& context, NodeIndex built, const SharedSource& file);

  const ImportOptions& options_;
  Reader reader_;
  bool aligned_ = false;
  bool changed_ = false;
  std::unordered_set<std::uint64_t> behind_;  // empty for kJoblib
  std::shared_ptr<JoinedSource> stream_;
  std::unordered_set<std::string> companions_;
  std::uint64_t companion_memory_ = 0;
  std::unordered_set<NodeIndex> wrappers_;
};

}  // namespace safemodel::pickle
