// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_layout.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/finish_import.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"
#include "pickle/numpy_array.h"
#include "pickle/torch_types.h"

namespace safemodel::pickle {

namespace {

constexpr std::uint64_t kSmallRecord = 64;  // `version` and `byteorder` hold a word

// SwapWidth returns the bytes that are swapped together: a complex number is two of them.
unsigned SwapWidth(const TorchType& type) {
  const bool complex =
      type.dtype == Dtype::kComplex32 || type.dtype == Dtype::kComplex64 || type.dtype == Dtype::kComplex128;
  return complex ? type.item_size / 2 : type.item_size;
}

}  // namespace

bool IsStorageKey(const Graph& graph, NodeIndex node) {
  constexpr std::uint64_t kMost = 256;
  return graph.IsText(node) && graph.SizeOf(node) <= kMost;
}

Error BadPersistentId(const Graph& graph, NodeIndex reference) {
  return {Stage::kMalformed, "PKL-PERSID", "a persistent id is not one that torch.save writes",
          graph.offset(reference)};
}

const AllowEntry* StorageClassOf(const Graph& graph, NodeIndex node) {
  if (graph.kind(node) != Kind::kGlobal) return nullptr;
  const AllowEntry* type = graph.GlobalOf(node).entry;
  const bool torch =
      type != nullptr && (type->module == "torch" || type->module == "torch.cuda" || type->module == "torch.storage");
  return torch && type->name.ends_with("Storage") ? type : nullptr;
}

Result<NodeIndex> TorchLayout::OnPersistentId(RuleContext& context, NodeIndex reference) {
  const Graph& graph = context.graph;
  const NodeIndex id = graph.PersistentIdOf(reference);
  if (graph.kind(id) != Kind::kTuple || graph.ItemsOf(id).size() != 5) return BadPersistentId(graph, reference);
  const std::span<const NodeIndex> parts = graph.ItemsOf(id);
  const AllowEntry* type = StorageClassOf(graph, parts[1]);
  const bool shape = graph.TextOf(parts[0]) == "storage" && type != nullptr && IsStorageKey(graph, parts[2]) &&
                     graph.IsText(parts[3]) && graph.kind(parts[4]) == Kind::kInt && graph.IntOf(parts[4]) >= 0;
  if (!shape) return BadPersistentId(graph, reference);
  if (graph.TextOf(parts[3]) == "meta") {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "a tensor on the meta device has no data",
                 graph.offset(reference)};
  }
  StorageNote note;
  SAFEMODEL_ASSIGN(note, Reference(context, reference, *type, graph.TextOf(parts[2]),
                                   static_cast<std::uint64_t>(graph.IntOf(parts[4]))));
  context.tables.storage_of.emplace(reference, note);
  return reference;
}

namespace {

Error RefuseStorage(const Graph& graph, NodeIndex reference, std::string_view key, Stage stage, const char* code,
                    const char* text) {
  return {stage, code, text, graph.offset(reference), "data/" + std::string(key)};
}

}  // namespace

Result<StorageNote> TorchLayout::Reference(RuleContext& context, NodeIndex reference, const AllowEntry& type,
                                           std::string_view key, std::uint64_t elements) {
  const auto number = static_cast<std::uint32_t>(known_.size());
  const auto before = by_key_.FindOrAdd(key, number, [&](std::uint32_t one) { return known_[one].key == key; });
  if (!before) {
    // A storage that cannot be opened stays unknown: the next reference to it says so once more.
    auto opened = Open(context, reference, type, key, elements);
    known_.push_back({key, opened.ok() ? reference : kNoNode});
    return opened;
  }
  const Known& known = known_[*before];
  if (known.reference == kNoNode) return Open(context, reference, type, key, elements);
  const StorageNote& note = context.tables.storage_of.at(known.reference);
  // PyTorch keeps the first one it sees under a key; whoever checks the second one checks something else.
  if (note.type->name == type.name && note.elements == elements) return note;
  return RefuseStorage(context.graph, reference, key, Stage::kUnsafe, "MEM-STORAGE",
                       "one storage is described in two ways");
}

