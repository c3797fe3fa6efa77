// SPDX-License-Identifier: Apache-2.0
// joblib since 0.10: a pickle with the raw bytes of arrays between its opcodes.
#pragma once

#include <unordered_set>

#include "pickle/machine.h"

namespace safemodel::pickle {

// JoblibLayout reads the array behind each NumpyArrayWrapper right after its BUILD. Everything else is a plain pickle.
// Errors: kUnsafe JOBLIB-FRAME (readers take the bytes from the file, others from the frame), JOBLIB-PADDING,
// JOBLIB-REUSE, MEM-SIZE.
class JoblibLayout final : public Layout {
 public:
  Result<NodeIndex> AfterBuild(RuleContext& context, NodeIndex built, RawInput& input) override;
  Status OnMemoGet(RuleContext& context, NodeIndex node) override;
  // used says that the stream held at least one wrapper.
  [[nodiscard]] bool used() const { return !wrappers_.empty(); }

 private:
  std::unordered_set<NodeIndex> wrappers_;
};

}  // namespace safemodel::pickle
