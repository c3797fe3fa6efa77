// SPDX-License-Identifier: Apache-2.0
#include "crypto/age_format.h"

#include <algorithm>

#include "base/try.h"
#include "crypto/base64.h"

namespace safemodel::crypto::age {
namespace {

constexpr std::string_view kVersionLine = "age-encryption.org/v1";
constexpr std::string_view kStanzaStart = "-> ";
constexpr std::string_view kMacStart = "---";
constexpr std::size_t kLineBytes = 48;  // of a body; 64 columns
constexpr std::size_t kLineColumns = 64;

// TakeTextLine returns the next line; what ends before the line does is no header.
Result<std::string_view> TakeTextLine(ByteReader& reader) {
  const std::uint64_t offset = reader.offset();
  const auto line = reader.TakeLine();
  if (!line.ok()) return BadHeader("the header of the age file ends too early", offset);
  return AsText(line.value());
}

bool IsWord(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 33 && c <= 126; });
}

// TakeWord cuts the next word off a line of words with single spaces between them.
std::string_view TakeWord(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

Status ParseStanzaLine(std::string_view line, std::uint64_t offset, Stanza& stanza) {
  const bool ends_in_space = line.ends_with(' ');
  line.remove_prefix(kStanzaStart.size());
  const std::string_view type = TakeWord(line);
  if (!IsWord(type) || ends_in_space)
    return BadHeader("a stanza starts with -> and words between single spaces", offset);
  stanza.type = type;
  while (!line.empty()) {
    const std::string_view argument = TakeWord(line);
    if (!IsWord(argument)) return BadHeader("a stanza starts with -> and words between single spaces", offset);
    stanza.arguments.emplace_back(argument);
  }
  return {};
}

Status ParseBody(ByteReader& reader, ByteBuffer& body) {
  for (std::size_t columns = kLineColumns; columns == kLineColumns;) {
    const std::uint64_t offset = reader.offset();
    SAFEMODEL_ASSIGN(const std::string_view line, TakeTextLine(reader));
    columns = line.size();
    std::array<std::uint8_t, kLineBytes> bytes{};
    const auto size = DecodeUnpaddedBase64(line, bytes);
    if (columns > kLineColumns || !size.ok()) {
      return BadHeader("the body of a stanza is strict base64 without padding in lines of 64 columns", offset);
    }
    body.insert(body.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size.value()));
  }
  return {};
}

Result<Digest> ParseMacLine(std::string_view line, std::uint64_t offset) {
  Digest mac{};
  const bool starts = line.starts_with(kMacStart) && line.substr(kMacStart.size()).starts_with(' ');
  const auto size = DecodeUnpaddedBase64(starts ? line.substr(kMacStart.size() + 1) : "", mac);
  if (!size.ok() || size.value() != mac.size()) {
    return BadHeader("the header of an age file ends in ---, a space and 32 bytes of strict base64", offset);
  }
  return mac;
}

}  // namespace

Error BadHeader(const char* text, std::uint64_t offset) { return {Stage::kMalformed, "age_header", text, offset}; }

Result<Header> ParseHeader(ByteReader& reader, const FileLimits& limits) {
  Header header;
  SAFEMODEL_ASSIGN(const std::string_view version, TakeTextLine(reader));
  if (version != kVersionLine) return BadHeader("this is not an age file of version 1 in its binary form", 0);
  for (;;) {
    const std::uint64_t offset = reader.offset();
    SAFEMODEL_ASSIGN(const std::string_view line, TakeTextLine(reader));
    if (!line.starts_with(kStanzaStart)) {
      if (header.stanzas.empty()) return BadHeader("the age file has no recipients", offset);
      SAFEMODEL_ASSIGN(header.mac, ParseMacLine(line, offset));
      return header;
    }
    if (header.stanzas.size() == limits.stanzas) {
      return Error{Stage::kLimit, "age_stanzas", "the age file has too many recipients", offset};
    }
    Stanza& stanza = header.stanzas.emplace_back();
    SAFEMODEL_TRY(ParseStanzaLine(line, offset, stanza));
    SAFEMODEL_TRY(ParseBody(reader, stanza.body));
  }
}

ByteBuffer AuthenticatedPart(const Header& header) {
  ByteWriter writer;
  writer.Text(kVersionLine);
  writer.Text("\n");
  for (const Stanza& stanza : header.stanzas) {
    writer.Text(kStanzaStart);
    writer.Text(stanza.type);
    for (const std::string& argument : stanza.arguments) {
      writer.Text(" ");
      writer.Text(argument);
    }
    // Also after a last line of 64 columns there is a shorter one, an empty one.
    for (std::size_t at = 0; at <= stanza.body.size(); at += kLineBytes) {
      const ByteView rest = ByteView(stanza.body).subspan(at);
      writer.Text("\n");
      writer.Text(EncodeUnpaddedBase64(rest.first(std::min(rest.size(), kLineBytes))));
    }
    writer.Text("\n");
  }
  writer.Text(kMacStart);
  return std::move(writer).Finish();
}

ByteBuffer SerializeHeader(const Header& header) {
  ByteWriter writer;
  writer.Bytes(AuthenticatedPart(header));
  writer.Text(" ");
  writer.Text(EncodeUnpaddedBase64(header.mac));
  writer.Text("\n");
  return std::move(writer).Finish();
}

}  // namespace safemodel::crypto::age
