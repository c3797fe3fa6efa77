// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "model/fixture.h"

namespace safemodel {
namespace {

bool IsZero(const ByteBuffer& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

ImportedModel BigModel() {
  ModelBuilder builder;
  builder.Bytes("big", Noise(50 * kSmallChunk + 123, 5));
  builder.Bytes("other", Smooth(10 * kSmallChunk));
  return builder.Finish();
}

TEST_CASE("read: any rows are the same slice of the full read") {
  for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd}) {
    const TempFolder folder;
    ModelBuilder builder;
    builder.Whole("rows", Dtype::kF32, {300, 77}, Noise(300 * 77 * 4, 1));
    builder.View("turned", Dtype::kF32, {77, 300}, {1, 77}, 0);
    const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions(codec));
    for (const char* name : {"rows", "turned"}) {
      const Tensor& tensor = *model.Find(name).value();
      const ByteBuffer all = ReadTensor(model, name);
      const std::size_t row = all.size() / tensor.shape[0];
      for (const auto& [first, count] :
           {std::pair<std::size_t, std::size_t>{0, 1}, {0, 0}, {5, 0}, {3, 40}, {76, 1}, {10, 67}}) {
        ByteBuffer part(count * row, 0xA5);
        REQUIRE(model.ReadRows(tensor, first, count, part).ok());
        CHECK(std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(first * row)));
      }
      ByteBuffer none;
      CHECK(Code(model.ReadRows(tensor, tensor.shape[0], 1, none)) == "no_such_rows");
      CHECK(Code(model.ReadRows(tensor, ~std::uint64_t{0}, 2, none)) == "no_such_rows");
      CHECK(Code(model.ReadRows(tensor, 0, 2, none)) == "wrong_size");
    }
  }
}

TEST_CASE("read: a destination of another size, a tensor of another model: usage") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, BigModel(), TestOptions());
  ByteBuffer out(10, 0xA5);
  CHECK(Code(model.Read(*model.Find("big").value(), out)) == "wrong_size");
  CHECK(IsZero(out));
  Tensor forged = *model.Find("other").value();
  forged.byte_offset = 1;
  ByteBuffer large(static_cast<std::size_t>(forged.bytes));
  CHECK(Code(model.Read(forged, large)) == "no_such_tensor");
  forged.storage = 99;
  CHECK(Code(model.Read(forged, large)) == "no_such_tensor");
  CHECK(Code(model.Find("nothing")) == "no_such_tensor");
}

// FlipIn changes a byte of a stored chunk of the file.
void Flip(const std::string& path, std::uint64_t offset) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(fd >= 0);
  std::uint8_t byte = 0;
  REQUIRE(pread(fd, &byte, 1, static_cast<off_t>(offset)) == 1);
  byte ^= 1;
  REQUIRE(pwrite(fd, &byte, 1, static_cast<off_t>(offset)) == 1);
  close(fd);
}

TEST_CASE("read: destinations that meet, and requests without a tensor: usage, and nothing is read") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, BigModel(), TestOptions());
  const Tensor* other = model.Find("other").value();
  const auto size = static_cast<std::size_t>(other->bytes);
  ByteBuffer out(2 * size, 0xA5);
  const MutableBytes all = out;
  const auto read = [&](std::vector<VerifiedModel::Request> requests) {
    std::fill(out.begin(), out.end(), std::uint8_t{0xA5});
    return Code(model.ReadMany(requests));
  };
  CHECK(read({{other, all.first(size)}, {other, all.last(size)}}) == "ok");
  CHECK(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size), Smooth(size).begin()));
  CHECK(read({{other, all.last(size)}, {other, all.subspan(1, size)}}) == "destinations_meet");
  CHECK(IsZero({out.begin() + 1, out.end()}));
  CHECK(out[0] == 0xA5);
  CHECK(read({{other, all.first(size)}, {other, all.first(size)}}) == "destinations_meet");
  CHECK(read({{nullptr, all.first(size)}}) == "no_tensor");
  CHECK(IsZero({out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)}));
}

TEST_CASE("read: an open model keeps no identities") {
  const TempFolder folder;
  auto secret = std::make_shared<int>(1);
  const std::weak_ptr<int> kept = secret;
  REQUIRE(WriteTo(folder.Path("model.safemodel"), BigModel(), TestOptions()).ok());
  OpenOptions options = TestOpen();
  options.identities = [secret]() -> Result<std::vector<Identity>> { return std::vector<Identity>(); };
  const VerifiedModel model = OpenTest(folder.Path("model.safemodel"), options);
  options.identities = {};
  secret.reset();
  CHECK(kept.expired());
}

