// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_legacy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/finish_import.h"
#include "pickle/torch_layout.h"
#include "pickle/torch_types.h"

namespace safemodel::pickle {

namespace {

constexpr std::uint8_t kMagic[] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
constexpr std::int64_t kVersion = 1001;
constexpr unsigned kMostLoadDepth = 8;  // files inside constants of files
constexpr std::uint64_t kCountBytes = 8;

Error Malformed(const char* text, std::uint64_t offset) { return {Stage::kMalformed, "PKL-MALFORMED", text, offset}; }

// UnplacedSource has a size; its bytes stand behind the program that is still running.
class UnplacedSource final : public ByteSource {
 public:
  explicit UnplacedSource(std::uint64_t size) : size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Status ReadAt(std::uint64_t, MutableBytes) const override {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "the numbers of a tensor stand behind the pickle that needs them"};
  }

 private:
  std::uint64_t size_;
};

// ValueOf returns the last value of a text key in a dict, as Python would.
NodeIndex ValueOf(const Graph& graph, NodeIndex dict, std::string_view key) {
  NodeIndex value = kNoNode;
  if (graph.kind(dict) != Kind::kDict) return value;
  const std::span<const NodeIndex> items = graph.ItemsOf(dict);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (graph.IsText(items[i]) && graph.TextOf(items[i]) == key) value = items[i + 1];
  }
  return value;
}

bool IsInt(const Graph& graph, NodeIndex node, std::int64_t value) {
  return node != kNoNode && graph.kind(node) == Kind::kInt && graph.IntOf(node) == value;
}

std::optional<std::uint64_t> SizeOf(const Graph& graph, NodeIndex node) {
  if (graph.kind(node) != Kind::kInt || graph.IntOf(node) < 0) return std::nullopt;
  return static_cast<std::uint64_t>(graph.IntOf(node));
}

Status CheckMagic(const PlainStream& magic) {
  if (magic.data() && IsTorchLegacyMagic(magic.graph, magic.root())) return {};
  return Error{Stage::kUnsafe, "TORCH-MAGIC", "the magic number of the file is the result of a program", 0};
}

Status CheckVersion(const PlainStream& version, std::uint64_t at) {
  if (version.data() && IsInt(version.graph, version.root(), kVersion)) return {};
  return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the version of the file is not 1001", at};
}

// CheckMachine looks at the facts about the machine that wrote the file. Whatever its byte order, PyTorch writes
// counts and elements in little-endian order, and never reads `little_endian` again.
Status CheckMachine(const PlainStream& machine, std::uint64_t at) {
  const Graph& graph = machine.graph;
  const NodeIndex order = ValueOf(graph, machine.root(), "little_endian");
  const NodeIndex sizes = ValueOf(graph, machine.root(), "type_sizes");
  const bool known_order = order != kNoNode && (graph.kind(order) == Kind::kTrue || graph.kind(order) == Kind::kFalse);
  if (!machine.data() || !known_order || sizes == kNoNode || graph.kind(sizes) != Kind::kDict) {
    return Malformed("the third pickle of the file does not describe a machine", at);
  }
  const NodeIndex size_of_long = ValueOf(graph, sizes, "long");
  const bool same = IsInt(graph, ValueOf(graph, machine.root(), "protocol_version"), kVersion) &&
                    IsInt(graph, ValueOf(graph, sizes, "short"), 2) && IsInt(graph, ValueOf(graph, sizes, "int"), 4) &&
                    (IsInt(graph, size_of_long, 4) || IsInt(graph, size_of_long, 8));
  if (same) return {};
  return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the file is of a machine whose numbers have other sizes", at};
}

