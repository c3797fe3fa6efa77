// SPDX-License-Identifier: Apache-2.0
// How much is read and decoded for what is asked: never once for each tensor.
#include <safemodel/export.h>

#include <fstream>

#include "model/fixture.h"

namespace safemodel {
namespace {

constexpr std::uint32_t kChunk = 64u << 10;
constexpr std::uint64_t kLarge = 20u << 20;  // more than is kept of one object
constexpr std::uint64_t kFar = 16u << 20;    // so far apart, two chunks cannot be kept together
constexpr int kMany = 3000;

// BytesRead returns how many bytes this process has read so far.
std::uint64_t BytesRead() {
  std::ifstream in("/proc/self/io");
  std::string word;
  std::uint64_t bytes = 0;
  REQUIRE((in >> word >> bytes));
  REQUIRE(word == "rchar:");
  return bytes;
}

std::string Name(int i) {
  char name[16];
  std::snprintf(name, sizeof name, "t%05d", i);
  return name;
}

ConvertOptions LargeChunks(CodecChoice codec) {
  ConvertOptions options = TestOptions(codec);
  options.chunk_bytes = kChunk;
  return options;
}

// Pages of the two ends of a storage, in names that go to and fro between them.
ImportedModel ToAndFro(int tensors) {
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(kLarge, 1));
  for (int i = 0; i < tensors; ++i) {
    const auto place = static_cast<std::uint64_t>(i) * 7;
    builder.View(Name(i), Dtype::kU8, {7}, {1}, storage, i % 2 == 0 ? place : kFar + place);
  }
  return builder.Finish();
}

std::vector<ByteBuffer> ReadAll(const VerifiedModel& model, Status& status) {
  std::vector<ByteBuffer> out;
  for (const Tensor& tensor : model.tensors()) out.emplace_back(static_cast<std::size_t>(tensor.bytes));
  std::vector<VerifiedModel::Request> requests;
  for (std::size_t i = 0; i < out.size(); ++i) requests.push_back({&model.tensors()[i], out[i]});
  status = model.ReadMany(requests);
  return out;
}

TEST_CASE("decode work: many small tensors of few chunks read each chunk once") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, ToAndFro(kMany), LargeChunks(CodecChoice::kRaw));
  const std::uint64_t before = BytesRead();
  Status status;
  const std::vector<ByteBuffer> out = ReadAll(model, status);
  CHECK(BytesRead() - before < 16 * kChunk);
  REQUIRE(status.ok());
  const ByteBuffer expected = Noise(kLarge, 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t begin = i * 7 + (i % 2 == 0 ? 0 : kFar);
    REQUIRE(std::equal(out[i].begin(), out[i].end(), expected.begin() + static_cast<std::ptrdiff_t>(begin)));
  }
}

TEST_CASE("decode work: tensors that cross chunks and cover each other, with one thread and with many") {
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(10 * kChunk + 100, 1));
  std::uint64_t seed = 1;
  for (int i = 0; i < 200; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t begin = (seed >> 33) % (10 * kChunk);
    const std::uint64_t most = 10 * kChunk + 100 - begin;
    const std::uint64_t size = i % 3 == 0 ? std::min<std::uint64_t>(most, (seed >> 20) % (3 * kChunk)) : most % 50;
    builder.View(Name(i), Dtype::kU8, {size}, {1}, storage, begin);
  }
  builder.View("whole", Dtype::kU8, {10 * kChunk + 100}, {1}, storage);
  builder.View("whole again", Dtype::kU8, {10 * kChunk + 100}, {1}, storage);
  const TempFolder folder;
  const ByteBuffer expected = Noise(10 * kChunk + 100, 1);
  OpenOptions open = TestOpen();
  open.limits.alias_expansion = 100;
  REQUIRE(WriteTo(folder.Path("m"), builder.Finish(), LargeChunks(CodecChoice::kRaw)).ok());
  for (const unsigned threads : {1u, 16u}) {
    open.threads = threads;
    const VerifiedModel model = OpenTest(folder.Path("m"), open);
    const std::uint64_t before = BytesRead();
    Status status;
    const std::vector<ByteBuffer> out = ReadAll(model, status);
    REQUIRE(status.ok());
    CHECK(BytesRead() - before < 13 * kChunk);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto begin = expected.begin() + static_cast<std::ptrdiff_t>(model.tensors()[i].byte_offset);
      REQUIRE(std::equal(out[i].begin(), out[i].end(), begin));
    }
  }
}

TEST_CASE("decode work: exporting small tensors keeps the chunks they lie in") {
  const TempFolder folder;
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(kFar, 1));
  for (int i = 0; i < kMany; ++i) {
    const auto place = static_cast<std::uint64_t>(i % 2 == 0 ? i : kMany - i) * (kFar / kMany);
    builder.View(Name(i), Dtype::kU8, {7}, {1}, storage, place);
  }
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), LargeChunks(CodecChoice::kZstd));
  const std::uint64_t before = BytesRead();
  REQUIRE(Export(model, folder.Path("out"), ExportFormat::kSafetensors, {}).ok());
  CHECK(BytesRead() - before < 2 * kFar);
}

