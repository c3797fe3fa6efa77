// SPDX-License-Identifier: Apache-2.0
// Pickles of numpy, written by hand so that single fields can lie.
#include <doctest/doctest.h>

#include "base/cursor.h"
#include "pickle/import.h"

using namespace safemodel;          // NOLINT(google-build-using-namespace)
using namespace safemodel::pickle;  // NOLINT(google-build-using-namespace)

namespace {

// Dtype is numpy.dtype(text, 0, 1) and BUILD of (version, order, subarray, names, fields, size, alignment, flags).
std::string DtypeState(const std::string& text, const std::string& state) {
  return "cnumpy\ndtype\n(S'" + text + "'\nI00\nI01\ntR(" + state + "tb";
}
std::string Simple(const std::string& text, const std::string& order = "<",
                   const std::string& tail = "I-1\nI-1\nI0\n") {
  return DtypeState(text, "I3\nS'" + order + "'\nNNN" + tail);
}
// Record has the fields a: i4 at `offset` and b: f8 at 4.
std::string Record(const std::string& offset = "I0\n", const std::string& tail = "I12\nI1\nI16\n",
                   const std::string& names = "(S'a'\nS'b'\nt") {
  const std::string fields = "(dS'a'\n(" + Simple("i4") + offset + "tsS'b'\n(" + Simple("f8") + "I4\nts";
  return DtypeState("V12", "I3\nS'|'\nN" + names + fields + tail);
}

std::string Array(const std::string& dtype, const std::string& shape, const std::string& data,
                  const std::string& subtype = "ndarray", const std::string& order = "I00\n") {
  return "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\n" + subtype + "\n(I0\ntS'b'\ntR(I1\n" + shape + dtype + order +
         data + "tb";
}
std::string Bytes(const std::string& data) { return "U" + std::string(1, static_cast<char>(data.size())) + data; }
std::string Buffer(const std::string& data) { return "C" + std::string(1, static_cast<char>(data.size())) + data; }

Result<ImportedModel> Import(const std::string& stream) {
  const std::string whole = "\x80\x04" + stream + ".";
  return ImportPickleFamily(MakeMemorySource(ByteBuffer(whole.begin(), whole.end())), {});
}

std::string Code(const std::string& stream) {
  const auto model = Import(stream);
  return model.ok() ? "ok" : model.error().code;
}

std::string Plain(const ImportedModel& model, std::size_t tensor) {
  const SharedSource& source = model.storages[model.tensors[tensor].storage].source;
  const auto bytes = ReadRange(*source, 0, source->size(), 1u << 20);
  REQUIRE(bytes.ok());
  return std::string(AsText(bytes.value()));
}

struct Row {
  std::string why;
  std::string stream;
  std::string code;
};

}  // namespace

TEST_CASE("numpy: an array is a tensor over the bytes of the stream") {
  const auto model =
      Import(Array(Simple("u2", ">"), "(I2\nI1\nt", Bytes(std::string("\0\1\2\3", 4)), "ndarray", "I01\n"));
  REQUIRE_MESSAGE(model.ok(), std::string(model.error().code) << model.error().subject);
  REQUIRE(model.value().tensors.size() == 1);
  const ImportedTensor& tensor = model.value().tensors[0];
  CHECK(tensor.dtype == Dtype::kU16);
  CHECK(tensor.shape == std::vector<std::uint64_t>{2, 1});
  CHECK(Plain(model.value(), 0) == std::string("\1\0\3\2", 4));
  CHECK(model.value().tree.flags(0) == (kTensorNumpy | kTensorBigEndian));
}

