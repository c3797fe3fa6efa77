// SPDX-License-Identifier: Apache-2.0
// The seeds of the fuzz target of structures are what they are seeds of: a mutation of something that is refused, or in
// which nothing is recognised, would test nothing.
#include <cstdlib>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "base/cursor.h"
#include "fuzz/structure_invariants.h"
#include "pickle/import.h"
#include "testing/temp_folder.h"

namespace safemodel::pickle {

TEST_CASE("structures: every unchanged seed converts, and its structures are found") {
  const char* root = std::getenv("SAFEMODEL_SOURCE_DIR");
  REQUIRE(root != nullptr);
  std::size_t unchanged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(root) + "/fuzz/corpus/structures")) {
    const std::string bytes = testing::ReadText(entry.path().string());
    ByteReader reader(AsBytes(bytes));
    const auto where = reader.U32();
    const auto width = reader.U8();
    if (!where.ok() || !width.ok() || !reader.U64().ok()) continue;
    if (where.value() != 0xFFFFFFFF || width.value() != 0) continue;
    CAPTURE(entry.path().string());
    ++unchanged;
    const ByteView pickle = reader.TakeRest();
    const auto model = ImportPickleFamily(MakeMemorySource(ByteBuffer(pickle.begin(), pickle.end())), {});
    REQUIRE(model.ok());
    CHECK(fuzz::CheckStructures(model.value()) > 0);
  }
  CHECK(unchanged > 20);
}

}  // namespace safemodel::pickle
