// SPDX-License-Identifier: Apache-2.0
// Spec section 9. The frame's digest is no security: whoever forges items repairs it. It makes torn and rotten frames
// malformed; what an item is worth is decided by signatures.
#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/try.h"
#include "container/parse.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

constexpr std::uint16_t kEnvelopeVersion = 1;
constexpr std::uint64_t kItemHeadBytes = 8;

struct Head {
  std::uint32_t item_count = 0;
  std::uint64_t total_length = 0;
  std::uint64_t generation = 0;
  Digest manifest_digest{};
};

Result<Head> ParseHead(ByteReader& reader) {
  SAFEMODEL_ASSIGN(const auto magic, reader.TakeArray<kEnvelopeMagic.size()>());
  if (magic != kEnvelopeMagic)
    return Malformed("bad_envelope_magic", "bytes that are no envelope follow the container", {}, 0);
  SAFEMODEL_ASSIGN(const std::uint16_t version, reader.U16());
  if (version != kEnvelopeVersion) {
    return Unsupported("unknown_envelope_version", "the envelope has another version; use a newer safemodel", {}, 8);
  }
  SAFEMODEL_TRY(reader.ExpectZeros(2));
  Head head;
  SAFEMODEL_ASSIGN(head.item_count, reader.U32());
  SAFEMODEL_ASSIGN(head.total_length, reader.U64());
  SAFEMODEL_ASSIGN(head.generation, reader.U64());
  SAFEMODEL_ASSIGN(head.manifest_digest, reader.TakeArray<32>());
  return head;
}

// CheckHead applies [E-FRAME]: the limit first, so that a claimed length is never used before it is known to be small.
Status CheckHead(const Head& head, std::uint64_t available, const Limits& limits) {
  if (head.total_length > limits.envelope_bytes)
    return OverLimit("large_envelope", "the envelope is larger than its limit", {}, 16);
  if (head.total_length < kEnvelopeHeadBytes + kEnvelopeTailBytes) {
    return Malformed("bad_envelope_length", "the envelope is shorter than an empty one", {}, 16);
  }
  if (head.total_length > available)
    return Malformed("torn_envelope", "the envelope is incomplete; copy the file again or restore it", {}, 16);
  if (head.total_length < available)
    return Malformed("trailing_bytes", "bytes follow the envelope", {}, head.total_length);
  if (head.item_count > (head.total_length - kEnvelopeHeadBytes - kEnvelopeTailBytes) / kItemHeadBytes) {
    return Malformed("bad_item_count", "the envelope is too short for its number of items", {}, 12);
  }
  if (head.item_count > limits.envelope_items)
    return OverLimit("many_items", "the envelope has more items than the limit", {}, 12);
  if (head.generation == 0 || head.generation == std::numeric_limits<std::uint64_t>::max()) {
    return Malformed("bad_generation", "the generation of an envelope is 1 to 2^64-2", {}, 24);
  }
  return {};
}

Result<EnvelopeItem> ParseItem(ByteReader& reader) {
  EnvelopeItem item;
  SAFEMODEL_ASSIGN(item.kind, reader.U16());
  SAFEMODEL_TRY(reader.ExpectZeros(2));
  SAFEMODEL_ASSIGN(const std::uint32_t length, reader.U32());
  SAFEMODEL_ASSIGN(const ByteView bytes, reader.Take(length));
  item.bytes.assign(bytes.begin(), bytes.end());
  return item;
}

// ItemCounts bounds the work that whoever verifies or unwraps will do for items of one kind.
struct ItemCounts {
  std::uint32_t statements = 0;
  std::uint32_t key_wraps = 0;
  std::uint32_t log_proofs = 0;
  std::uint32_t recipient_notes = 0;

  Status Add(std::uint16_t kind, const Limits& limits) {
    if (kind == static_cast<std::uint16_t>(ItemKind::kStatement) ||
        kind == static_cast<std::uint16_t>(ItemKind::kHardwareStatement)) {
      if (++statements > limits.statements)
        return OverLimit("many_statements", "the envelope has more statements than the limit");
    }
    if (kind == static_cast<std::uint16_t>(ItemKind::kKeyWrap)) {
      if (++key_wraps > limits.key_wraps)
        return OverLimit("many_key_wraps", "the envelope has more key wraps than the limit");
    }
    if (kind == static_cast<std::uint16_t>(ItemKind::kLogProof)) {
      if (++log_proofs > limits.log_proofs)
        return OverLimit("many_log_proofs", "the envelope has more log proofs than the limit");
    }
    if (kind == static_cast<std::uint16_t>(ItemKind::kRecipientNote)) {
      if (++recipient_notes > limits.key_wraps)
        return OverLimit("many_recipient_notes", "the envelope has more recipient notes than key wraps are allowed");
    }
    return {};
  }
};

}  // namespace

Result<std::uint64_t> MeasureEnvelope(ByteView head, std::uint64_t available, const Limits& limits) {
  ByteReader reader(head);
  SAFEMODEL_ASSIGN(const Head parsed, ParseHead(reader));
  SAFEMODEL_TRY(CheckHead(parsed, available, limits));
  return parsed.total_length;
}

Result<Envelope> ParseEnvelope(ByteView frame, const Digest& body_digest, const Limits& limits) {
  ByteReader reader(frame);
  SAFEMODEL_ASSIGN(const Head head, ParseHead(reader));
  SAFEMODEL_TRY(CheckHead(head, frame.size(), limits));
  SAFEMODEL_ASSIGN(ByteReader items, reader.Sub(head.total_length - kEnvelopeHeadBytes - kEnvelopeTailBytes));
  SAFEMODEL_ASSIGN(const Digest stated, reader.TakeArray<32>());
  SAFEMODEL_TRY(reader.ExpectEnd());
  if (stated != body_digest)
    return Malformed("envelope_digest", "the envelope is damaged: its digest is not that of its bytes");

  Envelope envelope{head.generation, head.manifest_digest, {}};
  ItemCounts counts;
  for (std::uint32_t i = 0; i < head.item_count; ++i) {
    SAFEMODEL_ASSIGN(EnvelopeItem item, ParseItem(items));
    SAFEMODEL_TRY(counts.Add(item.kind, limits));
    envelope.items.push_back(std::move(item));
  }
  SAFEMODEL_TRY(items.ExpectEnd());
  return envelope;
}

ByteBuffer SerializeEnvelopeBody(const Envelope& envelope) {
  std::uint64_t total = kEnvelopeHeadBytes + kEnvelopeTailBytes;
  for (const EnvelopeItem& item : envelope.items) total += kItemHeadBytes + item.bytes.size();
  ByteWriter writer;
  writer.Bytes(kEnvelopeMagic);
  writer.U16(kEnvelopeVersion);
  writer.U16(0);
  writer.U32(static_cast<std::uint32_t>(envelope.items.size()));
  writer.U64(total);
  writer.U64(envelope.generation);
  writer.Bytes(envelope.manifest_digest);
  for (const EnvelopeItem& item : envelope.items) {
    writer.U16(item.kind);
    writer.U16(0);
    writer.U32(static_cast<std::uint32_t>(item.bytes.size()));
    writer.Bytes(item.bytes);
  }
  return std::move(writer).Finish();
}

}  // namespace safemodel::container
