// SPDX-License-Identifier: Apache-2.0
#include "pickle/numpy_dtype.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/try.h"
#include "value/tensor_view.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kMostItemBytes = std::numeric_limits<std::int32_t>::max();  // numpy's item size is a C int
constexpr std::uint32_t kInheritedFlags = 0x1B;  // what numpy copies from fields to records
constexpr std::size_t kMostSwaps = 1u << 16;

Error BadType(const char* text) { return {Stage::kMalformed, "NPY-HEADER", text}; }

struct Number {
  char letter;
  std::uint32_t size;
  Dtype dtype;
  std::uint32_t width;  // of the numbers in it; alignment too
};

constexpr std::array<Number, 14> kNumbers = {{
    {'b', 1, Dtype::kBool, 1},
    {'i', 1, Dtype::kI8, 1},
    {'i', 2, Dtype::kI16, 2},
    {'i', 4, Dtype::kI32, 4},
    {'i', 8, Dtype::kI64, 8},
    {'u', 1, Dtype::kU8, 1},
    {'u', 2, Dtype::kU16, 2},
    {'u', 4, Dtype::kU32, 4},
    {'u', 8, Dtype::kU64, 8},
    {'f', 2, Dtype::kF16, 2},
    {'f', 4, Dtype::kF32, 4},
    {'f', 8, Dtype::kF64, 8},
    {'c', 8, Dtype::kComplex64, 4},
    {'c', 16, Dtype::kComplex128, 8},
}};

// TypeText is one type taken apart.
struct TypeText {
  char order = '|';
  char letter = 0;
  std::optional<std::uint32_t> size;
  std::string unit;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// IsTimeUnit: `generic`, or a count and one of numpy's units.
bool IsTimeUnit(std::string_view unit) {
  while (!unit.empty() && IsDigit(unit.front())) unit.remove_prefix(1);
  constexpr std::array<std::string_view, 13> kUnits = {"Y",  "M",  "W",  "D",  "h",  "m", "s",
                                                       "ms", "us", "ns", "ps", "fs", "as"};
  return std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end();
}

Result<TypeText> TakeApart(std::string_view text) {
  TypeText out;
  if (!text.empty() && std::string_view("<>|=").find(text.front()) != std::string_view::npos) {
    out.order = text.front();
    text.remove_prefix(1);
  }
  if (text.empty()) return BadType("an element type has no letter");
  out.letter = text.front();
  text.remove_prefix(1);
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) {
    size = size * 10 + static_cast<std::uint64_t>(text[digits] - '0');
    if (size > kMostItemBytes) return BadType("an element is larger than numpy allows");
    ++digits;
  }
  if (digits != 0) out.size = static_cast<std::uint32_t>(size);
  text.remove_prefix(digits);
  if (text.empty()) return out;
  if (text.size() < 3 || text.front() != '[' || text.back() != ']')
    return BadType("an element type has trailing letters");
  out.unit = text.substr(1, text.size() - 2);
  return out;
}

Result<DtypeNote> Extended(Dtype kind, std::uint64_t item_size, std::uint32_t width, const TypeText& text,
                           ElementTypeTable& table) {
  if (item_size > kMostItemBytes) return BadType("an element is larger than numpy allows");
  if (item_size == 0) return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "an array has elements without any bytes"};
  DtypeNote note;
  note.dtype = kind;
  note.item_size = static_cast<std::uint32_t>(item_size);
  note.alignment = width;
  if (text.order == '>' && width > 1) note.swaps.push_back({0, width, note.item_size / width});
  SAFEMODEL_ASSIGN(note.element_type, table.Add({kind, note.item_size, text.unit, {}}));
  return note;
}

Result<DtypeNote> PlainNumber(const TypeText& text) {
  for (const Number& number : kNumbers) {
    if (number.letter != text.letter || number.size != text.size) continue;
    DtypeNote note;
    note.dtype = number.dtype;
    note.item_size = number.size;
    note.alignment = number.width;
    if (text.order == '>' && number.width > 1) note.swaps.push_back({0, number.width, number.size / number.width});
    return note;
  }
  if (text.letter == 'f' || text.letter == 'c') {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "long double depends on the machine that wrote it; convert the array to float64 first"};
  }
  return BadType("numpy has no such element type");
}

}  // namespace

Result<std::uint32_t> ElementTypeTable::Add(ElementType type) {
  const auto same = std::find(types_.begin(), types_.end(), type);
  if (same == types_.end() && types_.size() >= limits_.element_types) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "the file has more element types than the limit"};
  }
  const auto number = static_cast<std::uint32_t>(same - types_.begin());
  if (same == types_.end()) types_.push_back(std::move(type));
  return number;
}

