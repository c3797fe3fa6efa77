// SPDX-License-Identifier: Apache-2.0
// Spec section 6: extended dtypes.
#include <algorithm>
#include <limits>
#include <string_view>

#include "base/checked.h"
#include "container/directory_tables.h"
#include "container/names.h"
#include "value/tensor_view.h"

namespace safemodel::container {
namespace {

Error BadType(const char* text, std::string_view subject = {}) { return Malformed("bad_element_type", text, subject); }

// FieldBytes returns the size of one field: of its elements, times the shape of its subarray.
Result<std::uint64_t> FieldBytes(const Field& field, std::span<const ElementType> earlier) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(field.dtype, field.element_type, earlier));
  if (bits % 8 != 0) return BadType("a field of a record has a dtype whose elements are no whole bytes", field.name);
  SAFEMODEL_ASSIGN(const std::uint64_t count, ElementCount(field.shape));
  return ContiguousBytes(count, bits);
}

// Place is where a field lies within its record.
struct Place {
  std::uint64_t begin;
  std::uint64_t end;
};

Status CheckPlaces(std::vector<Place> places) {
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
  std::uint64_t end = 0;
  for (const Place& place : places) {
    if (place.begin == place.end) continue;
    if (place.begin < end) return BadType("two fields of a record overlap");
    end = place.end;
  }
  return {};
}

Status CheckFieldNames(const std::vector<Field>& fields, const Limits& limits) {
  std::vector<std::string_view> names;
  for (const Field& field : fields) {
    SAFEMODEL_TRY(CheckTensorName(field.name, limits));
    names.push_back(field.name);
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end())
    return BadType("two fields of a record have one name");
  return {};
}

// CheckDetail: the unit of a time type is ASCII; a foreign type has a name; all others have no detail.
Status CheckDetail(const ElementType& type, const Limits& limits) {
  const std::string_view detail = type.detail;
  constexpr std::size_t kUnitBytes = 32;
  if (type.kind == Dtype::kForeign) return CheckTensorName(detail, limits);
  if (type.kind != Dtype::kDatetime64 && type.kind != Dtype::kTimedelta64) {
    if (!detail.empty()) return BadType("an element type has a detail that its kind does not have", detail);
    return {};
  }
  const auto is_alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (detail.size() > kUnitBytes || !std::all_of(detail.begin(), detail.end(), is_alphanumeric)) {
    return BadType("the unit of a time type is made of ASCII letters and digits", detail);
  }
  return {};
}

// TypeRules sees the types in their order, so that fields can refer to earlier ones only and nothing recurs.
class TypeRules {
 public:
  explicit TypeRules(const Limits& limits) : limits_(limits) {}

  Status Check(const ElementType& type, std::span<const ElementType> earlier) {
    if (!IsExtended(type.kind)) return BadType("an element type is of a kind that needs none");
    if (type.item_size == 0) return BadType("the elements of a type have no bytes");
    const bool is_time = type.kind == Dtype::kDatetime64 || type.kind == Dtype::kTimedelta64;
    if (is_time && type.item_size != 8) return BadType("the elements of a time type are not 8 bytes long");
    if (type.kind == Dtype::kText && type.item_size % 4 != 0)
      return BadType("the elements of a text type are no UTF-32");
    SAFEMODEL_TRY(CheckDetail(type, limits_));
    if (type.fields.empty() != (type.kind != Dtype::kRecord))
      return BadType("records have fields, and nothing else has");
    return CheckFields(type, earlier);
  }

 private:
  Status CheckFields(const ElementType& type, std::span<const ElementType> earlier) {
    if (type.fields.size() > limits_.record_fields - fields_) {
      return OverLimit("many_fields", "the record types have more fields than the limit");
    }
    fields_ += static_cast<std::uint32_t>(type.fields.size());
    SAFEMODEL_TRY(CheckFieldNames(type.fields, limits_));
    std::uint32_t depth = 0;
    std::vector<Place> places;
    for (const Field& field : type.fields) {
      if (field.shape.size() > limits_.rank)
        return OverLimit("high_rank", "a subarray has more dimensions than the limit", field.name);
      SAFEMODEL_ASSIGN(const std::uint64_t bytes, FieldBytes(field, earlier));
      const auto end = CheckedAdd<std::uint64_t>(field.offset, bytes);
      if (!end || *end > type.item_size) return BadType("a field leaves its record", field.name);
      places.push_back({field.offset, *end});
      if (IsExtended(field.dtype)) depth = std::max(depth, depths_[field.element_type]);
    }
    if (type.kind == Dtype::kRecord) ++depth;
    if (depth > limits_.record_depth) return OverLimit("deep_records", "records are nested deeper than the limit");
    depths_.push_back(depth);
    return CheckPlaces(std::move(places));
  }

  const Limits& limits_;
  std::uint32_t fields_ = 0;
  std::vector<std::uint32_t> depths_;
};

