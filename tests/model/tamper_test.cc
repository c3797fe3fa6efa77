// SPDX-License-Identifier: Apache-2.0
// Small signed containers, and everything that can be done to their bytes without a key.
#include <safemodel/sign.h>

#include <cstdlib>

#include "base/thread_pool.h"
#include "model/fixture.h"

namespace safemodel {
namespace {

enum class Beside { kNothing, kSidecar };

// Specimen is a container, and its sidecar if it has one, as bytes.
struct Specimen {
  const char* name;
  ByteBuffer file;
  ByteBuffer sidecar;
};

ImportedModel RawModel() { return std::move(ModelBuilder().Bytes("a", Noise(100, 1))).Finish(); }

ImportedModel CodedModel() {
  ModelBuilder builder;
  builder.Whole("b", Dtype::kBf16, {300}, Smooth(600)).View("c", Dtype::kBf16, {10, 30}, {1, 10}, 0);
  return builder.Finish();
}

ImportedModel PaddedModel() {
  return std::move(
             ModelBuilder().Bytes("a", Noise(1, 1)).Bytes("b", {}).Bytes("c", Noise(257, 2)).Bytes("d", Noise(70, 3)))
      .Finish();
}

Specimen Make(const char* name, const ImportedModel& model, CodecChoice codec, Beside beside) {
  const TempFolder folder;
  const std::string path = folder.Path("model");
  ConvertOptions options = TestOptions(codec);
  if (beside == Beside::kSidecar) options.sign_with = nullptr;
  REQUIRE(WriteTo(path, model, options).ok());
  if (beside == Beside::kSidecar) {
    SignOptions sign;
    sign.placement = Placement::kDetached;
    sign.issued_at = 1700000000;
    REQUIRE(Sign(path, TestKey(), sign).ok());
  }
  return {name, ReadBytes(path), beside == Beside::kSidecar ? ReadBytes(path + ".envelope") : ByteBuffer()};
}

std::vector<Specimen> Specimens() {
  return {Make("raw", RawModel(), CodecChoice::kRaw, Beside::kNothing),
          Make("coded", CodedModel(), CodecChoice::kZstd, Beside::kNothing),
          Make("padded", PaddedModel(), CodecChoice::kAuto, Beside::kNothing),
          Make("sidecar", RawModel(), CodecChoice::kRaw, Beside::kSidecar)};
}

// Bench puts changed bytes where Verify looks.
class Bench {
 public:
  explicit Bench(const TempFolder& folder, unsigned worker) : path_(folder.Path("worker" + std::to_string(worker))) {}

  Status Verify(ByteView file, ByteView sidecar, unsigned threads = 1) const {
    WriteBytes(path_, file);
    if (!sidecar.empty()) WriteBytes(path_ + ".envelope", sidecar);
    return Again(threads);
  }

  [[nodiscard]] Status Again(unsigned threads) const {
    return safemodel::Verify(path_, TestPolicy(), Expectation::Any(), VerifyScope::kContent, TestOpen(threads)).status;
  }

