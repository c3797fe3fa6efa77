// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <bit>
#include <cstring>

#include "console.h"
#include "escape.h"

namespace safemodel::cli {

void WriteError(JsonWriter& json, const Error& error) {
  json.Member("stage", StageName(error.stage));
  json.Member("code", error.code);
  json.Member("message", error.text);
  if (!error.subject.empty()) json.Member("subject", error.subject);
  if (error.offset != kNoOffset) json.Member("offset", error.offset);
}

void WriteIdentity(JsonWriter& json, const ModelInfo& info) {
  json.Member("name", info.name);
  json.Member("version", info.version);
  json.Member("sequence", info.sequence);
  json.Member("created", HumanTime(info.created));
  json.Hex("file_id", info.file_id);
  json.Hex("manifest_sha256", info.manifest_digest);
  json.Key("metadata"), json.BeginObject();
  for (const auto& [key, value] : info.metadata) json.Member(key, value);
  json.EndObject();
}

void WriteSignatures(JsonWriter& json, std::span<const SignatureReport> signatures) {
  json.Key("signatures"), json.BeginArray();
  for (const SignatureReport& signature : signatures) {
    json.BeginObject();
    json.Member("key_id", signature.key_id);
    if (!signature.key_name.empty()) json.Member("key_name", signature.key_name);
    if (!signature.predicate_type.empty()) json.Member("attestation", signature.predicate_type);
    json.Member("role", signature.role);
    json.Member("issued_at", signature.issued_at);
    json.Member("not_after", signature.not_after);
    json.Member("code", signature.code);
    json.Key("counted"), json.Boolean(signature.counted);
    if (signature.logged) {
      json.Key("logged"), json.BeginObject();
      json.Member("origin", signature.logged->origin);
      json.Member("index", signature.logged->index);
      json.EndObject();
    }
    json.EndObject();
  }
  json.EndArray();
}

std::string TypeText(const Tensor& tensor, std::span<const ElementType> types) {
  std::string text = DtypeName(tensor.dtype);
  if (!IsExtended(tensor.dtype) || tensor.element_type >= types.size()) return text;
  const ElementType& type = types[tensor.element_type];
  text += ":" + std::to_string(type.item_size);
  return type.detail.empty() ? text : text + ":" + type.detail;
}

std::string ShapeText(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

namespace {

void WriteNumbers(JsonWriter& json, std::string_view key, const std::vector<std::uint64_t>& numbers) {
  json.Key(key), json.BeginArray();
  for (const std::uint64_t number : numbers) json.Number(number);
  json.EndArray();
}

void WriteFields(JsonWriter& json, const ElementType& type) {
  json.Key("fields"), json.BeginArray();
  for (const Field& field : type.fields) {
    json.BeginObject();
    json.Member("name", field.name);
    json.Member("dtype", DtypeName(field.dtype));
    json.Member("offset", static_cast<std::uint64_t>(field.offset));
    if (IsExtended(field.dtype)) json.Member("element_type", static_cast<std::uint64_t>(field.element_type));
    WriteNumbers(json, "shape", field.shape);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

void WriteSigned(JsonWriter& json, const SignReport& report) {
  json.Member("name", report.model_name);
  json.Member("version", report.model_version);
  json.Member("sequence", report.sequence);
  json.Hex("manifest_sha256", report.manifest_digest);
  json.Member("key_id", report.key_id);
  json.Member("role", report.role);
  json.Member("signatures", static_cast<std::uint64_t>(report.signatures));
  json.Member("replaced_signatures", static_cast<std::uint64_t>(report.replaced));
  json.Key("outlasted"), json.Boolean(report.outlasted);
  json.Member("envelope", report.envelope_path);
}

void WarnOfOutlasted(const Console& console, const SignReport& report) {
  if (!report.outlasted) return;
  console.Note(
      "warning: an earlier signature by this key stays, and it ends later than the new one or never: the model is "
      "trusted until then; sign with --replace to take it out (outlasted)");
}

void PrintSigned(const SignReport& report) {
  std::printf("signed     %s version %s as %s\n", report.model_name.c_str(), report.model_version.c_str(),
              EscapeForTerminal(report.role).c_str());
  std::printf("manifest   sha256:%s\n", HexOf(report.manifest_digest).c_str());
  if (report.replaced > 0) {
    std::printf("replaced   %zu earlier signature%s by this key\n", report.replaced, report.replaced == 1 ? "" : "s");
  }
}

void PrintEnvelope(const SignReport& report) {
  std::printf("envelope   %s, %zu signature%s\n", EscapeForTerminal(report.envelope_path).c_str(), report.signatures,
              report.signatures == 1 ? "" : "s");
}

void WriteTensors(JsonWriter& json, std::span<const Tensor> tensors, std::span<const ElementType> types) {
  json.Key("element_types"), json.BeginArray();
  for (const ElementType& type : types) {
    json.BeginObject();
    json.Member("kind", DtypeName(type.kind));
    json.Member("item_size", static_cast<std::uint64_t>(type.item_size));
    json.Member("detail", type.detail);
    WriteFields(json, type);
    json.EndObject();
  }
  json.EndArray();
  json.Key("tensors"), json.BeginArray();
  for (const Tensor& tensor : tensors) {
    json.BeginObject();
    json.Member("name", tensor.name);
    json.Member("dtype", DtypeName(tensor.dtype));
    if (IsExtended(tensor.dtype)) json.Member("element_type", static_cast<std::uint64_t>(tensor.element_type));
    WriteNumbers(json, "shape", tensor.shape);
    WriteNumbers(json, "strides", tensor.strides);
    json.Member("storage", static_cast<std::uint64_t>(tensor.storage));
    json.Member("byte_offset", tensor.byte_offset);
    json.Member("bytes", tensor.bytes);
    if (tensor.digest) json.Hex("blake3", *tensor.digest);
    json.EndObject();
  }
  json.EndArray();
}

namespace {

// The names of node kinds, by number; the spec's words.
constexpr const char* kKindNames[] = {"",       "none",   "false",  "true",  "int",      "float",     "complex",
                                      "str",    "bytes",  "list",   "tuple", "dict",     "set",       "frozenset",
                                      "slice",  "range",  "date",   "time",  "datetime", "timedelta", "timezone",
                                      "tensor", "global", "object", "zoned"};

const char* KindName(NodeKind kind) {
  const auto number = static_cast<std::size_t>(kind);
  return number < std::size(kKindNames) ? kKindNames[number] : "?";
}

double FloatAt(ByteView payload, std::size_t offset) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits |= static_cast<std::uint64_t>(payload[offset + i]) << (8 * i);
  return std::bit_cast<double>(bits);
}

// IntText returns an integer as decimal when it is small, as "0x" and hexadecimal otherwise: printing a big one in
// decimal takes quadratic time.
std::string IntText(ByteView payload) {
  const bool negative = !payload.empty() && (payload.back() & 0x80) != 0;
  if (payload.size() <= 8) {
    std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < payload.size(); ++i) {
      bits &= ~(std::uint64_t{0xFF} << (8 * i));
      bits |= static_cast<std::uint64_t>(payload[i]) << (8 * i);
    }
    return std::to_string(static_cast<std::int64_t>(bits));
  }
  ByteBuffer magnitude(payload.rbegin(), payload.rend());  // big-endian
  if (negative) {
    unsigned carry = 1;
    for (auto byte = magnitude.rbegin(); byte != magnitude.rend(); ++byte) {
      const unsigned sum = static_cast<std::uint8_t>(~*byte) + carry;
      *byte = static_cast<std::uint8_t>(sum);
      carry = sum >> 8;
    }
  }
  return (negative ? "-0x" : "0x") + HexOf(magnitude);
}

void WriteInt(JsonWriter& json, ByteView payload) {
  const std::string text = IntText(payload);
  if (payload.size() <= 6) {  // exact in every JSON reader
    json.Key("value"), json.Signed(std::stoll(text));
  } else {
    json.Member("value", text);
  }
}

void WritePayload(JsonWriter& json, const ValueTree& tree, NodeId id) {
  const ByteView payload = tree.PayloadOf(id);
  switch (tree.kind(id)) {
    case NodeKind::kNone:
    case NodeKind::kFalse:
    case NodeKind::kTrue: return;
    case NodeKind::kInt: return WriteInt(json, payload);
    case NodeKind::kFloat:
      json.Key("value"), json.Float(FloatAt(payload, 0));
      json.Hex("bits", payload);  // little-endian: NaN payloads and the sign of zero stay visible
      return;
    case NodeKind::kComplex:
      json.Key("value"), json.BeginArray(), json.Float(FloatAt(payload, 0)), json.Float(FloatAt(payload, 8)),
          json.EndArray();
      json.Hex("bits", payload);
      return;
    case NodeKind::kStr: return json.Member("value", tree.TextOf(id));
    case NodeKind::kTensor:
      json.Member("tensor", static_cast<std::uint64_t>(tree.TensorOf(id)));
      json.Member("flags", static_cast<std::uint64_t>(tree.flags(id)));
      return;
    default: return json.Hex("hex", payload);
  }
}

}  // namespace

void WriteTree(JsonWriter& json, const ValueTree& tree) {
  json.Key("tree"), json.BeginObject();
  json.Key("nodes"), json.BeginArray();
  for (NodeId id = 0; id < tree.size(); ++id) {
    json.BeginObject();
    json.Member("kind", KindName(tree.kind(id)));
    if (!HasChildren(tree.kind(id))) {
      WritePayload(json, tree, id);
    } else {
      if (tree.kind(id) == NodeKind::kObject) json.Member("parts", static_cast<std::uint64_t>(tree.flags(id)));
      json.Key("children"), json.BeginArray();
      for (const NodeId child : tree.ChildrenOf(id)) json.Number(child);
      json.EndArray();
    }
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

namespace {

const char* OpenedName(KeyWrap::Opened opened) {
  if (opened == KeyWrap::Opened::kYes) return "yes";
  return opened == KeyWrap::Opened::kNo ? "no" : "not_tried";
}

std::string KindsText(const KeyWrap& wrap) { return wrap.kinds.empty() ? "unreadable" : JoinForTerminal(wrap.kinds); }

}  // namespace

void WriteWraps(JsonWriter& json, std::span<const KeyWrap> wraps) {
  json.Key("recipients"), json.BeginArray();
  for (const KeyWrap& wrap : wraps) {
    json.BeginObject();
    json.Member("number", static_cast<std::uint64_t>(wrap.number));
    json.Texts("kinds", wrap.kinds);
    if (!wrap.recipient.empty()) json.Member("recipient", wrap.recipient);
    json.Member("opened", OpenedName(wrap.opened));
    json.EndObject();
  }
  json.EndArray();
}

void PrintWraps(std::span<const KeyWrap> wraps) {
  for (const KeyWrap& wrap : wraps) {
    std::printf("recipient  %-2zu %-12s %s%s\n", wrap.number, KindsText(wrap).c_str(),
                wrap.recipient.empty() ? "(not told)" : EscapeForTerminal(wrap.recipient).c_str(),
                wrap.opened == KeyWrap::Opened::kYes ? "  (your identity opens it)" : "");
  }
}

void PrintSignatures(std::span<const SignatureReport> signatures) {
  for (const SignatureReport& signature : signatures) {
    const std::string key = signature.key_name.empty() ? "" : " (" + EscapeForTerminal(signature.key_name) + ")";
    const bool attests = !signature.predicate_type.empty();
    std::printf("  %s  %-10s key %.16s%s  %s  %s", attests ? "attestation" : "signature",
                EscapeForTerminal(attests ? signature.predicate_type : signature.role).c_str(),
                EscapeForTerminal(signature.key_id).c_str(), key.c_str(),
                EscapeForTerminal(signature.issued_at).c_str(), signature.code.c_str());
    if (signature.logged) {
      std::printf("  in %s at %llu", EscapeForTerminal(signature.logged->origin).c_str(),
                  static_cast<unsigned long long>(signature.logged->index));
    }
    std::printf("\n");
  }
}

void PrintTensors(std::span<const Tensor> tensors, std::span<const ElementType> types) {
  for (const Tensor& tensor : tensors) {
    std::printf("  %-10s %-20s %10s  storage %-4u %s\n", EscapeForTerminal(TypeText(tensor, types)).c_str(),
                ShapeText(tensor.shape).c_str(), HumanBytes(tensor.bytes).c_str(), tensor.storage,
                EscapeForTerminal(tensor.name).c_str());
  }
}

namespace {

std::string LeafText(const ValueTree& tree, NodeId id, std::span<const Tensor> tensors) {
  const ByteView payload = tree.PayloadOf(id);
  switch (tree.kind(id)) {
    case NodeKind::kInt: return EscapeForTerminal(IntText(payload), 80);
    case NodeKind::kFloat: return std::to_string(FloatAt(payload, 0));
    case NodeKind::kStr: return "\"" + EscapeForTerminal(tree.TextOf(id), 80) + "\"";
    case NodeKind::kTensor: {
      const std::uint32_t index = tree.TensorOf(id);
      return "tensor " + (index < tensors.size()
                              ? EscapeForTerminal(tensors[index].name) + " " + ShapeText(tensors[index].shape)
                              : "?");
    }
    case NodeKind::kNone:
    case NodeKind::kFalse:
    case NodeKind::kTrue: return KindName(tree.kind(id));
    default: return std::string(KindName(tree.kind(id))) + " of " + std::to_string(payload.size()) + " bytes";
  }
}

std::string GlobalText(const ValueTree& tree, NodeId id) {
  const auto names = tree.ChildrenOf(id);
  return EscapeForTerminal(tree.TextOf(names[0])) + "." + EscapeForTerminal(tree.TextOf(names[1]));
}

std::string ParentText(const ValueTree& tree, NodeId id) {
  const auto children = tree.ChildrenOf(id);
  if (tree.kind(id) == NodeKind::kGlobal) return "global " + GlobalText(tree, id);
  if (tree.kind(id) == NodeKind::kObject) return "object " + GlobalText(tree, children[0]);
  const std::size_t items = tree.kind(id) == NodeKind::kDict ? children.size() / 2 : children.size();
  return std::string(KindName(tree.kind(id))) + " of " + std::to_string(items);
}

}  // namespace

void PrintTree(const ValueTree& tree, std::span<const Tensor> tensors, std::size_t lines) {
  struct Step {
    NodeId node;
    std::size_t depth;
  };
  std::vector<bool> shown(tree.size());
  std::vector<Step> stack = {{0, 1}};
  while (!stack.empty() && !tree.empty()) {
    const Step step = stack.back();
    stack.pop_back();
    if (lines-- == 0) {
      std::printf("  ... (--json --tree shows all %zu nodes)\n", tree.size());
      return;
    }
    const std::string indent(2 * std::min<std::size_t>(step.depth, 40), ' ');
    const bool parent = HasChildren(tree.kind(step.node));
    if (parent && shown[step.node]) {
      std::printf("%s= node %u, see above\n", indent.c_str(), step.node);
      continue;
    }
    shown[step.node] = true;
    std::printf("%s%s\n", indent.c_str(),
                parent ? ParentText(tree, step.node).c_str() : LeafText(tree, step.node, tensors).c_str());
    if (!parent || tree.kind(step.node) == NodeKind::kGlobal) continue;
    const auto children = tree.ChildrenOf(step.node);
    const std::size_t first = tree.kind(step.node) == NodeKind::kObject ? 1 : 0;  // the class is in the line already
    for (std::size_t i = children.size(); i > first; --i) stack.push_back({children[i - 1], step.depth + 1});
  }
}

}  // namespace safemodel::cli