// ReadHead runs the three pickles in front of the object; `at` becomes where the object starts. `fault` is set when one
// of them is not what it should be: a later one may still be dangerous, which must be told first.
Status ReadHead(const RuleContext& context, const SharedSource& source, std::uint64_t& at, Status& fault) {
  SAFEMODEL_ASSIGN(const PlainStream magic, RunPlain(source, at, context.limits, context.findings));
  SAFEMODEL_TRY(CheckMagic(magic));
  at = magic.result.end;
  SAFEMODEL_ASSIGN(const PlainStream version, RunPlain(source, at, context.limits, context.findings));
  fault = CheckVersion(version, at);
  at = version.result.end;
  SAFEMODEL_ASSIGN(const PlainStream machine, RunPlain(source, at, context.limits, context.findings));
  if (fault.ok()) fault = CheckMachine(machine, at);
  at = machine.result.end;
  return {};
}

// ReadFile runs all five pickles and finds the storages.
Result<NodeIndex> ReadFile(RuleContext& context, const SharedSource& source, TorchLegacyLayout& layout) {
  std::uint64_t at = 0;
  Status fault;
  SAFEMODEL_TRY(ReadHead(context, source, at, fault));
  MachineResult object;
  const std::size_t first_proof = context.tables.late_proofs.size();
  SAFEMODEL_ASSIGN(object, RunMachine(context, at,
                                      {.unknown = context.unknown,
                                       .layout = &layout,
                                       .source = source.get(),
                                       .proofs = MachineOptions::Proofs::kLater}));
  at = object.end;
  SAFEMODEL_TRY(layout.Place(context, source, at));
  const Findings::Part part(context.findings);
  SAFEMODEL_TRY(RunLateProofs(context, first_proof));
  context.findings.ResolvePaths(context.graph, object.root);
  if (const auto refusal = part.Refusal(context.unknown)) return *refusal;
  SAFEMODEL_TRY(fault);
  if (at != source->size()) {
    return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the last storage", at};
  }
  return object.root;
}

}  // namespace

bool IsTorchLegacyMagic(const Graph& graph, NodeIndex node) {
  return graph.kind(node) == Kind::kLong && std::ranges::equal(graph.LongOf(node), kMagic);
}

Status CheckMagicIsPlain(const SharedSource& source, const Graph& first, const MachineResult& result,
                         const Limits& limits) {
  if (first.calls().empty() || result.end == source->size()) return {};
  Findings unused;
  const auto second = RunPlain(source, result.end, limits, unused);
  if (!second.ok() && second.error().stage == Stage::kUnsafe) return second.error();
  if (!second.ok() || !IsInt(second.value().graph, second.value().root(), kVersion)) return {};
  return Error{Stage::kUnsafe, "TORCH-MAGIC", "the magic number of the file is the result of a program", 0};
}

Result<NodeIndex> TorchLegacyLayout::OnPersistentId(RuleContext& context, NodeIndex reference) {
  const Graph& graph = context.graph;
  const NodeIndex id = graph.PersistentIdOf(reference);
  if (graph.kind(id) != Kind::kTuple || graph.ItemsOf(id).empty()) return BadPersistentId(graph, reference);
  const std::span<const NodeIndex> parts = graph.ItemsOf(id);
  if (graph.TextOf(parts[0]) == "module") {
    const NodeIndex cls = ReadTorchSource(context, parts.subspan(1), sources_);
    if (cls == kNoNode) return BadPersistentId(graph, reference);
    return cls;
  }
  if (graph.TextOf(parts[0]) != "storage" || parts.size() != 6) return BadPersistentId(graph, reference);
  const NodeIndex view = parts[5];
  Known* known = nullptr;
  SAFEMODEL_ASSIGN(known, Whole(context, reference, parts));
  if (graph.kind(view) != Kind::kNone) {
    const StorageNote whole = known->note;
    SAFEMODEL_ASSIGN(known, View(context, reference, whole, view));
  }
  if (known->node == kNoNode) {
    known->node = reference;
    context.tables.storage_of.emplace(reference, known->note);
  }
  return known->node;
}

