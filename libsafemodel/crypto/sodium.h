// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace safemodel::crypto {

// PrepareSodium initialises libsodium once; every function of crypto/ that draws random bytes, allocates guarded memory
// or computes signatures calls it first. Ends the process when libsodium cannot start: nothing could be checked then.
void PrepareSodium();

}  // namespace safemodel::crypto
