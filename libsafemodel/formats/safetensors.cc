// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "formats/safetensors_dtype.h"
#include "json/json.h"
#include "value/builder.h"
#include "value/naming.h"
#include "value/tensor_view.h"

namespace safemodel::formats {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint32_t kHeaderDepth = 8;  // three are needed; deeper values are refused by their kind

// Entry is one tensor as the header states it.
struct Entry {
  const std::string* name;  // in the header
  Dtype dtype = Dtype::kU8;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // within the data
  std::uint64_t end = 0;
};

Error BadEntry(const std::string& name) {
  return {Stage::kMalformed, "bad_entry",
          "an entry of the header is not an object of exactly dtype, shape and data_offsets with their types",
          kNoOffset, name};
}

struct Header {
  ByteBuffer text;
  std::uint64_t data_offset = 0;
};

Result<Header> ReadHeader(const ByteSource& source) {
  if (source.size() < kLengthBytes) {
    return Error{Stage::kMalformed, "truncated", "the file is too short for the length of a header", 0};
  }
  SAFEMODEL_ASSIGN(const ByteBuffer length_field, ReadRange(source, 0, kLengthBytes, kLengthBytes));
  SAFEMODEL_ASSIGN(const std::uint64_t length, ByteReader(length_field).U64());
  if (length > kSafetensorsHeaderBytes) {
    return Error{Stage::kLimit, "header_too_large", "the header is longer than 100000000 bytes", 0};
  }
  if (length > source.size() - kLengthBytes) {
    return Error{Stage::kMalformed, "truncated", "the header is longer than the file", 0};
  }
  SAFEMODEL_ASSIGN(ByteBuffer text, ReadRange(source, kLengthBytes, length, kSafetensorsHeaderBytes));
  return Header{std::move(text), kLengthBytes + length};
}

// ParseHeader takes the JSON object out of its padding. Readers differ on white space in front of it and on other
// padding than spaces, so both are refused.
Result<json::Value> ParseHeader(const ByteBuffer& text) {
  if (text.empty() || text.front() != '{') {
    return Error{Stage::kMalformed, "bad_header_start", "the header does not start with '{'", kLengthBytes};
  }
  const auto last = std::find_if(text.rbegin(), text.rend(), [](std::uint8_t byte) { return byte != ' '; });
  const auto size = static_cast<std::size_t>(text.rend() - last);
  if (*last != '}') {
    return Error{Stage::kMalformed, "bad_header_end", "the header does not end with '}' and spaces",
                 kLengthBytes + size};
  }
  auto header = json::Parse(ByteView(text).first(size), {kSafetensorsHeaderBytes, kHeaderDepth});
  if (header.ok()) return header;
  Error error = header.error();
  if (error.offset != kNoOffset) error.offset += kLengthBytes;
  return error;
}

Status ParseShape(const json::Value& value, const Limits& limits, Entry& entry) {
  const json::Array* dimensions = value.AsArray();
  if (dimensions == nullptr) return BadEntry(*entry.name);
  if (dimensions->size() > limits.rank) {
    return Error{Stage::kLimit, "rank_too_large", "a tensor has more dimensions than the limit", kNoOffset,
                 *entry.name};
  }
  entry.shape.reserve(dimensions->size());
  for (const json::Value& dimension : *dimensions) {
    const auto size = dimension.AsUnsigned();
    if (!size) return BadEntry(*entry.name);
    entry.shape.push_back(*size);
  }
  return {};
}

Status ParseOffsets(const json::Value& value, Entry& entry) {
  const json::Array* offsets = value.AsArray();
  if (offsets == nullptr || offsets->size() != 2) return BadEntry(*entry.name);
  const auto begin = (*offsets)[0].AsUnsigned();
  const auto end = (*offsets)[1].AsUnsigned();
  if (!begin || !end) return BadEntry(*entry.name);
  entry.begin = *begin;
  entry.end = *end;
  return {};
}

// CheckSize proves that dtype and shape make as many bytes as the range has; packed elements must end at a byte.
Status CheckSize(const Entry& entry) {
  const std::uint64_t bits = BitsPerElement(entry.dtype);
  auto count = ElementCount(entry.shape);
  auto bytes = count.ok() ? ContiguousBytes(count.value(), bits) : count;
  if (!bytes.ok()) {
    Error error = bytes.error();
    error.subject = *entry.name;
    return error;
  }
  const bool whole_bytes = bits % 8 == 0 || count.value() * bits % 8 == 0;
  if (whole_bytes && entry.begin <= entry.end && entry.end - entry.begin == bytes.value()) return {};
  return Error{Stage::kMalformed, "size_mismatch", "dtype and shape of a tensor do not make the bytes of its range",
               kNoOffset, *entry.name};
}

Result<Entry> ParseEntry(const std::string& name, const json::Value& value, const Limits& limits) {
  Entry entry{&name, Dtype::kU8, {}, 0, 0};
  const json::Members* members = value.AsObject();
  const json::Value* dtype = value.Find("dtype");
  const json::Value* shape = value.Find("shape");
  const json::Value* offsets = value.Find("data_offsets");
  if (members == nullptr || members->size() != 3 || dtype == nullptr || shape == nullptr || offsets == nullptr) {
    return BadEntry(name);
  }
  if (dtype->AsString() == nullptr) return BadEntry(name);
  const auto known = ParseSafetensorsDtype(*dtype->AsString());
  if (!known) {
    return Error{Stage::kUnsupported, "unknown_dtype", "a tensor has a dtype that this version does not know",
                 kNoOffset, name};
  }
  entry.dtype = *known;
  SAFEMODEL_TRY(ParseShape(*shape, limits, entry));
  SAFEMODEL_TRY(ParseOffsets(*offsets, entry));
  SAFEMODEL_TRY(CheckSize(entry));
  return entry;
}

Status ParseMetadata(const json::Value& value, const Limits& limits, ImportedModel& model) {
  const json::Members* members = value.AsObject();
  const Error bad = {Stage::kMalformed, "bad_metadata", "__metadata__ is not an object of strings"};
  if (members == nullptr) return bad;
  if (members->size() > limits.metadata_entries) {
    return Error{Stage::kLimit, "too_many_metadata", "__metadata__ has more keys than the limit"};
  }
  std::uint64_t bytes = 0;
  for (const auto& [key, text] : *members) {
    if (text.AsString() == nullptr) return bad;
    bytes += kSafetensorsMetadataPrefix.size() + key.size() + text.AsString()->size();
    if (bytes > limits.metadata_bytes)
      return Error{Stage::kLimit, "metadata_too_large", "__metadata__ is larger than the limit"};
    if (key.find('\0') != std::string::npos || text.AsString()->find('\0') != std::string::npos) {
      return Error{Stage::kUnsupported, "metadata_nul",
                   "__metadata__ has a NUL character, which the container cannot hold", kNoOffset, key};
    }
    model.metadata.emplace_back(std::string(kSafetensorsMetadataPrefix) + key, *text.AsString());
  }
  std::sort(model.metadata.begin(), model.metadata.end());
  return {};
}

// CheckTiling proves that the ranges cover the data once, without a gap and to its last byte: else there would be room
// for what no reader looks at.
Status CheckTiling(const std::vector<Entry>& entries, std::uint64_t data_bytes, std::uint64_t data_offset) {
  std::vector<const Entry*> order;
  order.reserve(entries.size());
  for (const Entry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  std::uint64_t next = 0;
  for (const Entry* entry : order) {
    if (entry->end > data_bytes) {
      return Error{Stage::kMalformed, "truncated", "a tensor lies behind the end of the file", data_offset + data_bytes,
                   *entry->name};
    }
    if (entry->begin != next) {
      return Error{Stage::kMalformed, entry->begin < next ? "ranges_overlap" : "range_gap",
                   "the ranges of the tensors do not cover the data exactly once", data_offset + next, *entry->name};
    }
    next = entry->end;
  }
  if (next == data_bytes) return {};
  return Error{Stage::kMalformed, "trailing_bytes", "bytes follow the last tensor", data_offset + next};
}

Status AddTensors(const SharedSource& source, std::uint64_t data_offset, std::vector<Entry>& entries,
                  const Limits& limits, ImportedModel& model) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return *a.name < *b.name; });
  ValueTreeBuilder builder;
  std::vector<NodeId> children;
  children.reserve(entries.size() * 2);
  model.storages.reserve(entries.size());
  model.tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    const auto index = static_cast<std::uint32_t>(model.tensors.size());
    SAFEMODEL_ASSIGN(SharedSource bytes, MakeSliceSource(source, data_offset + entry.begin, entry.end - entry.begin));
    model.storages.push_back({std::move(bytes), entry.dtype});
    std::vector<std::uint64_t> strides = ContiguousStrides(entry.shape);
    model.tensors.push_back({*entry.name, entry.dtype, 0, std::move(entry.shape), std::move(strides), index, 0});
    children.push_back(builder.Str(*entry.name));
    children.push_back(builder.Tensor(index, 0));
  }
  const NodeId root = builder.Parent(NodeKind::kDict, std::move(children));
  SAFEMODEL_ASSIGN(model.tree, std::move(builder).Finish(root, limits));
  return NameTensors(model, limits);
}

}  // namespace