Result<DtypeNote> ParseDtypeText(std::string_view written, ElementTypeTable& table) {
  SAFEMODEL_ASSIGN(const TypeText text, TakeApart(written));
  const bool is_time = text.letter == 'M' || text.letter == 'm';
  if (!text.unit.empty() && (!is_time || !IsTimeUnit(text.unit))) return BadType("an element type has an unknown unit");
  switch (text.letter) {
    case 'O': {
      DtypeNote note;
      note.item_size = 8;
      note.alignment = 8;
      note.flags = 63;
      note.objects = DtypeNote::Objects::kYes;
      return note;
    }
    case 'M':
    case 'm':
      if (text.size.value_or(8) != 8) return BadType("numpy has no such element type");
      return Extended(text.letter == 'M' ? Dtype::kDatetime64 : Dtype::kTimedelta64, 8, 8, text, table);
    case 'S':
    case 'V': return Extended(text.letter == 'S' ? Dtype::kBytes : Dtype::kVoid, text.size.value_or(0), 1, text, table);
    case 'U': {
      SAFEMODEL_ASSIGN(DtypeNote note,
                       Extended(Dtype::kText, std::uint64_t{4} * text.size.value_or(0), 4, text, table));
      note.flags = 8;
      return note;
    }
    default: return PlainNumber(text);
  }
}

Result<DtypeNote> MakeRecord(std::vector<RecordField> fields, std::uint32_t item_size, std::uint32_t alignment,
                             ElementTypeTable& table) {
  DtypeNote record;
  record.dtype = Dtype::kRecord;
  record.item_size = item_size;
  record.alignment = alignment;
  ElementType type{Dtype::kRecord, item_size, {}, {}};
  if (fields.size() > table.limits().record_fields) {
    return Error{Stage::kLimit, "LIMIT-COUNT", "a record has more fields than the limit"};
  }
  if (item_size == 0 || fields.empty()) return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "a record has no fields"};
  std::vector<std::string> names;
  std::uint64_t end = 0;
  std::stable_sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (RecordField& field : fields) {
    // Fields that share bytes cannot be swapped one by one, and numpy calls such types unsafe itself.
    if (field.offset < end) return BadType("two fields of a record overlap");
    end = std::uint64_t{field.offset} + field.type.item_size;
    if (end > item_size) return BadType("a field lies outside its record");
    record.flags |= field.type.flags & kInheritedFlags;
    if (field.type.objects == DtypeNote::Objects::kYes) record.objects = DtypeNote::Objects::kYes;
    if (record.swaps.size() + field.type.swaps.size() > kMostSwaps) {
      return Error{Stage::kLimit, "LIMIT-COUNT", "a big-endian record has more fields than the limit"};
    }
    for (ByteSwap swap : field.type.swaps) {
      swap.offset += field.offset;
      record.swaps.push_back(swap);
    }
    names.push_back(field.name);
    type.fields.push_back({std::move(field.name), field.type.dtype, field.type.element_type, field.offset,
                           std::move(field.type.subarray)});
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end())
    return BadType("two fields of a record have the same name");
  if (record.objects == DtypeNote::Objects::kNo) {
    SAFEMODEL_ASSIGN(record.element_type, table.Add(std::move(type)));
  }
  return record;
}

Result<DtypeNote> MakeSubarray(const DtypeNote& base, const std::vector<std::uint64_t>& shape) {
  DtypeNote out = base;
  SAFEMODEL_ASSIGN(const std::uint64_t count, ElementCount(shape));
  const auto bytes = CheckedMul(count, std::uint64_t{base.item_size});
  if (!bytes || *bytes > kMostItemBytes) return BadType("an element is larger than numpy allows");
  out.item_size = static_cast<std::uint32_t>(*bytes);
  out.subarray.insert(out.subarray.begin(), shape.begin(),
                      shape.end());  // a subarray of subarrays is one of both shapes
  out.swaps.clear();
  for (const ByteSwap& swap : base.swaps) {
    if (std::uint64_t{swap.width} * swap.count == base.item_size) {
      out.swaps.push_back({0, swap.width, static_cast<std::uint32_t>(swap.count * count)});
      continue;
    }
    if (count > kMostSwaps / base.swaps.size()) {
      return Error{Stage::kLimit, "LIMIT-COUNT", "a big-endian record has more fields than the limit"};
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      out.swaps.push_back({static_cast<std::uint32_t>(i * base.item_size) + swap.offset, swap.width, swap.count});
    }
  }
  return out;
}

}  // namespace safemodel::pickle
