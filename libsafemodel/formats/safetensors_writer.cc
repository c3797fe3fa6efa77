// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_writer.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "formats/safetensors_dtype.h"
#include "value/tensor_view.h"

namespace safemodel::formats {
namespace {

Error Refuse(const char* code, const char* text, const ExportEntry& entry) {
  return {Stage::kUnsupported, code, text, kNoOffset, entry.name};
}

Status CheckEntry(const ExportEntry& entry) {
  if (entry.name == kSafetensorsMetadataKey) {
    return Refuse("reserved_name", "safetensors keeps the name __metadata__ for itself; export to npz", entry);
  }
  if (!SafetensorsDtypeOf(entry.dtype)) {
    return Refuse("dtype_not_in_format", "safetensors has no such dtype; export to npz", entry);
  }
  const std::uint64_t bits = BitsPerElement(entry.dtype);
  SAFEMODEL_ASSIGN(const std::uint64_t count, ElementCount(entry.shape));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(count, bits));
  if (bits % 8 != 0 && count * bits % 8 != 0) {
    return Refuse("packed_odd", "safetensors holds packed elements only in whole bytes", entry);
  }
  if (bytes == entry.bytes) return {};
  return Error{Stage::kUsage, "size_mismatch", "dtype and shape of a tensor do not make its bytes", kNoOffset,
               entry.name};
}

// AppendString writes a JSON string as the reference implementation's writer does: only what must be escaped is.
void AppendString(std::string& out, std::string_view text) {
  constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  constexpr std::string_view kLetters = "btnfr\"\\";
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (const std::size_t found = kShort.find(letter); found != std::string_view::npos) {
      out += '\\';
      out += kLetters[found];
    } else if (code < 0x20) {
      out += "\\u00";
      out += kDigits[code >> 4];
      out += kDigits[code & 15];
    } else {
      out += letter;
    }
  }
  out += '"';
}

void AppendMetadata(std::string& out, const TextPairs& metadata) {
  AppendString(out, kSafetensorsMetadataKey);
  out += ":{";
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    if (i > 0) out += ',';
    AppendString(out, metadata[i].first);
    out += ':';
    AppendString(out, metadata[i].second);
  }
  out += '}';
}

void AppendTensor(std::string& out, const ExportEntry& entry, std::uint64_t begin) {
  AppendString(out, entry.name);
  out += ":{\"dtype\":\"";
  out += SafetensorsDtypeOf(entry.dtype)->name;
  out += "\",\"shape\":[";
  for (std::size_t i = 0; i < entry.shape.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(entry.shape[i]);
  }
  out += "],\"data_offsets\":[" + std::to_string(begin) + ',' + std::to_string(begin + entry.bytes) + "]}";
}

// OrderOf sorts as the reference writer does, and refuses equal names: one of them would be lost.
Result<std::vector<std::size_t>> OrderOf(std::span<const ExportEntry> entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return entries[a].name < entries[b].name; });
  const auto equal = std::adjacent_find(
      order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return entries[a].name == entries[b].name; });
  if (equal != order.end()) {
    return Error{Stage::kUsage, "equal_names", "two tensors have the same name", kNoOffset, entries[*equal].name};
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return SafetensorsDtypeOf(entries[a].dtype)->rank > SafetensorsDtypeOf(entries[b].dtype)->rank;
  });
  return order;
}

Result<std::uint64_t> DataBytes(std::span<const ExportEntry> entries) {
  std::uint64_t total = 0;
  for (const ExportEntry& entry : entries) {
    const auto sum = CheckedAdd(total, entry.bytes);
    if (!sum) return Error{Stage::kUsage, "size_overflow", "the tensors together have more bytes than 64 bits count"};
    total = *sum;
  }
  return total;
}

Error HeaderTooLarge() {
  return {Stage::kLimit, "header_too_large",
          "the names and shapes need a header over the format's limit of 100000000 bytes"};
}

}  // namespace

Result<SafetensorsLayout> PlanSafetensors(std::span<const ExportEntry> entries, const TextPairs& metadata) {
  for (const ExportEntry& entry : entries) SAFEMODEL_TRY(CheckEntry(entry));
  SafetensorsLayout layout;
  SAFEMODEL_ASSIGN(layout.order, OrderOf(entries));
  SAFEMODEL_ASSIGN(const std::uint64_t data_bytes, DataBytes(entries));

  std::string header = "{";
  if (!metadata.empty()) {
    TextPairs sorted = metadata;
    std::sort(sorted.begin(), sorted.end());
    AppendMetadata(header, sorted);
  }
  std::uint64_t begin = 0;
  for (const std::size_t index : layout.order) {
    if (header.size() > 1) header += ',';
    AppendTensor(header, entries[index], begin);
    begin += entries[index].bytes;
    if (header.size() > kSafetensorsHeaderBytes) return HeaderTooLarge();
  }
  header += '}';
  header.resize(CeilDiv(header.size(), 8) * 8, ' ');
  if (header.size() > kSafetensorsHeaderBytes) return HeaderTooLarge();

  ByteWriter head;
  head.U64(header.size());
  head.Text(header);
  const auto file_bytes = CheckedAdd<std::uint64_t>(data_bytes, head.size());
  if (!file_bytes) return Error{Stage::kUsage, "size_overflow", "the file would have more bytes than 64 bits count"};
  layout.file_bytes = *file_bytes;
  layout.head = std::move(head).Finish();
  return layout;
}

TextPairs SafetensorsMetadata(const TextPairs& private_metadata) {
  TextPairs metadata;
  for (const auto& [key, value] : private_metadata) {
    if (!key.starts_with(kSafetensorsMetadataPrefix)) continue;
    metadata.emplace_back(key.substr(kSafetensorsMetadataPrefix.size()), value);
  }
  return metadata;
}

}  // namespace safemodel::formats