TEST_CASE("read: a bad chunk refuses what needs it, zeroes the destination, and stays refused when healed") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  for (const unsigned threads : {1u, 16u}) {
    REQUIRE(WriteTo(path, BigModel(), TestOptions(CodecChoice::kRaw)).ok());
    const auto inspected = Inspect(path, TestOpen());
    REQUIRE(inspected.ok());
    const std::uint64_t begin = inspected.value().objects[1].offset;
    const VerifiedModel model = OpenTest(path, TestOpen(threads));
    const Tensor& big = *model.Find("big").value();
    const Tensor& other = *model.Find("other").value();
    Flip(path, begin + 7 * kSmallChunk + 100);
    Flip(path, begin + 30 * kSmallChunk);
    ByteBuffer first(static_cast<std::size_t>(other.bytes), 0xA5);
    ByteBuffer second(static_cast<std::size_t>(big.bytes), 0xA5);
    const VerifiedModel::Request requests[] = {{&other, first}, {&big, second}};
    const Status status = model.ReadMany(requests);
    REQUIRE(!status.ok());
    CHECK(status.error().stage == Stage::kDigestMismatch);
    CHECK(status.error().offset == begin + 7 * kSmallChunk);  // the lowest one, whatever the threads did
    CHECK(status.error().subject == "big");
    CHECK(IsZero(first));
    CHECK(IsZero(second));
    ByteBuffer part(6 * kSmallChunk);
    CHECK(model.ReadRows(big, 0, part.size(), part).ok());  // chunks in front of the bad one
    CHECK(ReadTensor(model, "other") == Smooth(10 * kSmallChunk));
    CHECK(Code(model.CheckAll()) == "chunk_digest");
    Flip(path, begin + 7 * kSmallChunk + 100);
    Flip(path, begin + 30 * kSmallChunk);
    CHECK(Code(model.Read(big, second)) == "chunk_digest");
    CHECK(Code(model.CheckAll()) == "chunk_digest");
    CHECK(ReadTensor(OpenTest(path), "big") == Noise(50 * kSmallChunk + 123, 5));
  }
}

TEST_CASE("read: only the chunks of a range and one slice are looked at") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  REQUIRE(WriteTo(path, BigModel(), TestOptions(CodecChoice::kRaw)).ok());
  const auto inspected = Inspect(path, TestOpen());
  REQUIRE(inspected.ok());
  const VerifiedModel model = OpenTest(path);
  const Tensor& big = *model.Find("big").value();
  // Every chunk of the object but numbers 3 and 4 is broken, and every chunk of the other object.
  for (std::uint64_t chunk = 0; chunk < 51; ++chunk) {
    if (chunk != 3 && chunk != 4) Flip(path, inspected.value().objects[1].offset + chunk * kSmallChunk);
  }
  for (std::uint64_t chunk = 0; chunk < 10; ++chunk)
    Flip(path, inspected.value().objects[2].offset + chunk * kSmallChunk);
  const ByteBuffer expected = Noise(50 * kSmallChunk + 123, 5);
  for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{3 * kSmallChunk, 2 * kSmallChunk},
                                     {3 * kSmallChunk + 1, 5},
                                     {5 * kSmallChunk - 1, 1}}) {
    ByteBuffer part(count);
    REQUIRE(model.ReadRows(big, first, count, part).ok());
    CHECK(std::equal(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(first)));
  }
  ByteBuffer part(2);
  CHECK(Code(model.ReadRows(big, 5 * kSmallChunk - 1, 2, part)) == "chunk_digest");
}

TEST_CASE("read: tensors expanded without bound are views, and refused as copies") {
  const TempFolder folder;
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(Noise(4096, 1));
  builder.View("eight", Dtype::kU8, {8, 4096}, {0, 1}, storage);
  builder.View("nine", Dtype::kU8, {9, 4096}, {0, 1}, storage);
  builder.View("sea", Dtype::kF32, {std::uint64_t{1} << 40}, {0}, storage);
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions());
  CHECK(model.tensors()[0].digest.has_value());
  CHECK(!model.tensors()[1].digest.has_value());
  CHECK(model.tensors()[2].bytes == std::uint64_t{1} << 42);
  ByteBuffer nine(9 * 4096, 0xA5);
  CHECK(Code(model.Read(model.tensors()[1], nine)) == "alias_expansion");
  CHECK(IsZero(nine));
  CHECK(ReadTensor(model, "eight").size() == 8 * 4096);
  ByteBuffer eight(8 * 4096);
  ByteBuffer again(8 * 4096);
  const VerifiedModel::Request twice[] = {{&model.tensors()[0], eight}, {&model.tensors()[0], again}};
  CHECK(Code(model.ReadMany(twice)) == "alias_expansion");
  OpenOptions generous = TestOpen();
  generous.limits.alias_expansion = 16;
  const VerifiedModel other = OpenTest(folder.Path("model.safemodel"), generous);
  const VerifiedModel::Request again_twice[] = {{&other.tensors()[0], eight}, {&other.tensors()[0], again}};
  CHECK(Code(other.ReadMany(again_twice)) == "ok");
  CHECK(Code(model.CheckContent()) == "ok");
}