bool LooksLikeSafetensors(ByteView head, std::uint64_t file_bytes) {
  if (head.size() <= kLengthBytes) return false;
  const auto length = ByteReader(head).U64();
  if (!length.ok()) return false;
  const bool fits = length.value() <= file_bytes - kLengthBytes;
  const bool allowed = length.value() <= kSafetensorsHeaderBytes;
  const std::uint8_t first = head[kLengthBytes];
  // Eight letters of a text are a length that no file has. A header may be longer than a file that was cut off.
  if (first == '{') return fits || allowed;
  // White space in front of the object, which some readers take: then only a length that fits, and an object that
  // follows or may follow, tell it from other files.
  const auto is_space = [](std::uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; };
  const ByteView text = head.subspan(kLengthBytes);
  const auto object = std::find_if_not(text.begin(), text.end(), is_space);
  return is_space(first) && fits && allowed && (object == text.end() || *object == '{');
}

Result<ImportedModel> ReadSafetensors(const SharedSource& source, const Limits& limits) {
  SAFEMODEL_ASSIGN(const Header header, ReadHeader(*source));
  SAFEMODEL_ASSIGN(const json::Value object, ParseHeader(header.text));
  const json::Members* members = object.AsObject();
  if (members == nullptr)
    return Error{Stage::kMalformed, "bad_header_start", "the header is not an object", kLengthBytes};
  if (members->size() > std::uint64_t{limits.tensors} + 1) {
    return Error{Stage::kLimit, "too_many_tensors", "the file has more tensors than the limit"};
  }
  ImportedModel model;
  model.layout = "safetensors";
  std::vector<Entry> entries;
  entries.reserve(members->size());
  for (const auto& [name, value] : *members) {
    if (name == kSafetensorsMetadataKey) {
      SAFEMODEL_TRY(ParseMetadata(value, limits, model));
      continue;
    }
    SAFEMODEL_ASSIGN(Entry entry, ParseEntry(name, value, limits));
    entries.push_back(std::move(entry));
  }
  SAFEMODEL_TRY(CheckTiling(entries, source->size() - header.data_offset, header.data_offset));
  SAFEMODEL_TRY(AddTensors(source, header.data_offset, entries, limits, model));
  return model;
}

}  // namespace safemodel::formats
