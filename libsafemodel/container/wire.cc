// SPDX-License-Identifier: Apache-2.0
#include "container/wire.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace safemodel::container {
namespace {

constexpr std::size_t kWireAlignment = alignof(std::uint64_t);

bool IsAligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % kWireAlignment == 0; }

}  // namespace

AlignedBytes::AlignedBytes(ByteView bytes) : view_(bytes) {
  if (bytes.empty() || IsAligned(bytes.data())) return;
  copy_ = std::make_unique<std::uint64_t[]>((bytes.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
  std::memcpy(copy_.get(), bytes.data(), bytes.size());
  view_ = {reinterpret_cast<const std::uint8_t*>(copy_.get()), bytes.size()};
}

Result<std::uint64_t> CheckRootVectors(ByteView bytes, const WireFrame& frame) {
  // The verifier's constructor asserts the second bound: 2^31 - 1 bytes.
  if (bytes.size() > frame.most_bytes || bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return OverLimit("large_table", "the manifest or the directory is larger than its limit");
  }
  constexpr std::size_t kLeastBytes = 8;  // root offset and identifier
  if (bytes.size() < kLeastBytes || !flatbuffers::BufferHasIdentifier(bytes.data(), frame.identifier)) {
    return Malformed("bad_identifier", "the manifest or the directory does not carry its identifier");
  }
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kWireDepth, 1);
  const flatbuffers::uoffset_t root_offset = verifier.VerifyOffset(0);
  if (root_offset == 0) return BadFlatBuffer();
  const auto* root = flatbuffers::GetRoot<flatbuffers::Table>(bytes.data());
  if (!root->VerifyTableStart(verifier)) return BadFlatBuffer();

  std::uint64_t entries = 0;
  for (const VectorBound& bound : frame.vectors) {
    if (!root->VerifyOffset(verifier, bound.field)) return BadFlatBuffer();
    const auto* vector = root->GetPointer<const flatbuffers::Vector<flatbuffers::uoffset_t>*>(bound.field);
    if (!verifier.VerifyVector(vector)) return BadFlatBuffer();
    if (SizeOf(vector) > bound.most) return OverLimit(bound.code, bound.text);
    entries += SizeOf(vector);
  }
  return entries;
}

Status WireReader::CheckVtable(const flatbuffers::Table* table, flatbuffers::voffset_t last_field) const {
  constexpr flatbuffers::voffset_t kHead = 2 * sizeof(flatbuffers::voffset_t);
  const auto size = flatbuffers::ReadScalar<flatbuffers::voffset_t>(table->GetVTable());
  if (size < kHead) return BadFlatBuffer();
  if (minor_ <= kMinor && size > last_field + sizeof(flatbuffers::voffset_t)) {
    return Malformed("unknown_field", "a table has fields that this version of the format does not define");
  }
  return {};
}

Result<std::string> WireReader::Text(const flatbuffers::String* text, std::uint64_t most) {
  if (text == nullptr) return MissingField();
  const std::string_view view(text->c_str(), text->size());
  if (view.size() > most || view.size() > text_left_) return OverLimit("long_text", "a text is longer than its limit");
  text_left_ -= view.size();
  if (!IsWireText(view)) return Malformed("bad_utf8", "a text is not UTF-8, or holds a zero byte");
  return std::string(view);
}

Result<std::vector<std::uint64_t>> WireReader::Numbers(const flatbuffers::Vector<std::uint64_t>* numbers,
                                                       std::uint32_t most) const {
  if (numbers == nullptr || numbers->size() == 0) return std::vector<std::uint64_t>();
  if (numbers->size() > most) return OverLimit("high_rank", "a shape has more dimensions than the limit");
  // The verifier looks at the alignment of the length only.
  if (!IsAligned(numbers->Data())) return Malformed("misaligned", "a vector of 64-bit numbers is not aligned");
  return std::vector<std::uint64_t>(numbers->begin(), numbers->end());
}

bool IsWireText(std::string_view text) { return IsUtf8(text) && text.find('\0') == std::string_view::npos; }

Result<Digest> DigestOf(const wire::Hash* hash) {
  if (hash == nullptr) return MissingField();
  Digest digest{};
  std::copy_n(hash->bytes()->Data(), digest.size(), digest.begin());
  return digest;
}

wire::Hash WireDigest(const Digest& digest) {
  return wire::Hash(flatbuffers::span<const std::uint8_t, 32>(digest.data(), digest.size()));
}

ByteBuffer FinishedBytes(const flatbuffers::FlatBufferBuilder& builder) {
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace safemodel::container