Result<Field> DecodeField(WireReader& reader, const wire::Field* entry, const Limits& limits) {
  SAFEMODEL_TRY(reader.CheckTable(entry));
  Field field;
  SAFEMODEL_ASSIGN(field.name, reader.Text(entry->name(), limits.name_bytes));
  SAFEMODEL_ASSIGN(const DtypeReference reference, DecodeDtype(entry->dtype(), entry->element_type()));
  field.dtype = reference.dtype;
  field.element_type = reference.element_type;
  SAFEMODEL_ASSIGN(field.offset, Required(entry->offset()));
  SAFEMODEL_ASSIGN(field.shape, reader.Numbers(entry->shape(), limits.rank));
  return field;
}

Result<ElementType> DecodeElementType(WireReader& reader, const wire::ElementType* entry, const Limits& limits) {
  SAFEMODEL_TRY(reader.CheckTable(entry));
  ElementType type;
  SAFEMODEL_ASSIGN(const std::uint8_t kind, Required(entry->kind()));
  if (!IsDtype(kind))
    return Unsupported("unknown_dtype", "an element type is of a kind that this version does not know");
  type.kind = static_cast<Dtype>(kind);
  SAFEMODEL_ASSIGN(type.item_size, Required(entry->item_size()));
  SAFEMODEL_ASSIGN(type.detail, reader.Text(entry->detail(), limits.name_bytes));
  for (std::uint32_t i = 0; i < SizeOf(entry->fields()); ++i) {
    SAFEMODEL_ASSIGN(Field field, DecodeField(reader, entry->fields()->Get(i), limits));
    type.fields.push_back(std::move(field));
  }
  return type;
}

}  // namespace

bool IsDtype(std::uint8_t number) {
  return (number >= static_cast<std::uint8_t>(Dtype::kBool) &&
          number <= static_cast<std::uint8_t>(Dtype::kComplex128)) ||
         (number >= static_cast<std::uint8_t>(Dtype::kBytes) && number <= static_cast<std::uint8_t>(Dtype::kForeign));
}

Result<DtypeReference> DecodeDtype(flatbuffers::Optional<std::uint8_t> dtype,
                                   flatbuffers::Optional<std::uint32_t> element_type) {
  SAFEMODEL_ASSIGN(const std::uint8_t number, Required(dtype));
  if (!IsDtype(number)) return Unsupported("unknown_dtype", "a tensor has a dtype that this version does not know");
  DtypeReference reference{static_cast<Dtype>(number), element_type.value_or(0)};
  if (IsExtended(reference.dtype) != element_type.has_value()) {
    return BadType("an element type is stated exactly for extended dtypes");
  }
  return reference;
}

flatbuffers::Optional<std::uint32_t> WireElementType(Dtype dtype, std::uint32_t element_type) {
  if (!IsExtended(dtype)) return flatbuffers::nullopt;
  return element_type;
}

Status CheckElementTypes(const std::vector<ElementType>& types, const Limits& limits) {
  if (types.size() > limits.element_types)
    return OverLimit("many_element_types", "there are more element types than the limit");
  TypeRules rules(limits);
  const std::span<const ElementType> all(types);
  for (std::size_t i = 0; i < all.size(); ++i) SAFEMODEL_TRY(rules.Check(all[i], all.first(i)));
  return {};
}

Result<std::vector<ElementType>> DecodeElementTypes(WireReader& reader, const WireElementTypes* entries,
                                                    const Limits& limits) {
  std::vector<ElementType> types;
  TypeRules rules(limits);
  for (std::uint32_t i = 0; i < SizeOf(entries); ++i) {
    SAFEMODEL_ASSIGN(ElementType type, DecodeElementType(reader, entries->Get(i), limits));
    SAFEMODEL_TRY(rules.Check(type, types));
    types.push_back(std::move(type));
  }
  return types;
}

flatbuffers::Offset<WireElementTypes> EncodeElementTypes(flatbuffers::FlatBufferBuilder& builder,
                                                         const std::vector<ElementType>& types) {
  std::vector<flatbuffers::Offset<wire::ElementType>> entries;
  for (const ElementType& type : types) {
    std::vector<flatbuffers::Offset<wire::Field>> fields;
    for (const Field& field : type.fields) {
      const auto name = builder.CreateString(field.name);
      const auto shape = builder.CreateVector(field.shape);
      fields.push_back(wire::CreateField(builder, name, static_cast<std::uint8_t>(field.dtype),
                                         WireElementType(field.dtype, field.element_type), field.offset, shape));
    }
    const auto detail = builder.CreateString(type.detail);
    const auto wire_fields = fields.empty() ? 0 : builder.CreateVector(fields);
    entries.push_back(
        wire::CreateElementType(builder, static_cast<std::uint8_t>(type.kind), type.item_size, detail, wire_fields));
  }
  return builder.CreateVector(entries);
}

}  // namespace safemodel::container
