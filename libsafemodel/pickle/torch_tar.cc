// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_tar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "pickle/allow_list.h"
#include "pickle/finish_import.h"
#include "pickle/global_name.h"
#include "pickle/judge.h"
#include "pickle/torch_layout.h"
#include "pickle/torch_plain.h"
#include "pickle/torch_types.h"
#include "pickle/torch_view.h"

namespace safemodel::pickle {

namespace {

constexpr std::array<const char*, 4> kMembers = {"sys_info", "pickle", "storages", "tensors"};

Error Malformed(const char* text, std::uint64_t offset, const char* member) {
  return {Stage::kMalformed, "PKL-MALFORMED", text, offset, member};
}

// Area is what a key stands for: a storage or a part of one, or a tensor.
struct Area {
  StorageNote note;
  std::optional<ImportedTensor> tensor;
  NodeIndex node = kNoNode;  // the first reference, which stands for all others
};

// Contents is what the members around the pickle say.
struct Contents {
  ImportTables tables;
  std::unordered_map<std::int64_t, Area> areas;
  std::set<std::string> globals;
};

// MemberReader reads pickles and numbers by turns.
class MemberReader {
 public:
  MemberReader(SharedSource source, const char* member, const ImportOptions& options, Findings& findings,
               std::set<std::string>& globals)
      : source_(std::move(source)), member_(member), options_(options), findings_(findings), globals_(globals) {}

  [[nodiscard]] std::uint64_t offset() const { return at_; }
  [[nodiscard]] const char* member() const { return member_; }
  [[nodiscard]] Error Wrong(const char* text) const { return Malformed(text, at_, member_); }

  Result<PlainStream> Pickle() {
    auto stream = RunPlain(source_, at_, options_.limits, findings_);
    if (!stream.ok()) return Named(stream.error());
    for (const GlobalName& global : stream.value().graph.globals()) globals_.insert(FullName(global));
    at_ = stream.value().result.end;
    return stream;
  }

  Result<ByteBuffer> Bytes(std::uint64_t size) {
    if (size > source_->size() - at_) return Wrong("a member of the archive ends too early");
    SAFEMODEL_ASSIGN(ByteBuffer bytes, ReadRange(*source_, at_, size, size));
    at_ += size;
    return bytes;
  }

  Result<SharedSource> Slice(std::uint64_t size) {
    if (size > source_->size() - at_) return Wrong("a member of the archive ends too early");
    SAFEMODEL_ASSIGN(SharedSource slice, MakeSliceSource(source_, at_, size));
    at_ += size;
    return slice;
  }

  // Count reads the number of things that follow, which cost some bytes each.
  Result<std::uint64_t> Count() {
    SAFEMODEL_ASSIGN(const PlainStream count, Pickle());
    const bool fits = count.data() && count.kind() == Kind::kInt && count.graph.IntOf(count.root()) >= 0;
    if (!fits) return Wrong("a member of the archive does not start with a count");
    return static_cast<std::uint64_t>(count.graph.IntOf(count.root()));
  }

  Status AtEnd() const {
    if (at_ == source_->size()) return {};
    return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of a member of the archive", at_, member_};
  }

 private:
  [[nodiscard]] Error Named(Error error) const {
    if (error.subject.empty()) error.subject = member_;
    return error;
  }

  SharedSource source_;
  const char* member_;
  const ImportOptions& options_;
  Findings& findings_;
  std::set<std::string>& globals_;
  std::uint64_t at_ = 0;
};

std::optional<std::int64_t> IntOf(const Graph& graph, NodeIndex node) {
  if (graph.kind(node) != Kind::kInt) return std::nullopt;
  return graph.IntOf(node);
}

// Sequence returns the items of a tuple or list of `size` items, or nothing.
std::span<const NodeIndex> Sequence(const Graph& graph, NodeIndex node, std::size_t size) {
  const bool sequence = graph.kind(node) == Kind::kTuple || graph.kind(node) == Kind::kList;
  if (!sequence || graph.ItemsOf(node).size() != size) return {};
  return graph.ItemsOf(node);
}

Status Enter(Contents& contents, std::int64_t key, Area area, const MemberReader& reader) {
  if (contents.areas.emplace(key, std::move(area)).second) return {};
  return Error{Stage::kUnsafe, "MEM-STORAGE", "one key stands for two things", reader.offset(), std::to_string(key)};
}

// ReadStorage reads (key, location, class), a count of elements, and the elements, which are little-endian on every
// machine.
Status ReadStorage(MemberReader& reader, Contents& contents) {
  SAFEMODEL_ASSIGN(const PlainStream head, reader.Pickle());
  const std::span<const NodeIndex> parts = Sequence(head.graph, head.root(), 3);
  if (parts.empty() || head.calls()) return reader.Wrong("a storage has no key, location and class");
  const auto key = IntOf(head.graph, parts[0]);
  const AllowEntry* entry = StorageClassOf(head.graph, parts[2]);
  if (!key || !head.graph.IsText(parts[1]) || entry == nullptr) {
    return reader.Wrong("a storage has no key, location and class");
  }
  const auto type = FindStorageType(entry->name);
  if (!type || type->quantised != 0) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "storages of this type are not read by this version",
                 reader.offset(), reader.member()};
  }
  SAFEMODEL_ASSIGN(const ByteBuffer count, reader.Bytes(8));
  SAFEMODEL_ASSIGN(const std::uint64_t elements, ByteReader(count).U64());
  const auto bytes = CheckedMul<std::uint64_t>(elements, type->item_size);
  if (!bytes) {
    return Error{Stage::kUnsafe, "MEM-SIZE", "the size of a storage overflows", reader.offset(), reader.member()};
  }
  SAFEMODEL_ASSIGN(SharedSource source, reader.Slice(*bytes));
  Area area;
  area.note = {.storage = static_cast<std::uint32_t>(contents.tables.storages.size()),
               .dtype = type->dtype,
               .elements = elements,
               .begin = 0,
               .bytes = *bytes,
               .type = entry};
  contents.tables.storages.push_back({std::move(source), type->dtype});
  return Enter(contents, *key, std::move(area), reader);
}

