// SPDX-License-Identifier: Apache-2.0
#include "pickle/npy_header.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"

namespace safemodel::pickle {
namespace {

constexpr std::array<std::uint8_t, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr std::uint64_t kMostHeaderBytes = 10'000;

enum class Letters : std::uint8_t { kLatin1, kUtf8 };

void AppendUtf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | (point >> 6));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

// HeaderParser knows exactly the literals that numpy writes:
//   header  = "{" [ pair { "," pair } [ "," ] ] "}"         pair = string ":" value
//   descr   = string | "[" [ field { "," field } [ "," ] ] "]"
//   field   = "(" name "," descr [ "," ( shape | number ) ] [ "," ] ")"   name = string | "(" string "," string ")"
//   shape   = "(" [ number { "," number } [ "," ] ] ")"     one number needs its comma
class HeaderParser {
 public:
  HeaderParser(ByteView text, std::uint64_t base, Letters letters, ElementTypeTable& table)
      : reader_(text, base), letters_(letters), table_(table) {}

  Result<NpyHeader> Parse() {
    SAFEMODEL_TRY(Expect('{'));
    while (!Accept('}')) {
      SAFEMODEL_TRY(Pair());
      if (Accept(',')) continue;
      SAFEMODEL_TRY(Expect('}'));
      break;
    }
    SkipSpace();
    if (!reader_.empty()) return Bad("something follows the header's literal");
    if (!has_descr_ || !has_order_ || !has_shape_) return Bad("the header lacks descr, fortran_order or shape");
    return std::move(header_);
  }

 private:
  [[nodiscard]] Error Bad(const char* text) const { return {Stage::kMalformed, "NPY-HEADER", text, reader_.offset()}; }

  void SkipSpace() {
    while (reader_.Peek() == ' ' || reader_.Peek() == '\n') (void)reader_.U8();
  }
  bool Accept(char wanted) {
    SkipSpace();
    if (reader_.Peek() != wanted) return false;
    (void)reader_.U8();
    return true;
  }
  Status Expect(char wanted) {
    if (!Accept(wanted)) return Bad("the header is not the literal that numpy writes");
    return {};
  }

  Status Pair() {
    SAFEMODEL_ASSIGN(const std::string key, String());
    SAFEMODEL_TRY(Expect(':'));
    if (key == "descr" && !std::exchange(has_descr_, true)) {
      SAFEMODEL_ASSIGN(header_.type, Descr(0));
      return {};
    }
    if (key == "fortran_order" && !std::exchange(has_order_, true)) return FortranOrder();
    if (key == "shape" && !std::exchange(has_shape_, true)) {
      SAFEMODEL_ASSIGN(header_.shape, Shape());
      return {};
    }
    return Bad("the header has an unknown key, or one twice");
  }

  Status FortranOrder() {
    SkipSpace();
    for (const auto& [word, order] : {std::pair{"True", ArrayOrder::kFortran}, std::pair{"False", ArrayOrder::kC}}) {
      if (reader_.Peek() != word[0]) continue;
      for (const char* c = word; *c != 0; ++c) {
        if (reader_.Peek() != *c) return Bad("fortran_order is neither True nor False");
        (void)reader_.U8();
      }
      header_.order = order;
      return {};
    }
    return Bad("fortran_order is neither True nor False");
  }

  Result<std::uint64_t> Count() {
    SkipSpace();
    std::uint64_t value = 0;
    const int first = reader_.Peek();
    if (first < '0' || first > '9') return Bad("a dimension is no number that counts");
    while (reader_.Peek() >= '0' && reader_.Peek() <= '9') {
      if (first == '0' && value == 0 && reader_.Peek() != '0') return Bad("a number has a leading zero");
      const auto shifted = CheckedMul<std::uint64_t>(value, 10);
      const auto sum = shifted ? CheckedAdd<std::uint64_t>(*shifted, static_cast<std::uint64_t>(reader_.Peek() - '0'))
                               : std::nullopt;
      if (!sum) return Bad("a dimension has more than 64 bits");
      value = *sum;
      (void)reader_.U8();
    }
    if (reader_.Peek() == 'L') (void)reader_.U8();  // Python 2
    return value;
  }

