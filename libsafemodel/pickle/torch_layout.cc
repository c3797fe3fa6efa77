// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_layout.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/finish_import.h"
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
  const bool shape = graph.TextOf(parts[0]) == "storage" && type != nullptr && graph.IsText(parts[2]) &&
                     graph.IsText(parts[3]) && graph.kind(parts[4]) == Kind::kInt && graph.IntOf(parts[4]) >= 0;
  if (!shape) return BadPersistentId(graph, reference);
  if (graph.TextOf(parts[3]) == "meta") {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "a tensor on the meta device has no data",
                 graph.offset(reference)};
  }
  StorageNote note;
  SAFEMODEL_ASSIGN(
      note, Open(context, reference, *type, graph.TextOf(parts[2]), static_cast<std::uint64_t>(graph.IntOf(parts[4]))));
  context.tables.storage_of.emplace(reference, note);
  return reference;
}

Result<StorageNote> TorchLayout::Open(RuleContext& context, NodeIndex reference, const AllowEntry& type_entry,
                                      std::string_view key, std::uint64_t elements) {
  const std::uint64_t offset = context.graph.offset(reference);
  const auto refuse = [&](Stage stage, const char* code, const char* text) {
    return Error{stage, code, text, offset, "data/" + std::string(key)};
  };
  if (const auto known = known_.find(std::string(key)); known != known_.end()) {
    // PyTorch keeps the first one it sees under a key; whoever checks the second one checks something else.
    if (known->second.type->name != type_entry.name || known->second.elements != elements) {
      return refuse(Stage::kUnsafe, "MEM-STORAGE", "one storage is described in two ways");
    }
    return known->second;
  }
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
  known_.emplace(key, note);
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
  return std::any_of(archive.entries().begin(), archive.entries().end(),
                     [&](const ZipEntry& entry) { return entry.name == name; });
}

// CheckMembers refuses archives that hold more than tensors, or whose members lie under several roots.
Status CheckMembers(const ZipArchive& archive, const std::string& root) {
  for (const ZipEntry& entry : archive.entries()) {
    const std::string_view name = entry.name;
    if (!name.starts_with(root)) {
      return Error{Stage::kMalformed, "ZIP-ROOT", "a member of the archive lies outside its folder", kNoOffset,
                   entry.name};
    }
    const std::string_view inner = name.substr(root.size());
    if (inner == "constants.pkl" || inner.starts_with("code/")) {
      return Error{Stage::kUnsupported, "TORCH-SCRIPT",
                   "the archive is a TorchScript program, whose code is never converted", kNoOffset, entry.name};
    }
    if (inner == ".data/extern_modules" || inner == ".data/python_version") {
      return Error{Stage::kUnsafe, "TORCH-PACKAGE",
                   "the archive is a torch.package, which imports the sources it carries", kNoOffset, entry.name};
    }
  }
  return {};
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
  const std::string_view number = *version;
  const bool known = number == "10" || (number.size() == 1 && number.front() >= '1' && number.front() <= '9');
  if (!known)
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

std::string TorchPickleName(const ZipArchive& archive) { return std::string(RootOf(archive)) + "data.pkl"; }

bool IsTorchPickleName(std::string_view name) {
  constexpr std::string_view kName = "/data.pkl";
  return name.size() > kName.size() &&
         std::equal(kName.begin(), kName.end(), name.end() - kName.size(), [](char want, char have) {
           return want == (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
         });
}

bool IsTorchStorageName(std::string_view name) {
  constexpr std::string_view kFolder = "/data/";
  const std::size_t folder = name.find(kFolder);
  return folder != std::string_view::npos && name.find('/', folder + kFolder.size()) == std::string_view::npos;
}

namespace {

// CheckAround is what is wrong around the pickle. A scan goes on behind it: the pickle is judged all the same.
Status CheckAround(const ZipArchive& archive, const std::string& root, const ZipEntry* pickle,
                   const ImportOptions& options, Findings& findings) {
  Status fault = CheckMembers(archive, root);
  if (fault.ok() && pickle != nullptr && options.purpose == ImportOptions::Purpose::kScan) {
    fault = CheckCrc(archive, *pickle);
  }
  if (fault.ok() || options.purpose == ImportOptions::Purpose::kConvert || fault.error().stage == Stage::kIo) {
    return fault;
  }
  findings.Add(fault.error());
  return {};
}

}  // namespace

Result<ImportedModel> ImportTorchZip(const ZipArchive& archive, const ImportOptions& options, Findings& findings) {
  const std::string root(RootOf(archive));
  const bool scan = options.purpose == ImportOptions::Purpose::kScan;
  const auto found = archive.Find(root + "data.pkl");
  SAFEMODEL_TRY(CheckAround(archive, root, found.ok() ? found.value() : nullptr, options, findings));
  SAFEMODEL_ASSIGN(const ZipEntry* const entry, found);
  if (entry == nullptr) {
    return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record `data.pkl`; was saving it interrupted?"};
  }
  SAFEMODEL_TRY(CheckInflation(*entry));
  SharedSource stream;
  SAFEMODEL_ASSIGN(stream, archive.OpenEntry(*entry, scan ? ZipCrc::kIgnore : ZipCrc::kCheck));
  Graph graph(stream);
  ImportTables tables;
  tables.python2_text = Python2Text::kUtf8;
  const auto order = ReadByteOrder(archive, root);
  if (!order.ok() && !scan) return order.error();
  if (order.ok()) tables.torch_order = order.value();
  TorchLayout layout([&](std::string_view key) -> Result<SharedSource> {
    const ZipEntry* record = nullptr;
    SAFEMODEL_ASSIGN(record, archive.Find(root + "data/" + std::string(key)));
    if (record == nullptr) {
      return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no record for a storage", kNoOffset,
                   "data/" + std::string(key)};
    }
    return archive.OpenEntry(*record);
  });
  RuleContext context{graph, tables, options.limits, findings};
  MachineResult result;
  SAFEMODEL_ASSIGN(result, RunMachine(context, 0, {.unknown = options.unknown, .layout = &layout}));
  if (result.end != stream->size()) {
    return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", result.end, entry->name};
  }
  // Last, so that a dangerous pickle is reported as such even in an archive that is broken too.
  SAFEMODEL_TRY(CheckVersion(archive, root));
  if (!order.ok()) return order.error();
  return FinishImport(graph, std::move(tables), result.root, "torch-zip", options);
}

}  // namespace safemodel::pickle
