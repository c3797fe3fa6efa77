// SPDX-License-Identifier: Apache-2.0
#include <safemodel/convert.h>
#include <safemodel/digest.h>
#include <safemodel/sign.h>
#include <sys/stat.h>

#include <cstdlib>

#include "model/fixture.h"
#include "model/identity.h"

namespace safemodel {
namespace {

// WriteSafetensors writes a file with one tensor for each pair of a name and bytes (dtype U8), in order.
void WriteSafetensors(const std::string& path, const std::vector<std::pair<std::string, ByteBuffer>>& tensors,
                      std::string metadata = {}) {
  std::string header = "{";
  if (!metadata.empty()) header += "\"__metadata__\":" + metadata + ",";
  std::size_t offset = 0;
  for (const auto& [name, bytes] : tensors) {
    if (header.back() == '}') header += ",";
    header += "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(bytes.size()) + "],\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(offset + bytes.size()) + "]}";
    offset += bytes.size();
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  ByteWriter writer;
  writer.U64(header.size());
  writer.Text(header);
  for (const auto& tensor : tensors) writer.Bytes(tensor.second);
  WriteBytes(path, writer.view());
}

ConvertOptions SignedOptions() {
  ConvertOptions options;
  options.sign_with = &TestKey();
  return options;
}

ByteBuffer Payload() { return Noise(300000, 4); }

std::string MakeInput(const TempFolder& folder) {
  const std::string path = folder.Path("my model.v2.safetensors");
  WriteSafetensors(path, {{"a.weight", Payload()}, {"b.bias", Smooth(5000)}}, R"({"format":"pt"})");
  return path;
}

TEST_CASE("convert: safetensors to a signed container and back, byte for byte") {
  const TempFolder folder;
  const std::string input = MakeInput(folder);
  const std::string output = folder.Path("out.safemodel");
  const auto report = Convert(input, output, SignedOptions());
  REQUIRE_MESSAGE(report.ok(), Code(report));
  CHECK(report.value().layout == "safetensors");
  CHECK(report.value().name == "my-model.v2");
  CHECK(report.value().tensors == 2);
  CHECK(report.value().source_digest == crypto::Blake3Of(ReadBytes(input)));
  CHECK(report.value().container_bytes == std::filesystem::file_size(output));
  CHECK(report.value().tensor_bytes == 305000);
  const auto model = VerifiedModel::Open(output, TestPolicy(), Expectation::Model("my-model.v2", "0"));
  REQUIRE_MESSAGE(model.ok(), Code(model));
  CHECK(ReadTensor(model.value(), "a.weight") == Payload());
  CHECK(model.value().info().content_digest == report.value().content_digest);
  REQUIRE(Export(model.value(), folder.Path("back.safetensors"), ExportFormat::kSafetensors, {}).ok());
  CHECK(ReadBytes(folder.Path("back.safetensors")) == ReadBytes(input));
  const auto before = ComputeDigests(input, 0, {});
  const auto after = ComputeDigests(output, 0, {});
  REQUIRE(before.ok());
  REQUIRE(after.ok());
  CHECK(before.value().tensor_digest == report.value().tensor_digest);
  CHECK(after.value().tensor_digest == report.value().tensor_digest);
  CHECK(before.value().content_digest == after.value().content_digest);
}

TEST_CASE("convert: reproducible outputs are equal, whatever the number of threads") {
  const TempFolder folder;
  const std::string input = MakeInput(folder);
  ConvertOptions options = SignedOptions();
  options.reproducible = ConvertOptions::Reproducible::kYes;
  REQUIRE(unsetenv("SOURCE_DATE_EPOCH") == 0);
  for (const auto& [name, threads] : {std::pair<const char*, unsigned>{"one", 1}, {"many", 16}}) {
    options.threads = threads;
    REQUIRE(Convert(input, folder.Path(name), options).ok());
  }
  CHECK(ReadBytes(folder.Path("one")) == ReadBytes(folder.Path("many")));
  CHECK(OpenUnverified(folder.Path("one"), InsecureSkipVerification()).value().info().created == 0);
  REQUIRE(setenv("SOURCE_DATE_EPOCH", "1600000000", 1) == 0);
  REQUIRE(Convert(input, folder.Path("dated"), options).ok());
  CHECK(OpenUnverified(folder.Path("dated"), InsecureSkipVerification()).value().info().created == 1600000000);
  REQUIRE(setenv("SOURCE_DATE_EPOCH", "yesterday", 1) == 0);
  CHECK(Code(Convert(input, folder.Path("never"), options)) == "bad_source_date_epoch");
  REQUIRE(unsetenv("SOURCE_DATE_EPOCH") == 0);
  CHECK(!std::filesystem::exists(folder.Path("never")));
}

TEST_CASE("convert: an output that is the input, by name, hard link or symlink, is refused") {
  const TempFolder folder;
  const std::string input = MakeInput(folder);
  const ByteBuffer before = ReadBytes(input);
  std::filesystem::create_hard_link(input, folder.Path("hard"));
  std::filesystem::create_symlink(input, folder.Path("soft"));
  for (const ConvertOptions::Overwrite overwrite :
       {ConvertOptions::Overwrite::kRefuse, ConvertOptions::Overwrite::kReplace}) {
    ConvertOptions options;
    options.overwrite = overwrite;
    for (const std::string& output : {input, folder.Path("hard"), folder.Path("soft")})
      CHECK(Code(Convert(input, output, options)) == "same_file");
  }
  CHECK(ReadBytes(input) == before);
}

TEST_CASE("convert: an existing output or sidecar is kept unless it is to be replaced") {
  const TempFolder folder;
  const std::string input = MakeInput(folder);
  const std::string output = folder.Path("out");
  WriteBytes(output, Noise(10, 1));
  CHECK(Code(Convert(input, output, {})) == "exists");
  CHECK(ReadBytes(output) == Noise(10, 1));
  std::filesystem::remove(output);
  WriteBytes(output + ".envelope", Noise(10, 2));
  const auto refused = Convert(input, output, {});
  CHECK(Code(refused) == "sidecar_exists");
  CHECK(refused.error().stage == Stage::kUsage);
  CHECK(!std::filesystem::exists(output));
  ConvertOptions replace = SignedOptions();
  replace.overwrite = ConvertOptions::Overwrite::kReplace;
  REQUIRE(Convert(input, output, replace).ok());
  CHECK(!std::filesystem::exists(output + ".envelope"));
  CHECK(Verify(output, TestPolicy(), Expectation::Any(), VerifyScope::kContent).status.ok());
}

TEST_CASE("convert: options that no reader would accept are refused before anything is read") {
  struct Row {
    const char* code;
    void (*change)(ConvertOptions&);
  };
  const Row rows[] = {
      {"bad_model_name", [](ConvertOptions& o) { o.name = "a@b"; }},
      {"bad_model_name", [](ConvertOptions& o) { o.name = "/a"; }},
      {"bad_model_version", [](ConvertOptions& o) { o.version = ""; }},
      {"bad_model_version", [](ConvertOptions& o) { o.version = "1/2"; }},
      {"bad_sequence", [](ConvertOptions& o) { o.sequence = 1ull << 53; }},
      {"bad_metadata",
       [](ConvertOptions& o) {
         o.metadata = {{"", "x"}};
       }},
      {"bad_metadata",
       [](ConvertOptions& o) {
         o.metadata = {{"x", "\xFF"}};
       }},
      {"reserved_metadata",
       [](ConvertOptions& o) {
         o.metadata = {{"source.blake3", "x"}};
       }},
      {"metadata_twice",
       [](ConvertOptions& o) {
         o.metadata = {{"k", "1"}, {"k", "2"}};
       }},
      {"bad_chunk_size", [](ConvertOptions& o) { o.chunk_bytes = 5000; }},
      {"bad_chunk_size", [](ConvertOptions& o) { o.chunk_bytes = 2048; }},
  };
  const TempFolder folder;
  const std::string input = MakeInput(folder);
  for (const Row& row : rows) {
    ConvertOptions options;
    row.change(options);
    const auto result = Convert(input, folder.Path("out"), options);
    CHECK(Code(result) == row.code);
    CHECK(result.error().stage == Stage::kUsage);
    CHECK(!std::filesystem::exists(folder.Path("out")));
  }
}

TEST_CASE("convert: what is no file, no model, or another format is refused with its word") {
  const TempFolder folder;
  const auto convert = [&](const std::string& name) { return Convert(folder.Path(name), folder.Path("out"), {}); };
  CHECK(convert("missing").error().stage == Stage::kIo);
  REQUIRE(mkfifo(folder.Path("fifo").c_str(), 0600) == 0);
  CHECK(convert("fifo").error().stage == Stage::kIo);
  CHECK(Convert(folder.path(), folder.Path("out"), {}).error().stage == Stage::kIo);
  WriteBytes(folder.Path("gguf"), AsBytes("GGUF\x03 and more of it"));
  CHECK(convert("gguf").error().subject == "GGUF");
  CHECK(convert("gguf").error().stage == Stage::kUnsupported);
  WriteBytes(folder.Path("empty"), {});
  CHECK(!convert("empty").ok());
  REQUIRE(Convert(MakeInput(folder), folder.Path("first"), {}).ok());
  CHECK(Code(convert("first")) == "is_container");
  CHECK(!std::filesystem::exists(folder.Path("out")));
}

TEST_CASE("convert: names from paths keep to the allowed letters") {
  const auto name = [](const std::string& path) {
    const auto clean = CleanName(StemOf(path));
    return clean.ok() ? clean.value() : std::string(clean.error().code);
  };
  CHECK(name("/a/b/model.safetensors") == "model");
  CHECK(name("bert base (v1).pt") == "bert-base-v1");
  CHECK(name("(a) - b!.pt") == "a-b");
  CHECK(name("a--b-.pt") == "a--b-");  // nothing in it has to be replaced
  CHECK(name("dir.d/noext") == "noext");
  CHECK(name(".hidden") == ".hidden");
  CHECK(name("..") == "model");
  CHECK(name("") == "model");
  CHECK(name("--.pt") == "--");
  CHECK(name(std::string(300, 'x') + ".pt").size() == 255);
  // What would make one name of different ones is asked for.
  for (const char* lost : {"модель.pt", "résumé.pt", "net-2-改.pt", "\xFF.pt", "(((.pt", "- -.pt"})
    CHECK(name(lost) == "name_needed");
}

}  // namespace
}  // namespace safemodel
