// SPDX-License-Identifier: Apache-2.0
// Why a verdict is what it is: the rule, each signature's fate, what is missing and who could add it.
#pragma once

#include <safemodel/verify.h>

#include "json_writer.h"

namespace safemodel::cli {

// WriteExplanation adds members to the open object of a verdict.
void WriteExplanation(JsonWriter& json, const Policy& policy, const Verdict& verdict);
void PrintExplanation(const Policy& policy, const Verdict& verdict);

}  // namespace safemodel::cli