// ReadPart reads (key, root key, offset, elements): a storage that is a part of one in front of it.
Status ReadPart(const MemberReader& reader, const Graph& graph, NodeIndex item, Contents& contents) {
  const std::span<const NodeIndex> parts = Sequence(graph, item, 4);
  if (parts.empty()) return reader.Wrong("a part of a storage is not described by four numbers");
  std::array<std::int64_t, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = IntOf(graph, parts[i]);
    if (!number || (i >= 2 && *number < 0)) return reader.Wrong("a part of a storage is not described by four numbers");
    numbers[i] = *number;
  }
  const auto whole = contents.areas.find(numbers[1]);
  const auto offset = static_cast<std::uint64_t>(numbers[2]);
  const auto elements = static_cast<std::uint64_t>(numbers[3]);
  const bool inside = whole != contents.areas.end() && offset <= whole->second.note.elements &&
                      elements <= whole->second.note.elements - offset;
  if (!inside) {
    return Error{Stage::kUnsafe, "MEM-STORAGE", "a part of a storage lies outside of it", reader.offset(),
                 reader.member()};
  }
  Area area;
  area.note = whole->second.note;
  const std::uint64_t item_size = area.note.elements == 0 ? 0 : area.note.bytes / area.note.elements;
  area.note.begin += offset * item_size;
  area.note.bytes = elements * item_size;
  area.note.elements = elements;
  return Enter(contents, numbers[0], std::move(area), reader);
}

Status ReadStorages(MemberReader reader, Contents& contents) {
  SAFEMODEL_ASSIGN(const std::uint64_t count, reader.Count());
  for (std::uint64_t i = 0; i < count; ++i) SAFEMODEL_TRY(ReadStorage(reader, contents));
  SAFEMODEL_ASSIGN(const PlainStream parts, reader.Pickle());
  if (!parts.data() || parts.kind() != Kind::kList) return reader.Wrong("the parts of storages are no list");
  for (const NodeIndex part : parts.graph.ItemsOf(parts.root())) {
    SAFEMODEL_TRY(ReadPart(reader, parts.graph, part, contents));
  }
  return reader.AtEnd();
}

// IsTensorOf says whether a global is the tensor class that belongs to a storage class: FloatTensor, FloatStorage.
bool IsTensorOf(const Graph& graph, NodeIndex node, const AllowEntry& storage) {
  constexpr std::string_view kTensor = "Tensor";
  constexpr std::string_view kStorage = "Storage";
  const AllowEntry* entry = graph.kind(node) == Kind::kGlobal ? graph.GlobalOf(node).entry : nullptr;
  if (entry == nullptr || entry->module != storage.module || !entry->name.ends_with(kTensor)) return false;
  return entry->name.substr(0, entry->name.size() - kTensor.size()) ==
         storage.name.substr(0, storage.name.size() - kStorage.size());
}

// ReadSizes reads `count` numbers; nothing when one of them is negative.
Result<std::optional<std::vector<std::uint64_t>>> ReadSizes(MemberReader& reader, std::uint64_t count) {
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, reader.Bytes(8 * count));
  ByteReader numbers(bytes);
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < count; ++i) {
    SAFEMODEL_ASSIGN(const std::uint64_t size, numbers.U64());
    if (size > INT64_MAX) return std::optional<std::vector<std::uint64_t>>();
    sizes.push_back(size);
  }
  return std::optional(std::move(sizes));
}

