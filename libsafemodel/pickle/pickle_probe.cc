// SPDX-License-Identifier: Apache-2.0
#include "pickle/pickle_probe.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "pickle/findings.h"
#include "pickle/machine.h"
#include "pickle/opcode.h"
#include "pickle/recognise.h"
#include "pickle/torch_legacy.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kFirstLook = 64u << 10;
constexpr std::uint64_t kShallowLook = 4u << 10;
constexpr std::uint64_t kSearchEverywhere = 1u << 20;  // bytes in which every offset may be a start
constexpr std::uint64_t kMostSearched = 64u << 20;
constexpr std::uint64_t kLongestArgument = 9;
constexpr std::uint64_t kOpcodesBehindProto = 4;  // PROTO and three more
constexpr std::size_t kSurelyPickles = 8;         // whole streams in a row that are no chance

constexpr Opcode kStarts[] = {
    Opcode::kProto,      Opcode::kFrame,       Opcode::kMark,           Opcode::kNone,      Opcode::kNewTrue,
    Opcode::kNewFalse,   Opcode::kInt,         Opcode::kLong,           Opcode::kBinInt,    Opcode::kBinInt1,
    Opcode::kBinInt2,    Opcode::kLong1,       Opcode::kLong4,          Opcode::kFloat,     Opcode::kBinFloat,
    Opcode::kString,     Opcode::kBinString,   Opcode::kShortBinString, Opcode::kUnicode,   Opcode::kShortBinUnicode,
    Opcode::kBinUnicode, Opcode::kBinUnicode8, Opcode::kShortBinBytes,  Opcode::kBinBytes,  Opcode::kBinBytes8,
    Opcode::kByteArray8, Opcode::kEmptyList,   Opcode::kEmptyTuple,     Opcode::kEmptyDict, Opcode::kEmptySet,
    Opcode::kGlobal,     Opcode::kExt1,        Opcode::kExt2,           Opcode::kExt4,      Opcode::kPersId,
    Opcode::kNextBuffer,
};

// ConstantBytes is the size of an instruction that only pushes a constant of a fixed size; 0 for others.
std::size_t ConstantBytes(std::uint8_t opcode) {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kMark:
    case Opcode::kNone:
    case Opcode::kNewTrue:
    case Opcode::kNewFalse:
    case Opcode::kEmptyList:
    case Opcode::kEmptyTuple:
    case Opcode::kEmptyDict:
    case Opcode::kEmptySet: return 1;
    case Opcode::kBinInt1: return 2;
    case Opcode::kBinInt2: return 3;
    case Opcode::kBinInt: return 5;
    case Opcode::kBinFloat: return 9;
    default: return 0;
  }
}

// DiesAtOnce says that a stream pushes constants, and then has a byte that is no instruction: the second quickest no,
// of which an archive of many tensors needs many.
bool DiesAtOnce(ByteView start) {
  std::size_t at = 0;
  while (at < start.size()) {
    const std::size_t size = ConstantBytes(start[at]);
    if (size == 0) return *OpcodeName(start[at]) == '\0';
    at += size;
  }
  return false;
}

// PrefixSource has the size of a source and only its first bytes: what a probe may cost is bounded, and frames and
// lengths are compared with what is really there.
class PrefixSource final : public ByteSource {
 public:
  PrefixSource(SharedSource source, std::uint64_t begin, std::uint64_t readable)
      : source_(std::move(source)), begin_(begin), readable_(readable) {}
  [[nodiscard]] std::uint64_t size() const override { return source_->size() - begin_; }
  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > readable_ || out.size() > readable_ - offset) {
      ended_ = true;
      return Error{Stage::kMalformed, "probe_end", "the probe ends here", offset};
    }
    return source_->ReadAt(begin_ + offset, out);
  }
  // ended says whether a read wanted more than there was to read.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  SharedSource source_;
  std::uint64_t begin_;
  std::uint64_t readable_;
  mutable bool ended_ = false;
};

// Look is what one run of the machine over the first bytes showed.
struct Look {
  MachineResult reached;
  bool acts = false;             // it imports something, and calls
  bool extends = false;          // it takes an extension; of random bytes, one in eighty begins so
  bool calls_extension = false;  // and calls it; one in fifty thousand
  bool torch = false;            // it is the first stream of a file of torch.save before 1.6
  bool gave_up = false;          // the machine stopped where some reader may go on
  bool ended = false;            // the bytes that were looked at ran out before the stream broke
};

bool IsAct(const GlobalName& global) {
  const auto is_name = [](std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '.';
    });
  };
  return is_name(global.module) && is_name(global.name);
}

// LookAt runs the stream at `begin`, of which `readable` bytes may be read.
Result<Look> LookAt(const SharedSource& source, std::uint64_t begin, std::uint64_t readable, const Limits& limits) {
  const auto prefix = std::make_shared<PrefixSource>(source, begin, readable);
  Graph graph(prefix);
  ImportTables tables;
  Findings findings;
  RuleContext context{graph, tables, limits, findings};
  Look look;
  const auto run = RunMachine(context, 0, {.unknown = ConvertOptions::Unknown::kKeepInert, .reached = &look.reached});
  if (!run.ok() && run.error().stage == Stage::kIo) return run.error();
  const bool imports = std::any_of(graph.globals().begin(), graph.globals().end(), IsAct);
  look.extends = findings.Holds("EXT-CODE");
  // What an extension code stands for is a tainted node: it acts when it is called, not when it is passed on.
  const bool called = std::any_of(graph.calls().begin(), graph.calls().end(),
                                  [&](const Call& call) { return graph.tainted(call.callee); });
  look.calls_extension = look.extends && called;
  const bool changes = findings.Holds("STATE-TARGET") || findings.Holds("ITEMS-TARGET");
  look.acts = (imports && (!graph.calls().empty() || changes)) || findings.Holds("GLOBAL-DANGEROUS");
  look.torch = look.reached.root != kNoNode && IsTorchLegacyMagic(graph, look.reached.root);
  look.ended = prefix->ended();
  look.gave_up = look.reached.ending == MachineResult::Ending::kGaveUp && !look.ended;
  return look;
}

