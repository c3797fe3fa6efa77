// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_plain.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "base/utf8.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"

namespace safemodel::pickle {

namespace {

constexpr unsigned kNoMoreFiles = ~0u;                // a depth beyond every limit
constexpr std::size_t kMostSourceBytes = 256u << 10;  // of all classes; metadata holds 1 MiB
constexpr std::size_t kMostSources = 1024;            // metadata holds 4096 keys

bool IsTextOrNone(const Graph& graph, NodeIndex node) {
  const Kind kind = graph.kind(node);
  return kind == Kind::kNone || kind == Kind::kStr || kind == Kind::kPy2Str;
}

}  // namespace

Result<PlainStream> RunPlain(const SharedSource& source, std::uint64_t begin, const Limits& limits,
                             Findings& findings) {
  PlainStream stream{Graph(source), {}};
  ImportTables tables;
  tables.load_depth = kNoMoreFiles;
  RuleContext context{stream.graph, tables, limits, findings};
  SAFEMODEL_ASSIGN(stream.result, RunMachine(context, begin, {}));
  return stream;
}

NodeIndex ReadTorchSource(RuleContext& context, std::span<const NodeIndex> parts, std::vector<TorchSource>& sources) {
  const Graph& graph = context.graph;
  const bool fits = parts.size() == 3 && graph.kind(parts[0]) == Kind::kGlobal && IsTextOrNone(graph, parts[1]) &&
                    IsTextOrNone(graph, parts[2]);
  if (!fits) return kNoNode;
  const std::string_view text = graph.TextOf(parts[2]);
  if (!text.empty() && sources.empty()) {
    context.findings.Add(
        {Stage::kUnsafe, "TORCH-SOURCE", "the file carries the source text of its classes, which is not run",
         graph.offset(parts[2]), FullName(graph.GlobalOf(parts[0]))},
        ScanVerdict::kClean);
  }
  if (!text.empty() && sources.size() < kMostSources) {
    sources.push_back({FullName(graph.GlobalOf(parts[0])), graph.TextOf(parts[1]), text});
  }
  return parts[0];
}

void NoteSources(ImportedModel& model, const std::vector<TorchSource>& sources) {
  std::set<std::string> noted;
  std::size_t bytes = 0;
  for (const TorchSource& source : sources) {
    const std::string value = std::string(source.file) + "\n" + std::string(source.text);
    const std::size_t size = source.class_name.size() + value.size();
    if (noted.size() == kMostSources || size > kMostSourceBytes - bytes) break;
    if (!IsUtf8(source.class_name) || !IsUtf8(value) || !noted.insert(source.class_name).second) continue;
    bytes += size;
    model.metadata.emplace_back("torch.source." + source.class_name, value);
  }
}

}  // namespace safemodel::pickle
