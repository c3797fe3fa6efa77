// SPDX-License-Identifier: Apache-2.0
#include "pickle/machine.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/findings.h"
#include "pickle/machine_core.h"
#include "pickle/opcode.h"
#include "pickle/text_values.h"

namespace safemodel::pickle {

namespace {
constexpr unsigned kMostNestedStreams = 8;
constexpr std::uint64_t kLongestFrame = std::numeric_limits<std::int64_t>::max();  // sys.maxsize

std::array<std::uint8_t, 256> MakeProtocols() {
  std::array<std::uint8_t, 256> protocols{};
  for (unsigned opcode = 0; opcode < protocols.size(); ++opcode) {
    protocols[opcode] = static_cast<std::uint8_t>(OpcodeProtocol(static_cast<std::uint8_t>(opcode)));
  }
  return protocols;
}
}  // namespace

Result<NodeIndex> Layout::OnPersistentId(RuleContext& context, NodeIndex reference) {
  return Error{Stage::kMalformed, "PKL-PERSID", "a persistent id means nothing in this kind of file",
               context.graph.offset(reference)};
}

Result<NodeIndex> Layout::AfterBuild(RuleContext&, NodeIndex built, RawInput&) { return built; }

Status Layout::OnMemoGet(RuleContext&, NodeIndex) { return {}; }

Machine::Machine(RuleContext& context, Judge& judge, StreamReader& reader, Layout& layout, unsigned depth)
    : context_(context), graph_(context.graph), judge_(judge), reader_(reader), layout_(layout), depth_(depth) {}

Status Machine::Run(MachineResult& result) {
  static const std::array<Handler, 256> handlers = MakeHandlers();
  static const std::array<std::uint8_t, 256> protocols = MakeProtocols();
  const Findings::OpcodeScope scope(context_.findings, at_);
  Status status;
  for (; !stopped_ && status.ok(); ++at_.index) {
    at_.offset = reader_.position();
    if (!reader_.U8(at_.opcode)) {
      status = reader_.error();
    } else if (!(this->*handlers[at_.opcode])()) {
      status = error_;
    }
    needed_protocol_ = std::max<unsigned>(needed_protocol_, protocols[at_.opcode]);
  }
  result.root = root_;
  result.end = reader_.position();
  result.opcodes += at_.index;
  result.protocol = static_cast<std::uint8_t>(highest_protocol_);
  return status;
}

bool Machine::Fail(Stage stage, const char* code, const char* text) {
  error_ = {stage, code, text, at_.offset};
  return false;
}

bool Machine::Fail(const Error& error) {
  error_ = error;
  return false;
}

void Machine::Tell(Stage stage, const char* code, const char* text) {
  context_.findings.Add({stage, code, text, at_.offset});
}

Status Machine::Read(MutableBytes out) {
  ByteView bytes;
  reader_.CloseFrame();
  if (!reader_.Take(out.size(), bytes)) return reader_.error();
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return {};
}

Status Machine::Skip(std::uint64_t size) {
  reader_.CloseFrame();
  if (!reader_.Skip(size)) return reader_.error();
  return {};
}

Result<NodeIndex> Machine::RunNested() {
  if (depth_ + 1 >= kMostNestedStreams) {
    return Error{Stage::kLimit, "LIMIT-DEPTH", "pickles are nested too deeply inside each other", reader_.position()};
  }
  reader_.CloseFrame();
  // joblib reads it with a plain unpickler, for which no raw bytes follow a wrapper.
  Layout plain;
  Machine nested(context_, judge_, reader_, plain, depth_ + 1);
  MachineResult result;
  SAFEMODEL_TRY(nested.Run(result));
  return result.root;
}

bool Machine::Push(NodeIndex node) {
  stack_.push_back(node);
  return true;
}

bool Machine::Top(NodeIndex& node) {
  if (stack_.size() <= fence_) return Malformed("an opcode needs a value where the stack has none");
  node = stack_.back();
  return true;
}

bool Machine::Pop(NodeIndex& node) {
  if (!Top(node)) return false;
  stack_.pop_back();
  return true;
}

// PopMark takes the items above the topmost mark, and the mark.
bool Machine::PopMark(std::vector<NodeIndex>& items) {
  if (marks_.empty()) return Malformed("an opcode needs a mark where the stack has none");
  const std::size_t mark = marks_.back();
  marks_.pop_back();
  items.assign(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark);
  fence_ = marks_.empty() ? 0 : marks_.back();
  return true;
}

bool Machine::Unknown() { return Malformed("a byte is no opcode of any pickle protocol"); }

bool Machine::Proto() {
  std::uint8_t protocol = 0;
  if (!reader_.U8(protocol)) return ReadFailed();
  if (protocol > 5) return Malformed("the pickle declares a protocol that does not exist");
  protocol_ = protocol;  // overwrites: the declared protocol governs the mapping of names from here on
  highest_protocol_ = std::max(highest_protocol_, protocol_);
  return true;
}

bool Machine::Frame() {
  std::uint64_t size = 0;
  if (!reader_.Unsigned(8, size)) return ReadFailed();
  if (size > reader_.remaining() && size <= kLongestFrame) {
    Tell(Stage::kMalformed, "PKL-MALFORMED", "a frame is longer than the pickle");
    size = reader_.remaining();  // the Python reader takes what there is
  }
  return reader_.OpenFrame(size) || ReadFailed();
}

bool Machine::Stop() {
  if (!Pop(root_)) return false;
  if (reader_.InFrame()) {
    return Fail(Stage::kUnsafe, "PKL-FRAME", "the program stops inside a frame, so readers see different programs");
  }
  stopped_ = true;
  NoteOddities();
  return true;
}

void Machine::NoteOddities() {
  const auto note = [&](const char* rule, const char* text) {
    context_.findings.Add({Stage::kMalformed, rule, text, at_.offset}, ScanVerdict::kClean);
  };
  if (!stack_.empty()) note("PKL-LEFTOVER", "the program ends with values on its stack that no loader returns");
  if (needed_protocol_ > highest_protocol_ && needed_protocol_ > 1) {
    note("PKL-PROTO", "the stream uses instructions that are newer than the protocol that it declares");
  }
}

bool Machine::Mark() {
  marks_.push_back(stack_.size());
  fence_ = stack_.size();
  return true;
}

// PopOne removes the topmost item, which may be a mark.
bool Machine::PopOne() {
  if (!marks_.empty() && marks_.back() == stack_.size()) {
    marks_.pop_back();
    fence_ = marks_.empty() ? 0 : marks_.back();
    return true;
  }
  NodeIndex dropped = kNoNode;
  return Pop(dropped);
}

bool Machine::PopToMark() { return PopMark(scratch_); }

bool Machine::Dup() {
  NodeIndex top = kNoNode;
  return Top(top) && Push(top);
}

bool Machine::MemoIndexText(std::uint64_t& number) {
  ByteView line;
  if (!reader_.TakeLine(line)) return ReadFailed();
  const TextInteger parsed = ParseTextInteger(line);
  if (const auto* value = std::get_if<std::int64_t>(&parsed)) {
    if (*value < 0) return Malformed("a memo number is negative");
    number = static_cast<std::uint64_t>(*value);
    return true;
  }
  const std::optional<std::string> digits = MemoDigits(line);
  if (!digits) return Malformed("the text of a number is broken");
  if (AsText(line) != *digits) OddNumber(TextFault::kDifferential);
  number = memo_.NumberOf(*digits);
  return true;
}

bool Machine::PutAt(std::uint64_t number) {
  NodeIndex top = kNoNode;
  if (!Top(top)) return false;
  if (!memo_.Put(number, top) && !std::exchange(far_memo_told_, true)) {
    Tell(Stage::kLimit, "LIMIT-MEMO", "a memo number is far larger than the memo, which costs loaders gigabytes");
  }
  return true;
}

bool Machine::GetAt(std::uint64_t number) {
  const NodeIndex node = memo_.Get(number);
  if (node == kNoNode) return Malformed("the memo holds nothing under this number");
  if (graph_.kind(node) == Kind::kCall && !Check(layout_.OnMemoGet(context_, node))) return false;
  return Push(node);
}

bool Machine::Put() {
  std::uint64_t number = 0;
  return MemoIndexText(number) && PutAt(number);
}

template <unsigned kWidth>
bool Machine::BinPut() {
  std::uint64_t number = 0;
  if (!reader_.Unsigned(kWidth, number)) return ReadFailed();
  return PutAt(number);
}

bool Machine::Memoize() { return PutAt(memo_.entries()); }

bool Machine::Get() {
  std::uint64_t number = 0;
  return MemoIndexText(number) && GetAt(number);
}

template <unsigned kWidth>
bool Machine::BinGet() {
  std::uint64_t number = 0;
  if (!reader_.Unsigned(kWidth, number)) return ReadFailed();
  return GetAt(number);
}

// The opcode table takes the addresses of these.
template bool Machine::BinPut<1>();
template bool Machine::BinPut<4>();
template bool Machine::BinGet<1>();
template bool Machine::BinGet<4>();

namespace {

Status RunStream(RuleContext& context, std::uint64_t begin, const MachineOptions& options, MachineResult& result) {
  const ByteSource& source = options.source != nullptr ? *options.source : *context.graph.stream();
  if (source.size() >= std::uint64_t{1} << 47) {
    return Error{Stage::kLimit, "LIMIT-BYTES", "the pickle is larger than this reader can address"};
  }
  const std::uint64_t end = options.end.value_or(source.size());
  if (begin > end || end > source.size()) {
    return Error{Stage::kMalformed, "PKL-MALFORMED", "the pickle starts behind its source"};
  }
  Layout plain;
  Layout& layout = options.layout != nullptr ? *options.layout : plain;
  context.unknown = options.unknown;
  StreamReader reader(source, context.graph, begin, end);
  Judge judge(context, AllowList::BuiltIn(), options.unknown);
  Machine machine(context, judge, reader, layout, 0);
  const Status ran = machine.Run(result);
  judge.CheckValues(ran.ok() ? result.root : kNoNode);
  SAFEMODEL_TRY(ran);
  judge.Finish();
  return {};
}

}  // namespace

Result<MachineResult> RunMachine(RuleContext& context, std::uint64_t begin, const MachineOptions& options) {
  const Findings::Part part(context.findings);
  MachineResult result;
  const std::size_t first_proof = context.tables.late_proofs.size();
  Status status = RunStream(context, begin, options, result);
  if (!status.ok()) {
    const bool broken =
        status.error().stage == Stage::kMalformed && status.error().code == std::string_view("PKL-MALFORMED");
    result.ending = broken ? MachineResult::Ending::kBroken : MachineResult::Ending::kGaveUp;
  }
  if (status.ok() && options.proofs == MachineOptions::Proofs::kAtEnd) status = RunLateProofs(context, first_proof);
  if (options.reached != nullptr) *options.reached = result;
  if (!status.ok()) context.findings.Add(status.error());
  context.findings.ResolvePaths(context.graph, result.root);
  context.findings.AddStream({{}, begin, result.end - begin, result.protocol, result.opcodes});
  context.findings.AddGlobals(context.graph);
  if (!status.ok() && status.error().stage == Stage::kIo) return status.error();
  if (auto refusal = part.Refusal(options.unknown)) return *refusal;
  return result;
}

}  // namespace safemodel::pickle