// IsPickle judges a look at a stream with this head, behind which a source ends after `rest` bytes. Of random bytes,
// one in eighty takes an extension and one in forty thousand declares a protocol, so the elements of tensors, of which
// an archive has many, need more of a sign.
bool IsPickle(const Look& seen, ByteView head, std::uint64_t rest, ProbeDepth depth) {
  const bool whole = seen.reached.root != kNoNode;
  const bool declares = head[0] == static_cast<std::uint8_t>(Opcode::kProto) && head.size() == 2 && head[1] <= 5;
  const bool goes_on = declares && (seen.reached.opcodes > kOpcodesBehindProto || whole);
  if (seen.acts || seen.torch || (whole && seen.reached.end == rest) || seen.gave_up) return true;
  if (depth == ProbeDepth::kShallow) {
    return (goes_on && (whole || seen.ended || seen.extends)) || (seen.calls_extension && (whole || seen.ended));
  }
  // A file that was cut off ends within the argument of an instruction.
  const bool cut_off = declares && seen.reached.opcodes > 1 && rest - seen.reached.end < kLongestArgument;
  return goes_on || cut_off || seen.calls_extension || (whole && seen.extends);
}

}  // namespace

bool MayStartPickle(std::uint8_t byte) {
  static const auto starts = [] {
    std::array<bool, 256> table{};
    for (const Opcode opcode : kStarts) table[static_cast<std::uint8_t>(opcode)] = true;
    return table;
  }();
  return starts[byte];
}

Result<bool> ProbePickle(const SharedSource& source, std::uint64_t begin, ProbeDepth depth, const Limits& limits,
                         std::uint64_t* opcodes) {
  // A stream that says nothing may stand before one that does something, and there are loaders of several streams.
  for (std::size_t streams = 0; streams < kSurelyPickles; ++streams) {
    const std::uint64_t rest = source->size() - begin;
    if (rest == 0) return false;
    std::array<std::uint8_t, 16> bytes{};
    const MutableBytes start = MutableBytes(bytes).first(std::min<std::uint64_t>(rest, bytes.size()));
    SAFEMODEL_TRY(source->ReadAt(begin, start));
    if (!MayStartPickle(start[0]) || DiesAtOnce(start)) return false;
    const ByteView head = start.first(std::min<std::size_t>(start.size(), 2));
    const std::uint64_t first = std::min(rest, depth == ProbeDepth::kWhole ? kFirstLook : kShallowLook);
    SAFEMODEL_ASSIGN(Look look, LookAt(source, begin, first, limits));
    if (opcodes != nullptr) *opcodes += look.reached.opcodes;
    if (IsPickle(look, head, rest, depth)) return true;
    // What is still a stream after thousands of bytes is no accident, or jumps over a long text: follow it to its end.
    if (first != rest && look.ended) {
      SAFEMODEL_ASSIGN(look, LookAt(source, begin, rest, limits));
      if (opcodes != nullptr) *opcodes += look.reached.opcodes;
      if (IsPickle(look, head, rest, depth)) return true;
    }
    if (look.reached.root == kNoNode || depth == ProbeDepth::kShallow) return false;
    SAFEMODEL_ASSIGN(begin, SkipZeros(*source, begin + look.reached.end));
  }
  return true;
}

Result<std::uint64_t> FindPickle(const SharedSource& source, std::uint64_t begin, const Limits& limits,
                                 SearchBudget& budget) {
  const std::uint64_t size = source->size();
  const std::uint64_t end = std::min(size, begin + kMostSearched);
  for (std::uint64_t window = begin; window < end && budget.opcodes > 0; window += kFirstLook) {
    // One byte more, for the number of a protocol behind its opcode.
    const std::uint64_t length = std::min(kFirstLook + 1, size - window);
    SAFEMODEL_ASSIGN(const ByteBuffer bytes, ReadRange(*source, window, length, kFirstLook + 1));
    for (std::size_t i = 0; i < bytes.size() && i < kFirstLook; ++i) {
      const std::uint64_t at = window + i;
      const bool declares =
          bytes[i] == static_cast<std::uint8_t>(Opcode::kProto) && i + 1 < bytes.size() && bytes[i + 1] <= 5;
      if (!declares && (at - begin >= kSearchEverywhere || !MayStartPickle(bytes[i]))) continue;
      SAFEMODEL_ASSIGN(const Look look, LookAt(source, at, std::min(kShallowLook, size - at), limits));
      budget.opcodes -= std::min(budget.opcodes, look.reached.opcodes + 1);
      // The numbers of a file that was cut off begin like every kind of stream: one that only begins is none here.
      const bool whole = look.reached.root != kNoNode && look.reached.opcodes > kOpcodesBehindProto;
      if (look.acts || (declares && (whole || look.ended))) return at;
      if (budget.opcodes == 0) break;
    }
  }
  return size;
}

}  // namespace safemodel::pickle
