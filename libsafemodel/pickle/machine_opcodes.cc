// SPDX-License-Identifier: Apache-2.0
// The opcode table.
#include "pickle/machine_core.h"
#include "pickle/opcode.h"

namespace safemodel::pickle {

std::array<Machine::Handler, 256> Machine::MakeHandlers() {
  std::array<Handler, 256> handlers{};
  handlers.fill(&Machine::Unknown);
  const auto set = [&handlers](Opcode opcode, Handler handler) {
    handlers[static_cast<std::uint8_t>(opcode)] = handler;
  };

  set(Opcode::kProto, &Machine::Proto);
  set(Opcode::kFrame, &Machine::Frame);
  set(Opcode::kStop, &Machine::Stop);
  set(Opcode::kMark, &Machine::Mark);
  set(Opcode::kPop, &Machine::PopOne);
  set(Opcode::kPopMark, &Machine::PopToMark);
  set(Opcode::kDup, &Machine::Dup);

  set(Opcode::kPut, &Machine::Put);
  set(Opcode::kBinPut, &Machine::BinPut<1>);
  set(Opcode::kLongBinPut, &Machine::BinPut<4>);
  set(Opcode::kMemoize, &Machine::Memoize);
  set(Opcode::kGet, &Machine::Get);
  set(Opcode::kBinGet, &Machine::BinGet<1>);
  set(Opcode::kLongBinGet, &Machine::BinGet<4>);

  set(Opcode::kNone, &Machine::Constant<Graph::kNone>);
  set(Opcode::kNewTrue, &Machine::Constant<Graph::kTrue>);
  set(Opcode::kNewFalse, &Machine::Constant<Graph::kFalse>);
  set(Opcode::kInt, &Machine::IntText);
  set(Opcode::kLong, &Machine::LongText);
  set(Opcode::kBinInt, &Machine::BinInt);
  set(Opcode::kBinInt1, &Machine::BinUnsigned<1>);
  set(Opcode::kBinInt2, &Machine::BinUnsigned<2>);
  set(Opcode::kLong1, &Machine::BinLong<1>);
  set(Opcode::kLong4, &Machine::BinLong<4>);
  set(Opcode::kFloat, &Machine::FloatText);
  set(Opcode::kBinFloat, &Machine::BinFloat);

  set(Opcode::kString, &Machine::StringText);
  set(Opcode::kBinString, &Machine::BinString);
  set(Opcode::kShortBinString, &Machine::Bytes<Kind::kPy2Str, 1>);
  set(Opcode::kUnicode, &Machine::UnicodeText);
  set(Opcode::kShortBinUnicode, &Machine::Unicode<1>);
  set(Opcode::kBinUnicode, &Machine::Unicode<4>);
  set(Opcode::kBinUnicode8, &Machine::Unicode<8>);
  set(Opcode::kShortBinBytes, &Machine::Bytes<Kind::kBytes, 1>);
  set(Opcode::kBinBytes, &Machine::Bytes<Kind::kBytes, 4>);
  set(Opcode::kBinBytes8, &Machine::Bytes<Kind::kBytes, 8>);
  set(Opcode::kByteArray8, &Machine::Bytes<Kind::kByteArray, 8>);
  set(Opcode::kNextBuffer, &Machine::NextBuffer);
  set(Opcode::kReadonlyBuffer, &Machine::ReadonlyBuffer);

  set(Opcode::kEmptyList, &Machine::Empty<Kind::kList>);
  set(Opcode::kEmptyTuple, &Machine::Empty<Kind::kTuple>);
  set(Opcode::kEmptyDict, &Machine::Empty<Kind::kDict>);
  set(Opcode::kEmptySet, &Machine::Empty<Kind::kSet>);
  set(Opcode::kList, &Machine::FromMark<Kind::kList>);
  set(Opcode::kTuple, &Machine::FromMark<Kind::kTuple>);
  set(Opcode::kFrozenset, &Machine::FromMark<Kind::kFrozenset>);
  set(Opcode::kDict, &Machine::DictFromMark);
  set(Opcode::kTuple1, &Machine::TupleOf<1>);
  set(Opcode::kTuple2, &Machine::TupleOf<2>);
  set(Opcode::kTuple3, &Machine::TupleOf<3>);
  set(Opcode::kAppend, &Machine::Append);
  set(Opcode::kAppends, &Machine::Appends);
  set(Opcode::kSetItem, &Machine::SetItem);
  set(Opcode::kSetItems, &Machine::SetItems);
  set(Opcode::kAddItems, &Machine::AddItems);

  set(Opcode::kGlobal, &Machine::Global);
  set(Opcode::kStackGlobal, &Machine::StackGlobal);
  set(Opcode::kExt1, &Machine::Extension<1>);
  set(Opcode::kExt2, &Machine::Extension<2>);
  set(Opcode::kExt4, &Machine::Extension<4>);
  set(Opcode::kReduce, &Machine::Reduce);
  set(Opcode::kInst, &Machine::Inst);
  set(Opcode::kObj, &Machine::Obj);
  set(Opcode::kNewObj, &Machine::NewObj);
  set(Opcode::kNewObjEx, &Machine::NewObjEx);
  set(Opcode::kBuild, &Machine::Build);
  set(Opcode::kPersId, &Machine::PersId);
  set(Opcode::kBinPersId, &Machine::BinPersId);
  return handlers;
}

}  // namespace safemodel::pickle
