// SPDX-License-Identifier: Apache-2.0
// The verbs below `policy`.
#pragma once

#include "console.h"

namespace safemodel::cli {

Verb AddPolicyCheck(CLI::App& parent, Console& console);
Verb AddPolicyRevoke(CLI::App& parent, Console& console);
Verb AddPolicyDeny(CLI::App& parent, Console& console);
Verb AddPolicyState(CLI::App& parent, Console& console);

}  // namespace safemodel::cli
