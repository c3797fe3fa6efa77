// SPDX-License-Identifier: Apache-2.0
// Whole folders: into containers, and out again.
#include <safemodel/convert.h>
#include <safemodel/digest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/fixture.h"
#include "model/judge_file.h"
#include "model/seams.h"
#include "model/sharded_input.h"

namespace safemodel {
namespace {

namespace fs = std::filesystem;
using testing::ReadText;
using testing::WriteText;

std::string Safetensors(const std::string& name, char fill = 1) {
  std::string header = R"({")" + name + R"(":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  while (header.size() % 8 != 0) header += ' ';
  ByteWriter writer;
  writer.U64(header.size());
  writer.Text(header);
  writer.Text(std::string(4, fill));
  const ByteView view = writer.view();
  return {view.begin(), view.end()};
}

const std::string kCleanPickle = std::string(
    "\x80\x02}q\x00X\x01\x00\x00\x00"
    "aK\x01s.",
    15);
// A text in gzip.
const std::string kGzipOfText(
    "\037\213\010\000\000\000\000\000\002\003\113\124\050\111\255\050\321\121\050\317\310\114\316\120\310\054\126"
    "\310\313\127\310\315\117\111\315\341\002\000\307\232\344\323\032\000\000\000",
    46);
const std::string kCallingPickle = std::string("\x80\x02") + "csome.module\nfunction\n)R.";
constexpr const char* kDangerousPickle = "cposix\nsystem\n(Vtouch ran\ntR.";
const std::string kUnknownPickle = std::string("\x80\x02") + "csome.module\nClass\n)\x81.";

// ModelFolder is a folder of a model, to which tests add what they are about.
struct ModelFolder {
  ModelFolder() { fs::create_directory(temp.Path("in")); }
  ModelFolder& Add(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(temp.Path("in/" + path)).parent_path());
    WriteText(temp.Path("in/" + path), text);
    return *this;
  }
  ModelFolder& Plain() { return Add("config.json", "{}").Add("model.safetensors", Safetensors("w")); }
  [[nodiscard]] Result<ConvertReport> Convert(ConvertOptions options = TestOptions()) const {
    options.name = "test/model";
    options.overwrite = ConvertOptions::Overwrite::kReplace;
    return safemodel::Convert(temp.Path("in"), temp.Path("m.safemodel"), options);
  }
  TempFolder temp;
};

template <typename T>
std::string Outcome(const T& outcome) {
  return outcome.ok() ? "ok" : std::string(StageName(outcome.error().stage)) + " " + outcome.error().code;
}

std::vector<std::string> Listed(const ConvertReport& report) {
  std::vector<std::string> listed;
  for (const ConvertedFile& file : report.files) listed.push_back(file.path);
  for (const LeftOutFile& file : report.left_out) listed.push_back("- " + file.path + " " + file.reason);
  return listed;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("folder: files travel beside the tensors, and come out as they were") {
  ModelFolder folder;
  folder.Plain().Add("1_Pooling/config.json", "{}").Add("empty", "").Add("vocab.txt", std::string(9000, 'v'));
  const auto report = folder.Convert();
  REQUIRE_MESSAGE(report.ok(), Code(report));
  CHECK(Listed(report.value()) == Lines{"1_Pooling/config.json", "config.json", "empty", "vocab.txt"});
  CHECK(report.value().weights == Lines{"model.safetensors"});
  const VerifiedModel model = OpenTest(folder.temp.Path("m.safemodel"));
  REQUIRE(model.files().size() == 4);
  CHECK(model.files()[1].media_type == "application/json");
  CHECK(model.ReadFile(model.files()[3]).value() == ByteBuffer(9000, 'v'));
  CHECK(model.CheckContent().ok());
  const auto digests = ComputeDigests(folder.temp.Path("in"), 0, {});
  REQUIRE_MESSAGE(digests.ok(), Code(digests));
  CHECK(digests.value().content_digest == model.info().content_digest);
  CHECK(digests.value().tensor_digest == model.info().tensor_digest);

  const auto exported = Export(model, folder.temp.Path("out/"), ExportFormat::kFolder, {});
  REQUIRE_MESSAGE(exported.ok(), Code(exported));
  CHECK(exported.value().files == 4);
  for (const char* path : {"1_Pooling/config.json", "config.json", "empty", "vocab.txt", "model.safetensors"}) {
    CAPTURE(std::string(path));
    CHECK(ReadText(folder.temp.Path("in/") + path) == ReadText(folder.temp.Path("out/") + path));
  }
  CHECK(std::distance(fs::recursive_directory_iterator(folder.temp.Path("out")), {}) == 6);
}

TEST_CASE("folder: equal files are stored once, and do not make names meet") {
  ModelFolder folder;
  folder.Plain().Add("a.json", "{}").Add("b.json", "{}");
  REQUIRE(folder.Convert().ok());
  const auto model = Inspect(folder.temp.Path("m.safemodel"));
  REQUIRE(model.ok());
  CHECK(model.value().files.size() == 3);
  CHECK(std::count_if(model.value().objects.begin(), model.value().objects.end(),
                      [](const UnverifiedObject& object) { return object.kind == "file"; }) == 1);
  folder.Add("A.JSON", "{}");
  CHECK(Outcome(folder.Convert()) == "malformed paths_meet");
}

TEST_CASE("folder: what runs is left out and listed, or packed when asked for") {
  ModelFolder folder;
  folder.Plain()
      .Add("a.py", "x = 1\n")
      .Add("b", "#!/bin/sh\n")
      .Add("c.bin", kCleanPickle)
      .Add("d",
           "\x7F"
           "ELF....")
      .Add("e.IPYNB", "{}")
      .Add("f.gz", kGzipOfText)
      .Add("g.h5", "\x89HDF\r\n\x1A\n....")
      .Add("h/libx.so.1", "")
      .Add("countries.txt", "MZ\nNA\n")
      .Add("lib.so.2/notes.txt", "x = 1\n")
      .Add("i.txt", "cff-version: 1.2.0\nmessage: begins like a pickle\n")
      .Add(".git/hooks/x", "#!/bin/sh\n")
      .Add(".cache/huggingface/download/x.metadata", "1\n")
      .Add("old.safemodel", "\x89SMDL\r\n\x1A rest");
  const auto report = folder.Convert();
  REQUIRE_MESSAGE(report.ok(), Code(report));
  CHECK(Listed(report.value()) ==
        Lines{"config.json", "countries.txt", "i.txt", "lib.so.2/notes.txt", "- .cache/huggingface download_notes",
              "- .git git", "- a.py script", "- b script", "- c.bin pickle", "- d program", "- e.IPYNB notebook",
              "- f.gz archive", "- g.h5 keras", "- h/libx.so.1 program", "- old.safemodel container"});
  ConvertOptions options = TestOptions();
  options.executables = ConvertOptions::Executables::kInclude;
  const auto all = folder.Convert(options);
  REQUIRE_MESSAGE(all.ok(), Code(all));
  CHECK(all.value().files.size() == 12);
  CHECK(all.value().left_out.size() == 3);
  CHECK(all.value().files[0].executable == "script");

  const VerifiedModel model = OpenTest(folder.temp.Path("m.safemodel"));
  CHECK(Outcome(Export(model, folder.temp.Path("out"), ExportFormat::kFolder, {})) == "unsafe executable_file");
  CHECK_FALSE(fs::exists(folder.temp.Path("out")));
  ExportOptions write;
  write.executables = ExportOptions::Executables::kWrite;
  CHECK(Outcome(Export(model, folder.temp.Path("out"), ExportFormat::kFolder, write)) == "ok");
  CHECK((fs::status(folder.temp.Path("out/b")).permissions() & fs::perms(0111)) == fs::perms::none);
}

TEST_CASE("folder: a dangerous pickle refuses the whole folder; an unknown one does not travel unnoticed") {
  ConvertOptions include = TestOptions();
  include.executables = ConvertOptions::Executables::kInclude;
  for (const char* path : {"optimizer.pt", "config.json", "deep/er/x.txt"}) {
    ModelFolder folder;
    folder.Plain().Add(path, kDangerousPickle);
    const auto report = folder.Convert();
    CHECK(Outcome(report) == "unsafe GLOBAL-DANGEROUS");
    CHECK(report.error().subject == std::string(path) + ": posix.system");
    CHECK(Outcome(folder.Convert(include)) == "unsafe GLOBAL-DANGEROUS");
    CHECK_FALSE(fs::exists(folder.temp.Path("m.safemodel")));
  }
  ModelFolder folder;
  folder.Plain().Add("training_args.bin", kUnknownPickle);
  const auto left = folder.Convert();
  REQUIRE_MESSAGE(left.ok(), Code(left));
  CHECK(Listed(left.value()) == Lines{"config.json", "- training_args.bin unknown_pickle"});
  CHECK(Outcome(folder.Convert(include)) == "unsafe unknown_pickle");
  include.unknown = ConvertOptions::Unknown::kKeepInert;
  CHECK(Outcome(folder.Convert(include)) == "ok");
  folder.Add("calls.bin", kCallingPickle);
  const auto listed = folder.Convert();
  REQUIRE_MESSAGE(listed.ok(), Code(listed));
  CHECK(Listed(listed.value())[1] == "- calls.bin unlisted_call");
  CHECK(Outcome(folder.Convert(include)) == "unsafe unlisted_call");
  folder.Add("broken.pkl", "\x80\x02}q").Add("calls.bin", "");
  CHECK(Outcome(folder.Convert(include)) == "unsafe unreadable_pickle");
  folder.Add("broken.pkl", "").Add("cut.gz", kGzipOfText.substr(0, 18));
  CHECK(Outcome(folder.Convert(include)) == "unsafe unreadable_archive");
}

TEST_CASE("export: files are judged again, whoever packed them") {
  const TempFolder folder;
  for (const auto& [text, expected] : {std::pair<std::string, const char*>{kDangerousPickle, "unsafe GLOBAL-DANGEROUS"},
                                       {"#!/bin/sh\n", "unsafe executable_file"}}) {
    ModelBuilder builder;
    builder.Bytes("w", {1, 2});
    ImportedModel model = builder.Finish();
    model.files.push_back({"config.json", "", MakeMemorySource(ByteBuffer(text.begin(), text.end())), ""});
    const VerifiedModel opened = WriteAndOpen(folder, model, TestOptions());
    CHECK(Outcome(Export(opened, folder.Path("out"), ExportFormat::kFolder, {})) == expected);
    CHECK_FALSE(fs::exists(folder.Path("out")));
    const auto flat = Export(opened, folder.Path("out.safetensors"), ExportFormat::kSafetensors, {});
    REQUIRE(flat.ok());
    CHECK(flat.value().files_left_out == 1);
    fs::remove(folder.Path("out.safetensors"));
  }
}

TEST_CASE("export: a folder is never replaced, and a file of the tensors' name never overwritten") {
  const TempFolder folder;
  ModelBuilder builder;
  builder.Bytes("w", {1, 2});
  ImportedModel model = builder.Finish();
  model.files.push_back({"Model.SAFETENSORS", "", MakeMemorySource({1}), ""});
  const VerifiedModel opened = WriteAndOpen(folder, model, TestOptions());
  CHECK(Outcome(Export(opened, folder.Path("out"), ExportFormat::kFolder, {})) == "unsupported path_taken");
  model.files.clear();
  const VerifiedModel plain = WriteAndOpen(folder, model, TestOptions());
  fs::create_directory(folder.Path("out"));
  ExportOptions force;
  force.overwrite = ExportOptions::Overwrite::kReplace;
  CHECK(Outcome(Export(plain, folder.Path("out"), ExportFormat::kFolder, force)) == "usage exists");
  fs::remove(folder.Path("out"));
  REQUIRE(symlink(folder.path().c_str(), folder.Path("out").c_str()) == 0);
  CHECK(Outcome(Export(plain, folder.Path("out"), ExportFormat::kFolder, force)) == "io not_regular");
  CHECK(Outcome(Export(plain, folder.Path("new"), ExportFormat::kFolder, force)) == "ok");
}

TEST_CASE("folder: which weights are taken") {
  const std::string w = Safetensors("w");
  const std::string npy = [] {
    std::string head = "\x93NUMPY\x01";
    head += std::string("\0\x76\0", 3) + "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }";
    head.resize(127, ' ');
    return head + "\n1234";
  }();
  struct Row {
    std::vector<std::pair<std::string, std::string>> files;
    std::string wanted;
    std::string expected;
    std::string weights;
  };
  const Row rows[] = {
      {{{"model.safetensors", w}, {"pytorch_model.bin", kCleanPickle}}, "", "ok", "model.safetensors"},
      {{{"a.safetensors", w}, {"b.safetensors", Safetensors("v")}}, "", "usage several_models", ""},
      {{{"a.safetensors", w}, {"b.safetensors", Safetensors("v")}}, "b.safetensors", "ok", "b.safetensors"},
      {{{"a.safetensors", w}}, "c.safetensors", "usage no_such_weights", ""},
      {{{"config.json", "{}"}}, "", "usage no_weights", ""},
      {{}, "", "usage no_weights", ""},
      {{{"pytorch_model.bin", kCleanPickle}, {"optimizer.pt", kCleanPickle}}, "", "ok", "pytorch_model.bin"},
      {{{"a.pkl", kCleanPickle}, {"b.pkl", kCleanPickle}}, "", "usage several_models", ""},
      {{{"a.pkl", kCleanPickle}, {"x.npy", npy}}, "", "ok", "a.pkl"},
      {{{"x.npy", npy}}, "", "ok", "x.npy"},
      {{{"unet/m.safetensors", w}}, "", "ok", "unet/m.safetensors"},
      {{{"unet/m.safetensors", w}, {"vae/m.safetensors", w}}, "", "usage several_models", ""},
      {{{"model.safetensors", w}, {"2_Dense/model.safetensors", w}}, "", "ok", "model.safetensors"},
      {{{"model.txt", w}}, "", "ok", "model.txt"},  // content decides
      {{{"model.safetensors", "{\"json\":{\"x\":1}}"}}, "", "usage no_weights", ""},
  };
  for (const Row& row : rows) {
    ModelFolder folder;
    for (const auto& [path, text] : row.files) folder.Add(path, text);
    ConvertOptions options = TestOptions();
    options.weights = row.wanted;
    const auto report = folder.Convert(options);
    CAPTURE(row.files.empty() ? std::string() : row.files.front().first);
    CHECK(Outcome(report) == row.expected);
    if (report.ok()) CHECK(report.value().weights == Lines{row.weights});
  }
}

TEST_CASE("folder: shards without their index are one model or none") {
  const std::string first = "m-00001-of-00003.safetensors";
  const std::string second = "m-00002-of-00003.safetensors";
  const std::string third = "m-00003-of-00003.safetensors";
  const std::string other = "other.safetensors";
  struct Row {
    Lines files;
    std::string wanted;
    std::string expected;
    std::string subject;  // or the weights
  };
  const Row rows[] = {
      {{first}, "", "malformed FILE-MISSING", second + ", " + third + ", m.safetensors.index.json"},
      {{first, third}, "", "malformed FILE-MISSING", second + ", m.safetensors.index.json"},
      {{first, third}, third, "malformed FILE-MISSING", second + ", m.safetensors.index.json"},
      {{"m-00000-of-00003.safetensors", first, second, third},
       "",
       "usage several_inputs",
       "m-00000-of-00003.safetensors"},
      {{first, second, other}, "", "usage several_models", first + ", " + other},
      {{first, other}, other, "ok", other},
      {{first, second, third}, "", "ok", first + " " + second + " " + third},
      {{first, second, third, other}, second, "ok", first + " " + second + " " + third},
      {{"m-00001-of-00001.safetensors"}, "", "ok", "m-00001-of-00001.safetensors"},
      {{"m-00001-of-00009.safetensors"},
       "",
       "malformed FILE-MISSING",
       "m-00002-of-00009.safetensors, m-00003-of-00009.safetensors, m-00004-of-00009.safetensors, 5 more shards, "
       "m.safetensors.index.json"},
  };
  for (const Row& row : rows) {
    ModelFolder folder;
    for (const std::string& name : row.files) folder.Add(name, Safetensors(name));
    ConvertOptions options = TestOptions();
    options.weights = row.wanted;
    const auto report = folder.Convert(options);
    CAPTURE(row.files.size());
    CHECK(Outcome(report) == row.expected);
    std::string told;
    if (!report.ok()) {
      told = report.error().subject;
    } else {
      for (const std::string& name : report.value().weights) told += (told.empty() ? "" : " ") + name;
      CHECK(report.value().tensors == report.value().weights.size());
      CHECK(report.value().shard.count == 0);
    }
    CHECK(told == row.subject);
  }
}

TEST_CASE("folder: pickled shards without their index come before other pickles") {
  ModelFolder folder;
  folder.Add("pytorch_model-00001-of-00002.bin", kCleanPickle).Add("optimizer.pt", kCleanPickle);
  const auto report = folder.Convert();
  CHECK(Outcome(report) == "malformed FILE-MISSING");
  CHECK(report.error().subject == "pytorch_model-00002-of-00002.bin, pytorch_model.bin.index.json");
}

TEST_CASE("folder: other forms of the weights are left out, other models in it are files") {
  ModelFolder folder;
  folder.Plain()
      .Add("pytorch_model.bin", kCleanPickle)
      .Add("pytorch_model.bin.index.json", R"({"weight_map":{"a":"pytorch_model-00001-of-00001.bin"}})")
      .Add("pytorch_model-00001-of-00001.bin", kCleanPickle)
      .Add("2_Dense/model.safetensors", Safetensors("v"));
  const auto report = folder.Convert();
  CHECK(Outcome(report) == "ok");
  CHECK(Listed(report.value()) ==
        Lines{"2_Dense/model.safetensors", "config.json", "- pytorch_model-00001-of-00001.bin other_weights",
              "- pytorch_model.bin other_weights", "- pytorch_model.bin.index.json other_weights"});
}

TEST_CASE("sharded: index, folder and list of files are one model") {
  ModelFolder folder;
  folder.Add("m-00001-of-00002.safetensors", Safetensors("a", 1))
      .Add("m-00002-of-00002.safetensors", Safetensors("b", 2));
  const std::string first = folder.temp.Path("in/m-00001-of-00002.safetensors");
  const std::string second = folder.temp.Path("in/m-00002-of-00002.safetensors");
  const std::string index = folder.temp.Path("in/m.safetensors.index.json");
  const std::string map = R"({"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}})";
  const auto convert = [&](const std::vector<std::string>& inputs) {
    ConvertOptions options = TestOptions();
    options.overwrite = ConvertOptions::Overwrite::kReplace;
    return Convert(inputs, folder.temp.Path("out.safemodel"), options);
  };
  const auto listed = convert({second, first});
  REQUIRE_MESSAGE(listed.ok(), Code(listed));
  CHECK(listed.value().name == "m");
  CHECK(listed.value().layout == "sharded-safetensors");
  CHECK(Outcome(convert({first, first})) == "usage several_inputs");
  CHECK(Outcome(convert({first, folder.temp.Path("in/x")})) == "usage several_inputs");
  CHECK(Outcome(convert({second, folder.temp.Path("in/m-00003-of-00003.safetensors")})) == "usage several_inputs");
  CHECK(Outcome(convert({first, folder.temp.Path("m-00002-of-00002.safetensors")})) == "usage several_inputs");
  CHECK(Outcome(convert({})) == "usage no_input");
  folder.Add("m.safetensors.index.json", map);
  for (const auto& inputs : {Lines{index}, Lines{folder.temp.Path("in")}, Lines{first, index, second}}) {
    const auto report = convert(inputs);
    CAPTURE(inputs.front());
    REQUIRE_MESSAGE(report.ok(), Code(report));
    CHECK(report.value().content_digest == listed.value().content_digest);
    CHECK(report.value().tensors == 2);
    const auto digests = ComputeDigests(inputs.front() == first ? index : inputs.front(), 0, {});
    REQUIRE(digests.ok());
    CHECK(digests.value().content_digest == listed.value().content_digest);
  }
  CHECK(Outcome(convert({first, index})) == "usage several_inputs");
  std::string list;
  for (const char* name :
       {"m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors", "m.safetensors.index.json"}) {
    list += crypto::Hex(crypto::Blake3Of(ReadBytes(folder.temp.Path("in/") + name))) + "  " + name + "\n";
  }
  CHECK(convert({index}).value().source_digest == crypto::Blake3Of(AsBytes(list)));  // b3sum m* | b3sum
}

