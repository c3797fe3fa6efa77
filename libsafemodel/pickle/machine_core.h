// SPDX-License-Identifier: Apache-2.0
// The state of the machine and one function for each opcode. Only machine*.cc include this header.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "pickle/findings.h"
#include "pickle/judge.h"
#include "pickle/machine.h"
#include "pickle/memo.h"
#include "pickle/stream_reader.h"
#include "pickle/text_values.h"

namespace safemodel::pickle {

// Machine runs one stream. Opcode functions return false when they fail, with the reason in error_.
class Machine final : public RawInput {
 public:
  Machine(RuleContext& context, Judge& judge, StreamReader& reader, Layout& layout, unsigned depth);

  // Run runs up to STOP.
  [[nodiscard]] Status Run(MachineResult& result);

  [[nodiscard]] std::uint64_t position() const override { return reader_.position(); }
  [[nodiscard]] std::uint64_t remaining() const override { return reader_.remaining(); }
  [[nodiscard]] bool AtFrameEnd() const override { return !reader_.InFrame(); }
  [[nodiscard]] Status Read(MutableBytes out) override;
  [[nodiscard]] Status Skip(std::uint64_t size) override;
  [[nodiscard]] Result<NodeIndex> RunNested() override;

 private:
  using Handler = bool (Machine::*)();
  static std::array<Handler, 256> MakeHandlers();

  // machine.cc: stack, memo, streams
  bool Fail(Stage stage, const char* code, const char* text);
  bool Fail(const Error& error);
  // Malformed ends the stream at what every reader of Python refuses too: the probe (pickle_probe.cc) drops a stream
  // only for that. Where a single reader goes on, the machine tells and goes on.
  bool Malformed(const char* text) { return Fail(Stage::kMalformed, "PKL-MALFORMED", text); }
  // Tell records what is wrong with an instruction behind which some reader goes on.
  void Tell(Stage stage, const char* code, const char* text);
  bool ReadFailed() { return Fail(reader_.error()); }
  bool Push(NodeIndex node);
  bool Pop(NodeIndex& node);
  bool Top(NodeIndex& node);
  bool PopMark(std::vector<NodeIndex>& items);
  bool Unknown();
  bool Proto();
  bool Frame();
  bool Stop();
  // NoteOddities records what is unusual about a stream that ended, and harmless.
  void NoteOddities();
  bool Mark();
  bool PopOne();
  bool PopToMark();
  bool Dup();
  bool MemoIndexText(std::uint64_t& number);
  bool PutAt(std::uint64_t number);
  bool GetAt(std::uint64_t number);
  bool Put();
  template <unsigned kWidth>
  bool BinPut();
  bool Memoize();
  bool Get();
  template <unsigned kWidth>
  bool BinGet();

  // machine_values.cc: constants
  template <NodeIndex kConstant>
  bool Constant() {
    return Push(kConstant);
  }
  // OddNumber tells of a number that is not written as libraries write it; false when no reader takes it.
  bool OddNumber(TextFault fault);
  // PushUnknown pushes a node that stands for a value which depends on the reader.
  bool PushUnknown(NodeIndex node);
  bool IntText();
  bool LongText();
  bool PushInteger(ByteView text);
  bool BinInt();
  template <unsigned kWidth>
  bool BinUnsigned();
  template <unsigned kWidth>
  bool BinLong();
  bool FloatText();
  bool BinFloat();
  bool StringText();
  bool UnicodeText();
  template <unsigned kWidth>
  bool Unicode();
  template <Kind kKind, unsigned kWidth>
  bool Bytes();
  bool BinString();
  bool PushBytes(Kind kind, std::uint64_t size);
  bool NextBuffer();
  bool ReadonlyBuffer();

  // machine_containers.cc
  template <Kind kKind>
  bool Empty() {
    return Push(graph_.AddContainer(kKind, at_.offset));
  }
  template <Kind kKind>
  bool FromMark();
  template <unsigned kCount>
  bool TupleOf();
  bool DictFromMark();
  bool Append();
  bool Appends();
  bool SetItem();
  bool SetItems();
  bool AddItems();
  bool CheckKeys(NodeIndex target, std::span<const NodeIndex> items);
  bool SetAll(NodeIndex target, std::span<const NodeIndex> items);
  bool Fill(NodeIndex container, std::span<const NodeIndex> items);

  // machine_calls.cc
  bool Import(std::string_view module, std::string_view name);
  bool NameLines(std::string_view& module, std::string_view& name);
  [[nodiscard]] bool MayBeText(NodeIndex node) const;
  bool Global();
  bool StackGlobal();
  template <unsigned kWidth>
  bool Extension();
  bool Reduce();
  bool Inst();
  bool Obj();
  bool NewObj();
  bool NewObjEx();
  bool Build();
  bool PersId();
  bool BinPersId();
  bool PushPersistent(NodeIndex id);
  bool PushResult(Result<NodeIndex> made);
  bool Check(const Status& status) { return status.ok() || Fail(status.error()); }

  RuleContext& context_;
  Graph& graph_;
  Judge& judge_;
  StreamReader& reader_;
  Layout& layout_;
  unsigned depth_;
  std::vector<NodeIndex> stack_;
  std::vector<std::size_t> marks_;
  std::size_t fence_ = 0;  // stack items below belong to a mark
  std::vector<NodeIndex> scratch_;
  Memo memo_;
  OpcodeAt at_;
  unsigned protocol_ = 0;
  unsigned highest_protocol_ = 0;
  unsigned needed_protocol_ = 0;  // of the newest instruction
  bool stopped_ = false;
  bool far_memo_told_ = false;
  NodeIndex root_ = kNoNode;
  Error error_;
};

}  // namespace safemodel::pickle
