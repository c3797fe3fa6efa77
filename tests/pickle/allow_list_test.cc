// SPDX-License-Identifier: Apache-2.0
// The allow-list: its tables, and the language they are written in.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "pickle/allow_list.h"
#include "pickle/python2_names.h"

namespace safemodel::pickle {

TEST_CASE("allow-list: the tables that ship are read, and name nothing twice") {
  const auto list = AllowList::Parse(AllowList::BuiltInTables());
  if (!list.ok()) FAIL(list.error().subject);
  CHECK(list.value()->entries().size() > 500);
}

TEST_CASE("allow-list: nothing that runs code is listed") {
  const std::vector<std::string> gadgets = {"eval", "exec",   "compile", "open", "__import__",
                                            "map",  "filter", "setattr", "input"};
  for (const std::string& name : gadgets) CHECK(AllowList::BuiltIn().Find("builtins", name) == nullptr);
  for (const AllowEntry* entry : AllowList::BuiltIn().entries()) {
    const std::string name = std::string(entry->module) + "." + std::string(entry->name);
    // Bound methods by a fixed table are the one use of getattr; the judge matches class and name.
    if (name == "builtins.getattr") continue;
    CHECK_MESSAGE(!IsDangerous(entry->module, entry->name), name);
  }
}

// A value is called by whatever finds it. What makes objects of bytes or names that nobody has seen is none.
TEST_CASE("allow-list: what rebuilds objects, or calls what it is given, is no plain function") {
  const std::pair<const char*, const char*> rows[] = {
      {"builtins", "getattr"},
      {"builtins", "max"},
      {"builtins", "sorted"},
      {"copyreg", "_reconstructor"},
      {"torch.storage", "_load_from_bytes"},
      {"torch._utils", "_rebuild_tensor_v2"},
      {"sklearn.feature_extraction.text", "_analyze"},
      {"sklearn.feature_extraction.text", "_preprocess"},
      {"sklearn.feature_extraction.text", "CountVectorizer.decode"},
      {"sklearn.metrics.pairwise", "pairwise_distances"},
      {"sklearn.utils.parallel", "delayed"},
      {"torch.nn.modules.linear", "LazyLinear._infer_parameters"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.second);
    const AllowEntry* entry = AllowList::BuiltIn().Find(row.first, row.second);
    REQUIRE(entry != nullptr);
    CHECK(entry->kind != EntryKind::kFunction);
    CHECK(entry->kind != EntryKind::kValue);
  }
}

TEST_CASE("allow-list: spellings of one name find one entry") {
  const AllowList& list = AllowList::BuiltIn();
  const AllowEntry* path = list.Find("pathlib", "PosixPath");
  REQUIRE(path != nullptr);
  CHECK(list.Find("pathlib._local", "PosixPath") == path);
  CHECK(list.Find("pathlib", "posixpath") == nullptr);
  CHECK(list.Find("path", "libPosixPath") == nullptr);
}

TEST_CASE("allow-list: a table that is wrong is refused with its line") {
  const std::string_view rows[] = {
      "reducer no_colon name\n",
      "widget a.b: C\n",
      "class a.b:\n",
      "  call ()\n",                   // no entry before
      "class a.b: C\nclass a.b: C\n",  // two entries for one name
      "class a.b: C\n  alias a.b\n",   // an alias that is taken
      "class a.b: C\n  call int\n",    // not a tuple
      "reducer a.b: C\n  new ()\n",    // only classes are made
      "class a.b: C\n  state {x int}\n",
      "class a.b: C\n  state list(int\n",
      "class a.b: C\n  state nonsense\n",
      "class a.b: C\n  state int(5..)\n",
      "class a.b: C\n  state global()\n",
      "class a.b: C\n  rule no_such_rule\n",
      "class a.b: C\n  reserved @no_such_group\n",
      "class a.b: C\n  items str\n",
      "class a.b: C\n  inner\n",
      "class a.b: C\n  state @nobody\n",
      "class a.b: C\n  state mapping(str)\n",
      "schema s: nonsense\n",
      "schema s: int\nschema s: int\n",  // two schemas for one name
  };
  for (const std::string_view row : rows) {
    CAPTURE(row);
    const auto list = AllowList::Parse({row});
    REQUIRE(!list.ok());
    CHECK(std::string_view(list.error().code) == "allow_list");
  }
  CHECK(AllowList::Parse({"# nothing but a comment\n\nclass a.b: C D \\\n    E\n  new ()\n  state {x: int, y?: "
                          "list(str), *: plain}\n"})
            .ok());
}

TEST_CASE("allow-list: modules of the standard library, dangerous names") {
  CHECK(IsStandardLibrary("os"));
  CHECK(IsStandardLibrary("xml.dom.minidom"));
  CHECK(IsStandardLibrary("cPickle"));
  CHECK(!IsStandardLibrary("torch"));
  CHECK(!IsStandardLibrary("__main__"));
  CHECK(IsDangerous("os", "system"));
  CHECK(IsDangerous("os.path", "join"));
  CHECK(IsDangerous("builtins", "eval"));
  CHECK(!IsDangerous("builtins", "len"));
  CHECK(!IsDangerous("oslo", "system"));
}

TEST_CASE("allow-list: names of Python 2") {
  const auto check = [](const char* module, const char* name, const char* new_module, const char* new_name) {
    const Python2Name mapped = MapPython2Name(module, name);
    CHECK(mapped.module == new_module);
    CHECK(mapped.name == new_name);
  };
  check("__builtin__", "xrange", "builtins", "range");
  check("__builtin__", "set", "builtins", "set");
  check("copy_reg", "_reconstructor", "copyreg", "_reconstructor");
  check("itertools", "izip", "builtins", "zip");
  check("urllib", "urlopen", "urllib.request", "urlopen");
  check("collections", "OrderedDict", "collections", "OrderedDict");
}

}  // namespace safemodel::pickle