TEST_CASE("sharded: the index whose bytes were used is the one that was hashed, whenever another takes its place") {
  constexpr const char* kIndex = "m.safetensors.index.json";
  const std::string whole = R"({"weight_map":{"a":"s-1.safetensors","b":"s-2.safetensors"}})";
  const std::string part = R"({"weight_map":{"a":"s-1.safetensors","c":"s-2.safetensors"}})";
  const std::string tensors = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                              R"("c":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})";
  ByteWriter both;
  both.U64(tensors.size());
  both.Text(tensors + "xy");
  ModelFolder folder;
  folder.Add("s-1.safetensors", Safetensors("a")).Add("s-2.safetensors", std::string(AsText(both.view())));
  // Each index leaves another tensor out, so that the report tells which was read.
  using Told = std::pair<Digest, std::vector<std::string>>;
  const auto told = [&](const std::string& index) {
    folder.Add(kIndex, index);
    const auto report = folder.Convert();
    REQUIRE_MESSAGE(report.ok(), Code(report));
    return Told{report.value().source_digest, report.value().unmapped};
  };
  const Told of_part = told(part);
  const Told of_whole = told(whole);
  REQUIRE(of_part.second != of_whole.second);
  int opens = 0;
  for (int swapped_at = 1; opens >= swapped_at - 1; ++swapped_at) {
    CAPTURE(swapped_at);
    folder.Add(kIndex, whole);
    WriteText(folder.temp.Path("next"), part);
    opens = 0;
    const seams::WatchOpens watch([&](std::string_view name) {
      if (name == kIndex && ++opens == swapped_at)
        fs::rename(folder.temp.Path("next"), folder.temp.Path("in/") + kIndex);
    });
    const auto report = folder.Convert();
    if (!report.ok()) {
      CHECK(Outcome(report) == "io changed");
      continue;
    }
    const Told found{report.value().source_digest, report.value().unmapped};
    CHECK((found == of_whole || found == of_part));
  }
  CHECK(opens > 0);
}