Result<StorageNote> TorchLayout::Open(RuleContext& context, NodeIndex reference, const AllowEntry& type_entry,
                                      std::string_view key, std::uint64_t elements) {
  const auto refuse = [&](Stage stage, const char* code, const char* text) {
    return RefuseStorage(context.graph, reference, key, stage, code, text);
  };
  const auto type = FindStorageType(type_entry.name);
  if (!type)
    return refuse(Stage::kUnsupported, "FILE-UNSUPPORTED", "storages of this type are not read by this version");
  const auto bytes = CheckedMul<std::uint64_t>(elements, type->item_size);
  if (!bytes) return refuse(Stage::kUnsafe, "MEM-SIZE", "the size of a storage overflows");
  SharedSource source;
  SAFEMODEL_ASSIGN(source, open_(key));
  if (source->size() < *bytes)
    return refuse(Stage::kUnsafe, "MEM-SIZE", "a storage has more elements than its record has bytes");
  if (source->size() > *bytes) {
    SAFEMODEL_ASSIGN(source, MakeSliceSource(std::move(source), 0, *bytes));
  }
  if (context.tables.torch_order == ImportTables::ByteOrder::kBig) {
    const unsigned width = SwapWidth(*type);
    if (width > 1) source = MakeSwappedSource(std::move(source), width, {{0, width, 1}});
  }
  const StorageNote note{.storage = static_cast<std::uint32_t>(context.tables.storages.size()),
                         .dtype = type->dtype,
                         .elements = elements,
                         .begin = 0,
                         .bytes = *bytes,
                         .type = &type_entry};
  context.tables.storages.push_back({std::move(source), type->dtype});
  return note;
}

namespace {

// RootOf returns the first folder of an archive, with its slash.
std::string_view RootOf(const ZipArchive& archive) {
  if (archive.entries().empty()) return {};
  const std::string_view name = archive.entries().front().name;
  const std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash + 1);
}

bool Has(const ZipArchive& archive, std::string_view name) {
  const std::string folded = FoldAscii(name);  // PyTorch looks records up without regard to case
  return std::any_of(archive.entries().begin(), archive.entries().end(), [&](const ZipEntry& entry) {
    return entry.name.size() == folded.size() && FoldAscii(entry.name) == folded;
  });
}

// CheckMembers refuses archives whose members lie under several roots, or that import what they carry. It returns the
// first member that is part of a TorchScript program, or nothing.
Result<const ZipEntry*> CheckMembers(const ZipArchive& archive, const std::string& root) {
  const ZipEntry* script = nullptr;
  for (const ZipEntry& entry : archive.entries()) {
    const std::string_view name = entry.name;
    if (!name.starts_with(root)) {
      return Error{Stage::kMalformed, "ZIP-ROOT", "a member of the archive lies outside its folder", kNoOffset,
                   entry.name};
    }
    if (name.substr(root.size()).starts_with("data/")) continue;  // most of them
    const std::string inner = FoldAscii(name.substr(root.size()));
    if (inner == ".data/extern_modules" || inner == ".data/python_version") {
      return Error{Stage::kUnsafe, "TORCH-PACKAGE",
                   "the archive is a torch.package, which imports the sources it carries", kNoOffset, entry.name};
    }
    const bool program = inner == "constants.pkl" || inner.starts_with("code/");
    if (program && script == nullptr) script = &entry;
  }
  return script;
}

// ReadSmall returns the text of a small record without white space at its end; nothing when there is no such record.
Result<std::optional<std::string>> ReadSmall(const ZipArchive& archive, const std::string& name) {
  const ZipEntry* entry = nullptr;
  SAFEMODEL_ASSIGN(entry, archive.Find(name));
  if (entry == nullptr) return std::optional<std::string>();
  SharedSource source;
  SAFEMODEL_ASSIGN(source, archive.OpenEntry(*entry));
  ByteBuffer bytes;
  SAFEMODEL_ASSIGN(bytes, ReadRange(*source, 0, source->size(), kSmallRecord));
  std::string text(AsText(bytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return std::optional<std::string>(text);
}

Status CheckVersion(const ZipArchive& archive, const std::string& root) {
  std::optional<std::string> version;
  SAFEMODEL_ASSIGN(version, ReadSmall(archive, root + ".data/version"));
  if (!version) {
    SAFEMODEL_ASSIGN(version, ReadSmall(archive, root + "version"));
  }
  if (!version)
    return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record `version`; was saving it interrupted?"};
  static constexpr std::array<std::string_view, 10> kKnown{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
  if (std::find(kKnown.begin(), kKnown.end(), std::string_view(*version)) == kKnown.end())
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the version of the archive is not one that is read",
                 kNoOffset, *version};
  return {};
}

Result<ImportTables::ByteOrder> ReadByteOrder(const ZipArchive& archive, const std::string& root) {
  std::optional<std::string> order;
  SAFEMODEL_ASSIGN(order, ReadSmall(archive, root + "byteorder"));
  if (!order || *order == "little") return ImportTables::ByteOrder::kLittle;
  if (*order == "big") return ImportTables::ByteOrder::kBig;
  return Error{Stage::kMalformed, "PKL-MALFORMED", "the record `byteorder` says neither little nor big", kNoOffset,
               *order};
}

// A pickle's graph takes many times its own bytes, so a compressed pickle may grow less than compressed numbers may.
// torch.save does not compress at all.
Status CheckInflation(const ZipEntry& pickle) {
  constexpr std::uint64_t kFree = std::uint64_t{16} << 20;
  constexpr std::uint64_t kRatio = 24;
  if (pickle.size <= kFree || pickle.size / kRatio <= pickle.stored_size) return {};
  return Error{Stage::kLimit, "LIMIT-RATIO",
               "the compressed pickle grows beyond its limit; save it again with torch.save", pickle.data_offset,
               pickle.name};
}

Status CheckCrc(const ZipArchive& archive, const ZipEntry& pickle) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  SAFEMODEL_ASSIGN(const SharedSource source, archive.OpenEntry(pickle));
  for (std::uint64_t at = 0; at < source->size(); at += kPiece) {
    const auto piece = ReadRange(*source, at, std::min(kPiece, source->size() - at), kPiece);
    if (!piece.ok()) return piece.error();
  }
  return {};
}

}  // namespace

