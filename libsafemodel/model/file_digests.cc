// SPDX-License-Identifier: Apache-2.0
#include "model/file_digests.h"

#include "base/try.h"
#include "crypto/hash.h"
#include "model/gather.h"

namespace safemodel {

Result<std::vector<FileDigest>> DigestFiles(const std::vector<ImportedFile>& files) {
  std::vector<FileDigest> digests;
  digests.reserve(files.size());
  for (const ImportedFile& file : files) {
    crypto::Blake3 hash;
    const ByteSink sink = [&hash](ByteView bytes) -> Status {
      hash.Update(bytes);
      return {};
    };
    SAFEMODEL_TRY(StreamRange(*file.source, 0, file.source->size(), sink));
    digests.push_back({file.path, file.source->size(), hash.Finish()});
  }
  return digests;
}

}  // namespace safemodel
