// SPDX-License-Identifier: Apache-2.0
#include "model/tensor_digests.h"

#include <unistd.h>

#include "model/fixture.h"
#include "model/imported_records.h"

namespace safemodel {
namespace {

TEST_CASE("digest: the tensor digest is the framing of the spec") {
  const ImportedModel model = std::move(ModelBuilder().Whole("w", Dtype::kF32, {2, 3}, Noise(24, 1))).Finish();
  const std::vector<container::TensorRecord> records = RecordsOf(model);
  const std::vector<Digest> digests = {crypto::Blake3Of(Noise(24, 1))};
  ByteWriter writer;
  writer.U64(1);
  writer.U32(1);
  writer.Text("w");
  writer.U8(12);
  writer.U32(2);
  writer.U64(2);
  writer.U64(3);
  writer.Bytes(digests[0]);
  crypto::Blake3 expected("safemodel 2026 v1 tensor digest");
  expected.Update(writer.view());
  const auto computed = TensorDigest(records, digests, {});
  REQUIRE(computed.ok());
  CHECK(computed.value() == expected.Finish());
}

TEST_CASE("digest: a long type text is hashed once, however many tensors have the type") {
  ElementType foreign;
  foreign.kind = Dtype::kForeign;
  foreign.item_size = 1;
  foreign.detail = std::string(8u << 20, 'x');
  const std::string text = "foreign:1:8388608'" + foreign.detail;
  constexpr std::uint64_t kTensors = 100000;  // 800 GiB of text, if it were hashed for each
  container::TensorRecord record;
  record.name = "w";
  record.dtype = Dtype::kForeign;
  const std::vector<container::TensorRecord> records(kTensors, record);
  const std::vector<Digest> digests(kTensors);
  const Digest type = crypto::Blake3Of(AsBytes(text));
  crypto::Blake3 expected("safemodel 2026 v1 tensor digest");
  ByteWriter head;
  head.U64(kTensors);
  expected.Update(head.view());
  ByteWriter one;
  one.U32(1);
  one.Text("w");
  one.U8(38);
  one.Bytes(type);
  one.U32(0);
  one.Bytes(Digest{});
  for (std::uint64_t i = 0; i < kTensors; ++i) expected.Update(one.view());
  const ElementType types[] = {foreign};
  alarm(60);
  const auto computed = TensorDigest(records, digests, types);
  alarm(0);
  REQUIRE(computed.ok());
  CHECK(computed.value() == expected.Finish());
}

TEST_CASE("digest: the content digest is the framing of the spec") {
  const ImportedModel model = std::move(ModelBuilder().Bytes("w", {1})).Finish();
  Digest tensor_digest{};
  tensor_digest.fill(9);
  Digest file_digest{};
  file_digest.fill(8);
  ByteWriter writer;
  writer.Bytes(tensor_digest);
  writer.U64(1);
  writer.U32(8);
  writer.Text("a/b.json");
  writer.U64(77);
  writer.Bytes(file_digest);
  writer.U32(3);  // dict, str, tensor
  for (const auto& [kind, flags, count] :
       {std::tuple<std::uint8_t, std::uint8_t, std::uint32_t>{11, 0, 2}, {7, 0, 1}, {21, 1, 4}}) {
    writer.U8(kind);
    writer.U8(flags);
    writer.U16(0);
    writer.U32(count);
  }
  writer.U32(2);
  writer.U32(1);
  writer.U32(2);
  writer.U64(5);
  writer.Text("w");
  writer.U32(0);
  crypto::Blake3 expected("safemodel 2026 v1 content digest");
  expected.Update(writer.view());
  const FileDigest files[] = {{"a/b.json", 77, file_digest}};
  CHECK(ContentDigest(tensor_digest, files, model.tree) == expected.Finish());
}

TEST_CASE("digest: texts of element types, and their bound") {
  std::vector<ElementType> types = {{Dtype::kText, 8, "", {}}, {Dtype::kDatetime64, 8, "25us", {}}};
  types.push_back(
      {Dtype::kRecord,
       20,
       "",
       {{"a", Dtype::kF32, 0, 0, {}}, {"b", Dtype::kText, 0, 4, {}}, {"c", Dtype::kDatetime64, 1, 12, {1}}}});
  const auto texts = TypeTexts(types);
  REQUIRE(texts.ok());
  CHECK(texts.value()[1] == "datetime64:8:4'25us");
  CHECK(texts.value()[2] == "record:20:0'{1'a@0:f32[],1'b@4:text:8:0'[],1'c@12:datetime64:8:4'25us[1]}");
  // Each record holds the one before it twice: 30 of them would have a text of 2^30 parts.
  for (std::uint32_t i = 0; i < 30; ++i) {
    const std::uint32_t inner = static_cast<std::uint32_t>(types.size()) - 1;
    types.push_back(
        {Dtype::kRecord, 40, "", {{"a", Dtype::kRecord, inner, 0, {}}, {"b", Dtype::kRecord, inner, 20, {}}}});
  }
  CHECK(Code(TypeTexts(types)) == "long_types");
}

TEST_CASE("digest: contiguous, strided and expanded tensors have the digest of their contiguous bytes") {
  const TempFolder folder;
  const ByteBuffer bytes = Noise(24, 1);
  ModelBuilder builder;
  const std::uint32_t storage = builder.Storage(bytes);
  builder.View("flat", Dtype::kU8, {24}, {1}, storage);
  builder.View("part", Dtype::kU8, {4}, {1}, storage, 3);
  builder.View("turned", Dtype::kU8, {6, 4}, {1, 6}, storage);
  builder.View("twice", Dtype::kU8, {2, 24}, {0, 1}, storage);
  const VerifiedModel model = WriteAndOpen(folder, builder.Finish(), TestOptions());
  for (const Tensor& tensor : model.tensors()) CHECK(tensor.digest == crypto::Blake3Of(ReadTensor(model, tensor.name)));
}

TEST_CASE("digest: the tensor digest does not depend on codec, chunks or sharing") {
  const TempFolder folder;
  const auto digest_of = [&](const ImportedModel& model, const ConvertOptions& options) {
    return WriteAndOpen(folder, model, options).info().tensor_digest;
  };
  const auto tied = [] {
    ModelBuilder builder;
    builder.Bytes("a", Smooth(9000)).View("b", Dtype::kU8, {9000}, {1}, 0);
    return builder.Finish();
  };
  const auto untied = [] {
    return std::move(ModelBuilder().Bytes("a", Smooth(9000)).Bytes("b", Smooth(9000))).Finish();
  };
  const Digest digest = digest_of(tied(), TestOptions());
  CHECK(digest_of(untied(), TestOptions(CodecChoice::kRaw)) == digest);
  ConvertOptions large = TestOptions(CodecChoice::kZstd);
  large.chunk_bytes = 1 << 20;
  CHECK(digest_of(tied(), large) == digest);
}

}  // namespace
}  // namespace safemodel
