// SPDX-License-Identifier: Apache-2.0
#include "pickle/torch_records.h"

#include <algorithm>
#include <array>

#include "base/cursor.h"
#include "base/source.h"
#include "base/try.h"

namespace safemodel::pickle {
namespace {

bool IsDigits(std::string_view text) {
  return std::ranges::all_of(text, [](char letter) { return letter >= '0' && letter <= '9'; });
}

// IsSmallNumber: decimal, from 1, of up to five digits.
bool IsSmallNumber(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.front() != '0' && IsDigits(text);
}

// IsVersion: 1 to 10, and the end of the line that PyTorch writes behind it.
bool IsVersion(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return IsSmallNumber(text) && (text.size() == 1 || text == "10");
}

bool IsByteOrder(std::string_view text) { return text == "little" || text == "big"; }

bool IsFormatVersion(std::string_view text) { return text == "1"; }

// IsSerializationId: two hashes of twenty digits each, of the names and of the contents.
bool IsSerializationId(std::string_view text) { return text.size() == 40 && IsDigits(text); }

struct Record {
  std::string_view name;
  bool (*may_hold)(std::string_view text);
};

constexpr std::array<Record, 6> kRecords{{
    {"version", IsVersion},
    {".data/version", IsVersion},
    {"byteorder", IsByteOrder},
    {".format_version", IsFormatVersion},
    {".storage_alignment", IsSmallNumber},
    {".data/serialization_id", IsSerializationId},
}};

}  // namespace

Result<bool> IsTorchRecord(const ZipArchive& archive, const ZipEntry& entry, std::string_view root) {
  constexpr std::uint64_t kLongest = 40;
  const std::string_view name = entry.name;
  if (!name.starts_with(root) || entry.size > kLongest) return false;
  const auto record = std::ranges::find(kRecords, name.substr(root.size()), &Record::name);
  if (record == kRecords.end()) return false;
  const auto source = archive.OpenEntry(entry, ZipCrc::kIgnore);
  if (!source.ok()) return false;  // whoever reads the member says why
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(*source.value(), 0, source.value()->size(), kLongest));
  return record->may_hold(AsText(bytes));
}

}  // namespace safemodel::pickle
