// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <safemodel/convert.h>
#include <safemodel/scan.h>

#include "base/out_of_memory.h"
#include "base/output_folder.h"
#include "base/try.h"
#include "model/fixture.h"
#include "model/writer.h"
#include "testing/allocations.h"

namespace safemodel {
namespace {

using testing::FailAllocations;
using testing::FailEach;
using testing::Failing;

ImportedModel ThreadedModel() {
  ModelBuilder builder;
  builder.Bytes("a", Smooth(12 * kSmallChunk + 5));
  builder.View("b", Dtype::kU8, {64, 64}, {1, 64}, 0);
  builder.Bytes("c", Noise(100, 1));
  return builder.Finish();
}

std::string WriteSafetensors(const TempFolder& folder) {
  const std::string header = R"({"t":{"dtype":"U8","shape":[40960],"data_offsets":[0,40960]}}   )";
  ByteWriter writer;
  writer.U64(header.size());
  writer.Text(header);
  writer.Bytes(Smooth(40960));
  WriteBytes(folder.Path("in.safetensors"), writer.view());
  return folder.Path("in.safetensors");
}

TEST_CASE("out of memory: a conversion whose n-th allocation fails ends, for every n, and leaves nothing") {
  const TempFolder folder;
  const std::string input = WriteSafetensors(folder);
  const std::string output = folder.Path("out.safemodel");
  ConvertOptions options = TestOptions(CodecChoice::kZstd);
  options.threads = 4;
  FailEach([&]() -> Status {
    auto report = Convert(input, output, options);
    if (report.ok()) {
      unlink(output.c_str());
      return {};
    }
    if (access(output.c_str(), F_OK) == 0) return Error{Stage::kInternal, "left_behind", "test"};
    return report.error();
  });
}

TEST_CASE("out of memory: opening, reading and checking a model end too") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  ConvertOptions options = TestOptions(CodecChoice::kZstd);
  REQUIRE(WriteTo(path, ThreadedModel(), options).ok());
  ByteBuffer out(64 * 64);
  const Policy& policy = TestPolicy();
  const Expectation any = Expectation::Any();
  const OpenOptions open = TestOpen(4);
  FailEach([&]() -> Status {
    auto model = VerifiedModel::Open(path, policy, any, open);
    if (!model.ok()) return model.error();
    Status status = model.value().Read(model.value().tensors()[1], out);
    if (status.ok()) status = model.value().CheckAll();
    if (status.ok()) status = model.value().CheckContent();
    return status;
  });
}

TEST_CASE("out of memory: a sequential source and raw chunks") {
  class Sequential final : public ByteSource {
   public:
    [[nodiscard]] std::uint64_t size() const override { return 12 * kSmallChunk; }
    [[nodiscard]] bool sequential() const override { return true; }
    [[nodiscard]] Status ReadAt(std::uint64_t, MutableBytes) const override { return {}; }
  };
  const TempFolder folder;
  const Sequential source;
  for (const CodecChoice codec : {CodecChoice::kRaw, CodecChoice::kZstd}) {
    FailEach([&]() -> Status {
      return CatchOutOfMemory([&]() -> Status {
        SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(folder.Path("model"), OutputFile::Overwrite::kReplace));
        SAFEMODEL_ASSIGN(ContainerWriter writer, ContainerWriter::Create(output, {kSmallChunk, codec, 1, 4, {}}));
        SAFEMODEL_TRY(writer.AddObject(container::ObjectKind::kStorage, codec::ElementLayout::kBytes, source));
        return {};
      });
    });
  }
}

TEST_CASE("out of memory: a folder that is given up leaves nothing, wherever memory ran out") {
  const TempFolder folder;
  const std::string output = folder.Path("out");
  const std::string below = "a/folder whose name is no short string/" + std::string(100, 'f');
  FailEach([&]() -> Status {
    const Status status = CatchOutOfMemory([&]() -> Status {
      SAFEMODEL_ASSIGN(OutputFolder made, OutputFolder::Create(output));
      for (const char* suffix : {"1", "2", "3"}) {
        SAFEMODEL_TRY(made.AddFile(below + suffix, [](const auto& append) { return append(AsBytes("text")); }));
      }
      return Error{Stage::kIo, "out_of_memory", "given up although there was memory"};
    });
    // Whether the folder is empty, without an allocation.
    const bool empty = rmdir(folder.path().c_str()) == 0 && mkdir(folder.path().c_str(), 0700) == 0;
    if (empty) return status.error().text[0] == 'g' ? Status() : status;
    return Error{Stage::kInternal, "left_behind", "test"};
  });
}

TEST_CASE("out of memory: a scan goes on with the next file, and says what it could not read") {
  const TempFolder folder;
  const std::vector<std::string> inputs = {folder.Path("in.pkl"), WriteSafetensors(folder)};
  WriteBytes(inputs[0], AsBytes("\x80\x02}q\x01(X\x01\x02"));
  constexpr std::size_t kAll = 50;
  FailEach(
      [&]() -> Status {
        Status refused;
        std::uint64_t reports = 0;
        const ScanSummary summary = Scan(inputs, {}, [&](const ScanReport& report) {
          ++reports;
          if (!report.status.ok()) refused = report.status;
        });
        if (summary.files != 2 || reports != 2) return Error{Stage::kInternal, "files_lost", "test"};
        return refused;
      },
      {.all = kAll});
}

TEST_CASE("files: what a table states is allocated only as far as chunks hold") {
  const TempFolder folder;
  const std::string path = folder.Path("model.safemodel");
  const std::uint64_t size = 48u << 20;
  {
    auto output = OutputFile::Create(path, OutputFile::Overwrite::kReplace);
    REQUIRE(output.ok());
    auto writer = ContainerWriter::Create(output.value(), {kSmallChunk, CodecChoice::kRaw, 1, 1, {}});
    REQUIRE(writer.ok());
    const auto object = writer.value().AddObject(container::ObjectKind::kFile, codec::ElementLayout::kBytes,
                                                 *MakeMemorySource(Noise(size, 1)));
    REQUIRE(object.ok());
    container::Directory directory;
    directory.files = {{"weights.bin", "", object.value().number}};
    directory.tree = ModelBuilder().Finish().tree;
    auto identity = TestIdentity();
    REQUIRE(writer.value().Finish(directory, identity.value()).ok());
    REQUIRE(output.value().Commit().ok());
  }
  const auto inspected = Inspect(path, TestOpen());
  REQUIRE_MESSAGE(inspected.ok(), Code(inspected));
  {
    const auto model = OpenUnverified(path, InsecureSkipVerification(), TestOpen());
    REQUIRE(model.ok());
    const auto file = model.value().ReadFile(model.value().files()[0]);
    REQUIRE(file.ok());
    CHECK(file.value() == Noise(size, 1));
  }
  ByteBuffer bytes = ReadBytes(path);
  bytes[static_cast<std::size_t>(inspected.value().objects[1].offset)] ^= 1;
  WriteBytes(path, bytes);
  const auto model = OpenUnverified(path, InsecureSkipVerification(), TestOpen());
  REQUIRE(model.ok());
  const testing::MeasureAllocations measure;
  CHECK(Code(model.value().ReadFile(model.value().files()[0])) == "chunk_digest");
  CHECK(measure.largest() <= 8u << 20);
}

}  // namespace
}  // namespace safemodel
