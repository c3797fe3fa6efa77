// SPDX-License-Identifier: Apache-2.0
// Tensors of PyTorch, written by hand: a pickle and the records of its storages.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pickle/assemble.h"
#include "pickle/torch_layout.h"

namespace safemodel::pickle {

using Numbers = std::vector<std::int64_t>;
using Sizes = std::vector<std::int32_t>;

// Part is a tensor among the parts: numbers of one type, contiguous unless strides are given.
struct Part {
  Numbers numbers;
  Sizes shape;
  const char* type = "LongStorage";
  Sizes strides = {};
  const char* metadata = nullptr;  // opcodes of a seventh argument
};

inline unsigned WidthOf(const std::string& type) {
  return type == "LongStorage" || type == "DoubleStorage" ? 8 : type == "IntStorage" || type == "FloatStorage" ? 4 : 1;
}

// File is a pickle and its records.
class File {
 public:
  // Tuple pushes a tuple of sizes.
  File& Tuple(const Sizes& sizes) {
    program_.Ops("(");
    for (const std::int32_t size : sizes) program_.Int(size);
    program_.Ops("t");
    return *this;
  }
  File& Storage(const Part& part) {
    const std::string key = std::to_string(records_.size());
    Program record;
    for (const std::int64_t number : part.numbers)
      record.Number(static_cast<std::uint64_t>(number), WidthOf(part.type));
    records_[key] = record.bytes();
    program_.Ops("(").Str("storage").Global("torch", part.type).Str(key).Str("cpu");
    program_.Int(static_cast<std::int32_t>(part.numbers.size())).Ops("tQ");
    return *this;
  }
  File& Tensor(const Part& part) {
    program_.Global("torch._utils", "_rebuild_tensor_v2").Ops("(");
    Storage(part);
    program_.Int(0);
    Tuple(part.shape);
    Sizes strides(part.shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * part.shape[d];
    Tuple(part.strides.empty() ? strides : part.strides);
    program_.Op(Opcode::kNewFalse).Called("collections", "OrderedDict");
    if (part.metadata != nullptr) program_.Raw(part.metadata);
    program_.Ops("tR");
    return *this;
  }
  File& Layout(const char* name) {
    program_.Global("torch.serialization", "_get_layout").Ops("(").Str(name).Ops("tR");
    return *this;
  }
  Program& program() { return program_; }

  // Code runs the pickle and returns "ok" or the rule that refuses it.
  [[nodiscard]] std::string Code() const {
    TorchLayout layout([this](std::string_view key) -> Result<SharedSource> {
      const std::string& record = records_.at(std::string(key));
      return MakeMemorySource(ByteBuffer(record.begin(), record.end()));
    });
    return RunBytes(program_.Stop(), &layout)->code();
  }

 private:
  Program program_{2};
  std::map<std::string, std::string> records_;
};

}  // namespace safemodel::pickle
