// SPDX-License-Identifier: Apache-2.0
// The symbolic pickle machine: runs the program of a pickle stream and records what it would have imported and called.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <safemodel/bytes.h>
#include <safemodel/convert.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/node.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// RawInput is what a layout may do with the bytes that follow a BUILD (joblib puts arrays between two opcodes).
class RawInput {
 public:
  virtual ~RawInput() = default;
  // position is an offset in the stream; remaining is what is left behind it.
  [[nodiscard]] virtual std::uint64_t position() const = 0;
  [[nodiscard]] virtual std::uint64_t remaining() const = 0;
  // AtFrameEnd says that no frame is open, or that it ends exactly here.
  [[nodiscard]] virtual bool AtFrameEnd() const = 0;
  // Read fills `out` and moves on; kMalformed PKL-MALFORMED when the stream is too short.
  [[nodiscard]] virtual Status Read(MutableBytes out) = 0;
  // Skip moves on without reading.
  [[nodiscard]] virtual Status Skip(std::uint64_t size) = 0;
  // RunNested runs one complete stream that starts here, with a memo of its own, on the same graph, and returns its
  // result. kLimit LIMIT-DEPTH beyond 8 levels.
  [[nodiscard]] virtual Result<NodeIndex> RunNested() = 0;
};

// Layout is what gives meaning to the parts of a stream that the pickle format leaves open.
class Layout {
 public:
  virtual ~Layout() = default;
  // OnPersistentId is called when PERSID or BINPERSID made `reference` and returns what it stands for: `reference`
  // itself, or another node. An error becomes a finding about it. Default: PKL-PERSID, as in CPython.
  virtual Result<NodeIndex> OnPersistentId(RuleContext& context, NodeIndex reference);
  // AfterBuild is called right after each BUILD was judged and returns what takes the place of `built` on the stack
  // (the memo keeps `built`). An error ends the stream. Default: `built`.
  virtual Result<NodeIndex> AfterBuild(RuleContext& context, NodeIndex built, RawInput& input);
  // OnMemoGet is called before a GET pushes a call. Default: nothing. (joblib never refers to a used wrapper.)
  virtual Status OnMemoGet(RuleContext& context, NodeIndex node);
};

struct MachineResult {
  NodeIndex root = kNoNode;
  std::uint64_t end = 0;  // offset behind STOP
  std::uint64_t opcodes = 0;
  std::uint8_t protocol = 0;  // the highest that PROTO declared
  // ending is kStop also when something was found. kBroken: every reader of Python stops there too. kGaveUp: readers
  // may go on, and nobody knows what they come to.
  enum class Ending : std::uint8_t { kStop, kBroken, kGaveUp };
  Ending ending = Ending::kStop;
};

struct MachineOptions {
  ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse;
  Layout* layout = nullptr;            // borrowed; nothing: Layout's defaults
  const ByteSource* source = nullptr;  // borrowed; what the stream is read from when it is not the graph's own
  // end is where the bytes of the file end that the stream is in; nothing: the source's.
  std::optional<std::uint64_t> end = {};
  // proofs tells when numbers behind the stream can be read: at its end, or when the caller calls RunLateProofs.
  enum class Proofs : std::uint8_t { kAtEnd, kLater };
  Proofs proofs = Proofs::kAtEnd;
  MachineResult* reached = nullptr;  // borrowed; how far the stream was read, also when that failed
};

// RunMachine runs the stream that starts at `begin` of context.graph.stream() or of options.source, to its end or to
// where it breaks, and records what it finds. Several streams may be run on one graph with one set of tables, one
// inside another too. The error is the gravest of its findings: kUnsafe for what is dangerous, wherever it stands; then
// what ended the stream (kMalformed, kLimit, kUnsupported); and last kUnsafe for names that are merely unlisted, unless
// they are to be kept inert: those go to context.tables.inert. Time is linear in the bytes read; nothing recurses.
Result<MachineResult> RunMachine(RuleContext& context, std::uint64_t begin, const MachineOptions& options);

}  // namespace safemodel::pickle