// ReadTensor reads (key, key of the storage, class), the rank, four bytes that mean nothing (the rank was written as
// eight bytes from a variable of four), then sizes, strides and offset.
Status ReadTensor(MemberReader& reader, Contents& contents, const Limits& limits) {
  SAFEMODEL_ASSIGN(const PlainStream head, reader.Pickle());
  const std::span<const NodeIndex> parts = Sequence(head.graph, head.root(), 3);
  if (parts.empty() || head.calls()) return reader.Wrong("a tensor has no key, storage and class");
  const auto key = IntOf(head.graph, parts[0]);
  const auto storage_key = IntOf(head.graph, parts[1]);
  if (!key || !storage_key) return reader.Wrong("a tensor has no key, storage and class");
  const auto storage = contents.areas.find(*storage_key);
  const auto refuse = [&](const char* code, const char* text) {
    return Error{Stage::kUnsafe, code, text, reader.offset(), reader.member()};
  };
  if (storage == contents.areas.end() || storage->second.tensor) {
    return refuse("MEM-STORAGE", "a tensor has no storage");
  }
  const StorageNote note = storage->second.note;
  if (!IsTensorOf(head.graph, parts[2], *note.type))
    return refuse("MEM-STORAGE", "a tensor has another storage's class");
  SAFEMODEL_ASSIGN(const ByteBuffer rank_bytes, reader.Bytes(8));
  SAFEMODEL_ASSIGN(const std::uint32_t rank, ByteReader(rank_bytes).U32());
  if (rank > limits.rank) return refuse("MEM-VIEW", "a tensor has too many dimensions");
  SAFEMODEL_ASSIGN(auto shape, ReadSizes(reader, rank));
  SAFEMODEL_ASSIGN(auto strides, ReadSizes(reader, rank));
  SAFEMODEL_ASSIGN(const auto offset, ReadSizes(reader, 1));
  if (!shape || !strides || !offset) {
    return refuse("MEM-VIEW", "the shape, strides or offset of a tensor are no sizes");
  }
  const auto type = FindStorageType(note.type->name);
  if (!type) return reader.Wrong("a storage has a class without elements");
  auto tensor = MakeTorchView(note, *type, {std::move(*shape), std::move(*strides), offset->front()});
  if (!tensor.ok()) return refuse(tensor.error().code, tensor.error().text);
  Area area;
  area.tensor = std::move(tensor).value();
  return Enter(contents, *key, std::move(area), reader);
}

Status ReadTensors(MemberReader reader, Contents& contents, const Limits& limits) {
  SAFEMODEL_ASSIGN(const std::uint64_t count, reader.Count());
  for (std::uint64_t i = 0; i < count; ++i) SAFEMODEL_TRY(ReadTensor(reader, contents, limits));
  return reader.AtEnd();
}

// TorchTarLayout: persistent ids are the key of a tensor or storage, or (class, file, source).
class TorchTarLayout final : public Layout {
 public:
  explicit TorchTarLayout(std::unordered_map<std::int64_t, Area>& areas) : areas_(areas) {}

  Result<NodeIndex> OnPersistentId(RuleContext& context, NodeIndex reference) override {
    const Graph& graph = context.graph;
    const NodeIndex id = graph.PersistentIdOf(reference);
    if (graph.kind(id) == Kind::kTuple) {
      const NodeIndex cls = ReadTorchSource(context, graph.ItemsOf(id), sources_);
      if (cls == kNoNode) return BadPersistentId(graph, reference);
      return cls;
    }
    const auto key = KeyOf(graph, id);
    if (!key) return BadPersistentId(graph, reference);
    const auto found = areas_.find(*key);
    if (found == areas_.end()) {
      return Error{Stage::kMalformed, "FILE-MISSING", "the archive has no tensor for a persistent id",
                   graph.offset(reference), std::to_string(*key)};
    }
    Area& area = found->second;
    if (area.node != kNoNode) return area.node;
    area.node = reference;
    if (area.tensor) {
      context.tables.tensor_of.emplace(reference, context.tables.AddTensor(*area.tensor, kTensorTorch));
    } else {
      context.tables.storage_of.emplace(reference, area.note);
    }
    return reference;
  }

  [[nodiscard]] const std::vector<TorchSource>& sources() const { return sources_; }

 private:
  // KeyOf reads a number, or its digits (protocol 0 has only texts as ids).
  static std::optional<std::int64_t> KeyOf(const Graph& graph, NodeIndex id) {
    if (!graph.IsText(id)) return IntOf(graph, id);
    const std::string_view text = graph.TextOf(id);
    std::int64_t key = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return key;
  }