Result<TorchLegacyLayout::Known*> TorchLegacyLayout::Whole(RuleContext& context, NodeIndex reference,
                                                           std::span<const NodeIndex> parts) {
  const Graph& graph = context.graph;
  const AllowEntry* entry = StorageClassOf(graph, parts[1]);
  const auto elements = SizeOf(graph, parts[4]);
  const bool fits = entry != nullptr && IsStorageKey(graph, parts[2]) && graph.IsText(parts[3]) && elements;
  if (!fits) return BadPersistentId(graph, reference);
  const std::string key(graph.TextOf(parts[2]));
  const auto refuse = [&](Stage stage, const char* code, const char* text) {
    return Error{stage, code, text, graph.offset(reference), key};
  };
  if (graph.TextOf(parts[3]) == "meta") {
    return refuse(Stage::kUnsupported, "FILE-UNSUPPORTED", "a tensor on the meta device has no data");
  }
  if (const auto found = known_.find(key); found != known_.end()) {
    const Known& known = found->second;
    // PyTorch keeps the first one it sees under a key; whoever checks the second one checks something else.
    if (known.part == Known::Part::kWhole && known.note.type->name == entry->name && known.note.elements == *elements) {
      return &found->second;
    }
    return refuse(Stage::kUnsafe, "MEM-STORAGE", "one storage is described in two ways");
  }
  const auto type = FindStorageType(entry->name);
  if (!type) {
    return refuse(Stage::kUnsupported, "FILE-UNSUPPORTED", "storages of this type are not read by this version");
  }
  const auto bytes = CheckedMul<std::uint64_t>(*elements, type->item_size);
  if (!bytes) return refuse(Stage::kUnsafe, "MEM-SIZE", "the size of a storage overflows");
  Known known;
  known.note = {.storage = static_cast<std::uint32_t>(context.tables.storages.size()),
                .dtype = type->dtype,
                .elements = *elements,
                .begin = 0,
                .bytes = *bytes,
                .type = entry};
  context.tables.storages.push_back({std::make_shared<UnplacedSource>(*bytes), type->dtype});
  return &known_.emplace(key, known).first->second;
}

// View reads (key, offset, elements): a part of the whole, in elements of its type.
Result<TorchLegacyLayout::Known*> TorchLegacyLayout::View(RuleContext& context, NodeIndex reference,
                                                          const StorageNote& whole, NodeIndex view) {
  const Graph& graph = context.graph;
  if (graph.kind(view) != Kind::kTuple || graph.ItemsOf(view).size() != 3) return BadPersistentId(graph, reference);
  const std::span<const NodeIndex> parts = graph.ItemsOf(view);
  const auto offset = SizeOf(graph, parts[1]);
  const auto elements = SizeOf(graph, parts[2]);
  if (!IsStorageKey(graph, parts[0]) || !offset || !elements) return BadPersistentId(graph, reference);
  const std::string key(graph.TextOf(parts[0]));
  if (*offset > whole.elements || *elements > whole.elements - *offset) {
    return Error{Stage::kUnsafe, "MEM-STORAGE", "a part of a storage lies outside of it", graph.offset(reference), key};
  }
  Known known;
  known.part = Known::Part::kView;
  known.note = whole;
  const std::uint64_t item_size = whole.elements == 0 ? 0 : whole.bytes / whole.elements;
  known.note.elements = *elements;
  known.note.begin = *offset * item_size;
  known.note.bytes = *elements * item_size;
  const auto [found, added] = known_.try_emplace(key, known);
  const StorageNote& first = found->second.note;
  const bool same = found->second.part == Known::Part::kView && first.storage == known.note.storage &&
                    first.elements == known.note.elements && first.begin == known.note.begin;
  if (added || same) return &found->second;
  return Error{Stage::kUnsafe, "MEM-STORAGE", "one storage is described in two ways", graph.offset(reference), key};
}

