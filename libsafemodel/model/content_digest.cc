// SPDX-License-Identifier: Apache-2.0
// Spec section 8: the texts and framings that digests of models are made of.
#include "base/cursor.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "model/tensor_digests.h"

namespace safemodel {
namespace {

constexpr std::size_t kMostTypeText = 16u << 20;

// Framed puts a text's length in front of it: names may hold every character, and no two lists of fields may read
// alike.
std::string Framed(const std::string& text) { return std::to_string(text.size()) + "'" + text; }

// AppendField appends "name@offset:type[shape]", the name framed. Types of fields stand before the record, so their
// texts are in `texts`.
void AppendField(std::string& text, const Field& field, const std::vector<std::string>& texts) {
  text += Framed(field.name) + "@" + std::to_string(field.offset) + ":";
  text += IsExtended(field.dtype) ? texts[field.element_type] : DtypeName(field.dtype);
  text += "[";
  for (std::size_t i = 0; i < field.shape.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(field.shape[i]);
  text += "]";
}

Error LongTypes() {
  return {Stage::kLimit, "long_types", "the descriptions of the element types are over their limit"};
}

// DigestTypes hashes the text of each element type once: a text may be long, and many tensors may have the type.
Result<std::vector<Digest>> DigestTypes(std::span<const ElementType> types) {
  SAFEMODEL_ASSIGN(const std::vector<std::string> texts, TypeTexts(types));
  std::vector<Digest> digests;
  digests.reserve(texts.size());
  for (const std::string& text : texts) digests.push_back(crypto::Blake3Of(AsBytes(text)));
  return digests;
}

// FrameTensor writes what stands before the digest of a tensor.
void FrameTensor(ByteWriter& writer, const container::TensorRecord& tensor, std::span<const Digest> types) {
  writer.U32(static_cast<std::uint32_t>(tensor.name.size()));
  writer.Text(tensor.name);
  writer.U8(static_cast<std::uint8_t>(tensor.dtype));
  if (IsExtended(tensor.dtype)) writer.Bytes(types[tensor.element_type]);
  writer.U32(static_cast<std::uint32_t>(tensor.shape.size()));
  for (const std::uint64_t dimension : tensor.shape) writer.U64(dimension);
}

void HashNumber32(crypto::Blake3& hash, std::size_t value) {
  ByteWriter writer;
  writer.U32(static_cast<std::uint32_t>(value));
  hash.Update(writer.view());
}

// HashTree hashes the three tables of a value tree as they are stored, in pieces.
void HashTree(crypto::Blake3& hash, const ValueTree& tree) {
  constexpr std::size_t kPiece = 4096;
  HashNumber32(hash, tree.size());
  ByteWriter writer;
  const auto flush = [&] {
    hash.Update(writer.view());
    writer = ByteWriter();
  };
  for (const ValueTree::Node& node : tree.nodes()) {
    writer.U8(static_cast<std::uint8_t>(node.kind));
    writer.U8(node.flags);
    writer.U16(0);
    writer.U32(node.count);
    if (writer.size() >= kPiece) flush();
  }
  writer.U32(static_cast<std::uint32_t>(tree.children().size()));
  for (const NodeId child : tree.children()) {
    writer.U32(child);
    if (writer.size() >= kPiece) flush();
  }
  writer.U64(tree.payload().size());
  flush();
  hash.Update(tree.payload());
}

}  // namespace

Result<std::vector<std::string>> TypeTexts(std::span<const ElementType> types) {
  std::vector<std::string> texts(types.size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const ElementType& type = types[i];
    std::string& text = texts[i];
    text = std::string(DtypeName(type.kind)) + ":" + std::to_string(type.item_size) + ":" + Framed(type.detail);
    if (type.kind == Dtype::kRecord) text += "{";
    for (std::size_t k = 0; k < type.fields.size(); ++k) {
      if (k > 0) text += ",";
      AppendField(text, type.fields[k], texts);
      if (total + text.size() > kMostTypeText) return LongTypes();
    }
    if (type.kind == Dtype::kRecord) text += "}";
    total += text.size();
    if (total > kMostTypeText) return LongTypes();
  }
  return texts;
}

Result<Digest> TensorDigest(std::span<const container::TensorRecord> tensors, std::span<const Digest> digests,
                            std::span<const ElementType> types) {
  SAFEMODEL_ASSIGN(const std::vector<Digest> type_digests, DigestTypes(types));
  crypto::Blake3 hash(container::kTensorDigestContext);
  ByteWriter head;
  head.U64(tensors.size());
  hash.Update(head.view());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ByteWriter frame;
    FrameTensor(frame, tensors[i], type_digests);
    hash.Update(frame.view());
    hash.Update(digests[i]);
  }
  return hash.Finish();
}

Digest ContentDigest(const Digest& tensor_digest, std::span<const FileDigest> files, const ValueTree& tree) {
  crypto::Blake3 hash(container::kContentDigestContext);
  hash.Update(tensor_digest);
  ByteWriter head;
  head.U64(files.size());
  hash.Update(head.view());
  for (const FileDigest& file : files) {
    ByteWriter frame;
    frame.U32(static_cast<std::uint32_t>(file.path.size()));
    frame.Text(file.path);
    frame.U64(file.bytes);
    frame.Bytes(file.digest);
    hash.Update(frame.view());
  }
  HashTree(hash, tree);
  return hash.Finish();
}

}  // namespace safemodel
