// SPDX-License-Identifier: Apache-2.0
// Metadata tables, of the manifest and of the directory.
#include "container/wire.h"

namespace safemodel::container {
namespace {

// MetadataRules sees the entries in their order.
class MetadataRules {
 public:
  explicit MetadataRules(const Limits& limits) : bytes_left_(limits.metadata_bytes) {}

  Status Add(std::string_view key, std::string_view value) {
    if (key.size() > bytes_left_ || value.size() > bytes_left_ - key.size()) {
      return OverLimit("large_metadata", "keys and values of the metadata are larger than their limit");
    }
    bytes_left_ -= key.size() + value.size();
    if (key.empty()) return Malformed("empty_metadata_key", "a key of the metadata is empty");
    // Ascending order makes keys unique; two readers could otherwise take different ones of equal keys.
    if (key <= last_key_) return Malformed("metadata_order", "keys of the metadata are not strictly ascending", key);
    last_key_ = key;
    return {};
  }

 private:
  std::uint64_t bytes_left_;
  std::string last_key_;
};

}  // namespace

Result<KeyValues> DecodeMetadata(WireReader& reader, const WireKeyValues* entries, const Limits& limits) {
  KeyValues metadata;
  MetadataRules rules(limits);
  for (std::uint32_t i = 0; i < SizeOf(entries); ++i) {
    const wire::KeyValue* entry = entries->Get(i);
    SAFEMODEL_TRY(reader.CheckTable(entry));
    SAFEMODEL_ASSIGN(std::string key, reader.Text(entry->key(), limits.metadata_bytes));
    SAFEMODEL_ASSIGN(std::string value, reader.Text(entry->value(), limits.metadata_bytes));
    SAFEMODEL_TRY(rules.Add(key, value));
    metadata.emplace_back(std::move(key), std::move(value));
  }
  return metadata;
}

Status CheckMetadata(const KeyValues& metadata, const Limits& limits) {
  if (metadata.size() > limits.metadata_entries)
    return OverLimit("many_metadata", "the metadata has more entries than the limit");
  MetadataRules rules(limits);
  for (const auto& [key, value] : metadata) {
    if (!IsWireText(key) || !IsWireText(value))
      return Malformed("bad_utf8", "a text is not UTF-8, or holds a zero byte", key);
    SAFEMODEL_TRY(rules.Add(key, value));
  }
  return {};
}

flatbuffers::Offset<WireKeyValues> EncodeMetadata(flatbuffers::FlatBufferBuilder& builder, const KeyValues& metadata) {
  std::vector<flatbuffers::Offset<wire::KeyValue>> entries;
  entries.reserve(metadata.size());
  for (const auto& [key, value] : metadata) {
    const auto wire_key = builder.CreateString(key);
    const auto wire_value = builder.CreateString(value);
    entries.push_back(wire::CreateKeyValue(builder, wire_key, wire_value));
  }
  return builder.CreateVector(entries);
}

}  // namespace safemodel::container