  Result<std::vector<std::uint64_t>> Shape() {
    std::vector<std::uint64_t> shape;
    SAFEMODEL_TRY(Expect('('));
    bool comma = true;
    while (!Accept(')')) {
      if (!comma) return Bad("the header is not the literal that numpy writes");
      if (shape.size() >= table_.limits().rank)
        return Error{Stage::kLimit, "LIMIT-COUNT", "an array has more dimensions than the limit", reader_.offset()};
      SAFEMODEL_ASSIGN(const std::uint64_t dimension, Count());
      shape.push_back(dimension);
      comma = Accept(',');
    }
    if (shape.size() == 1 && !comma) return Bad("a shape is no tuple");
    return shape;
  }

  Result<DtypeNote> Descr(std::uint32_t depth) {
    SkipSpace();
    if (reader_.Peek() != '[') {
      SAFEMODEL_ASSIGN(const std::string text, String());
      return ParseDtypeText(text, table_);
    }
    if (depth >= table_.limits().record_depth) {
      return Error{Stage::kLimit, "LIMIT-DEPTH", "records are nested too deeply inside each other", reader_.offset()};
    }
    SAFEMODEL_TRY(Expect('['));
    std::vector<RecordField> fields;
    std::uint32_t size = 0;
    while (!Accept(']')) {
      SAFEMODEL_TRY(Field(depth, fields, size));
      if (Accept(',')) continue;
      SAFEMODEL_TRY(Expect(']'));
      break;
    }
    return MakeRecord(std::move(fields), size, 1, table_);
  }

  Status Field(std::uint32_t depth, std::vector<RecordField>& fields, std::uint32_t& size) {
    SAFEMODEL_TRY(Expect('('));
    SAFEMODEL_ASSIGN(std::string name, FieldName());
    SAFEMODEL_TRY(Expect(','));
    SAFEMODEL_ASSIGN(DtypeNote type, Descr(depth + 1));
    if (Accept(',') && !Closing()) {
      SAFEMODEL_ASSIGN(const std::vector<std::uint64_t> shape, FieldShape());
      SAFEMODEL_ASSIGN(type, MakeSubarray(type, shape));
      (void)Accept(',');
    }
    SAFEMODEL_TRY(Expect(')'));
    const auto end = CheckedAdd(size, type.item_size);
    if (!end) return Bad("a record is larger than numpy allows");
    const std::uint32_t offset = std::exchange(size, *end);
    if (name.empty() && type.dtype == Dtype::kVoid && type.objects == DtypeNote::Objects::kNo) return {};  // padding
    if (name.empty()) return Bad("a field has no name");
    fields.push_back({std::move(name), std::move(type), offset});
    return {};
  }

  bool Closing() {
    SkipSpace();
    return reader_.Peek() == ')';
  }

  Result<std::vector<std::uint64_t>> FieldShape() {
    SkipSpace();
    if (reader_.Peek() == '(') return Shape();
    SAFEMODEL_ASSIGN(const std::uint64_t count, Count());
    return std::vector<std::uint64_t>{count};
  }

  // A field may have a title: (title, name). Titles are a second name and are not kept.
  Result<std::string> FieldName() {
    if (!Accept('(')) return String();
    SAFEMODEL_TRY(String());
    SAFEMODEL_TRY(Expect(','));
    SAFEMODEL_ASSIGN(std::string name, String());
    SAFEMODEL_TRY(Expect(')'));
    return name;
  }

  Result<std::string> String() {
    SkipSpace();
    const int quote = reader_.Peek();
    if (quote != '\'' && quote != '"') return Bad("the header is not the literal that numpy writes");
    (void)reader_.U8();
    std::string out;
    while (reader_.Peek() != quote) {
      SAFEMODEL_ASSIGN(const std::uint8_t c, NextOfString());
      if (c == '\\') {
        SAFEMODEL_TRY(Escape(out));
      } else if (letters_ == Letters::kLatin1) {
        AppendUtf8(out, c);
      } else {
        out.push_back(static_cast<char>(c));
      }
    }
    (void)reader_.U8();
    if (!IsUtf8(out)) return Bad("a text of the header is not UTF-8");
    return out;
  }