TEST_CASE("sharded: shards that are missing, elsewhere or no models") {
  struct Row {
    const char* map;
    const char* expected;
  };
  const Row rows[] = {
      {R"({"weight_map":{"a":"none"}})", "malformed FILE-MISSING"},
      {R"({"weight_map":{"a":"../m.safetensors"}})", "unsafe FILE-PATH"},
      {R"({"weight_map":{"a":"link"}})", "unsafe FILE-PATH"},
      {R"({"weight_map":{"a":"fifo"}})", "io not_regular"},
      {R"({"weight_map":{"a":"folder"}})", "io not_regular"},
      {R"({"weight_map":{"a":"text"}})", "unsupported FILE-UNSUPPORTED"},
      {R"({"weight_map":{"a":"evil"}})", "unsafe GLOBAL-DANGEROUS"},
      {R"({"weight_map":{"a":"values"}})", "unsupported shard_not_flat"},
      {R"({"weight_map":{"b":"s"}})", "malformed tensor_missing"},
      {R"({"weight_map":{"a":"s"}})", "ok"},
  };
  ModelFolder folder;
  folder.Add("s", Safetensors("a")).Add("text", "words, words").Add("evil", kDangerousPickle).Add("folder/x", "");
  folder.Add("values", kCleanPickle);
  WriteText(folder.temp.Path("outside"), Safetensors("a"));
  REQUIRE(symlink("../outside", folder.temp.Path("in/link").c_str()) == 0);
  REQUIRE(mkfifo(folder.temp.Path("in/fifo").c_str(), 0600) == 0);
  for (const Row& row : rows) {
    folder.Add("index", row.map);  // without the suffix: content decides
    CAPTURE(std::string(row.map));
    CHECK(Outcome(Convert(folder.temp.Path("in/index"), folder.temp.Path("o.safemodel"), TestOptions())) ==
          row.expected);
    CHECK(fs::exists(folder.temp.Path("o.safemodel")) == (std::string(row.expected) == "ok"));
  }
}

