// SPDX-License-Identifier: Apache-2.0
// What the names of shards and indexes say.
#include <doctest/doctest.h>

#include "model/sharded_input.h"

namespace safemodel {

TEST_CASE("shard names") {
  const auto name = ParseShardName("model-00002-of-00010.safetensors");
  REQUIRE(name);
  CHECK(name->prefix == "model");
  CHECK(name->suffix == ".safetensors");
  CHECK(name->number == 2);
  CHECK(name->count == 10);
  for (const char* text : {"model.safetensors", "-00001-of-00002.bin", "m-0001-of-00002.bin", "m-00001-of-0002.bin",
                           "m-00001-of-00002x", "m00001-of-00002.bin", ""}) {
    CAPTURE(text);
    CHECK_FALSE(ParseShardName(text));
  }
}

TEST_CASE("shard names: only one among several is a part, and an index names its model") {
  CHECK(PartByName("model-00002-of-00010.safetensors").has_value());
  CHECK_FALSE(PartByName("model-00001-of-00001.safetensors").has_value());
  CHECK_FALSE(PartByName("model-00000-of-00000.safetensors").has_value());
  CHECK_FALSE(PartByName("model.safetensors").has_value());
  CHECK(DefaultNameOf("model.safetensors.index.json") == "model");
  CHECK(DefaultNameOf("pytorch_model.bin.index.json") == "pytorch_model");
  CHECK(DefaultNameOf("m.index.json") == "m");
}

}  // namespace safemodel
