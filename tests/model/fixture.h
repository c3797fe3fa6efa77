// SPDX-License-Identifier: Apache-2.0
// Synthetic models, written to files in a folder of the test.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/export.h>
#include <safemodel/inspect.h>
#include <safemodel/model.h>
#include <safemodel/unverified.h>
#include <safemodel/verify.h>

#include "base/cursor.h"
#include "crypto/hash.h"
#include "model/write_model.h"
#include "testing/temp_folder.h"
#include "value/builder.h"
#include "value/tensor_view.h"

namespace safemodel {

using testing::TempFolder;

inline constexpr std::uint32_t kSmallChunk = 4096;

// Noise returns bytes that no codec shortens; Smooth some that every codec does.
inline ByteBuffer Noise(std::size_t size, std::uint32_t seed) {
  ByteBuffer bytes(size);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (std::uint8_t& byte : bytes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  return bytes;
}

inline ByteBuffer Smooth(std::size_t size) {
  ByteBuffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i / 64 % 7);
  return bytes;
}

// ModelBuilder makes a flat model: names of tensors in ascending order.
class ModelBuilder {
 public:
  std::uint32_t Storage(ByteBuffer bytes, Dtype layout = Dtype::kU8) {
    model_.storages.push_back({MakeMemorySource(std::move(bytes)), layout});
    return static_cast<std::uint32_t>(model_.storages.size() - 1);
  }
  ModelBuilder& View(std::string name, Dtype dtype, std::vector<std::uint64_t> shape,
                     std::vector<std::uint64_t> strides, std::uint32_t storage, std::uint64_t byte_offset = 0) {
    model_.tensors.push_back({std::move(name), dtype, 0, std::move(shape), std::move(strides), storage, byte_offset});
    return *this;
  }
  ModelBuilder& Whole(std::string name, Dtype dtype, std::vector<std::uint64_t> shape, ByteBuffer bytes) {
    auto strides = ContiguousStrides(shape);
    const std::uint32_t storage = Storage(std::move(bytes), dtype);
    return View(std::move(name), dtype, std::move(shape), std::move(strides), storage);
  }
  ModelBuilder& Bytes(std::string name, ByteBuffer bytes) {
    const std::uint64_t size = bytes.size();
    return Whole(std::move(name), Dtype::kU8, {size}, std::move(bytes));
  }

  ImportedModel Finish() {
    model_.layout = "test";
    ValueTreeBuilder tree;
    std::vector<NodeId> children;
    for (std::uint32_t i = 0; i < model_.tensors.size(); ++i) {
      children.push_back(tree.Str(model_.tensors[i].name));
      children.push_back(tree.Tensor(i, kTensorNumpy));
    }
    const NodeId root = tree.Parent(NodeKind::kDict, std::move(children));
    auto finished = std::move(tree).Finish(root, {});
    REQUIRE(finished.ok());
    model_.tree = std::move(finished).value();
    return std::move(model_);
  }

 private:
  ImportedModel model_;
};

inline SecretKey FreshKey() {
  auto key = SecretKey::Generate();
  REQUIRE(key.ok());
  return std::move(key).value();
}

inline const SecretKey& TestKey() {
  static const SecretKey key = FreshKey();
  return key;
}

inline const Policy& TestPolicy() {
  static const Policy policy = [] {
    auto made = Policy::AnyOf({TestKey().public_key()});
    REQUIRE(made.ok());
    return std::move(made).value();
  }();
  return policy;
}

inline ConvertOptions TestOptions(CodecChoice codec = CodecChoice::kAuto) {
  ConvertOptions options;
  options.codec = codec;
  options.chunk_bytes = kSmallChunk;
  options.sign_with = &TestKey();
  options.reproducible = ConvertOptions::Reproducible::kYes;
  return options;
}

inline Result<ModelIdentity> TestIdentity() {
  ModelIdentity identity;
  identity.name = "test/model";
  identity.version = "1";
  identity.sequence = 1;
  identity.created = 1700000000;
  identity.metadata = {{"purpose", "test"}};
  return identity;
}

inline Result<WrittenModel> WriteTo(const std::string& path, const ImportedModel& model,
                                    const ConvertOptions& options) {
  auto output = OutputFile::Create(path, OutputFile::Overwrite::kReplace);
  REQUIRE(output.ok());
  auto written = WriteModel(output.value(), model, options, TestIdentity);
  if (written.ok()) REQUIRE(output.value().Commit().ok());
  return written;
}

inline OpenOptions TestOpen(unsigned threads = 2) {
  OpenOptions options;
  options.now = 1800000000;
  options.threads = threads;
  return options;
}

inline VerifiedModel OpenTest(const std::string& path, const OpenOptions& options = TestOpen()) {
  auto model = VerifiedModel::Open(path, TestPolicy(), Expectation::Model("test/model"), options);
  if (!model.ok())
    FAIL(std::string(StageName(model.error().stage)) << " " << model.error().code << " " << model.error().text);
  return std::move(model).value();
}

inline VerifiedModel WriteAndOpen(const TempFolder& folder, const ImportedModel& model, const ConvertOptions& options) {
  const std::string path = folder.Path("model.safemodel");
  const auto written = WriteTo(path, model, options);
  if (!written.ok())
    FAIL(std::string(written.error().code) << " " << written.error().text << " " << written.error().subject);
  return OpenTest(path);
}

inline ByteBuffer ReadTensor(const VerifiedModel& model, std::string_view name) {
  const auto tensor = model.Find(name);
  REQUIRE(tensor.ok());
  ByteBuffer bytes(static_cast<std::size_t>(tensor.value()->bytes), 0xA5);
  const Status status = model.Read(*tensor.value(), bytes);
  if (!status.ok()) FAIL(std::string(status.error().code) << " " << status.error().text);
  return bytes;
}

inline ByteBuffer ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteBytes(const std::string& path, ByteView bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

inline std::string Code(const Status& status) { return status.ok() ? "ok" : status.error().code; }
template <typename T>
std::string Code(const Result<T>& result) {
  return result.ok() ? "ok" : result.error().code;
}

}  // namespace safemodel
