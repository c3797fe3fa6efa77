// SPDX-License-Identifier: Apache-2.0
#include "formats/npy_header.h"

#include "base/checked.h"
#include "value/tensor_view.h"

namespace safemodel::formats {
namespace {

constexpr std::size_t kHeaderBytes = 10'000;  // numpy.load refuses longer ones, as they are slow to parse
constexpr std::size_t kHeaderAlignment = 64;
constexpr std::size_t kPrefixBytes = 10;

std::optional<std::string> PlainDescr(Dtype dtype) {
  switch (dtype) {
    case Dtype::kBool: return "'|b1'";
    case Dtype::kU8: return "'|u1'";
    case Dtype::kI8: return "'|i1'";
    case Dtype::kU16: return "'<u2'";
    case Dtype::kI16: return "'<i2'";
    case Dtype::kU32: return "'<u4'";
    case Dtype::kI32: return "'<i4'";
    case Dtype::kU64: return "'<u8'";
    case Dtype::kI64: return "'<i8'";
    case Dtype::kF16: return "'<f2'";
    case Dtype::kF32: return "'<f4'";
    case Dtype::kF64: return "'<f8'";
    case Dtype::kComplex64: return "'<c8'";
    case Dtype::kComplex128: return "'<c16'";
    default: return std::nullopt;
  }
}

std::string Quoted(std::string_view code, std::string_view size) {
  std::string descr = "'";
  descr += code;
  descr += size;
  descr += '\'';
  return descr;
}

// TimeDescr spells a unit such as "ns" or "25us"; nothing else may reach the literal.
std::optional<std::string> TimeDescr(std::string_view code, const ElementType& type) {
  for (const char letter : type.detail) {
    const bool plain = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || letter == 'Y' ||
                       letter == 'M' || letter == 'W' || letter == 'D';
    if (!plain) return std::nullopt;
  }
  if (type.item_size != 8) return std::nullopt;
  if (type.detail.empty() || type.detail == "generic") return Quoted(code, "");
  std::string unit = "[";
  unit += type.detail;
  unit += ']';
  return Quoted(code, unit);
}

// NextCodePoint takes one code point from well-formed UTF-8.
std::uint32_t NextCodePoint(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const unsigned more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  std::uint32_t code = lead & (0x3Fu >> more);
  for (unsigned i = 0; i < more && at < text.size(); ++i)
    code = (code << 6) | (static_cast<unsigned char>(text[at++]) & 0x3Fu);
  return code;
}

// AppendLiteral writes a Python str literal in ASCII.
void AppendLiteral(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '\'';
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t code = NextCodePoint(text, at);
    if (code >= 0x20 && code < 0x7F && code != '\'' && code != '\\') {
      out += static_cast<char>(code);
      continue;
    }
    out += "\\U";
    for (int shift = 28; shift >= 0; shift -= 4) out += kDigits[(code >> shift) & 15];
  }
  out += '\'';
}

// ShapeLiteral writes a tuple: "()", "(3,)", "(2, 3)".
std::string ShapeLiteral(std::span<const std::uint64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  text += shape.size() == 1 ? ",)" : ")";
  return text;
}

void AppendField(std::string& out, std::string_view name, const std::string& descr,
                 std::span<const std::uint64_t> shape) {
  out += '(';
  AppendLiteral(out, name);
  out += ", ";
  out += descr;
  if (!shape.empty()) {
    out += ", ";
    out += ShapeLiteral(shape);
  }
  out += "), ";
}

void AppendGap(std::string& out, std::uint64_t bytes) {
  if (bytes > 0) AppendField(out, "", Quoted("|V", std::to_string(bytes)), {});
}

// RecordDescr spells a record as a list of fields in ascending order of offset, with nameless gaps.
std::optional<std::string> RecordDescr(const ElementType& record, std::span<const ElementType> types,
                                       const NpyTypes& known) {
  std::string descr = "[";
  std::uint64_t next = 0;
  for (const Field& field : record.fields) {
    const auto field_descr = known.DescrOf(field.dtype, field.element_type);
    const auto bits = ElementBits(field.dtype, field.element_type, types);
    const auto count = ElementCount(field.shape);
    if (!field_descr || !bits.ok() || !count.ok() || field.name.empty() || field.offset < next) return std::nullopt;
    const auto bytes = ContiguousBytes(count.value(), bits.value());
    if (!bytes.ok() || bytes.value() > record.item_size) return std::nullopt;
    AppendGap(descr, field.offset - next);
    AppendField(descr, field.name, *field_descr, field.shape);
    next = field.offset + bytes.value();
    if (descr.size() > kHeaderBytes || next > record.item_size) return std::nullopt;
  }
  AppendGap(descr, record.item_size - next);
  if (descr.size() < 2) return std::nullopt;  // numpy has no record without a byte
  descr.resize(descr.size() - 2);
  descr += ']';
  return descr;
}

}  // namespace

NpyTypes::NpyTypes(std::span<const ElementType> types) {
  // Fields refer to earlier types only, so one pass suffices; DescrOf finds no later one.
  for (const ElementType& type : types) {
    std::optional<std::string> descr;
    const std::string size = std::to_string(type.item_size);
    switch (type.kind) {
      case Dtype::kBytes: descr = Quoted("|S", size); break;
      case Dtype::kVoid: descr = Quoted("|V", size); break;
      case Dtype::kText:
        if (type.item_size % 4 == 0) descr = Quoted("<U", std::to_string(type.item_size / 4));
        break;
      case Dtype::kDatetime64: descr = TimeDescr("<M8", type); break;
      case Dtype::kTimedelta64: descr = TimeDescr("<m8", type); break;
      case Dtype::kRecord: descr = RecordDescr(type, types, *this); break;
      default: break;
    }
    extended_.push_back(std::move(descr));
  }
}

std::optional<std::string> NpyTypes::DescrOf(Dtype dtype, std::uint32_t element_type) const {
  if (!IsExtended(dtype)) return PlainDescr(dtype);
  return element_type < extended_.size() ? extended_[element_type] : std::nullopt;
}

Result<ByteBuffer> NpyHeader(const ExportEntry& entry, const NpyTypes& types) {
  const auto descr = types.DescrOf(entry.dtype, entry.element_type);
  if (!descr) {
    return Error{Stage::kUnsupported, "dtype_not_in_format", "numpy has no such dtype; export to safetensors",
                 kNoOffset, entry.name};
  }
  std::string header = "{'descr': ";
  header += *descr;
  header += ", 'fortran_order': False, 'shape': ";
  header += ShapeLiteral(entry.shape);
  header += ", }";
  const std::uint64_t padded = CeilDiv(kPrefixBytes + header.size() + 1, kHeaderAlignment) * kHeaderAlignment;
  header.append(static_cast<std::size_t>(padded) - kPrefixBytes - header.size() - 1, ' ');
  header += '\n';
  if (header.size() > kHeaderBytes) {
    return Error{Stage::kUnsupported, "header_too_large", "the dtype of a tensor is too long for a numpy header",
                 kNoOffset, entry.name};
  }
  ByteBuffer out = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  out.push_back(static_cast<std::uint8_t>(header.size()));
  out.push_back(static_cast<std::uint8_t>(header.size() >> 8));
  out.insert(out.end(), header.begin(), header.end());
  return out;
}

}  // namespace safemodel::formats