Status TorchLegacyLayout::Place(RuleContext& context, const SharedSource& source, std::uint64_t& at) {
  const std::uint64_t begin = at;
  SAFEMODEL_ASSIGN(const PlainStream keys, RunPlain(source, at, context.limits, context.findings));
  if (!keys.data() || keys.kind() != Kind::kList) return Malformed("the keys of the storages are no list", begin);
  at = keys.result.end;
  for (const NodeIndex item : keys.graph.ItemsOf(keys.root())) {
    if (!keys.graph.IsText(item)) return Malformed("the key of a storage is no text", keys.graph.offset(item));
    SAFEMODEL_TRY(PlaceOne(context, source, std::string(keys.graph.TextOf(item)), at));
  }
  for (const auto& [key, known] : known_) {
    if (known.part == Known::Part::kView || known.placed) continue;
    return Error{Stage::kUnsafe, "MEM-STORAGE",
                 "the file has no bytes for a storage, whose memory PyTorch would not set", begin, key};
  }
  return {};
}

Status TorchLegacyLayout::PlaceOne(RuleContext& context, const SharedSource& source, const std::string& key,
                                   std::uint64_t& at) {
  const auto found = known_.find(key);
  if (found == known_.end() || found->second.part == Known::Part::kView) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "the file has bytes for a storage that the object does not use",
                 at, key};
  }
  Known& known = found->second;
  if (known.placed) return Error{Stage::kUnsafe, "MEM-STORAGE", "the file has bytes for a storage twice", at, key};
  if (source->size() - at < kCountBytes) return Malformed("the file ends in front of a storage", at);
  SAFEMODEL_ASSIGN(const ByteBuffer count, ReadRange(*source, at, kCountBytes, kCountBytes));
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ByteReader(count, at).U64());
  if (elements != known.note.elements) {
    return Error{Stage::kUnsafe, "MEM-SIZE", "a storage has more or fewer elements than the object says", at, key};
  }
  at += kCountBytes;
  if (source->size() - at < known.note.bytes) return Malformed("the file ends inside a storage", at);
  SAFEMODEL_ASSIGN(context.tables.storages[known.note.storage].source, MakeSliceSource(source, at, known.note.bytes));
  at += known.note.bytes;
  known.placed = true;
  return {};
}

Result<ImportedModel> ImportTorchLegacy(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  Graph graph(source);
  ImportTables tables;
  tables.python2_text = Python2Text::kUtf8;
  RuleContext context{graph, tables, options.limits, findings, options.user, options.unknown};
  TorchLegacyLayout layout;
  SAFEMODEL_ASSIGN(const NodeIndex root, ReadFile(context, source, layout));
  SAFEMODEL_ASSIGN(ImportedModel model, FinishImport(graph, std::move(tables), root, "torch-legacy", options));
  NoteSources(model, layout.sources());
  return model;
}

Result<NodeIndex> LoadTorchBytes(RuleContext& context, NodeIndex call) {
  const NodeIndex bytes = context.graph.ItemsOf(context.graph.CallOf(call).args)[0];
  const std::uint64_t offset = context.graph.offset(call);
  // Each constant once, as PyTorch writes them: the work stays linear in the file, however deep it goes.
  if (!context.tables.loaded_bytes.insert(bytes).second) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "the pickle loads the same bytes twice", offset};
  }
  if (context.tables.load_depth >= kMostLoadDepth) {
    return Error{Stage::kLimit, "LIMIT-DEPTH", "files are nested too deeply inside each other", offset};
  }
  SAFEMODEL_ASSIGN(const SharedSource source, context.graph.SourceOf(bytes));
  Findings unused;
  const auto first = RunPlain(source, 0, context.limits, unused);
  if (!first.ok() && first.error().stage == Stage::kUnsafe) return first.error();
  if (!first.ok() || !IsTorchLegacyMagic(first.value().graph, first.value().root())) {
    return Refuse(context.graph, call, "CALL-ARGS", "the pickle loads bytes that PyTorch would not have written");
  }
  TorchLegacyLayout layout;
  ++context.tables.load_depth;
  auto root = ReadFile(context, source, layout);
  --context.tables.load_depth;
  if (root.ok()) return root;
  // Offsets in the constant mean nothing to whoever looks at the file.
  Error error = root.error();
  error.offset = offset;
  return error;
}

}  // namespace safemodel::pickle
