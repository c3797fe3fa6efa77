// SPDX-License-Identifier: Apache-2.0
// Spec section 6.
#include <algorithm>

#include "base/checked.h"
#include "container/directory_tables.h"
#include "container/names.h"
#include "container/parse.h"
#include "container/paths.h"
#include "value/builder.h"

namespace safemodel::container {
namespace {

// --- files

Status CheckFile(const FileRecord& file, std::string_view last_path, const Limits& limits) {
  SAFEMODEL_TRY(CheckFilePath(file.path, limits));
  if (file.path <= last_path) return Malformed("file_order", "paths of files are not strictly ascending", file.path);
  return CheckLabel(file.media_type, limits);
}

Status CheckFilesApart(const std::vector<FileRecord>& files) {
  std::vector<std::string_view> paths;
  paths.reserve(files.size());
  for (const FileRecord& file : files) paths.emplace_back(file.path);
  return CheckPathsApart(paths);
}

Status CheckFiles(const std::vector<FileRecord>& files, const Limits& limits) {
  if (files.size() > limits.files) return OverLimit("many_files", "there are more packed files than the limit");
  std::string_view last_path;
  for (const FileRecord& file : files) {
    SAFEMODEL_TRY(CheckFile(file, last_path, limits));
    last_path = file.path;
  }
  return CheckFilesApart(files);
}

Result<std::vector<FileRecord>> DecodeFiles(WireReader& reader, const wire::Directory& root, const Limits& limits) {
  std::vector<FileRecord> files;
  const std::uint64_t path_bytes = (std::uint64_t{limits.path_component_bytes} + 1) * limits.path_components;
  for (std::uint32_t i = 0; i < SizeOf(root.files()); ++i) {
    const wire::File* entry = root.files()->Get(i);
    SAFEMODEL_TRY(reader.CheckTable(entry));
    FileRecord file;
    SAFEMODEL_ASSIGN(file.path, reader.Text(entry->path(), path_bytes));
    SAFEMODEL_ASSIGN(file.media_type, reader.Text(entry->media_type(), limits.name_bytes));
    SAFEMODEL_ASSIGN(file.object, Required(entry->object()));
    SAFEMODEL_TRY(CheckFile(file, files.empty() ? std::string_view() : files.back().path, limits));
    files.push_back(std::move(file));
  }
  SAFEMODEL_TRY(CheckFilesApart(files));
  return files;
}

// --- storages

// [D-ORPHAN] What no tensor uses would be a hiding place.
Status CheckStoragesUsed(const Directory& directory) {
  std::vector<bool> used(directory.storages.size());
  for (const TensorRecord& tensor : directory.tensors) used[tensor.storage] = true;
  if (std::find(used.begin(), used.end(), false) != used.end()) {
    return Malformed("unused_storage", "no tensor lies in one of the storages");
  }
  return {};
}

// Uses marks the objects that something refers to.
class Uses {
 public:
  explicit Uses(const std::vector<ObjectRecord>& objects) : objects_(objects), used_(objects.size()) {}

  Status Add(std::uint32_t number, ObjectKind kind) {
    if (number >= objects_.size())
      return Malformed("object_outside", "the directory names an object that does not exist");
    if (objects_[number].kind != kind)
      return Malformed("object_kind", "a storage or a file names an object of another kind");
    used_[number] = true;
    return {};
  }

  [[nodiscard]] Status CheckAll() const {
    for (std::size_t number = 1; number < used_.size(); ++number) {
      if (!used_[number])
        return Malformed("orphan_object", "neither a storage nor a file refers to one of the objects");
    }
    return {};
  }