TEST_CASE("numpy: element types that lie about themselves are refused") {
  const std::string two = Bytes("12345678");
  const auto object_record = [](const std::string& tail) {
    return DtypeState("V8", "I3\nS'|'\nN(S'o'\nt(dS'o'\n(" + Simple("O8", "|", "I-1\nI-1\nI63\n") + "I0\nts" + tail);
  };
  const std::vector<Row> rows = {
      {"control", Array(Simple("i4"), "(I2\nt", two), "ok"},
      {"control: record", Array(Record(), "(I1\nt", Bytes("123456789012")), "ok"},
      {"size of a number", Array(Simple("i4", "<", "I8\nI-1\nI0\n"), "(I2\nt", two), "MEM-DTYPE"},
      {"alignment of a number", Array(Simple("i4", "<", "I-1\nI4\nI0\n"), "(I2\nt", two), "MEM-DTYPE"},
      {"object flags on a number", Array(Simple("i4", "<", "I-1\nI-1\nI63\n"), "(I2\nt", two), "MEM-DTYPE"},
      {"objects without their flags", Array(Simple("O8", "|", "I-1\nI-1\nI0\n"), "(I1\nt", two), "MEM-DTYPE"},
      {"size of a text", Array(Simple("U1", "<", "I8\nI4\nI8\n"), "(I2\nt", two), "MEM-DTYPE"},
      {"unknown order", Array(Simple("i4", "!"), "(I2\nt", two), "MEM-DTYPE"},
      {"unknown type", Array(Simple("q4"), "(I2\nt", two), "MEM-DTYPE"},
      {"fields overlap", Array(Record("I2\n"), "(I1\nt", Bytes("123456789012")), "MEM-DTYPE"},
      {"field outside", Array(Record("I10\n"), "(I1\nt", Bytes("123456789012")), "MEM-DTYPE"},
      {"field at 2^62", Array(Record("L4611686018427387904L\n"), "(I1\nt", Bytes("123456789012")), "MEM-DTYPE"},
      {"record shorter than its fields", Array(Record("I0\n", "I8\nI1\nI16\n"), "(I1\nt", two), "MEM-DTYPE"},
      {"record of negative size", Array(Record("I0\n", "I-12\nI1\nI16\n"), "(I1\nt", two), "MEM-DTYPE"},
      {"alignment of a packed record", Array(Record("I0\n", "I12\nI8\nI16\n"), "(I1\nt", Bytes("123456789012")),
       "MEM-DTYPE"},
      {"object flags on a plain record", Array(Record("I0\n", "I12\nI1\nI27\n"), "(I1\nt", Bytes("123456789012")),
       "MEM-DTYPE"},
      {"name without a field",
       Array(Record("I0\n", "I12\nI1\nI16\n", "(S'a'\nS'c'\nt"), "(I1\nt", Bytes("123456789012")), "MEM-DTYPE"},
      {"field without a name", Array(Record("I0\n", "I12\nI1\nI16\n", "(S'a'\nt"), "(I1\nt", Bytes("123456789012")),
       "MEM-DTYPE"},
      {"same name twice", Array(Record("I0\n", "I12\nI1\nI16\n", "(S'a'\nS'a'\nt"), "(I1\nt", Bytes("123456789012")),
       "MEM-DTYPE"},
      // Measured: numpy then takes the bytes for pointers.
      {"record of objects without their flags", Array(object_record("I8\nI1\nI16\n"), "(I1\nt", two), "MEM-DTYPE"},
      {"record of objects with raw bytes", Array(object_record("I8\nI1\nI27\n"), "(I1\nt", two), "MEM-OBJECT"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Code(row.stream) == row.code);
  }
}

