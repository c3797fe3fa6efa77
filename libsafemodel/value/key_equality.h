// SPDX-License-Identifier: Apache-2.0
// Equality of dict keys and set items as Python compares them.
#pragma once

#include <vector>

#include <safemodel/result.h>
#include <safemodel/value_tree.h>

namespace safemodel {

// CheckKeys checks that dict keys and set items are hashable and that no two of one container are equal ([T-KEYS]):
// a loader that builds the dict in Python would silently lose an entry. Equal values get equal class numbers
// (hash-consing), so a shared key is looked at once however often it is referred to. Python hashes it each time, so
// what the keys of all dicts weigh together is bounded too. `parents_first` is the order of ParentsFirst. Errors:
// kMalformed "unhashable_key", "equal_keys"; kLimit "range_key_too_large", "keys_too_large".
Status CheckKeys(const ValueTree& tree, const std::vector<NodeId>& parents_first);

}  // namespace safemodel