 private:
  const std::vector<ObjectRecord>& objects_;
  std::vector<bool> used_;
};

Status CheckAgainstObjects(const Directory& directory, const std::vector<ObjectRecord>& objects) {
  Uses uses(objects);
  std::vector<std::uint64_t> storage_bytes;
  storage_bytes.reserve(directory.storages.size());
  for (const std::uint32_t object : directory.storages) {
    SAFEMODEL_TRY(uses.Add(object, ObjectKind::kStorage));
    storage_bytes.push_back(objects[object].plain_size);
  }
  for (const FileRecord& file : directory.files) SAFEMODEL_TRY(uses.Add(file.object, ObjectKind::kFile));
  SAFEMODEL_TRY(uses.CheckAll());
  return CheckTensorsInStorages(directory, storage_bytes);
}

// --- value tree

Result<ValueTree> DecodeTree(const wire::Directory& root, std::uint32_t tensor_count, const Limits& limits) {
  if (root.nodes() == nullptr || root.children() == nullptr || root.payload() == nullptr) return MissingField();
  std::vector<WireNode> nodes;
  nodes.reserve(root.nodes()->size());
  for (const wire::Node* node : *root.nodes()) {
    if (node->reserved() != 0) return Malformed("not_zero", "reserved bytes of a node are not zero");
    nodes.push_back({node->kind(), node->flags(), node->count()});
  }
  return ParseValueTree(nodes, {root.children()->begin(), root.children()->end()},
                        {root.payload()->begin(), root.payload()->end()}, tensor_count, limits);
}

std::vector<wire::Node> EncodeNodes(const ValueTree& tree) {
  std::vector<wire::Node> nodes;
  nodes.reserve(tree.size());
  for (const ValueTree::Node& node : tree.nodes()) {
    nodes.emplace_back(static_cast<std::uint8_t>(node.kind), node.flags, std::uint16_t{0}, node.count);
  }
  return nodes;
}

// --- the whole

// CountFields returns the number of fields of all element types, looking at no field.
Result<std::uint64_t> CountFields(ByteView bytes, std::uint64_t types) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kWireDepth,
                                 static_cast<flatbuffers::uoffset_t>(types) + 1);
  const auto* root = flatbuffers::GetRoot<flatbuffers::Table>(bytes.data());
  const auto* entries = root->GetPointer<const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::Table>>*>(
      wire::Directory::VT_ELEMENT_TYPES);
  std::uint64_t fields = 0;
  for (std::uint32_t i = 0; i < SizeOf(entries); ++i) {
    const flatbuffers::Table* type = entries->Get(i);
    if (!type->VerifyTableStart(verifier) || !type->VerifyOffset(verifier, wire::ElementType::VT_FIELDS))
      return BadFlatBuffer();
    const auto* list =
        type->GetPointer<const flatbuffers::Vector<flatbuffers::uoffset_t>*>(wire::ElementType::VT_FIELDS);
    if (!verifier.VerifyVector(list)) return BadFlatBuffer();
    fields += SizeOf(list);
    verifier.EndTable();
  }
  return fields;
}

// VerifyDirectory compares every count with its limit before it lets the FlatBuffers verifier walk the tables.
Result<const wire::Directory*> VerifyDirectory(ByteView bytes, const Limits& limits) {
  const VectorBound types[] = {
      {wire::Directory::VT_ELEMENT_TYPES, limits.element_types, "many_element_types",
       "there are more element types than the limit"},
  };
  const VectorBound tables[] = {
      {wire::Directory::VT_TENSORS, limits.tensors, "many_tensors", "there are more tensors than the limit"},
      {wire::Directory::VT_FILES, limits.files, "many_files", "there are more packed files than the limit"},
      {wire::Directory::VT_METADATA, limits.metadata_entries, "many_metadata",
       "the metadata has more entries than the limit"},
  };
  const VectorBound others[] = {
      {wire::Directory::VT_STORAGES, limits.tensors, "many_storages",
       "there are more storages than there may be tensors"},
      {wire::Directory::VT_NODES, limits.tree_nodes, "many_nodes", "the value tree has more nodes than the limit"},
  };
  const char* identifier = wire::DirectoryIdentifier();
  SAFEMODEL_ASSIGN(const std::uint64_t type_count,
                   CheckRootVectors(bytes, {identifier, limits.directory_bytes, types}));
  SAFEMODEL_ASSIGN(const std::uint64_t table_count,
                   CheckRootVectors(bytes, {identifier, limits.directory_bytes, tables}));
  SAFEMODEL_TRY(CheckRootVectors(bytes, {identifier, limits.directory_bytes, others}));
  SAFEMODEL_ASSIGN(const std::uint64_t field_count, CountFields(bytes, type_count));
  if (field_count > limits.record_fields)
    return OverLimit("many_fields", "the record types have more fields than the limit");
  return VerifyWire<wire::Directory>(bytes, identifier, 1 + type_count + table_count + field_count);
}

Status CheckForWriting(const Directory& directory, const Limits& limits) {
  SAFEMODEL_TRY(CheckElementTypes(directory.element_types, limits));
  if (directory.storages.size() > limits.tensors)
    return OverLimit("many_storages", "there are more storages than there may be tensors");
  SAFEMODEL_TRY(CheckTensors(directory, limits));
  SAFEMODEL_TRY(CheckFiles(directory.files, limits));
  SAFEMODEL_TRY(CheckStoragesUsed(directory));
  if (directory.tree.empty()) return Malformed("no_root", "the value tree has no root");
  return CheckMetadata(directory.metadata, limits);
}

