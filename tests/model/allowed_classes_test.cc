// SPDX-License-Identifier: Apache-2.0
#include <safemodel/allowed_classes.h>
#include <safemodel/convert.h>
#include <safemodel/scan.h>

#include <thread>

#include "model/class_table.h"
#include "model/fixture.h"

namespace safemodel {
namespace {

constexpr std::string_view kLayer =
    "version = 1\n[[class]]\nname = \"acme.Layer\"\nattributes = { size = \"int\", next = \"acme.Layer | none\" }\n";

AllowedClasses Layers() {
  auto allowed = AllowedClasses::Parse({{"allow.toml", std::string(kLayer)}});
  REQUIRE(allowed.ok());
  return std::move(allowed).value();
}

// WriteLayer writes a pickle of an object of acme.Layer whose `size` is made by `value`.
void WriteLayer(const std::string& path, std::string_view value) {
  ByteWriter writer;
  writer.Text(std::string("\x80\x02") + "cacme\nLayer\n)\x81}(U\x04size" + std::string(value) + "U\x04nextNub.");
  WriteBytes(path, writer.view());
}

ScanVerdict VerdictOf(const std::string& path, const AllowedClasses& allowed) {
  ScanOptions options;
  options.allowed = allowed;
  return Scan({path}, options, [](const ScanReport&) {}).worst;
}

TEST_CASE("allowed classes: an object that fits is clean with them and unknown without") {
  const TempFolder folder;
  WriteLayer(folder.Path("m.pkl"), "K\x01");
  CHECK(VerdictOf(folder.Path("m.pkl"), Layers()) == ScanVerdict::kClean);
  CHECK(VerdictOf(folder.Path("m.pkl"), {}) == ScanVerdict::kUnknown);
  WriteLayer(folder.Path("m.pkl"), "N");
  CHECK(VerdictOf(folder.Path("m.pkl"), Layers()) == ScanVerdict::kUnknown);
  WriteLayer(folder.Path("m.pkl"), "cacme\nLayer\n)R");
  CHECK(VerdictOf(folder.Path("m.pkl"), Layers()) == ScanVerdict::kDangerous);
}

TEST_CASE("allowed classes: one object is shared by threads, and outlives what it was copied from") {
  const TempFolder folder;
  WriteLayer(folder.Path("m.pkl"), "K\x01");
  std::array<ScanVerdict, 4> verdicts{};
  std::vector<std::thread> threads;
  {
    const AllowedClasses allowed = Layers();
    for (ScanVerdict& verdict : verdicts) {
      threads.emplace_back([&verdict, allowed, path = folder.Path("m.pkl")] { verdict = VerdictOf(path, allowed); });
    }
  }
  for (std::thread& thread : threads) thread.join();
  for (const ScanVerdict verdict : verdicts) CHECK(verdict == ScanVerdict::kClean);
}

TEST_CASE("allowed classes: a conversion takes them and says so") {
  const TempFolder folder;
  WriteLayer(folder.Path("m.pkl"), "K\x01");
  CHECK_FALSE(Convert(folder.Path("m.pkl"), folder.Path("m.safemodel"), {}).ok());
  ConvertOptions options;
  options.allowed = Layers();
  const auto report = Convert(folder.Path("m.pkl"), folder.Path("m.safemodel"), options);
  REQUIRE(report.ok());
  CHECK(report.value().verdict == "clean");
  CHECK(options.allowed.files().at(0).classes == 1);
}

TEST_CASE("allowed classes: types become schemas, and nothing else does") {
  const std::set<std::string> classes = {"acme.Layer"};
  CHECK(SchemaOf("list[ int|none ]", classes) == "list(int | none)");
  CHECK(SchemaOf("tuple[float,...]", classes) == "tuple(float ...)");
  CHECK(SchemaOf("dict[str, acme.Layer]", classes) == "dict(str: object(acme:Layer))");
  CHECK(SchemaOf("data", classes) == "plain");
  for (const char* wrong :
       {"", "node", "plain", "made(x)", "int)", "list(int)", "dict[str]", "acme.Other", "os.system"}) {
    CAPTURE(wrong);
    CHECK(SchemaOf(wrong, classes).empty());
  }
  CHECK(CheckClassName("acme.Layer") == nullptr);
  for (const char* wrong : {"Layer", "os.system", "builtins.object", "numpy.ndarray", "acme.__init__", "acme.a:b"}) {
    CAPTURE(wrong);
    CHECK(CheckClassName(wrong) != nullptr);
  }
}

TEST_CASE("allowed classes: nothing stated is nothing allowed") {
  CHECK(AllowedClasses::Parse({}).value().files().empty());
  CHECK(AllowedClasses::FromFiles({}).ok());
  const auto twice = AllowedClasses::Parse({{"a", std::string(kLayer)}, {"b", std::string(kLayer)}});
  REQUIRE_FALSE(twice.ok());
  CHECK(twice.error().stage == Stage::kConfig);
  CHECK(twice.error().subject == "b:3:8: class[0].name");
}

}  // namespace
}  // namespace safemodel
