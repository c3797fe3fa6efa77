// SPDX-License-Identifier: Apache-2.0
#include "pickle/joblib_layout.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/cursor.h"
#include "base/file.h"
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
                    const std::string& memo = "") {
  return "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81" + memo + "(dS'subclass'\ncnumpy\n" + subclass +
         "\nsS'shape'\n" + shape + "sS'order'\nS'C'\nsS'dtype'\n" + dtype + "sS'allow_mmap'\nI01\ns" +
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
      {"hostile array of objects", kProto + Wrapper(kObjects) + "cos\nsystem\n(S'x'\ntR." + ".", "GLOBAL-DANGEROUS"},
      {"subclass of another kind", kProto + Wrapper(kDtype, "(I4\nt", "float64") + Padded("abcd") + ".",
       "STATE-SCHEMA"},
      {"arrays in files of their own", kProto + "cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81}b.", "FILE-UNSUPPORTED"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Code(row.stream) == row.code);
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
