// SPDX-License-Identifier: Apache-2.0
#include "crypto/key_files.h"

#include <unistd.h>

#include "base/cursor.h"
#include "base/try.h"

namespace safemodel::crypto {

Status WriteKeyFiles(const std::string& stem, ByteView secret_text, std::string_view public_text,
                     OutputFile::Overwrite overwrite) {
  const std::string secret_path = stem + ".key";
  SAFEMODEL_ASSIGN(OutputFile secret_file, OutputFile::Create(secret_path, overwrite, 0600));
  SAFEMODEL_ASSIGN(OutputFile public_file, OutputFile::Create(stem + ".pub", overwrite));
  SAFEMODEL_TRY(secret_file.Append(secret_text));
  SAFEMODEL_TRY(public_file.Append(AsBytes(public_text)));
  Status kept = secret_file.Commit();
  // A secret key that replaced another one has its name for good: the public key must follow.
  if (!kept.ok() && std::string_view(kept.error().code) != "not_durable") return kept;
  Status published = public_file.Commit();
  if (!published.ok() && overwrite == OutputFile::Overwrite::kRefuse) unlink(secret_path.c_str());
  return published.ok() ? kept : published;
}

}  // namespace safemodel::crypto
