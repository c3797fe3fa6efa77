// SPDX-License-Identifier: Apache-2.0
#include "trust/dsse.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "crypto/base64.h"
#include "json/json.h"

namespace safemodel::trust {
namespace {

Error BadDsse(const char* text) { return {Stage::kMalformed, "bad_dsse", text}; }

// A payload in base64, a key id of any length, and the words around them.
std::uint64_t ItemLimit(const Limits& limits) { return std::uint64_t{4} * limits.statement_bytes; }

Result<ByteBuffer> DecodeMember(const json::Value& object, std::string_view key) {
  const json::Value* member = object.Find(key);
  const std::string* text = member == nullptr ? nullptr : member->AsString();
  if (text == nullptr) return BadDsse("a DSSE envelope lacks a text it must have");
  return crypto::DecodeEitherBase64(*text);
}

Result<const json::Value*> OnlySignature(const json::Value& envelope) {
  const json::Value* member = envelope.Find("signatures");
  const json::Array* signatures = member == nullptr ? nullptr : member->AsArray();
  // One item, one signature: several signers have several items.
  if (signatures == nullptr || signatures->size() != 1 || signatures->front().AsObject() == nullptr) {
    return BadDsse("a statement item has exactly one signature");
  }
  return &signatures->front();
}

}  // namespace

ByteBuffer PreAuthEncoding(std::string_view payload_type, ByteView payload) {
  ByteWriter out;
  out.Text("DSSEv1 " + std::to_string(payload_type.size()) + " ");
  out.Text(payload_type);
  out.Text(" " + std::to_string(payload.size()) + " ");
  out.Bytes(payload);
  return std::move(out).Finish();
}

Result<SignedPayload> ParseDsse(ByteView item, const Limits& limits) {
  SAFEMODEL_ASSIGN(const json::Value envelope, json::Parse(item, {ItemLimit(limits), limits.json_depth}));
  if (envelope.AsObject() == nullptr) return BadDsse("a statement item is a JSON object");
  const json::Value* type = envelope.Find("payloadType");
  if (type == nullptr || type->AsString() == nullptr) return BadDsse("a DSSE envelope lacks its payloadType");
  SignedPayload out;
  out.payload_type = *type->AsString();
  SAFEMODEL_ASSIGN(out.payload, DecodeMember(envelope, "payload"));
  if (out.payload.size() > limits.statement_bytes) {
    return Error{Stage::kLimit, "statement_too_large", "a statement is larger than its limit"};
  }
  SAFEMODEL_ASSIGN(const json::Value* entry, OnlySignature(envelope));
  SAFEMODEL_ASSIGN(const ByteBuffer signature, DecodeMember(*entry, "sig"));
  if (signature.size() != out.signature.size()) {
    return Error{Stage::kMalformed, "bad_signature_length", "a signature is 64 bytes of Ed25519, not another tool's signature file"};
  }
  std::copy(signature.begin(), signature.end(), out.signature.begin());
  if (const json::Value* key_id = entry->Find("keyid"); key_id != nullptr) {
    if (key_id->AsString() == nullptr) return BadDsse("a keyid is a text");
    out.key_id = *key_id->AsString();
  }
  return out;
}

ByteBuffer SerializeDsse(const SignedPayload& signed_payload) {
  ByteWriter out;
  out.Text("{\"payload\":" + json::Quote(crypto::EncodeBase64(signed_payload.payload)));
  out.Text(",\"payloadType\":" + json::Quote(signed_payload.payload_type));
  out.Text(",\"signatures\":[{\"keyid\":" + json::Quote(signed_payload.key_id));
  out.Text(",\"sig\":" + json::Quote(crypto::EncodeBase64(signed_payload.signature)) + "}]}");
  return std::move(out).Finish();
}

}  // namespace safemodel::trust
