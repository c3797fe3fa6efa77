// SPDX-License-Identifier: Apache-2.0
// Ending a program early without leaving half an output behind.
#pragma once

namespace safemodel {

// Unfinished says whether something that is being written has a temporary name, which would stay.
enum class Unfinished : bool { kNothing, kOutputs };

// RequestStop is for a signal handler (it is safe there) or another thread of a program that is about to end. From then
// on all work of this process fails with kIo "stopped" as soon as it reads or writes, and takes away what it has
// written; there is no way back. kNothing: the program may end at once, nothing would be left of it. kOutputs: it has
// to wait for the work to fail first.
[[nodiscard]] Unfinished RequestStop() noexcept;

}  // namespace safemodel