// LeastBytes returns a lower bound of the directory's size, and at least half of it. FlatBufferBuilder ends the process
// at 2 GiB, so what cannot fit must not reach it.
std::uint64_t LeastBytes(const Directory& directory) {
  std::uint64_t bytes =
      directory.tree.nodes().size() * 8 + directory.tree.children().size() * 4 + directory.tree.payload().size();
  for (const ElementType& type : directory.element_types) {
    bytes += 32 + type.detail.size();
    for (const Field& field : type.fields) bytes += 32 + field.name.size() + 8 * field.shape.size();
  }
  for (const TensorRecord& tensor : directory.tensors) bytes += 64 + tensor.name.size() + 8 * tensor.shape.size();
  for (const FileRecord& file : directory.files) bytes += 32 + file.path.size() + file.media_type.size();
  return bytes;
}

}  // namespace

Result<Directory> ParseDirectory(ByteView bytes, const Manifest& manifest, const std::vector<ObjectRecord>& objects,
                                 const Limits& limits) {
  const AlignedBytes aligned(bytes);
  SAFEMODEL_ASSIGN(const wire::Directory* root, VerifyDirectory(aligned.view(), limits));
  WireReader reader(bytes.size(), manifest.minor);
  SAFEMODEL_TRY(reader.CheckTable(root));
  if (root->storages() == nullptr || root->tensors() == nullptr) return MissingField();
  Directory directory;
  directory.storages.assign(root->storages()->begin(), root->storages()->end());
  SAFEMODEL_ASSIGN(directory.element_types, DecodeElementTypes(reader, root->element_types(), limits));
  SAFEMODEL_ASSIGN(directory.tensors, DecodeTensors(reader, root->tensors(), directory, limits));
  SAFEMODEL_ASSIGN(directory.files, DecodeFiles(reader, *root, limits));
  SAFEMODEL_TRY(CheckStoragesUsed(directory));
  SAFEMODEL_TRY(CheckAgainstObjects(directory, objects));
  SAFEMODEL_ASSIGN(directory.tree, DecodeTree(*root, static_cast<std::uint32_t>(directory.tensors.size()), limits));
  SAFEMODEL_ASSIGN(directory.metadata, DecodeMetadata(reader, root->metadata(), limits));
  SAFEMODEL_ASSIGN(directory.tensor_digest, DigestOf(root->tensor_digest()));
  SAFEMODEL_ASSIGN(directory.content_digest, DigestOf(root->content_digest()));
  return directory;
}

namespace {

flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::File>>> EncodeFiles(
    flatbuffers::FlatBufferBuilder& builder, const std::vector<FileRecord>& files) {
  std::vector<flatbuffers::Offset<wire::File>> entries;
  entries.reserve(files.size());
  for (const FileRecord& file : files) {
    const auto path = builder.CreateString(file.path);
    const auto media_type = builder.CreateString(file.media_type);
    entries.push_back(wire::CreateFile(builder, path, media_type, file.object));
  }
  return builder.CreateVector(entries);
}

}  // namespace

Result<ByteBuffer> SerializeDirectory(const Directory& directory) {
  const Limits limits;
  SAFEMODEL_TRY(CheckForWriting(directory, limits));
  const Error too_large = OverLimit("large_directory", "the directory is larger than its limit");
  if (LeastBytes(directory) > limits.directory_bytes) return too_large;
  flatbuffers::FlatBufferBuilder builder;
  const auto storages = builder.CreateVector(directory.storages);
  const auto types = directory.element_types.empty() ? 0 : EncodeElementTypes(builder, directory.element_types);
  const auto tensors = EncodeTensors(builder, directory.tensors);
  const auto files = directory.files.empty() ? 0 : EncodeFiles(builder, directory.files);
  const auto nodes = builder.CreateVectorOfStructs(EncodeNodes(directory.tree));
  const auto children = builder.CreateVector(directory.tree.children());
  const auto payload = builder.CreateVector(directory.tree.payload());
  const auto metadata = directory.metadata.empty() ? 0 : EncodeMetadata(builder, directory.metadata);
  const wire::Hash tensor_digest = WireDigest(directory.tensor_digest);
  const wire::Hash content_digest = WireDigest(directory.content_digest);
  const auto root = wire::CreateDirectory(builder, storages, types, tensors, files, nodes, children, payload, metadata,
                                          &tensor_digest, &content_digest);
  wire::FinishDirectoryBuffer(builder, root);
  if (builder.GetSize() > limits.directory_bytes) return too_large;
  return FinishedBytes(builder);
}

}  // namespace safemodel::container
