// SPDX-License-Identifier: Apache-2.0
#include "model/fixture.h"

namespace safemodel {
namespace {

const CodecChoice kCodecs[] = {CodecChoice::kRaw, CodecChoice::kZstd, CodecChoice::kAuto};

// SizesModel has objects of every size at which chunks begin or end.
ImportedModel SizesModel() {
  ModelBuilder builder;
  const std::size_t sizes[] = {0,
                               1,
                               63,
                               kSmallChunk - 1,
                               kSmallChunk,
                               kSmallChunk + 1,
                               3 * kSmallChunk,
                               3 * kSmallChunk + 1,
                               40 * kSmallChunk + 5};
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    builder.Bytes(std::string("a") + std::to_string(i), Noise(sizes[i], static_cast<std::uint32_t>(i + 1)));
  }
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    builder.Bytes(std::string("b") + std::to_string(i), Smooth(sizes[i]));
  }
  return builder.Finish();
}

ByteBuffer SourceBytes(const ImportedModel& model, std::size_t tensor) {
  const ByteSource& source = *model.storages[model.tensors[tensor].storage].source;
  ByteBuffer bytes(static_cast<std::size_t>(source.size()));
  REQUIRE(source.ReadAt(0, bytes).ok());
  return bytes;
}

TEST_CASE("round trip: objects of every size come back under every codec, and all checks hold") {
  for (const CodecChoice codec : kCodecs) {
    CAPTURE(static_cast<int>(codec));
    const TempFolder folder;
    const ImportedModel source = SizesModel();
    const VerifiedModel model = WriteAndOpen(folder, source, TestOptions(codec));
    REQUIRE(model.tensors().size() == source.tensors.size());
    for (std::size_t i = 0; i < source.tensors.size(); ++i) {
      CAPTURE(source.tensors[i].name);
      CHECK(ReadTensor(model, source.tensors[i].name) == SourceBytes(source, i));
      CHECK(model.tensors()[i].digest == crypto::Blake3Of(SourceBytes(source, i)));
    }
    CHECK(model.tree() == source.tree);
    CHECK(Code(model.CheckAll()) == "ok");
    CHECK(Code(model.CheckContent()) == "ok");
  }
}

TEST_CASE("writer: the same bytes for any number of threads") {
  for (const CodecChoice codec : kCodecs) {
    const TempFolder folder;
    ByteBuffer first;
    for (const unsigned threads : {1u, 2u, 3u, 16u}) {
      ConvertOptions options = TestOptions(codec);
      options.threads = threads;
      REQUIRE(WriteTo(folder.Path("model"), SizesModel(), options).ok());
      const ByteBuffer bytes = ReadBytes(folder.Path("model"));
      if (first.empty()) first = bytes;
      CHECK(bytes == first);
    }
  }
}

TEST_CASE("writer: the file id of a reproducible container follows content and options, the other is random") {
  const TempFolder folder;
  const auto id_of = [&](const ImportedModel& model, const ConvertOptions& options) {
    return WriteAndOpen(folder, model, options).info().file_id;
  };
  const auto small = [](std::uint32_t seed) { return std::move(ModelBuilder().Bytes("x", Noise(100, seed))).Finish(); };
  const FileId id = id_of(small(1), TestOptions());
  CHECK(id_of(small(1), TestOptions()) == id);
  CHECK(id_of(small(2), TestOptions()) != id);
  CHECK(id_of(small(1), TestOptions(CodecChoice::kRaw)) != id);
  ConvertOptions fresh = TestOptions();
  fresh.reproducible = ConvertOptions::Reproducible::kNo;
  CHECK(id_of(small(1), fresh) != id_of(small(1), fresh));
}

TEST_CASE("writer: equal storages are stored once, and come back untied") {
  const TempFolder folder;
  ModelBuilder builder;
  builder.Bytes("a", Noise(50000, 1))
      .Bytes("b", Noise(50000, 1))
      .Bytes("c", Noise(50000, 2))
      .Bytes("d", {})
      .Bytes("e", {});
  builder.View("f", Dtype::kU8, {10}, {1}, 0, 100);  // shares the memory of a
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions(CodecChoice::kRaw));
  CHECK(model.tensors()[0].storage != model.tensors()[1].storage);
  CHECK(model.tensors()[5].storage == model.tensors()[0].storage);
  CHECK(ReadTensor(model, "b") == Noise(50000, 1));
  CHECK(ReadTensor(model, "c") == Noise(50000, 2));
  const auto inspected = Inspect(folder.Path("model.safemodel"), TestOpen());
  REQUIRE(inspected.ok());
  CHECK(inspected.value().objects.size() == 4);  // the directory, a and b, c, d and e
  CHECK(std::filesystem::file_size(folder.Path("model.safemodel")) < 110000);
}

TEST_CASE("writer: storages that differ only behind their first megabyte are both kept") {
  const TempFolder folder;
  ByteBuffer first = Noise((1 << 20) + 100, 1);
  ByteBuffer second = first;
  second.back() ^= 1;
  ModelBuilder builder;
  builder.Bytes("a", first).Bytes("b", second).Bytes("c", first);
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions(CodecChoice::kRaw));
  CHECK(ReadTensor(model, "a") == first);
  CHECK(ReadTensor(model, "b") == second);
  CHECK(ReadTensor(model, "c") == first);
}

