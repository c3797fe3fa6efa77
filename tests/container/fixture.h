// SPDX-License-Identifier: Apache-2.0
// A small container's parts, valid, for tests to break one field at a time.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "container/parse.h"
#include "value/builder.h"

namespace safemodel::container {

// Refusal is what a test expects: stage and code.
struct Refusal {
  Stage stage;
  std::string code;
};

// CheckRefused compares codes, never sentences.
template <typename Outcome>
void CheckRefused(const Outcome& outcome, Stage stage, const std::string& code) {
  REQUIRE_FALSE(outcome.ok());
  CHECK(std::string(StageName(outcome.error().stage)) == StageName(stage));
  CHECK(std::string(outcome.error().code) == code);
}

inline Digest DigestFilledWith(std::uint8_t byte) {
  Digest digest{};
  digest.fill(byte);
  return digest;
}

// The core of the fixture: chunk size 4096; object 0 the directory (500 bytes, raw), object 1 a raw storage of 96
// bytes, object 2 a coded storage of 10000 bytes in three chunks of 100 stored bytes, object 3 a file of 10 bytes,
// object 4 an empty storage.
inline std::vector<ObjectRecord> FixtureObjects() {
  std::vector<ObjectRecord> objects(5);
  objects[0] = {ObjectKind::kDirectory, StorageForm::kRaw, 0, 1, 0, 500, 1024, {}, DigestFilledWith(0)};
  objects[1] = {ObjectKind::kStorage, StorageForm::kRaw, 0, 1, 1, 96, 256, {}, DigestFilledWith(1)};
  objects[2] = {ObjectKind::kStorage, StorageForm::kCoded, 3, 3, 2, 10000, 384, {}, DigestFilledWith(2)};
  objects[3] = {ObjectKind::kFile, StorageForm::kRaw, 0, 1, 5, 10, 768, {}, DigestFilledWith(3)};
  objects[4] = {ObjectKind::kStorage, StorageForm::kRaw, 0, 0, 6, 0, 778, {}, DigestFilledWith(4)};
  return objects;
}

inline std::vector<ChunkRecord> CodedSlice() {
  return {{384, 100, 1, DigestFilledWith(5)}, {484, 100, 2, DigestFilledWith(6)}, {584, 100, 1, DigestFilledWith(7)}};
}

inline Manifest FixtureManifest() {
  Manifest manifest;
  manifest.file_id.fill(7);
  manifest.name = "acme/model";
  manifest.version = "1.0";
  manifest.sequence = 3;
  manifest.created = 1700000000;
  manifest.chunk_size = 4096;
  manifest.object_count = 5;
  manifest.chunk_count = 6;
  manifest.index_offset = 1524;
  manifest.table_offset = 1524 + 6 * 48;
  manifest.manifest_offset = 1524 + 6 * 48 + 5 * 96;
  manifest.table_digest = DigestFilledWith(9);
  manifest.metadata = {{"author", "Ada"}, {"license", "Apache-2.0"}};
  manifest.extensions = {{"example", false, {1, 2, 3}}};
  return manifest;
}

inline Preamble PreambleOf(const Manifest& manifest, std::uint64_t manifest_length = 400) {
  return {manifest.major, manifest.minor, manifest.flags, manifest.file_id, manifest.manifest_offset, manifest_length};
}

// A dict of the tensors "a" and "b" and the text "x".
inline ValueTree FixtureTree() {
  ValueTreeBuilder builder;
  const NodeId root = builder.Parent(NodeKind::kDict, {});
  builder.SetChildren(root, {builder.Str("a"), builder.Tensor(0, kTensorTorch), builder.Str("b"),
                             builder.Tensor(1, kTensorTorch), builder.Str("note"), builder.Str("x")});
  auto tree = std::move(builder).Finish(root, {});
  REQUIRE(tree.ok());
  return std::move(tree).value();
}

inline TensorRecord FixtureTensor(std::string name, std::vector<std::uint64_t> shape,
                                  std::vector<std::uint64_t> strides) {
  TensorRecord tensor;
  tensor.name = std::move(name);
  tensor.dtype = Dtype::kF32;
  tensor.shape = std::move(shape);
  tensor.strides = std::move(strides);
  tensor.digest = DigestFilledWith(0x11);
  return tensor;
}

// Storages: 0 of 96 bytes, 1 of 10000, 2 empty. "a" is contiguous, "b" transposed, "c" a record, "z" empty.
inline Directory FixtureDirectory() {
  Directory directory;
  directory.storages = {1, 2, 4};
  directory.element_types = {
      {Dtype::kText, 8, "", {}},
      {Dtype::kRecord,
       24,
       "",
       {{"id", Dtype::kI64, 0, 0, {}}, {"tag", Dtype::kText, 0, 8, {}}, {"xy", Dtype::kF32, 0, 16, {2}}}},
  };
  directory.tensors = {FixtureTensor("a", {2, 3}, {3, 1}), FixtureTensor("b", {3, 4}, {1, 3}),
                       FixtureTensor("c", {4}, {1}), FixtureTensor("z", {0, 5}, {5, 1})};
  directory.tensors[1].storage = 1;
  directory.tensors[1].byte_offset = 16;
  directory.tensors[2].dtype = Dtype::kRecord;
  directory.tensors[2].element_type = 1;
  directory.tensors[3].storage = 2;
  directory.files = {{"config.json", "application/json", 3}, {"docs/readme.txt", "", 3}};
  directory.tree = FixtureTree();
  directory.metadata = {{"source", "test"}};
  directory.tensor_digest = DigestFilledWith(0x22);
  directory.content_digest = DigestFilledWith(0x33);
  return directory;
}

inline ByteBuffer SerializedManifest(const Manifest& manifest) {
  auto bytes = SerializeManifest(manifest);
  REQUIRE(bytes.ok());
  return std::move(bytes).value();
}

inline ByteBuffer SerializedDirectory(const Directory& directory) {
  auto bytes = SerializeDirectory(directory);
  REQUIRE(bytes.ok());
  return std::move(bytes).value();
}

inline Result<Directory> ParseFixtureDirectory(ByteView bytes) {
  return ParseDirectory(bytes, FixtureManifest(), FixtureObjects(), {});
}

}  // namespace safemodel::container
