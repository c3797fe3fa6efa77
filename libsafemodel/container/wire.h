// SPDX-License-Identifier: Apache-2.0
// What the manifest and the directory have in common as FlatBuffers. FlatBuffers' own verifier checks that offsets stay
// inside the buffer; everything else that it leaves open is checked here: limits before any table is walked, alignment
// of 64-bit vectors, vtables that are longer than the schema, absent fields, UTF-8.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "container/format.h"
#include "container/refuse.h"
#include "directory_generated.h"
#include "manifest_generated.h"

namespace safemodel::container {

// AlignedBytes views bytes at an address that FlatBuffers can read from: where they are if that will do, else a copy.
class AlignedBytes {
 public:
  explicit AlignedBytes(ByteView bytes);
  [[nodiscard]] ByteView view() const { return view_; }

 private:
  std::unique_ptr<std::uint64_t[]> copy_;
  ByteView view_;
};

// VectorBound is the limit on one vector of the root table.
struct VectorBound {
  flatbuffers::voffset_t field;
  std::uint64_t most;
  const char* code;
  const char* text;
};

// WireFrame is the part of a FlatBuffers schema that the checks below need to know.
struct WireFrame {
  const char* identifier;
  std::uint64_t most_bytes;
  std::span<const VectorBound> vectors;
};

// CheckRootVectors checks size, identifier, root table and the lengths of its vectors, and looks at nothing behind
// them. It returns the sum of the lengths of the vectors, which is the number of tables below the root. kMalformed
// "bad_flatbuffer", kLimit.
Result<std::uint64_t> CheckRootVectors(ByteView bytes, const WireFrame& frame);

// WireDepth is the deepest nesting of tables in either schema, with room.
inline constexpr std::uint32_t kWireDepth = 4;

inline Error BadFlatBuffer() { return Malformed("bad_flatbuffer", "the FlatBuffers structure is broken"); }

// VerifyWire runs the FlatBuffers verifier. `tables` is how many tables there are when none is shared, so that
// sharing cannot multiply the work.
template <typename Root>
Result<const Root*> VerifyWire(ByteView bytes, const char* identifier, std::uint64_t tables) {
  flatbuffers::Verifier::Options options;
  options.max_depth = kWireDepth;
  options.max_tables = static_cast<flatbuffers::uoffset_t>(std::min<std::uint64_t>(tables, 0xFFFFFFFF));
  options.check_nested_flatbuffers = false;  // the schemas have none
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), options);
  if (!verifier.VerifyBuffer<Root>(identifier)) return BadFlatBuffer();
  return flatbuffers::GetRoot<Root>(bytes.data());
}

// kLastField is the last field of a table's schema.
template <typename T>
inline constexpr flatbuffers::voffset_t kLastField = 0;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::KeyValue> = wire::KeyValue::VT_VALUE;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Extension> = wire::Extension::VT_DATA;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Encryption> = wire::Encryption::VT_BUCKET;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Manifest> = wire::Manifest::VT_EXTENSIONS;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Field> = wire::Field::VT_SHAPE;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::ElementType> = wire::ElementType::VT_FIELDS;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Tensor> = wire::Tensor::VT_DIGEST;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::File> = wire::File::VT_OBJECT;
template <>
inline constexpr flatbuffers::voffset_t kLastField<wire::Directory> = wire::Directory::VT_CONTENT_DIGEST;

inline Error MissingField(std::string_view subject = {}) {
  return Malformed("missing_field", "a required field is absent", subject);
}

// WireReader takes fields out of verified tables. It bounds the text that it looks at to four times the buffer, so that
// a string shared by many tables cannot multiply the work.
class WireReader {
 public:
  WireReader(std::size_t buffer_bytes, std::uint16_t minor)
      : text_left_(4 * std::uint64_t{buffer_bytes}), minor_(minor) {}

  // CheckTable applies [M-VTABLE]: in a version that we know there is no field that we would not show.
  template <typename T>
  [[nodiscard]] Status CheckTable(const T* table) const {
    static_assert(kLastField<T> != 0);
    return CheckVtable(reinterpret_cast<const flatbuffers::Table*>(table), kLastField<T>);
  }

  // Text copies a required string of at most `most` bytes; [M-UTF8]. kMalformed "missing_field", "bad_utf8", kLimit
  // "long_text".
  Result<std::string> Text(const flatbuffers::String* text, std::uint64_t most);
  // Numbers copies a vector of 64-bit numbers of at most `most` entries; an absent one is empty.
  Result<std::vector<std::uint64_t>> Numbers(const flatbuffers::Vector<std::uint64_t>* numbers,
                                             std::uint32_t most) const;

 private:
  [[nodiscard]] Status CheckVtable(const flatbuffers::Table* table, flatbuffers::voffset_t last_field) const;

  std::uint64_t text_left_;
  std::uint16_t minor_;
};

// IsWireText says whether text is UTF-8 without a zero byte; [M-UTF8].
bool IsWireText(std::string_view text);

// Required turns an optional scalar into its value; [M-REQUIRED].
template <typename T>
Result<T> Required(flatbuffers::Optional<T> field) {
  if (!field.has_value()) return MissingField();
  return field.value();
}

// DigestOf copies a required digest.
Result<Digest> DigestOf(const wire::Hash* hash);
wire::Hash WireDigest(const Digest& digest);

// SizeOf returns the length of a vector that may be absent.
template <typename V>
std::uint32_t SizeOf(const V* vector) {
  return vector == nullptr ? 0 : vector->size();
}

using WireKeyValues = flatbuffers::Vector<flatbuffers::Offset<wire::KeyValue>>;

// DecodeMetadata takes over a metadata table; CheckMetadata applies its rules: keys strictly ascending, at least a byte
// each, and the limits.
Result<KeyValues> DecodeMetadata(WireReader& reader, const WireKeyValues* entries, const Limits& limits);
Status CheckMetadata(const KeyValues& metadata, const Limits& limits);
flatbuffers::Offset<WireKeyValues> EncodeMetadata(flatbuffers::FlatBufferBuilder& builder, const KeyValues& metadata);

// FinishedBytes copies what a finished builder holds.
ByteBuffer FinishedBytes(const flatbuffers::FlatBufferBuilder& builder);

}  // namespace safemodel::container