// Stream counts how often it is not read in order, as a compressed stream where going back is slow.
class Stream final : public ByteSource {
 public:
  explicit Stream(ByteBuffer bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] bool sequential() const override { return true; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset < position_) ++restarts_;
    position_ = offset + out.size();
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  [[nodiscard]] int restarts() const { return restarts_; }

 private:
  ByteBuffer bytes_;
  mutable std::uint64_t position_ = 0;
  mutable int restarts_ = 0;
};

TEST_CASE("writer: a sequential source is read in order, by strided tensors too") {
  const TempFolder folder;
  const ByteBuffer bytes = Noise(64 * 1024, 9);
  const auto stream = std::make_shared<Stream>(bytes);
  ImportedModel model = ModelBuilder().View("t", Dtype::kF32, {128, 128}, {1, 128}, 0).Finish();
  model.storages.push_back({stream, Dtype::kF32});
  ConvertOptions options = TestOptions();
  options.threads = 8;
  const VerifiedModel written = WriteAndOpen(folder, model, options);
  CHECK(stream->restarts() == 0);  // neither for the sample nor for the strided tensor
  CHECK(Code(written.CheckContent()) == "ok");
  const ByteBuffer out = ReadTensor(written, "t");
  for (std::size_t i = 0; i < 128; ++i) {
    for (std::size_t k = 0; k < 512; k += 4) REQUIRE(out[i * 512 + k] == bytes[k * 128 + i * 4]);
  }
}

TEST_CASE("writer: a source that fails leaves nothing behind, and the error of the lowest chunk wins") {
  class Broken final : public ByteSource {
   public:
    [[nodiscard]] std::uint64_t size() const override { return 100 * kSmallChunk; }
    [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes) const override {
      if (offset < 20 * kSmallChunk) return {};
      return Error{Stage::kIo, "read_failed", "test", offset};
    }
  };
  const TempFolder folder;
  for (const unsigned threads : {1u, 16u}) {
    ImportedModel model = ModelBuilder().View("t", Dtype::kU8, {100 * kSmallChunk}, {1}, 0).Finish();
    model.storages.push_back({std::make_shared<Broken>(), Dtype::kU8});
    ConvertOptions options = TestOptions(CodecChoice::kRaw);
    options.threads = threads;
    const auto written = WriteTo(folder.Path("model"), model, options);
    REQUIRE(!written.ok());
    CHECK(written.error().offset == 20 * kSmallChunk);
    CHECK(std::filesystem::is_empty(folder.path()));
  }
}

TEST_CASE("writer: bool bytes other than 0 and 1 are refused, whole and in part [D-BOOL]") {
  const TempFolder folder;
  ModelBuilder good;
  good.Whole("x", Dtype::kBool, {4}, {0, 1, 1, 0});
  CHECK(WriteTo(folder.Path("model"), good.Finish(), TestOptions()).ok());
  ModelBuilder whole;
  whole.Whole("x", Dtype::kBool, {4}, {0, 1, 2, 0});
  CHECK(Code(WriteTo(folder.Path("model"), whole.Finish(), TestOptions())) == "bad_bool");
  ModelBuilder strided;
  strided.View("x", Dtype::kBool, {2}, {2}, strided.Storage({0, 7, 255}));
  CHECK(Code(WriteTo(folder.Path("model"), strided.Finish(), TestOptions())) == "bad_bool");
  ModelBuilder skipped;  // the byte between is no bool
  skipped.View("x", Dtype::kBool, {2}, {2}, skipped.Storage({0, 7, 1}));
  CHECK(WriteTo(folder.Path("model"), skipped.Finish(), TestOptions()).ok());
}

TEST_CASE("writer: pad bits of packed tensors must be zero") {
  const TempFolder folder;
  const auto write = [&](std::vector<std::uint64_t> shape, ByteBuffer bytes) {
    ModelBuilder builder;
    builder.Whole("x", Dtype::kF4E2M1, std::move(shape), std::move(bytes));
    return Code(WriteTo(folder.Path("model"), builder.Finish(), TestOptions()));
  };
  CHECK(write({4}, {0xFF, 0xFF}) == "ok");
  CHECK(write({3}, {0xFF, 0x0F}) == "ok");
  CHECK(write({3}, {0xFF, 0x1F}) == "bad_pad_bits");
}

TEST_CASE("writer: overlapping tensors that stand for too many bytes are refused") {
  const TempFolder folder;
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(1 << 20, 1));
  for (int i = 0; i < 1000; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "t%04d", i);
    builder.View(name, Dtype::kU8, {(1 << 20) - 1000}, {1}, storage, static_cast<std::uint64_t>(i));
  }
  CHECK(Code(WriteTo(folder.Path("model"), builder.Finish(), TestOptions())) == "alias_expansion");
}

}  // namespace
}  // namespace safemodel