// The columns of a matrix, each a tensor: every one of them lies in all chunks.
ImportedModel Columns(const ByteBuffer& bytes) {
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(bytes);
  const std::uint64_t rows = bytes.size() / kMany / 4;
  for (int i = 0; i < kMany; ++i) {
    builder.View(Name(i), Dtype::kF32, {rows}, {kMany}, storage, static_cast<std::uint64_t>(i) * 4);
  }
  return builder.Finish();
}

TEST_CASE("decode work: interleaved tensors are read and checked in one pass") {
  const TempFolder folder;
  const ByteBuffer bytes = Noise(kLarge, 1);
  OpenOptions open = TestOpen();
  open.limits.decode_expansion = 1;
  REQUIRE(WriteTo(folder.Path("m"), Columns(bytes), LargeChunks(CodecChoice::kRaw)).ok());
  const VerifiedModel model = OpenTest(folder.Path("m"), open);
  CHECK(Code(model.CheckContent()) == "ok");
  Status status;
  const std::vector<ByteBuffer> out = ReadAll(model, status);
  REQUIRE_MESSAGE(status.ok(), Code(status));
  for (const std::size_t column : {std::size_t{0}, std::size_t{1}, std::size_t{kMany - 1}}) {
    for (std::size_t row = 0; row < out[column].size() / 4; ++row) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>((row * kMany + column) * 4);
      REQUIRE(std::equal(begin, begin + 4, out[column].begin() + static_cast<std::ptrdiff_t>(row * 4)));
    }
  }
}

TEST_CASE("decode work: views that jump for ever are refused, whoever asks") {
  const TempFolder folder;
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(kLarge, 1));
  for (int i = 0; i < kMany; ++i) {
    // Steps back over itself, so it cannot be walked together with others.
    builder.View(Name(i), Dtype::kU8, {2, 2}, {kFar / 2, kFar / 2}, storage, static_cast<std::uint64_t>(i));
  }
  REQUIRE(WriteTo(folder.Path("m"), builder.Finish(), LargeChunks(CodecChoice::kRaw)).ok());
  for (const unsigned threads : {1u, 4u}) {
    OpenOptions open = TestOpen(threads);
    Status status;
    open.limits.decode_expansion = 4;
    const VerifiedModel hostile = OpenTest(folder.Path("m"), open);
    for (const ByteBuffer& out : ReadAll(hostile, status)) REQUIRE(out == ByteBuffer(4));
    CHECK(Code(status) == "decode_work");
    CHECK(status.error().stage == Stage::kLimit);
    CHECK(Code(hostile.CheckContent()) == "decode_work");
    CHECK(Code(Export(hostile, folder.Path("out"), ExportFormat::kSafetensors, {})) == "decode_work");
    CHECK(!std::filesystem::exists(folder.Path("out")));
  }
  const VerifiedModel model = OpenTest(folder.Path("m"));
  Status status;
  ReadAll(model, status);
  CHECK(Code(status) == "ok");
  CHECK(Code(model.CheckContent()) == "ok");
}

TEST_CASE("decode work: a transposed tensor that needs too many passes is refused") {
  const TempFolder folder;
  const std::uint64_t side = 9000;
  ModelBuilder builder;
  builder.View("t", Dtype::kU8, {side, side}, {1, side}, builder.Storage(Smooth(side * side)));
  ConvertOptions options = LargeChunks(CodecChoice::kZstd);
  REQUIRE(WriteTo(folder.Path("m"), builder.Finish(), options).ok());
  OpenOptions open = TestOpen();
  CHECK(Code(OpenTest(folder.Path("m"), open).CheckContent()) == "ok");
  open.limits.decode_expansion = 1;
  CHECK(Code(OpenTest(folder.Path("m"), open).CheckContent()) == "decode_work");
}

TEST_CASE("read: storages that are one object count once") {
  const TempFolder folder;
  ModelBuilder builder;
  for (const char* name : {"a", "b"}) {
    const std::uint32_t storage = builder.Storage(Noise(4096, 1));
    builder.View(name, Dtype::kU8, {8, 4096}, {0, 1}, storage);
  }
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions());
  CHECK(model.tensors()[0].storage != model.tensors()[1].storage);
  Status status;
  for (const ByteBuffer& out : ReadAll(model, status)) CHECK(out == ByteBuffer(8 * 4096));
  CHECK(Code(status) == "alias_expansion");
  CHECK(ReadTensor(model, "a").size() == 8 * 4096);
}

}  // namespace
}  // namespace safemodel