TEST_CASE("numpy: arrays that lie about their size or content are refused") {
  const std::string i4 = Simple("i4");
  const std::string objects = Simple("O8", "|", "I-1\nI-1\nI63\n");
  const std::vector<Row> rows = {
      {"too few bytes", Array(i4, "(I2\nt", Bytes("1234567")), "MEM-NPY"},
      {"too many bytes", Array(i4, "(I2\nt", Bytes("123456789")), "MEM-NPY"},
      {"size overflows", Array(i4, "(L9223372036854775807L\nI4\nt", Bytes("")), "MEM-SIZE"},
      {"zero hides an overflow", Array(i4, "(I0\nL9223372036854775807L\nI4\nt", Bytes("")), "MEM-SIZE"},
      {"negative dimension", Array(i4, "(I-2\nt", Bytes("12345678")), "STATE-SCHEMA"},
      {"objects as bytes", Array(objects, "(I1\nt", Bytes("12345678")), "MEM-OBJECT"},
      {"objects as a list", Array(objects, "(I2\nt", "(lI1\naNa"), "ok"},
      {"fewer objects than the shape", Array(objects, "(I3\nt", "(lI1\naNa"), "MEM-OBJECT"},
      {"numbers as a list", Array(i4, "(I2\nt", "(lI1\naNa"), "MEM-OBJECT"},
      {"subtype that is no array", Array(i4, "(I2\nt", Bytes("12345678"), "float64"), "CALL-ARGS"},
      {"array without state", "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR", "STATE-SCHEMA"},
      {"buffer", "cnumpy.core.numeric\n_frombuffer\n(" + Buffer("12345678") + i4 + "(I2\ntS'C'\ntR", "ok"},
      {"buffer too short", "cnumpy.core.numeric\n_frombuffer\n(" + Buffer("1234567") + i4 + "(I2\ntS'C'\ntR",
       "MEM-NPY"},
      {"buffer with turned axes",
       "cnumpy._core.numeric\n_frombuffer\n(" + Buffer("12345678") + i4 + "(I2\nI1\ntS'K'\n(I1\nI0\nttR", "ok"},
      {"axes that are no permutation",
       "cnumpy._core.numeric\n_frombuffer\n(" + Buffer("12345678") + i4 + "(I2\nI1\ntS'K'\n(I1\nI1\nttR", "MEM-VIEW"},
      {"axis outside",
       "cnumpy._core.numeric\n_frombuffer\n(" + Buffer("12345678") + i4 + "(I2\nI1\ntS'K'\n(I0\nI7\nttR", "MEM-VIEW"},
      {"scalar", "cnumpy.core.multiarray\nscalar\n(" + i4 + Bytes("1234") + "tR", "ok"},
      {"scalar of another size", "cnumpy.core.multiarray\nscalar\n(" + i4 + Bytes("12345") + "tR", "MEM-NPY"},
      {"scalar of objects", "cnumpy.core.multiarray\nscalar\n(" + objects + Bytes("12345678") + "tR", "MEM-OBJECT"},
      {"function called", "cnumpy\nlog\n(I1\ntR", "CALL-UNLISTED"},
      {"load called", "cnumpy\nload\n(S'x'\ntR", "CALL-UNLISTED"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const std::string code = Code(row.stream);
    const bool load = row.why == "load called" && code == "GLOBAL-DANGEROUS";  // either list may know it
    CHECK((code == row.code || load));
  }
}

TEST_CASE("numpy: a type cannot change after an array was checked with it") {
  // The dtype goes to the memo, is used, and gets its state afterwards.
  const std::string late =
      "cnumpy\ndtype\n(S'i4'\nI00\nI01\ntRq\x01"
      "0(" +
      Array("h\x01", "(I2\nt", Bytes("12345678")) + "h\x01(I3\nS'>'\nNNNI-1\nI-1\nI0\ntbt";
  CHECK(Code(late) == "CALL-ARGS");
}

TEST_CASE("numpy: random generators point into their numbers") {
  const auto generator = [](const std::string& pos, const std::string& words) {
    return "cnumpy.random._pickle\n__randomstate_ctor\n(S'MT19937'\ntR(dS'bit_generator'\nS'MT19937'\nsS'state'\n(dS'"
           "key'\n" +
           Array(
               Simple("u4"), "(I" + words + "\nt",
               "T" +
                   [&] {
                     ByteWriter size;
                     size.U32(static_cast<std::uint32_t>(4 * std::stoul(words)));
                     return std::string(AsText(size.view()));
                   }() +
                   std::string(4 * std::stoul(words), 'k')) +
           "sS'pos'\n" + pos + "ssS'has_gauss'\nI0\nsb";
  };
  CHECK(Code(generator("I0\n", "624")) == "ok");
  CHECK(Code(generator("I624\n", "624")) == "ok");
  CHECK(Code(generator("I625\n", "624")) == "STRUCT-RNG");
  CHECK(Code(generator("I-1\n", "624")) == "STRUCT-RNG");
  CHECK(Code(generator("S'x'\n", "624")) == "STRUCT-RNG");
  CHECK(Code(generator("I0\n", "623")) == "STRUCT-RNG");
  // Before numpy 1.17 the state was a tuple.
  const auto old = [](const std::string& key) {
    return "cnumpy.random\n__randomstate_ctor\n)R(S'MT19937'\n" + key + "I5\nI0\nF0.0\ntb";
  };
  CHECK(Code(old(Array(Simple("u4"), "(I2\nt", Bytes("12345678")))) == "STRUCT-RNG");
  CHECK(Code(old("I1\n")) == "STRUCT-RNG");
}