bool IsTorchArchive(const ZipArchive& archive) {
  const std::string root(RootOf(archive));
  if (root.empty()) return false;
  return Has(archive, root + "data.pkl") || Has(archive, root + "version") || Has(archive, root + ".data/version");
}

std::vector<std::string> TorchPickleNames(const ZipArchive& archive) {
  const std::string root(RootOf(archive));
  std::vector<std::string> names{root + "data.pkl"};
  const auto script = CheckMembers(archive, root);
  if (!script.ok() || script.value() == nullptr) return names;
  for (const ZipEntry& entry : archive.entries()) {
    const std::string_view inner = std::string_view(entry.name).substr(root.size());
    const bool top = inner.find('/') == std::string_view::npos && FoldAscii(inner).ends_with(".pkl");
    if (top && entry.name != names.front()) names.push_back(entry.name);
  }
  return names;
}

bool IsTorchPickleName(std::string_view name) {
  constexpr std::string_view kName = "/data.pkl";
  return name.size() > kName.size() && std::equal(kName.begin(), kName.end(), name.end() - kName.size(),
                                                  [](char want, char have) { return want == FoldAscii(have); });
}

bool IsTorchStorageName(std::string_view name) {
  constexpr std::string_view kFolder = "/data/";
  const std::size_t folder = name.find(kFolder);
  return folder != std::string_view::npos && name.find('/', folder + kFolder.size()) == std::string_view::npos;
}

namespace {

// NoteInScan passes a fault on, or records it in a scan: the pickle is judged all the same.
Status NoteInScan(const Status& fault, const ImportOptions& options, Findings& findings) {
  const bool scan = options.purpose == ImportOptions::Purpose::kScan;
  if (fault.ok() || !scan || fault.error().stage == Stage::kIo) return fault;
  findings.Add(fault.error());
  return {};
}

// CrcOf says whether members are compared with their checksums as they are read. In a scan that comes afterwards.
ZipCrc CrcOf(const ImportOptions& options) {
  return options.purpose == ImportOptions::Purpose::kScan ? ZipCrc::kIgnore : ZipCrc::kCheck;
}

Result<const ZipEntry*> FindPickleMember(const ZipArchive& archive, const std::string& name) {
  SAFEMODEL_ASSIGN(const ZipEntry* entry, archive.Find(name));
  if (entry != nullptr) return entry;
  // torch.export.save and AOTInductor write these records, and no pickle of this name.
  const std::string root = name.substr(0, name.rfind('/') + 1);
  for (const char* record : {"archive_format", "archive_version"}) {
    if (!Has(archive, root + record)) continue;
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "the archive is an exported program of PyTorch, which is not read; save its state dict instead",
                 kNoOffset, root + record};
  }
  return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record `data.pkl`; was saving it interrupted?"};
}

