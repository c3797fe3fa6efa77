// SPDX-License-Identifier: Apache-2.0
// Tensors of PyTorch that are made of others (quantised, sparse, nested) or have no data (meta), and the proofs about
// the numbers in them, which its native code trusts.
#pragma once

#include <safemodel/result.h>

#include "pickle/rule.h"

namespace safemodel::pickle {

// MEM-QUANT: _rebuild_qtensor. The tree gets an object of that name with the integers as a tensor, their element type,
// the sizes (integers of less than a byte are packed) and the parameters.
Status MakeQuantised(RuleContext& context, NodeIndex call);
Result<TreeRef> QuantisedToTree(TreeContext& tree, NodeIndex call);

// MEM-SPARSE: _rebuild_sparse_tensor, _rebuild_sparse_csr_tensor.
Status OnTorchSparse(RuleContext& context, NodeIndex call);

// MEM-NESTED: _rebuild_nested_tensor.
Status OnTorchNested(RuleContext& context, NodeIndex call);

// MEM-NESTED: torch.nested._internal.nested_tensor._rebuild_njt. CheckJaggedState compares the attributes that
// _rebuild_from_type_v2 sets on it. The tree gets a NestedTensor of the keywords, with the attributes as state, if any.
Status OnTorchJagged(RuleContext& context, NodeIndex call);
Status CheckJaggedState(const RuleContext& context, NodeIndex call);
Result<TreeRef> JaggedToTree(TreeContext& tree, NodeIndex jagged, NodeIndex state);

// MEM-VIEW, MEM-SIZE: _rebuild_meta_tensor_no_storage.
Status OnTorchMeta(RuleContext& context, NodeIndex call);

// _rebuild_device_tensor_from_cpu_tensor, _rebuild_device_tensor_from_numpy.
Status OnTorchDevice(RuleContext& context, NodeIndex call);

}  // namespace safemodel::pickle