TEST_CASE("read: 1 and 16 threads, one by one and together, give the same bytes") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  ModelBuilder builder;
  const std::uint32_t shared = builder.Storage(Noise(300000, 3), Dtype::kF32);
  for (int i = 0; i < 60; ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "t%03d", i);
    if (i % 3 == 0) builder.View(name, Dtype::kF32, {100, 25}, {1, 100}, shared, static_cast<std::uint64_t>(i) * 4000);
    if (i % 3 == 1) builder.View(name, Dtype::kF32, {2500}, {1}, shared, static_cast<std::uint64_t>(i) * 4000);
    if (i % 3 == 2) builder.Bytes(name, Noise(static_cast<std::size_t>(i) * 777, static_cast<std::uint32_t>(i)));
  }
  REQUIRE(WriteTo(path, builder.Finish(), TestOptions()).ok());
  const VerifiedModel one = OpenTest(path, TestOpen(1));
  const VerifiedModel many = OpenTest(path, TestOpen(16));
  std::vector<ByteBuffer> out;
  for (const Tensor& tensor : many.tensors()) out.emplace_back(static_cast<std::size_t>(tensor.bytes));
  std::vector<VerifiedModel::Request> requests;
  for (std::size_t i = 0; i < out.size(); ++i) requests.push_back({&many.tensors()[i], out[i]});
  std::uint64_t last = 0;
  std::uint64_t end = 0;
  REQUIRE(many.ReadMany(requests,
                        [&](std::uint64_t done, std::uint64_t total) {
                          CHECK(done >= last);
                          last = done;
                          end = total;
                        })
              .ok());
  CHECK(last == end);
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(out[i] == ReadTensor(one, one.tensors()[i].name));
}

TEST_CASE("read: the verified descriptor is used, whatever happens to the name") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, BigModel(), TestOptions());
  std::filesystem::rename(folder.Path("model.safemodel"), folder.Path("gone"));
  WriteBytes(folder.Path("model.safemodel"), Noise(100000, 1));
  CHECK(ReadTensor(model, "big") == Noise(50 * kSmallChunk + 123, 5));
}

TEST_CASE("read: a file that is cut while it is open is an error of the system") {
  const TempFolder folder;
  const VerifiedModel model = WriteAndOpen(folder, BigModel(), TestOptions());
  std::filesystem::resize_file(folder.Path("model.safemodel"), 1000);
  ByteBuffer out(static_cast<std::size_t>(model.Find("big").value()->bytes), 0xA5);
  const Status status = model.Read(*model.Find("big").value(), out);
  REQUIRE(!status.ok());
  CHECK(status.error().stage == Stage::kIo);
  CHECK(IsZero(out));
}

TEST_CASE("view: verified bytes of raw tensors without a copy") {
  const TempFolder folder;
  ModelBuilder builder;
  builder.Bytes("big", Noise(50 * kSmallChunk + 123, 5)).Bytes("empty", {});
  builder.View("part", Dtype::kU8, {10000}, {1}, 0, 5000);
  builder.View("strided", Dtype::kU8, {10}, {2}, 0);
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions(CodecChoice::kRaw));
  const ByteBuffer expected = Noise(50 * kSmallChunk + 123, 5);
  const auto big = model.View(*model.Find("big").value());
  REQUIRE(big.ok());
  CHECK(std::equal(expected.begin(), expected.end(), big.value().bytes().begin(), big.value().bytes().end()));
  CHECK(reinterpret_cast<std::uintptr_t>(big.value().bytes().data()) % 256 == 0);
  const auto part = model.View(*model.Find("part").value());
  REQUIRE(part.ok());
  CHECK(part.value().bytes().data() == big.value().bytes().data() + 5000);
  CHECK(model.View(*model.Find("empty").value()).value().bytes().empty());
  CHECK(Code(model.View(*model.Find("strided").value())) == "not_raw");
}

TEST_CASE("view: coded objects, broken chunks and policies that forbid it are refused") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  REQUIRE(WriteTo(path, BigModel(), TestOptions(CodecChoice::kZstd)).ok());
  {
    const VerifiedModel model = OpenTest(path);
    CHECK(Code(model.View(*model.Find("other").value())) == "not_raw");
  }
  REQUIRE(WriteTo(path, BigModel(), TestOptions(CodecChoice::kRaw)).ok());
  const std::uint64_t begin = Inspect(path, TestOpen()).value().objects[1].offset;
  const VerifiedModel model = OpenTest(path);
  Flip(path, begin + 3 * kSmallChunk);
  CHECK(Code(model.View(*model.Find("big").value())) == "chunk_digest");
  Rule rule{"**", {{"builder", 1}}, Rule::Overlap::kForbidden, {}, Rule::Mapping::kForbidden};
  auto strict = Policy::Create({{TestKey().public_key(), {"builder"}}}, {rule});
  REQUIRE(strict.ok());
  const auto copied = VerifiedModel::Open(path, strict.value(), Expectation::Any(), TestOpen());
  REQUIRE(copied.ok());
  const auto view = copied.value().View(*copied.value().Find("other").value());
  CHECK(Code(view) == "mapping_forbidden");
  CHECK(view.error().stage == Stage::kUntrusted);
}

}  // namespace
}  // namespace safemodel
