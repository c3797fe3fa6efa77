// SPDX-License-Identifier: Apache-2.0
#include "trust/dsse.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "crypto/hardware_key.h"
#include "json/json.h"

namespace safemodel::trust {
namespace {

// An item holds its payload in base64 and whatever else the signer's tool likes, such as a long key id.
constexpr std::uint64_t kItemSlackBytes = 128u << 10;

Error Malformed(const char* code, const char* text) { return {Stage::kMalformed, code, text}; }

Result<std::string> TextMember(const json::Value& object, const char* name) {
  const json::Value* member = object.Find(name);
  if (member == nullptr || member->AsString() == nullptr) {
    return Error{Stage::kMalformed, "bad_dsse", "a statement item lacks a text", kNoOffset, name};
  }
  return *member->AsString();
}

// OnlySignature returns the one entry of `signatures`. More than one is refused: readers would differ in which they
// look at.
Result<const json::Value*> OnlySignature(const json::Value& root) {
  const json::Value* list = root.Find("signatures");
  if (list == nullptr || list->AsArray() == nullptr || list->AsArray()->size() != 1) {
    return Malformed("bad_dsse", "a statement item has not exactly one signature");
  }
  const json::Value& entry = list->AsArray()->front();
  if (entry.AsObject() == nullptr) return Malformed("bad_dsse", "the signature of a statement item is no object");
  return &entry;
}

Result<crypto::Ed25519Signature> ParseSignature(const json::Value& entry) {
  SAFEMODEL_ASSIGN(const std::string text, TextMember(entry, "sig"));
  SAFEMODEL_ASSIGN(const ByteBuffer bytes, crypto::DecodeEitherBase64(text));
  crypto::Ed25519Signature signature{};
  // SSHSIG blobs and minisign signatures end here: they sign other bytes than the PAE.
  if (bytes.size() != signature.size()) return Malformed("signature_length", "a signature has not 64 bytes");
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

Result<std::uint64_t> NumberMember(const json::Value& entry, const char* name, std::uint64_t most) {
  const json::Value* member = entry.Find(name);
  const auto number = member == nullptr ? std::nullopt : member->AsUnsigned();
  if (number.has_value() && *number <= most) return *number;
  return Error{Stage::kMalformed, "bad_dsse", "a statement item of a hardware key lacks its flags or its counter",
               kNoOffset, name};
}

Result<Touch> ParseTouch(const json::Value& entry) {
  SAFEMODEL_ASSIGN(const std::uint64_t flags, NumberMember(entry, "flags", 0xff));
  SAFEMODEL_ASSIGN(const std::uint64_t counter, NumberMember(entry, "counter", 0xffffffff));
  return Touch{static_cast<std::uint8_t>(flags), static_cast<std::uint32_t>(counter)};
}

enum class ItemOf : std::uint8_t { kAnyKey, kHardwareKey };

Result<Dsse> ParseItem(ByteView item, ItemOf kind, const Limits& limits) {
  const std::uint64_t item_limit = 2 * std::uint64_t{limits.statement_bytes} + kItemSlackBytes;
  SAFEMODEL_ASSIGN(const json::Value root, json::Parse(item, {item_limit, limits.json_depth}));
  if (root.AsObject() == nullptr) return Malformed("bad_dsse", "a statement item is no JSON object");
  Dsse dsse;
  SAFEMODEL_ASSIGN(dsse.payload_type, TextMember(root, "payloadType"));
  SAFEMODEL_ASSIGN(const std::string payload, TextMember(root, "payload"));
  SAFEMODEL_ASSIGN(dsse.payload, crypto::DecodeEitherBase64(payload));
  if (dsse.payload.size() > limits.statement_bytes) {
    return Error{Stage::kLimit, "large_statement", "a statement is longer than its limit"};
  }
  SAFEMODEL_ASSIGN(const json::Value* entry, OnlySignature(root));
  SAFEMODEL_ASSIGN(dsse.signature, ParseSignature(*entry));
  if (entry->Find("keyid") != nullptr) {
    SAFEMODEL_ASSIGN(dsse.key_id, TextMember(*entry, "keyid"));
  }
  if (kind == ItemOf::kHardwareKey) {
    SAFEMODEL_ASSIGN(dsse.touch, ParseTouch(*entry));
  }
  return dsse;
}

}  // namespace

ByteBuffer Pae(std::string_view payload_type, ByteView payload) {
  ByteWriter writer;
  writer.Text("DSSEv1 " + std::to_string(payload_type.size()) + " ");
  writer.Text(payload_type);
  writer.Text(" " + std::to_string(payload.size()) + " ");
  writer.Bytes(payload);
  return std::move(writer).Finish();
}

Result<Dsse> ParseDsse(ByteView item, const Limits& limits) { return ParseItem(item, ItemOf::kAnyKey, limits); }

Result<Dsse> ParseHardwareDsse(ByteView item, const Limits& limits) {
  return ParseItem(item, ItemOf::kHardwareKey, limits);
}

ByteBuffer SerializeDsse(const Dsse& dsse) {
  std::string touch;
  if (dsse.touch.has_value()) {
    touch = ",\"flags\":" + std::to_string(dsse.touch->flags) + ",\"counter\":" + std::to_string(dsse.touch->counter);
  }
  const std::string text = "{\"payload\":\"" + crypto::EncodeBase64(dsse.payload) +
                           "\",\"payloadType\":" + json::Quote(dsse.payload_type) +
                           ",\"signatures\":[{\"keyid\":" + json::Quote(dsse.key_id) + ",\"sig\":\"" +
                           crypto::EncodeBase64(dsse.signature) + "\"" + touch + "}]}";
  const ByteView bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

bool Verifies(const Dsse& dsse, ByteView message, const PublicKey& key) {
  if (dsse.touch.has_value() != key.is_hardware()) return false;
  if (!dsse.touch.has_value()) return crypto::VerifyEd25519(message, dsse.signature, key.bytes());
  return crypto::VerifyEd25519(
      crypto::HardwareMessage(key.application(), dsse.touch->flags, dsse.touch->counter, message), dsse.signature,
      key.bytes());
}

}  // namespace safemodel::trust