// ModelReader runs the pickles of one archive on one graph.
class ModelReader {
 public:
  ModelReader(const ZipArchive& archive, std::string root, const ImportOptions& options, Findings& findings,
              SharedSource stream)
      : archive_(archive),
        root_(std::move(root)),
        main_(root_ + "data.pkl"),
        options_(options),
        graph_(std::move(stream)),
        context_{graph_, tables_, options_.limits, findings, options_.user} {
    graph_.Expect(graph_.stream()->size());
    tables_.Expect(archive.entries().size());
  }

  // Open reads what is said about all pickles.
  Status Open() {
    tables_.python2_text = Python2Text::kUtf8;
    SAFEMODEL_ASSIGN(tables_.torch_order, ReadByteOrder(archive_, root_));
    return {};
  }
  // Run runs the member of this name to its end, and returns what it leaves. Its storages lie in the folder of that
  // name.
  Result<NodeIndex> Run(const std::string& name, ConvertOptions::Unknown unknown);
  // Join makes a dict of the results of the pickles of a program.
  Result<NodeIndex> Join(NodeIndex data, NodeIndex constants);
  Result<ImportedModel> Finish(NodeIndex root) && {
    return FinishImport(graph_, std::move(tables_), root, "torch-zip", options_);
  }
  [[nodiscard]] const Graph& graph() const { return graph_; }

 private:
  Result<SharedSource> OpenStorage(std::string_view folder, std::string_view key);

  const ZipArchive& archive_;
  std::string root_;
  std::string main_;  // the pickle whose stream is the graph's
  const ImportOptions& options_;
  Graph graph_;
  ImportTables tables_;
  RuleContext context_;
  std::size_t last_storage_ = 0;  // number of the member that was opened last
};

// OpenStorage opens the record of a storage. `folder` is below the root, with its slash.
Result<SharedSource> ModelReader::OpenStorage(std::string_view folder, std::string_view key) {
  std::string name = root_;
  name.append(folder).append(key);
  SAFEMODEL_ASSIGN(const ZipEntry* record, archive_.FindBehind(name, last_storage_));
  if (record != nullptr) return archive_.OpenEntry(*record);
  return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record for a storage", kNoOffset,
               name.substr(root_.size())};
}

Result<NodeIndex> ModelReader::Run(const std::string& name, ConvertOptions::Unknown unknown) {
  const Findings::MemberScope scope(context_.findings, name);
  SAFEMODEL_ASSIGN(const ZipEntry* entry, FindPickleMember(archive_, name));
  SAFEMODEL_TRY(CheckInflation(*entry));
  SharedSource stream = graph_.stream();
  if (name != main_) {
    SAFEMODEL_ASSIGN(stream, archive_.OpenEntry(*entry, CrcOf(options_)));
  }
  const std::string folder = name.substr(root_.size(), name.rfind('.') - root_.size()) + "/";
  TorchLayout layout([&](std::string_view key) { return OpenStorage(folder, key); });
  layout.Expect(archive_.entries().size());
  MachineResult result;
  SAFEMODEL_ASSIGN(result, RunMachine(context_, 0, {.unknown = unknown, .layout = &layout, .source = stream.get()}));
  if (result.end == stream->size()) return result.root;
  return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", result.end, entry->name};
}

Result<NodeIndex> ModelReader::Join(NodeIndex data, NodeIndex constants) {
  if (graph_.kind(constants) == Kind::kTuple && graph_.ItemsOf(constants).empty()) return data;
  const NodeIndex both = graph_.AddContainer(Kind::kDict, 0);
  const std::array<NodeIndex, 4> items{graph_.AddBytes(Kind::kStr, 0, AsBytes("data")), data,
                                       graph_.AddBytes(Kind::kStr, 0, AsBytes("constants")), constants};
  if (graph_.Append(both, items)) return both;
  return Error{Stage::kLimit, "LIMIT-COUNT",
               "the containers of the pickle hold more items than this reader can number"};
}

// UnwrittenSource stands for storages whose bytes are not there: PyTorch writes the shapes of traced inputs only.
class UnwrittenSource final : public ByteSource {
 public:
  [[nodiscard]] std::uint64_t size() const override { return std::uint64_t{1} << 62; }
  [[nodiscard]] Status ReadAt(std::uint64_t, MutableBytes) const override {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the numbers of a tensor were not saved"};
  }
};

