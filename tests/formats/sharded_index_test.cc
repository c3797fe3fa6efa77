// SPDX-License-Identifier: Apache-2.0
#include "formats/sharded_index.h"

#include <doctest/doctest.h>

#include <string>

#include "base/cursor.h"
#include "formats/merge_shards.h"
#include "formats/safetensors.h"

namespace safemodel::formats {
namespace {

// Quotes are typed as ' in the tables below.
std::string Json(std::string text) {
  for (char& letter : text) {
    if (letter == '\'') letter = '"';
  }
  return text;
}

Result<ShardedIndex> Parse(const std::string& text, const Limits& limits = {}) {
  const std::string json = Json(text);
  return ParseIndex(AsBytes(json), "m.index.json", limits);
}

template <typename T>
std::string Outcome(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(StageName(result.error().stage)) + " " + result.error().code;
}

// ShardOf makes a safetensors shard; each tensor is U8 unless its type is given as NAME:TYPE, and has 8 bytes.
Shard ShardOf(const std::string& name, const std::vector<std::string>& tensors, const std::string& metadata = {}) {
  std::string header = "{" + metadata;
  std::size_t offset = 0;
  for (const std::string& tensor : tensors) {
    const bool is_bool = tensor.ends_with(":BOOL");
    header += std::string(header.size() > 1 ? "," : "") + "'" + tensor.substr(0, tensor.find(':')) + "':{'dtype':'" +
              (is_bool ? "BOOL" : "U8") + "','shape':[8],'data_offsets':[" + std::to_string(offset) + "," +
              std::to_string(offset + 8) + "]}";
    offset += 8;
  }
  header = Json(header + "}");
  ByteWriter file;
  file.U64(header.size());
  file.Text(header);
  for (std::size_t i = 0; i < offset; ++i) file.U8(static_cast<std::uint8_t>(i % 2));
  auto model = ReadSafetensors(MakeMemorySource(std::move(file).Finish()), {});
  REQUIRE_MESSAGE(model.ok(), model.error().code);
  return {name, std::move(model).value()};
}

// Merge merges two shards, "1" with a and b, "2" with c, under an index.
Result<MergedShards> Merge(const std::string& text) {
  const auto index = Parse(text);
  REQUIRE_MESSAGE(index.ok(), index.error().code);
  std::vector<Shard> shards;
  shards.push_back(ShardOf("1", {"a", "b"}));
  shards.push_back(ShardOf("2", {"c"}));
  return MergeShards(std::move(shards), &index.value(), {});
}

}  // namespace

TEST_CASE("sharded index: what real writers write is read") {
  const auto index = Parse(
      "{'metadata':{'total_parameters':3,'total_size':24,'mergekit_version':'0.0.4'},"
      "'weight_map':{'b':'m-00002-of-00002.safetensors','a.x':'m-00001-of-00002.safetensors'}}\n");
  REQUIRE_MESSAGE(index.ok(), index.error().code);
  CHECK(index.value().shards ==
        std::vector<std::string>{"m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"});
  CHECK(index.value().weight_map.front() == std::pair<std::string, std::string>{"a.x", "m-00001-of-00002.safetensors"});
  CHECK(index.value().total_size->whole == 24);
  CHECK_FALSE(Parse("{'weight_map':{'a':'s'}}").value().total_size);
  CHECK_FALSE(Parse("{'metadata':{},'weight_map':{'a':'s'}}").value().total_size);
  CHECK(Parse("{'metadata':{'total_size':24.5},'weight_map':{'a':'s'}}").value().total_size->fraction == 24.5);
}

TEST_CASE("sharded index: told from safetensors whose header length spells a brace") {
  CHECK(LooksLikeIndex(AsBytes(" \n{\"weight_map\": {")));
  CHECK_FALSE(LooksLikeIndex(AsBytes(std::string_view("{\0\0\0\0\0\0\0{\"a\"", 12))));
  CHECK_FALSE(LooksLikeIndex(AsBytes("[{")));
  CHECK_FALSE(LooksLikeIndex({}));
}

TEST_CASE("sharded index: hostile indexes") {
  struct Row {
    const char* text;
    const char* expected;
    const char* why;
  };
  const Row rows[] = {
      {"{'weight_map':{'a':'../x'}}", "unsafe FILE-PATH", "out of the folder"},
      {"{'weight_map':{'a':'b/x'}}", "unsafe FILE-PATH", "another folder"},
      {"{'weight_map':{'a':'/etc/passwd'}}", "unsafe FILE-PATH", "absolute"},
      {"{'weight_map':{'a':'https://x'}}", "unsafe FILE-PATH", "a URL"},
      {"{'weight_map':{'a':'..\\\\x'}}", "unsafe FILE-PATH", "a path of Windows"},
      {"{'weight_map':{'a':'c:x'}}", "unsafe FILE-PATH", "a drive, or a stream of NTFS"},
      {"{'weight_map':{'a':'..'}}", "unsafe FILE-PATH", "the parent"},
      {"{'weight_map':{'a':'.'}}", "unsafe FILE-PATH", "the folder itself"},
      {"{'weight_map':{'a':''}}", "unsafe FILE-PATH", "no name"},
      {"{'weight_map':{'a':'x\\u0000y'}}", "unsafe FILE-PATH", "cut at the NUL it would be another name"},
      {"{'weight_map':{'a':'m.index.json'}}", "malformed index_is_shard", "itself"},
      {"{'weight_map':{'a':'s','a':'t'}}", "malformed", "equal keys"},
      {"{'weight_map':{'a':'s','\\u0061':'t'}}", "malformed", "equal keys, one escaped"},
      {"{'weight_map':{'a':'s'},'weight_map':{'a':'t'}}", "malformed", "equal keys on top"},
      {"{'weight_map':{'a':1}}", "malformed bad_index", "a number for a file"},
      {"{'weight_map':['s']}", "malformed bad_index", "a list"},
      {"{'weight_map':{}}", "malformed bad_index", "no tensor"},
      {"{'weight_map':null}", "malformed bad_index", "null"},
      {"{'metadata':[],'weight_map':{'a':'s'}}", "malformed bad_index", "metadata as a list"},
      {"{'metadata':{'total_size':'1'},'weight_map':{'a':'s'}}", "malformed bad_index", "a text for a size"},
      {"{'metadata':{'total_size':-1},'weight_map':{'a':'s'}}", "malformed bad_index", "a negative size"},
      {"{'metadata':{'total_size':true},'weight_map':{'a':'s'}}", "malformed bad_index", "a truth for a size"},
      {"{'weight_map':{'a':'s'}} x", "malformed", "text behind the object"},
      {"{'weight_map':{'a':'s'}", "malformed", "cut off"},
      {"{'model_type':'bert'}", "unsupported not_an_index", "another JSON file"},
      {"{'a':[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]],'weight_map':{'a':'s'}}", "limit", "nesting"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Outcome(Parse(row.text)).substr(0, std::string(row.expected).size()) == row.expected);
  }
}

TEST_CASE("sharded index: limits, at them and one more") {
  const auto with_shards = [](std::size_t count) {
    std::string text = "{'weight_map':{";
    for (std::size_t i = 0; i < count; ++i)
      text += std::string(i == 0 ? "" : ",") + "'t" + std::to_string(i) + "':'s" + std::to_string(i) + "'";
    return text + "}}";
  };
  CHECK(Outcome(Parse(with_shards(kMostShards))) == "ok");
  CHECK(Outcome(Parse(with_shards(kMostShards + 1))) == "limit many_shards");
  CHECK(Outcome(Parse(with_shards(100000))) == "limit many_shards");
  Limits limits;
  limits.tensors = 3;
  CHECK(Outcome(Parse(with_shards(3), limits)) == "ok");
  CHECK(Outcome(Parse(with_shards(4), limits)) == "limit too_many_tensors");
}

TEST_CASE("shards: merged they are what one file would have been") {
  std::vector<Shard> shards;
  shards.push_back(ShardOf("1", {"b", "a"}, "'__metadata__':{'format':'pt','x':'1'}"));
  shards.push_back(ShardOf("2", {"c"}, "'__metadata__':{'format':'pt','x':'2'}"));
  const auto merged = MergeShards(std::move(shards), nullptr, {});
  REQUIRE_MESSAGE(merged.ok(), merged.error().code);
  const ImportedModel& model = merged.value().model;
  CHECK(model.layout == "sharded-safetensors");
  CHECK(model.tree == ShardOf("", {"a", "b", "c"}).model.tree);
  REQUIRE(model.tensors.size() == 3);
  CHECK(model.tensors[2].name == "c");
  CHECK(model.metadata.size() == 3);  // what both say once, what they disagree on twice
}

TEST_CASE("shards: an index that does not fit them is refused") {
  struct Row {
    const char* text;
    const char* expected;
    const char* why;
  };
  const Row rows[] = {
      {"{'metadata':{'total_size':24},'weight_map':{'a':'1','b':'1','c':'2'}}", "ok", "fits"},
      {"{'weight_map':{'a':'1','b':'1','c':'2'}}", "ok", "without a size"},
      {"{'metadata':{'total_size':16},'weight_map':{'a':'1','c':'2'}}", "ok", "a tensor that the index does not know"},
      {"{'metadata':{'total_size':24},'weight_map':{'a':'1','b':'2','c':'2'}}", "malformed tensor_missing",
       "a tensor in the other shard"},
      {"{'weight_map':{'a':'1','b':'1','c':'2','d':'2'}}", "malformed tensor_missing", "a tensor in no shard"},
      {"{'metadata':{'total_size':23},'weight_map':{'a':'1','b':'1','c':'2'}}", "malformed total_size", "one less"},
      {"{'metadata':{'total_size':25},'weight_map':{'a':'1','b':'1','c':'2'}}", "malformed total_size", "one more"},
      {"{'metadata':{'total_size':24.5},'weight_map':{'a':'1','b':'1','c':'2'}}", "malformed total_size", "fraction"},
      {"{'metadata':{'total_size':0},'weight_map':{'a':'1','b':'1','c':'2'}}", "malformed total_size", "nothing"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Outcome(Merge(row.text)) == row.expected);
  }
  CHECK(Merge(rows[2].text).value().unmapped == std::vector<std::string>{"b"});
}

TEST_CASE("shards: a name in two of them is refused, index or not") {
  std::vector<Shard> shards;
  shards.push_back(ShardOf("1", {"a", "b"}));
  shards.push_back(ShardOf("2", {"b"}));
  CHECK(Outcome(MergeShards(std::move(shards), nullptr, {})) == "malformed tensor_in_two_shards");
}

TEST_CASE("shards: total_size may count a bool as an eighth of a byte, as old writers did") {
  for (const auto& row : {std::pair<const char*, const char*>{"16", "ok"},
                          {"9", "ok"},
                          {"9.0", "ok"},
                          {"8", "malformed total_size"},
                          {"17", "malformed total_size"}}) {
    const auto index =
        Parse(std::string("{'metadata':{'total_size':") + row.first + "},'weight_map':{'a':'1','m':'1'}}");
    REQUIRE(index.ok());
    std::vector<Shard> shards;
    shards.push_back(ShardOf("1", {"a", "m:BOOL"}));
    INFO("total_size ", row.first);
    CHECK(Outcome(MergeShards(std::move(shards), &index.value(), {})) == row.second);
  }
}

TEST_CASE("shards: of tensors in one memory, total_size may count one or all") {
  const auto shared = [] {
    Shard shard = ShardOf("1", {"a", "b"});
    shard.model.tensors[1].storage = 0;  // tied
    shard.model.storages.pop_back();
    return shard;
  };
  for (const auto& row : {std::pair<const char*, const char*>{"8", "ok"},
                          {"16", "ok"},
                          {"7", "malformed total_size"},
                          {"17", "malformed total_size"}}) {
    const auto index =
        Parse(std::string("{'metadata':{'total_size':") + row.first + "},'weight_map':{'a':'1','b':'1'}}");
    std::vector<Shard> shards;
    shards.push_back(shared());
    INFO("total_size ", row.first);
    const auto merged = MergeShards(std::move(shards), &index.value(), {});
    CHECK(Outcome(merged) == row.second);
    if (merged.ok()) {
      CHECK(merged.value().model.storages.size() == 1);
      CHECK(merged.value().model.tensors[0].storage == merged.value().model.tensors[1].storage);
    }
  }
}

}  // namespace safemodel::formats
