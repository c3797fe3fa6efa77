// SPDX-License-Identifier: Apache-2.0
// Archives for tests, made field by field so that single fields can lie.
#pragma once

#include <zlib.h>

#include <functional>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "base/source.h"

namespace safemodel::testing {

// ZipField is one header of a member; `set_*` in ZipMember change what was computed.
struct ZipField {
  std::uint16_t version = 20;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint32_t stored_size = 0;
  std::uint32_t size = 0;
  std::string name;
  std::string extra;
  std::uint32_t attributes = 0;
};

struct ZipMember {
  std::string name;
  std::string plain;
  enum class Pack { kStored, kDeflated } pack = Pack::kStored;
  std::function<void(ZipField&)> local = {};
  std::function<void(ZipField&)> central = {};
  std::string descriptor = {};  // bytes behind the data
  std::string before = {};      // bytes in front of the header
};

struct ZipEnd {
  int extra_entries = 0;
  std::uint16_t disk = 0;
  std::string comment = {};
  int comment_size = -1;   // what the record says
  std::string gap = {};    // between the members and the directory
  std::string after = {};  // behind the end record
  std::string front = {};  // in front of everything, offsets not adjusted
  enum class Zip64 { kNo, kYes, kContradicts } zip64 = Zip64::kNo;
};

inline std::string Deflate(const std::string& plain) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, plain.size()) + 16, '\0');
  std::string input = plain;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::uint32_t CrcOf(const std::string& text) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

inline void WriteCommon(ByteWriter& out, const ZipField& field) {
  out.U16(field.version);
  out.U16(field.flags);
  out.U16(field.method);
  out.U32(0x00210000);  // time and date
  out.U32(field.crc);
  out.U32(field.stored_size);
  out.U32(field.size);
  out.U16(static_cast<std::uint16_t>(field.name.size()));
  out.U16(static_cast<std::uint16_t>(field.extra.size()));
}

inline ByteBuffer BuildZip(const std::vector<ZipMember>& members, const ZipEnd& end = {}) {
  ByteWriter out;
  ByteWriter directory;
  for (const ZipMember& member : members) {
    const bool deflated = member.pack == ZipMember::Pack::kDeflated;
    const std::string stored = deflated ? Deflate(member.plain) : member.plain;
    ZipField field;
    field.method = deflated ? 8 : 0;
    field.crc = CrcOf(member.plain);
    field.stored_size = static_cast<std::uint32_t>(stored.size());
    field.size = static_cast<std::uint32_t>(member.plain.size());
    field.name = member.name;
    ZipField local = field;
    ZipField central = field;
    if (member.local) member.local(local);
    if (member.central) member.central(central);
    out.Text(member.before);
    const auto offset = static_cast<std::uint32_t>(out.size());
    out.U32(0x04034B50);
    WriteCommon(out, local);
    out.Text(local.name);
    out.Text(local.extra);
    out.Text(stored);
    out.Text(member.descriptor);
    directory.U32(0x02014B50);
    directory.U16(20);
    WriteCommon(directory, central);
    directory.U16(0);  // comment
    directory.U16(0);  // disk
    directory.U16(0);
    directory.U32(central.attributes);
    directory.U32(offset);
    directory.Text(central.name);
    directory.Text(central.extra);
  }
  out.Text(end.gap);
  const std::uint64_t directory_offset = out.size();
  out.Bytes(directory.view());
  const std::uint64_t count = members.size();
  if (end.zip64 != ZipEnd::Zip64::kNo) {
    const std::uint64_t record = out.size();
    out.U32(0x06064B50);
    out.U64(44);
    out.U32(45 | 45 << 16);
    out.U32(0);
    out.U32(0);
    out.U64(count);
    out.U64(count);
    out.U64(directory.size());
    out.U64(directory_offset + (end.zip64 == ZipEnd::Zip64::kContradicts ? 1 : 0));
    out.U32(0x07064B50);
    out.U32(0);
    out.U64(record);
    out.U32(1);
  }
  out.U32(0x06054B50);
  out.U16(end.disk);
  out.U16(0);
  const auto stated = static_cast<std::uint16_t>(static_cast<int>(count) + end.extra_entries);
  out.U16(stated);
  out.U16(stated);
  out.U32(static_cast<std::uint32_t>(directory.size()));
  out.U32(static_cast<std::uint32_t>(directory_offset));
  out.U16(static_cast<std::uint16_t>(end.comment_size >= 0 ? static_cast<std::size_t>(end.comment_size)
                                                           : end.comment.size()));
  out.Text(end.comment);
  out.Text(end.after);
  ByteBuffer bytes = std::move(out).Finish();
  bytes.insert(bytes.begin(), end.front.begin(), end.front.end());
  return bytes;
}

}  // namespace safemodel::testing