 private:
  std::string path_;
};

bool IsRefusal(const Status& status) { return !status.ok() && status.error().stage != Stage::kInternal; }

TEST_CASE("tamper: the specimens themselves are accepted, and small") {
  const TempFolder folder;
  for (const Specimen& specimen : Specimens()) {
    CAPTURE(std::string(specimen.name));
    CHECK(specimen.file.size() < 8192);
    CHECK(Code(Bench(folder, 0).Verify(specimen.file, specimen.sidecar)) == "ok");
  }
}

// The seeds of fuzz/whole_file: run this test with SAFEMODEL_SEED_FOLDER=fuzz/corpus/whole_file to write them anew.
TEST_CASE("tamper: the specimens are the seeds of the fuzzer") {
  const char* seeds = std::getenv("SAFEMODEL_SEED_FOLDER");
  if (seeds == nullptr) {
    const char* source = std::getenv("SAFEMODEL_SOURCE_DIR");
    const std::filesystem::path folder =
        std::filesystem::path(source != nullptr ? source : ".") / "fuzz/corpus/whole_file";
    for (const Specimen& specimen : Specimens()) CHECK(std::filesystem::exists(folder / specimen.name));
    return;
  }
  for (const Specimen& specimen : Specimens()) WriteBytes(std::string(seeds) + "/" + specimen.name, specimen.file);
}

TEST_CASE("tamper: every bit flip of every byte is refused") {
  for (const Specimen& specimen : Specimens()) {
    CAPTURE(std::string(specimen.name));
    const TempFolder folder;
    const std::size_t bytes = specimen.file.size() + specimen.sidecar.size();
    const Status status = ParallelFor(bytes, 0, [&](std::size_t i, unsigned worker) -> Status {
      Specimen changed = specimen;
      std::uint8_t& byte = i < changed.file.size() ? changed.file[i] : changed.sidecar[i - changed.file.size()];
      for (int bit = 0; bit < 8; ++bit) {
        byte = static_cast<std::uint8_t>(byte ^ (1 << bit));
        if (!IsRefusal(Bench(folder, worker).Verify(changed.file, changed.sidecar))) {
          return Error{Stage::kInternal, "accepted", "a flipped bit was not refused", i};
        }
        byte = static_cast<std::uint8_t>(byte ^ (1 << bit));
      }
      return {};
    });
    CHECK_MESSAGE(status.ok(), "byte " << (status.ok() ? 0 : status.error().offset));
  }
}

TEST_CASE("tamper: every prefix is refused; a whole core without its envelope is untrusted") {
  for (const Specimen& specimen : Specimens()) {
    CAPTURE(std::string(specimen.name));
    const TempFolder folder;
    std::size_t untrusted = 0;
    for (std::size_t length = 0; length < specimen.file.size(); ++length) {
      const Status status = Bench(folder, 0).Verify(ByteView(specimen.file).first(length), specimen.sidecar);
      REQUIRE_MESSAGE(IsRefusal(status), "length " << length);
      if (status.error().stage == Stage::kUntrusted) {
        ++untrusted;
      } else {
        REQUIRE_MESSAGE(status.error().stage == Stage::kMalformed, "length " << length << " " << status.error().code);
      }
    }
    CHECK(untrusted == (specimen.sidecar.empty() ? 1 : 0));
    for (std::size_t length = 1; length < specimen.sidecar.size(); ++length) {
      REQUIRE(IsRefusal(Bench(folder, 0).Verify(specimen.file, ByteView(specimen.sidecar).first(length))));
    }
  }
}

TEST_CASE("tamper: anything behind or in front is refused") {
  for (const Specimen& specimen : Specimens()) {
    CAPTURE(std::string(specimen.name));
    const TempFolder folder;
    for (int value = 0; value < 256; ++value) {
      ByteBuffer behind = specimen.file;
      behind.push_back(static_cast<std::uint8_t>(value));
      const Status status = Bench(folder, 0).Verify(behind, specimen.sidecar);
      // Beside a sidecar, the first byte of its frame, or one that never reached the disk, is what a crash leaves
      // [E-SIDECAR].
      const bool trace = !specimen.sidecar.empty() && (value == 0x89 || value == 0);
      REQUIRE_MESSAGE((trace ? status.ok() : IsRefusal(status)), "byte " << value);
    }
    for (const std::string_view head : {std::string_view("\0", 1),
                                        std::string_view("\x7F"
                                                         "ELF"),
                                        std::string_view("PK\x03\x04"), std::string_view("%PDF-1.7\n")}) {
      ByteBuffer front(head.begin(), head.end());
      front.insert(front.end(), specimen.file.begin(), specimen.file.end());
      REQUIRE(IsRefusal(Bench(folder, 0).Verify(front, specimen.sidecar)));
    }
    ByteBuffer twice = specimen.file;
    twice.insert(twice.end(), specimen.file.begin(), specimen.file.end());
    CHECK(IsRefusal(Bench(folder, 0).Verify(twice, specimen.sidecar)));
  }
}

TEST_CASE("tamper: a gigabyte of holes behind the file is refused without being read") {
  const TempFolder folder;
  const Specimen specimen = Specimens()[0];
  const std::string path = folder.Path("model");
  WriteBytes(path, specimen.file);
  std::filesystem::resize_file(path, 1u << 30);
  CHECK(IsRefusal(Verify(path, TestPolicy(), Expectation::Any(), VerifyScope::kContent, TestOpen()).status));
}

TEST_CASE("tamper: 1 and 16 threads refuse with the same word, code and place") {
  const TempFolder folder;
  ByteBuffer file;
  {
    ModelBuilder builder;
    builder.Bytes("a", Noise(20 * kSmallChunk, 1)).Whole("b", Dtype::kF32, {8 * kSmallChunk}, Smooth(32 * kSmallChunk));
    REQUIRE(WriteTo(folder.Path("model"), builder.Finish(), TestOptions()).ok());
    file = ReadBytes(folder.Path("model"));
  }
  const Bench bench(folder, 0);
  for (std::size_t round = 0; round < 200; ++round) {
    ByteBuffer changed = file;
    for (std::size_t i = 0; i < 3; ++i) changed[(round * 7919 + i * 104729) % changed.size()] ^= 0x10;
    const Status one = bench.Verify(changed, {}, 1);
    const Status many = bench.Again(16);
    REQUIRE(IsRefusal(one));
    REQUIRE(!many.ok());
    CHECK(one.error().stage == many.error().stage);
    CHECK(std::string(one.error().code) == many.error().code);
    CHECK(one.error().offset == many.error().offset);
  }
}

}  // namespace
}  // namespace safemodel