// JudgeOnly runs a pickle of a program of which nothing is converted.
Status JudgeOnly(const ZipArchive& archive, const std::string& name, const ImportOptions& options, Findings& findings) {
  const Findings::MemberScope scope(findings, name);
  SAFEMODEL_ASSIGN(const ZipEntry* entry, FindPickleMember(archive, name));
  SAFEMODEL_TRY(CheckInflation(*entry));
  SAFEMODEL_ASSIGN(SharedSource stream, archive.OpenEntry(*entry, CrcOf(options)));
  Graph graph(stream);
  ImportTables tables;
  tables.python2_text = Python2Text::kUtf8;
  RuleContext context{graph, tables, options.limits, findings, options.user};
  TorchLayout layout([](std::string_view) -> Result<SharedSource> { return {std::make_shared<UnwrittenSource>()}; });
  SAFEMODEL_ASSIGN(const MachineResult result,
                   RunMachine(context, 0, {.unknown = ConvertOptions::Unknown::kKeepInert, .layout = &layout}));
  if (result.end == stream->size()) return {};
  return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", result.end, name};
}

// ClassNames lists the classes of a program, as many as fit a message.
std::string ClassNames(const Graph& graph) {
  constexpr std::size_t kMost = 8;
  std::set<std::string> names;
  for (const GlobalName& global : graph.globals()) {
    if (global.entry == nullptr) names.insert(FullName(global));
  }
  std::string list;
  std::size_t shown = 0;
  for (const std::string& name : names) {
    if (shown == kMost) return list + ", and " + std::to_string(names.size() - kMost) + " more";
    list += (shown++ == 0 ? "" : ", ") + name;
  }
  return list;
}

// ReadScript reads what is data in a program: the attributes of its modules, and the tensors among its constants.
Result<ImportedModel> ReadScript(ModelReader& reader, const ZipArchive& archive, const ZipEntry& script,
                                 const ImportOptions& options, Findings& findings) {
  constexpr auto kKeep = ConvertOptions::Unknown::kKeepInert;
  Error refusal{Stage::kUnsafe, "TORCH-SCRIPT",
                "the archive is a TorchScript program, whose code is never converted; its tensors are data", kNoOffset,
                script.name};
  findings.Add(refusal, ScanVerdict::kUnknown);
  const std::vector<std::string> names = TorchPickleNames(archive);
  SAFEMODEL_ASSIGN(const NodeIndex data, reader.Run(names.front(), kKeep));
  std::optional<NodeIndex> constants;
  for (const std::string& name : names) {
    if (name == names.front()) continue;
    if (name.ends_with("/constants.pkl")) {
      SAFEMODEL_ASSIGN(constants, reader.Run(name, kKeep));
    } else {
      SAFEMODEL_TRY(JudgeOnly(archive, name, options, findings));
    }
  }
  if (options.unknown != kKeep) {
    refusal.subject = ClassNames(reader.graph());
    return refusal;
  }
  NodeIndex root = data;
  if (constants) {
    SAFEMODEL_ASSIGN(root, reader.Join(data, *constants));
  }
  SAFEMODEL_ASSIGN(ImportedModel model, std::move(reader).Finish(root));
  model.verdict = "unknown";
  return model;
}

}  // namespace

Result<ImportedModel> ImportTorchZip(const ZipArchive& archive, const ImportOptions& options, Findings& findings) {
  const std::string root(RootOf(archive));
  const auto members = CheckMembers(archive, root);
  if (!members.ok()) SAFEMODEL_TRY(NoteInScan(members.error(), options, findings));
  const ZipEntry* const script = members.ok() ? members.value() : nullptr;
  const std::string name = root + "data.pkl";
  SAFEMODEL_ASSIGN(const ZipEntry* entry, FindPickleMember(archive, name));
  if (options.purpose == ImportOptions::Purpose::kScan) {
    const Findings::MemberScope scope(findings, name);
    SAFEMODEL_TRY(NoteInScan(CheckCrc(archive, *entry), options, findings));
  }
  SAFEMODEL_ASSIGN(SharedSource stream, archive.OpenEntry(*entry, CrcOf(options)));
  ModelReader reader(archive, root, options, findings, std::move(stream));
  SAFEMODEL_TRY(NoteInScan(reader.Open(), options, findings));
  if (script != nullptr) {
    SAFEMODEL_ASSIGN(ImportedModel model, ReadScript(reader, archive, *script, options, findings));
    SAFEMODEL_TRY(CheckVersion(archive, root));
    return model;
  }
  SAFEMODEL_ASSIGN(const NodeIndex object, reader.Run(name, options.unknown));
  // Last, so that a dangerous pickle is reported as such even in an archive that is broken too.
  SAFEMODEL_TRY(CheckVersion(archive, root));
  return std::move(reader).Finish(object);
}

}  // namespace safemodel::pickle
