// SPDX-License-Identifier: Apache-2.0
// The small pickles around the object in old files of PyTorch: numbers, texts and the names of types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/result.h>

#include "pickle/findings.h"
#include "pickle/machine.h"
#include "pickle/rule.h"
#include "value/imported.h"

namespace safemodel::pickle {

// PlainStream is what one such pickle left.
struct PlainStream {
  Graph graph;
  MachineResult result;
  [[nodiscard]] bool calls() const { return !graph.calls().empty(); }
  // data says that the pickle imported and called nothing at all.
  [[nodiscard]] bool data() const { return !calls() && graph.globals().empty(); }
  [[nodiscard]] NodeIndex root() const { return result.root; }
  [[nodiscard]] Kind kind() const { return graph.kind(result.root); }
};

// RunPlain runs the stream that starts at `begin` of `source` on a graph of its own. It is judged like any other; names
// that are unlisted are never kept.
Result<PlainStream> RunPlain(const SharedSource& source, std::uint64_t begin, const Limits& limits, Findings& findings);

// TorchSource is the text of a class that old files carry. It is a note: nothing is ever made of it. The views live as
// long as the graph.
struct TorchSource {
  std::string class_name;
  std::string_view file;
  std::string_view text;
};

// ReadTorchSource reads (class, file, text) of a persistent id and appends it to `sources` unless it is empty, or there
// are more than are ever noted; the first is a finding. Returns the class, or kNoNode when the parts are others.
NodeIndex ReadTorchSource(RuleContext& context, std::span<const NodeIndex> parts, std::vector<TorchSource>& sources);

// NoteSources enters sources as metadata `torch.source.CLASS`, the first of each class, as many as metadata can hold.
void NoteSources(ImportedModel& model, const std::vector<TorchSource>& sources);

}  // namespace safemodel::pickle