TEST_CASE("folder: what lies in it and cannot be packed refuses it") {
  const auto outcome = [](const auto& add) {
    ModelFolder folder;
    folder.Plain();
    add(folder);
    return Outcome(folder.Convert());
  };
  CHECK(outcome([](ModelFolder& f) { REQUIRE(mkfifo(f.temp.Path("in/fifo").c_str(), 0600) == 0); }) ==
        "io not_regular");
  CHECK(outcome([](ModelFolder& f) { fs::create_symlink("/etc/passwd", f.temp.Path("in/x")); }) == "unsafe FILE-PATH");
  CHECK(outcome([](ModelFolder& f) { fs::create_symlink("x", f.temp.Path("in/x")); }) == "io link_loop");
  CHECK(outcome([](ModelFolder& f) { fs::create_symlink(".", f.temp.Path("in/x")); }) == "unsafe FILE-PATH");
  CHECK(outcome([](ModelFolder& f) { f.Add("bad\xFFname", ""); }) == "unsupported name_not_utf8");
  CHECK(outcome([](ModelFolder& f) { f.Add("a:b", ""); }) == "malformed bad_path");
  CHECK(outcome([](ModelFolder& f) { f.Add("nul.txt", ""); }) == "malformed bad_path");
  CHECK(outcome([](ModelFolder& f) { f.Add("bad.index.json", "{\"weight_map\":{"); }).substr(0, 9) == "malformed");
  CHECK(outcome([](ModelFolder& f) {
          std::string deep;
          for (int i = 0; i < 33; ++i) deep += "d/";
          f.Add(deep + "x", "");
        }) == "limit deep_folder");
}

}  // namespace safemodel