  Result<std::uint8_t> NextOfString() {
    const auto next = reader_.U8();
    if (!next.ok() || next.value() < 0x20) return Bad("a text of the header does not end");
    return next;
  }

  Status Escape(std::string& out) {
    SAFEMODEL_ASSIGN(const std::uint8_t kind, NextOfString());
    constexpr std::string_view kSimple = "\\'\"ntr";
    constexpr std::string_view kMeaning = "\\'\"\n\t\r";
    if (const auto at = kSimple.find(static_cast<char>(kind)); at != std::string_view::npos) {
      out.push_back(kMeaning[at]);
      return {};
    }
    const unsigned digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0) return Bad("a text of the header has an unknown escape");
    std::uint32_t point = 0;
    for (unsigned i = 0; i < digits; ++i) {
      SAFEMODEL_ASSIGN(const std::uint8_t c, NextOfString());
      const auto digit =
          std::string_view("0123456789abcdef").find(static_cast<char>(c >= 'A' && c <= 'F' ? c + 32 : c));
      if (digit == std::string_view::npos) return Bad("a text of the header has a broken escape");
      point = point << 4 | static_cast<std::uint32_t>(digit);
    }
    if (point > 0x10FFFF) return Bad("a text of the header has a broken escape");
    AppendUtf8(out, point);
    return {};
  }

  ByteReader reader_;
  Letters letters_;
  ElementTypeTable& table_;
  NpyHeader header_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

}  // namespace

bool LooksLikeNpy(ByteView start) {
  return start.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), start.begin());
}

Result<NpyHeader> ReadNpyHeader(const ByteSource& source, ElementTypeTable& table) {
  const auto cut_off = [](std::uint64_t offset) {
    return Error{Stage::kMalformed, "NPY-HEADER", "the file ends inside its header", offset};
  };
  constexpr std::uint64_t kVersionEnd = 8;
  if (source.size() < kVersionEnd + 2) return cut_off(0);
  SAFEMODEL_ASSIGN(const ByteBuffer start, ReadRange(source, 0, kVersionEnd, kVersionEnd));
  if (!LooksLikeNpy(start))
    return Error{Stage::kMalformed, "NPY-HEADER", "the file does not start with numpy's magic", 0};
  ByteReader version_reader(ByteView(start).subspan(kMagic.size()));
  SAFEMODEL_ASSIGN(const std::uint8_t major, version_reader.U8());
  SAFEMODEL_ASSIGN(const std::uint8_t minor, version_reader.U8());
  if (major < 1 || major > 3 || minor != 0) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED", "the .npy file has a version that this reader does not know",
                 kMagic.size()};
  }
  const std::uint64_t length_size = major == 1 ? 2 : 4;
  const std::uint64_t begin = kVersionEnd + length_size;
  if (source.size() < begin) return cut_off(kVersionEnd);
  SAFEMODEL_ASSIGN(const ByteBuffer length_bytes, ReadRange(source, kVersionEnd, length_size, 4));
  ByteReader length_reader(length_bytes);
  std::uint64_t length = 0;
  if (major == 1) {
    SAFEMODEL_ASSIGN(length, length_reader.U16());
  } else {
    SAFEMODEL_ASSIGN(length, length_reader.U32());
  }
  if (length > kMostHeaderBytes)
    return Error{Stage::kLimit, "LIMIT-BYTES", "the header is longer than numpy reads", kVersionEnd};
  if (length > source.size() - begin) return cut_off(begin);
  SAFEMODEL_ASSIGN(const ByteBuffer text, ReadRange(source, begin, length, kMostHeaderBytes));
  SAFEMODEL_ASSIGN(NpyHeader header,
                   HeaderParser(text, begin, major == 3 ? Letters::kUtf8 : Letters::kLatin1, table).Parse());
  header.data_offset = begin + length;
  return header;
}

}  // namespace safemodel::pickle
