// SPDX-License-Identifier: Apache-2.0
#include "pickle/joblib_layout.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "base/cursor.h"
#include "base/file.h"
#include "pickle/compress.h"
#include "pickle/import.h"
#include "testing/temp_folder.h"

using namespace safemodel;           // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;   // NOLINT(google-build-using-namespace)
using namespace safemodel::testing;  // NOLINT(google-build-using-namespace)

namespace {

// Parts of a pickle in opcodes of protocol 0 to 2.
const std::string kDtype = "cnumpy\ndtype\n(S'u1'\nI00\nI01\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb";
const std::string kObjects = "cnumpy\ndtype\n(S'O8'\nI00\nI01\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb";

// Wrapper is NEWOBJ and BUILD of a wrapper; `memo` is put between them.
std::string Wrapper(const std::string& dtype, const std::string& shape = "(I4\nt",
                    const std::string& subclass = "ndarray",
                    const std::string& alignment = "S'numpy_array_alignment_bytes'\nI16\n",
                    const std::string& memo = "", bool map_objects = false) {
  const std::string mapped = dtype != kObjects || map_objects ? "01" : "00";  // joblib maps no objects
  return "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + memo + "(dS'subclass'\ncnumpy\n" + subclass +
         "\nsS'shape'\n" + shape + "sS'order'\nS'C'\nsS'dtype'\n" + dtype + "sS'allow_mmap'\nI" + mapped + "\ns" +
         (alignment.empty() ? "" : alignment + "s") + "b";
}

std::string Padded(const std::string& data, std::size_t padding = 3, char fill = '\xFF') {
  return std::string(1, static_cast<char>(padding)) + std::string(padding, fill) + data;
}

const std::string kProto = "\x80\x02";

Result<ImportedModel> Import(const std::string& stream) {
  return ImportPickleFamily(MakeMemorySource(ByteBuffer(stream.begin(), stream.end())), {});
}

std::string Code(const std::string& stream) {
  const auto model = Import(stream);
  return model.ok() ? "ok" : model.error().code;
}

}  // namespace

TEST_CASE("joblib: an array follows its wrapper") {
  const auto model =
      Import(kProto + "(" + Wrapper(kDtype) + Padded("abcd") + Wrapper(kDtype, "(I2\nt", "ndarray", "") + "ef" + "t.");
  REQUIRE_MESSAGE(model.ok(), std::string(model.error().code) << ' ' << std::string(model.error().text));
  CHECK(model.value().layout == "joblib");
  REQUIRE(model.value().tensors.size() == 2);
  std::string all;
  for (const ImportedTensor& tensor : model.value().tensors) {
    const SharedSource& source = model.value().storages[tensor.storage].source;
    const auto bytes = ReadRange(*source, 0, source->size(), 100);
    REQUIRE(bytes.ok());
    all += AsText(bytes.value());
  }
  CHECK(all == "abcdef");
  CHECK(model.value().tree.kind(0) == NodeKind::kTuple);
  CHECK(model.value().tree.kind(1) == NodeKind::kTensor);
}

TEST_CASE("joblib: subclasses stay objects, arrays of objects are pickles of their own") {
  const auto matrix = Import(kProto + Wrapper(kDtype, "(I2\nI2\nt", "matrix") + Padded("abcd") + ".");
  REQUIRE_MESSAGE(matrix.ok(), matrix.error().text);
  CHECK(matrix.value().tree.kind(0) == NodeKind::kObject);
  const auto objects = Import(kProto + "(" + Wrapper(kObjects, "(I1\nt") + kProto +
                              "]K\x05"
                              "a." +
                              "t.");
  REQUIRE_MESSAGE(objects.ok(), objects.error().text);
  CHECK(objects.value().tree.kind(objects.value().tree.ChildrenOf(0)[0]) == NodeKind::kList);
}

TEST_CASE("joblib: what readers would take differently is refused") {
  struct Row {
    std::string why;
    std::string stream;
    std::string code;
  };
  const std::string wrapper = Wrapper(kDtype);
  ByteWriter frame;
  frame.U8(0x95);
  const std::string framed = wrapper + Padded("abcd") + ".";
  frame.U64(framed.size());
  const std::vector<Row> rows = {
      {"control: one array", kProto + wrapper + Padded("abcd") + ".", "ok"},
      {"padding of 0", kProto + wrapper + Padded("abcd", 0) + ".", "JOBLIB-PADDING"},
      {"padding of 16", kProto + wrapper + Padded("abcd", 16) + ".", "ok"},
      {"padding of 17", kProto + wrapper + Padded("abcd", 17) + ".", "JOBLIB-PADDING"},
      {"padding that holds data", kProto + wrapper + Padded("abcd", 5, 'c') + ".", "JOBLIB-PADDING"},
      {"wrapper used again",
       kProto + "(" + Wrapper(kDtype, "(I4\nt", "ndarray", "S'numpy_array_alignment_bytes'\nI16\n", "q\x01") +
           Padded("abcd") +
           "h\x01"
           "t.",
       "JOBLIB-REUSE"},
      {"array inside a frame", "\x80\x04" + std::string(AsText(frame.view())) + framed, "JOBLIB-FRAME"},
      {"file ends inside the array", kProto + wrapper + Padded("abc"), "PKL-MALFORMED"},
      {"size overflows",
       kProto + Wrapper(kDtype, "(L9223372036854775807L\nL9223372036854775807L\nt") + Padded("") + ".", "MEM-SIZE"},
      {"wrapper without state", kProto + "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81.", "STATE-SCHEMA"},
      {"payload behind the array", kProto + wrapper + Padded("abcd") + "cos\nsystem\n(S'x'\ntR.", "GLOBAL-DANGEROUS"},
      {"array that looks like a header that swallows the payload",
       kProto + "(" + Wrapper(kDtype, "(I5\nt") + Padded(std::string("B\x20\0\0\0", 5)) + "cos\nsystem\n(S'x'\ntR" +
           std::string(20, 'N') + "t.",
       "GLOBAL-DANGEROUS"},
      {"objects in a memory map", kProto + Wrapper(kObjects, "(I1\nt", "ndarray", "", "", true) + kProto + "]..",
       "MEM-OBJECT"},
      {"hostile array of objects", kProto + Wrapper(kObjects) + "cos\nsystem\n(S'x'\ntR." + ".", "GLOBAL-DANGEROUS"},
      {"subclass of another kind", kProto + Wrapper(kDtype, "(I4\nt", "float64") + Padded("abcd") + ".",
       "STATE-SCHEMA"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Code(row.stream) == row.code);
  }
}

namespace {

// Npy is a .npy file of version 1.
std::string Npy(const std::string& descr, const std::string& shape, const std::string& data) {
  const std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return "\x93NUMPY" + std::string("\1\0", 2) + static_cast<char>(header.size()) + '\0' + header + data;
}

const std::string kModules[] = {"joblib.numpy_pickle", "sklearn.externals.joblib.numpy_pickle",
                                "joblib.numpy_pickle_compat"};

std::string FileWrapper(const std::string& name, const std::string& subclass = "ndarray",
                        const std::string& module = kModules[0]) {
  return "c" + module + "\nNDArrayWrapper\n)\x81(dS'filename'\nS'" + name + "'\nsS'subclass'\ncnumpy\n" + subclass +
         "\nsS'allow_mmap'\nI01\nsb";
}

std::string ZWrapper(const std::string& name, const std::string& dtype = kDtype, const std::string& shape = "(I4\nt",
                     const std::string& fortran = "I00\n", const std::string& subclass = "ndarray") {
  return "cjoblib.numpy_pickle\nZNDArrayWrapper\n)\x81(dS'filename'\nS'" + name + "'\nsS'init_args'\n(cnumpy\n" +
         subclass + "\n(I0\ntS'b'\ntsS'state'\n(I1\n" + shape + dtype + fortran + "tsb";
}

using Files = std::map<std::string, std::string>;

Result<ImportedModel> ImportBeside(const std::string& stream, const Files& files) {
  ImportOptions options;
  options.open_sibling = [&files](const std::string& name) -> Result<SharedSource> {
    const auto file = files.find(name);
    if (file == files.end()) return Error{Stage::kIo, "not_found", "no such file", kNoOffset, name};
    return MakeMemorySource(ByteBuffer(file->second.begin(), file->second.end()));
  };
  return ImportPickleFamily(MakeMemorySource(ByteBuffer(stream.begin(), stream.end())), options);
}

std::string BytesOf(const ImportedModel& model, std::size_t tensor) {
  const SharedSource& source = model.storages[model.tensors[tensor].storage].source;
  const auto bytes = ReadRange(*source, 0, source->size(), 1u << 20);
  return bytes.ok() ? std::string(AsText(bytes.value())) : bytes.error().code;
}

}  // namespace

TEST_CASE("joblib: arrays in files of their own") {
  const std::string objects = Npy("|O", "(2,)",
                                  kProto +
                                      "]q\x01(K\x01K\x02"
                                      "e.");
  const Files files = {{"m_01.npy", Npy("|u1", "(4,)", "abcd")},
                       {"m_02.npy", objects},
                       {"m_03.npy.z", ZFile("efghij")},
                       {"m_04.npy", Npy("|u1", "(1, 2)", "kl")}};
  for (const std::string& module : kModules) {
    const auto model = ImportBeside(
        kProto + "(" + FileWrapper("m_01.npy", "ndarray", module) + FileWrapper("m_02.npy", "ndarray", module) +
            ZWrapper("m_03.npy.z", kDtype, "(I2\nI3\nt", "I01\n") + FileWrapper("m_04.npy", "matrix", module) + "t.",
        files);
    REQUIRE_MESSAGE(model.ok(), std::string(model.error().code) << ' ' << model.error().subject);
    CHECK(model.value().layout == "joblib");
    REQUIRE(model.value().tensors.size() == 3);
    CHECK(BytesOf(model.value(), 0) == "abcd");
    CHECK(BytesOf(model.value(), 1) == "efghij");
    CHECK(model.value().tensors[1].strides == std::vector<std::uint64_t>{1, 2});
    CHECK(BytesOf(model.value(), 2) == "kl");
    const auto children = model.value().tree.ChildrenOf(0);
    CHECK(model.value().tree.kind(children[0]) == NodeKind::kTensor);
    CHECK(model.value().tree.kind(children[1]) == NodeKind::kList);
    CHECK(model.value().tree.kind(children[3]) == NodeKind::kObject);
  }
}

TEST_CASE("joblib: companions that lie, hide or are missing") {
  const std::string call = "cos\nsystem\n(S'x'\ntR.";
  const Files files = {{"good.npy", Npy("|u1", "(4,)", "abcd")},
                       {"good.npy.z", ZFile("abcd")},
                       {"short.npy", Npy("|u1", "(5,)", "abcd")},
                       {"evil.npy", Npy("|O", "(1,)", kProto + call)},
                       {"after.npy", Npy("|O", "(1,)", kProto + "N." + call)},
                       {"cut.npy", Npy("|O", "(1,)", kProto + "(K\x01")},
                       {"pickle.npy", kProto + call},
                       {"zlib.npy.z", DeflateFile("abcd", Deflated::kZlib)},
                       {"wrong.npy.z", ZFile("abcd", "0x5                ")},
                       {"short.npy.z", ZFile("abc")},
                       {"large.npy.z", ZFile(std::string(40u << 20, '\0'))}};
  struct Row {
    std::string why;
    std::string objects;
    std::string code;
  };
  const std::vector<Row> rows = {
      {"control: an array", FileWrapper("good.npy"), "ok"},
      {"control: a memory map", FileWrapper("good.npy", "memmap"), "ok"},
      {"control: compressed", ZWrapper("good.npy.z"), "ok"},
      {"missing", FileWrapper("none.npy"), "FILE-MISSING"},
      {"compressed, missing", ZWrapper("none.npy.z"), "FILE-MISSING"},
      {"in another folder", FileWrapper("../good.npy"), "FILE-PATH"},
      {"at the root", ZWrapper("/etc/passwd"), "FILE-PATH"},
      {"path of Windows", FileWrapper("a\\\\good.npy"), "FILE-PATH"},
      {"the folder", FileWrapper(".."), "FILE-PATH"},
      {"no name", FileWrapper(""), "FILE-PATH"},
      {"name with NUL", FileWrapper("good.npy\\x00"), "FILE-PATH"},
      {"one file for two arrays", FileWrapper("good.npy") + FileWrapper("good.npy"), "JOBLIB-REUSE"},
      {"shape of another size", FileWrapper("short.npy"), "FILE-MALFORMED"},
      {"hostile objects", FileWrapper("evil.npy"), "GLOBAL-DANGEROUS"},
      {"bytes behind the objects", FileWrapper("after.npy"), "PKL-TRAILING"},
      {"objects that do not end: the next file's bytes are not theirs",
       FileWrapper("cut.npy") + FileWrapper("good.npy"), "PKL-MALFORMED"},
      {"a pickle instead of an array", FileWrapper("pickle.npy"), "NPY-HEADER"},
      {"zlib instead of a Z-file", ZWrapper("zlib.npy.z"), "WRAP-MALFORMED"},
      {"array instead of a Z-file", ZWrapper("good.npy"), "WRAP-MALFORMED"},
      {"Z-file of another size", ZWrapper("wrong.npy.z"), "WRAP-MALFORMED"},
      {"Z-file of another size than the array", ZWrapper("short.npy.z"), "MEM-NPY"},
      {"Z-file that is a bomb", ZWrapper("large.npy.z", kDtype, "(I41943040\nt"), "LIMIT-RATIO"},
      {"objects as raw bytes", ZWrapper("good.npy.z", kObjects, "(I1\nt"), "MEM-OBJECT"},
      {"class of another kind", FileWrapper("good.npy", "float64"), "STATE-SCHEMA"},
      {"class of another kind, compressed", ZWrapper("good.npy.z", kDtype, "(I4\nt", "I00\n", "float64"),
       "STATE-SCHEMA"},
      {"size that overflows", ZWrapper("good.npy.z", kDtype, "(I9223372036854775807\nI9223372036854775807\nt"),
       "MEM-SIZE"},
      {"wrapper without state", "cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81", "STATE-SCHEMA"},
      {"wrapper used again",
       "cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81q\x01(dS'filename'\nS'good.npy'\nsS'subclass'"
       "\ncnumpy\nndarray\nsbh\x01",
       "JOBLIB-REUSE"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto model = ImportBeside(kProto + "(" + row.objects + "t.", files);
    CHECK((model.ok() ? std::string("ok") : model.error().code) == row.code);
  }
  CHECK(Code(kProto + FileWrapper("good.npy") + ".") == "FILE-MISSING");  // no folder to look in
}

TEST_CASE("joblib: a compressed stream is the same stream") {
  const std::string stream = kProto + "(" + Wrapper(kDtype) + Padded("abcd") + "t.";
  for (const WrapperKind kind : kAllWrappers) {
    CAPTURE(WrapperName(kind));
    const auto model = Import(Compress(kind, stream));
    REQUIRE_MESSAGE(model.ok(), model.error().code);
    CHECK(model.value().layout == std::string("joblib, ") + WrapperName(kind));
    CHECK(BytesOf(model.value(), 0) == "abcd");
  }
}

TEST_CASE("joblib: files of its old releases are read") {
  const std::string folder = CorpusPath("real/joblib/joblib/test/data");
  if (folder.empty()) return;
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".pkl") || !(name.starts_with("joblib_0.10") || name.starts_with("joblib_0.11"))) continue;
    CAPTURE(name);
    const auto file = File::Open(entry.path().string());
    REQUIRE(file.ok());
    const auto model = ImportPickleFamily(file.value(), {});
    REQUIRE_MESSAGE(model.ok(), std::string(model.error().code) << ' ' << model.error().subject);
    CHECK(model.value().layout == "joblib");
    CHECK(model.value().tensors.size() == 3);  // int64, float64, matrix; the fourth is an array of objects
    ++read;
  }
  CHECK(read >= 5);
}