  std::unordered_map<std::int64_t, Area>& areas_;
  std::vector<TorchSource> sources_;
};

Result<ImportedModel> ReadObject(SharedSource stream, Contents contents, const ImportOptions& options,
                                 Findings& findings) {
  Graph graph(stream);
  contents.tables.python2_text = Python2Text::kUtf8;
  RuleContext context{graph, contents.tables, options.limits, findings, options.user, options.unknown};
  TorchTarLayout layout(contents.areas);
  SAFEMODEL_ASSIGN(const MachineResult result, RunMachine(context, 0, {.unknown = options.unknown, .layout = &layout}));
  if (result.end != stream->size()) {
    return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", result.end, "pickle"};
  }
  SAFEMODEL_ASSIGN(ImportedModel model,
                   FinishImport(graph, std::move(contents.tables), result.root, "torch-tar", options));
  NoteSources(model, layout.sources());
  contents.globals.insert(model.globals.begin(), model.globals.end());
  model.globals.assign(contents.globals.begin(), contents.globals.end());
  return model;
}

// CheckMember runs the pickle that a member may be, for what it would call. That it goes wrong says nothing: it may be
// no pickle, or one that needs what the archive lacks.
Status CheckMember(const SharedSource& source, const TarEntry& entry, const ImportOptions& options) {
  constexpr std::string_view kAttacks[] = {"GLOBAL-DANGEROUS", "GLOBAL-DOTTED", "CALL-UNLISTED",  "CALL-NOT-GLOBAL",
                                           "NEW-UNLISTED",     "EXT-CODE",      "STATE-RESERVED", "GLOBAL-VALUE"};
  Graph graph(source);
  Contents contents;
  Findings unused;
  RuleContext context{graph, contents.tables, options.limits, unused, options.user};
  TorchTarLayout layout(contents.areas);
  const auto result = RunMachine(context, 0, {.layout = &layout});
  if (result.ok() || result.error().stage != Stage::kUnsafe) return {};
  if (std::ranges::find(kAttacks, std::string_view(result.error().code)) == std::end(kAttacks)) return {};
  Error error = result.error();
  error.subject = entry.name + ": " + error.subject;
  return error;
}

// CheckMembers judges what else the archive holds, and all of it when it is not whole.
Status CheckMembers(const TarArchive& archive, const ImportOptions& options) {
  std::size_t known = 0;
  const TarEntry* other = nullptr;
  for (const TarEntry& entry : archive.entries()) {
    if (entry.kind != TarEntry::Kind::kFile) continue;
    SAFEMODEL_ASSIGN(const SharedSource source, archive.OpenEntry(entry));
    SAFEMODEL_TRY(CheckMember(source, entry, options));
    const bool named = std::ranges::find(kMembers, entry.name) != kMembers.end();
    if (!named) other = &entry;
    known += named ? 1 : 0;
  }
  if (known == 0) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the archive is none of PyTorch's; unpack it first", 0};
  }
  for (const char* name : kMembers) {
    if (archive.Find(name) == nullptr) {
      return Error{Stage::kMalformed, "FILE-MISSING", "the archive lacks a member that PyTorch reads", kNoOffset, name};
    }
  }
  if (other == nullptr) return {};
  return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the archive holds a member that PyTorch does not write",
               other->begin, other->name};
}

Status CheckMachine(MemberReader reader) {
  SAFEMODEL_ASSIGN(const PlainStream machine, reader.Pickle());
  if (!machine.data() || machine.kind() != Kind::kDict) return reader.Wrong("the member describes no machine");
  return reader.AtEnd();
}

}  // namespace

Result<ImportedModel> ImportTorchTar(const TarArchive& archive, const ImportOptions& options, Findings& findings) {
  SAFEMODEL_TRY(CheckMembers(archive, options));
  Contents contents;
  const auto open = [&](const char* name) -> Result<MemberReader> {
    SAFEMODEL_ASSIGN(SharedSource source, archive.OpenEntry(*archive.Find(name)));
    return MemberReader(std::move(source), name, options, findings, contents.globals);
  };
  SAFEMODEL_ASSIGN(MemberReader machine, open("sys_info"));
  SAFEMODEL_TRY(CheckMachine(std::move(machine)));
  SAFEMODEL_ASSIGN(MemberReader storages, open("storages"));
  SAFEMODEL_TRY(ReadStorages(std::move(storages), contents));
  SAFEMODEL_ASSIGN(MemberReader tensors, open("tensors"));
  SAFEMODEL_TRY(ReadTensors(std::move(tensors), contents, options.limits));
  SAFEMODEL_ASSIGN(SharedSource object, archive.OpenEntry(*archive.Find("pickle")));
  return ReadObject(std::move(object), std::move(contents), options, findings);
}

}  // namespace safemodel::pickle
