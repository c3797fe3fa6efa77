// SPDX-License-Identifier: Apache-2.0
#include "pickle/assemble.h"
#include "pickle/global_name.h"

#include <sstream>

#include <doctest/doctest.h>

#include "pickle/allow_list.h"
#include "pickle/judge.h"

namespace safemodel::pickle {
namespace {

void Show(std::ostream& out, const Graph& graph, NodeIndex node, int depth);

void ShowItems(std::ostream& out, const Graph& graph, NodeIndex node, const char* open, const char* close, int depth) {
  out << open;
  bool first = true;
  for (const NodeIndex item : graph.ItemsOf(node)) {
    if (!first) out << ", ";
    first = false;
    Show(out, graph, item, depth);
  }
  out << close;
}

void ShowDict(std::ostream& out, const Graph& graph, NodeIndex node, int depth) {
  const auto items = graph.ItemsOf(node);
  out << '{';
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (i > 0) out << ", ";
    Show(out, graph, items[i], depth);
    out << ": ";
    Show(out, graph, items[i + 1], depth);
  }
  out << '}';
}

void ShowCall(std::ostream& out, const Graph& graph, NodeIndex node, int depth) {
  const Call& call = graph.CallOf(node);
  out << (call.entry == nullptr ? "inert " : "") << (call.how == How::kNew ? "new " : "")
      << FullName(graph.GlobalOf(call.callee));
  ShowItems(out, graph, call.args, "(", ")", depth);
  const auto part = [&](const char* name, NodeIndex shown) {
    if (shown == kNoNode) return;
    out << name;
    Show(out, graph, shown, depth);
  };
  part(" state ", call.state);
  part(" appends ", call.appends);
  part(" items ", call.set_items);
}

void ShowBytes(std::ostream& out, const Graph& graph, NodeIndex node, const char* prefix) {
  out << prefix << '\'';
  const auto bytes = graph.BytesOf(node);
  if (!bytes) {
    out << graph.SizeOf(node) << " bytes'";
    return;
  }
  for (const std::uint8_t byte : *bytes) {
    if (byte >= 0x20 && byte < 0x7F) {
      out << static_cast<char>(byte);
    } else {
      out << "\\x"
          << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
    }
  }
  out << '\'';
}

void Show(std::ostream& out, const Graph& graph, NodeIndex node, int depth) {
  if (depth > 8) {
    out << "...";
    return;
  }
  switch (graph.kind(node)) {
    case Kind::kNone: out << "None"; return;
    case Kind::kFalse: out << "False"; return;
    case Kind::kTrue: out << "True"; return;
    case Kind::kInt: out << graph.IntOf(node); return;
    case Kind::kLong:
      out << "long";
      for (const std::uint8_t byte : graph.LongOf(node)) out << ' ' << static_cast<int>(byte);
      return;
    case Kind::kFloat: out << graph.FloatOf(node); return;
    case Kind::kStr: ShowBytes(out, graph, node, ""); return;
    case Kind::kBytes: ShowBytes(out, graph, node, "b"); return;
    case Kind::kPy2Str: ShowBytes(out, graph, node, "py2"); return;
    case Kind::kByteArray: ShowBytes(out, graph, node, "array"); return;
    case Kind::kList: ShowItems(out, graph, node, "[", "]", depth + 1); return;
    case Kind::kTuple: ShowItems(out, graph, node, "(", ")", depth + 1); return;
    case Kind::kSet: ShowItems(out, graph, node, "set(", ")", depth + 1); return;
    case Kind::kFrozenset: ShowItems(out, graph, node, "frozenset(", ")", depth + 1); return;
    case Kind::kDict: ShowDict(out, graph, node, depth + 1); return;
    case Kind::kGlobal: out << FullName(graph.GlobalOf(node)); return;
    case Kind::kCall: ShowCall(out, graph, node, depth + 1); return;
    case Kind::kPersistent:
      out << "id ";
      Show(out, graph, graph.PersistentIdOf(node), depth + 1);
      return;
    case Kind::kRawArray: out << "array " << graph.TensorOf(node); return;
  }
}

}  // namespace

std::string Run::Shown() const {
  if (!result.ok()) return std::string(StageName(result.error().stage)) + " " + result.error().code;
  std::ostringstream out;
  Show(out, *graph, result.value().root, 0);
  return out.str();
}

std::unique_ptr<Run> RunBytes(std::string_view bytes, Layout* layout, ConvertOptions::Unknown unknown) {
  auto run = std::make_unique<Run>();
  const ByteView view = AsBytes(bytes);
  run->source = MakeMemorySource(ByteBuffer(view.begin(), view.end()));
  run->graph = std::make_unique<Graph>(run->source);
  RuleContext context{*run->graph, run->tables, run->limits, run->findings};
  run->result = RunMachine(context, 0, {.unknown = unknown, .layout = layout});
  return run;
}

}  // namespace safemodel::pickle
