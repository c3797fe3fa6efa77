// SPDX-License-Identifier: Apache-2.0
#include <safemodel/result.h>

namespace safemodel {

const char* StageName(Stage stage) {
  switch (stage) {
    case Stage::kIo: return "io";
    case Stage::kMalformed: return "malformed";
    case Stage::kUnsupported: return "unsupported";
    case Stage::kLimit: return "limit";
    case Stage::kDigestMismatch: return "digest_mismatch";
    case Stage::kBadSignature: return "bad_signature";
    case Stage::kUntrusted: return "untrusted";
    case Stage::kUnsafe: return "unsafe";
    case Stage::kKey: return "key";
    case Stage::kConfig: return "config";
    case Stage::kUsage: return "usage";
    case Stage::kInternal: return "internal";
  }
  return "internal";
}

}  // namespace safemodel
