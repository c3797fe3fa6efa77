// SPDX-License-Identifier: Apache-2.0
// Pickles assembled by hand, and what the machine makes of them as text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/cursor.h"
#include "pickle/findings.h"
#include "pickle/machine.h"
#include "pickle/opcode.h"

namespace safemodel::pickle {

// Program assembles one stream.
class Program {
 public:
  Program() = default;
  explicit Program(unsigned protocol) { Op(Opcode::kProto).U8(protocol); }

  Program& Op(Opcode opcode) { return U8(static_cast<unsigned>(opcode)); }
  Program& Ops(std::string_view letters) { return Raw(letters); }  // opcodes that are ASCII letters
  Program& U8(unsigned value) {
    bytes_.push_back(static_cast<char>(value));
    return *this;
  }
  Program& Number(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) U8(static_cast<unsigned>(value >> (8 * i)) & 0xFF);
    return *this;
  }
  Program& Raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  Program& Str(std::string_view text) { return Op(Opcode::kBinUnicode).Number(text.size(), 4).Raw(text); }
  Program& Bytes(std::string_view bytes) { return Op(Opcode::kBinBytes).Number(bytes.size(), 4).Raw(bytes); }
  Program& Int(std::int32_t value) { return Op(Opcode::kBinInt).Number(static_cast<std::uint32_t>(value), 4); }
  Program& Global(std::string_view module, std::string_view name) {
    return Op(Opcode::kGlobal).Raw(module).Raw("\n").Raw(name).Raw("\n");
  }
  Program& StackGlobal(std::string_view module, std::string_view name) {
    return Str(module).Str(name).Op(Opcode::kStackGlobal);
  }
  // Called calls module.name() without arguments.
  Program& Called(std::string_view module, std::string_view name) { return Global(module, name).Ops(")R"); }
  [[nodiscard]] std::string Stop() const { return bytes_ + "."; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Run holds what one run of the machine left.
struct Run {
  SharedSource source;
  std::unique_ptr<Graph> graph;
  ImportTables tables;
  Limits limits;
  Findings findings;
  Result<MachineResult> result = Error{};

  // code returns "ok" or the code of the error.
  [[nodiscard]] std::string code() const { return result.ok() ? "ok" : result.error().code; }
  // Shown returns the result as text, close to Python's repr.
  [[nodiscard]] std::string Shown() const;
};

// RunBytes runs a stream, without a layout unless one is given.
std::unique_ptr<Run> RunBytes(std::string_view bytes, Layout* layout = nullptr,
                              ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse);

}  // namespace safemodel::pickle
