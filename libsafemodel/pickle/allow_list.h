// SPDX-License-Identifier: Apache-2.0
// The allow-list: which names a pickle may import, which of them it may call, with which arguments.
//
// The tables are text, one file a library in allow_list/*.inc, read once at start-up:
//
//   value MODULE: NAME NAME …       may be imported and used as a value, never called
//   type MODULE: NAME …             a value that may stand where a schema says `type`
//   function MODULE: NAME …         a value that may stand where a schema says `function`
//   caller MODULE: NAME …           a function that calls what it is given, or asks it for attributes: a value, but no
//                                   `function`
//   named MODULE: NAME …            a function that may stand only where a schema states it by name
//   reducer MODULE: NAME …          called by REDUCE; as a value, it too stands only where a schema states it by name
//   class MODULE: NAME …            built by the object protocol
//     alias MODULE                  the same names in another module mean the same (repeat for more)
//     alias MODULE: NAME            another spelling of an entry with one name
//     call (SCHEMA, SCHEMA, …)      arguments of REDUCE, and of INST and OBJ with arguments; several lines are
//                                   alternatives
//     new (SCHEMA, …)               arguments of NEWOBJ; `new ()` also covers INST and OBJ without arguments and
//                                   copyreg._reconstructor(cls, object, None)
//     base MODULE.NAME SCHEMA       copyreg._reconstructor(cls, MODULE.NAME, SCHEMA)
//     state SCHEMA                  the argument of BUILD; several lines are alternatives; without one BUILD is refused
//     state required                an object that was never built crashes later
//     appends SCHEMA                items of APPEND and APPENDS
//     items SCHEMA: SCHEMA          keys and values of SETITEM and SETITEMS
//     reserved NAME NAME …          names that a state dict must not set, such as methods (dunders are always reserved)
//     value                         a reducer that may stand anywhere as a value too
//     inner NAME NAME …             attributes whose keys are attributes in effect, because __getattr__ looks there;
//                                   `items` stands for the items of the object itself
//     no key                        its hash looks into its attributes: it is no key of a dict and no item of a set
//     data                          the result of the call fits `data` if its parts do
//     rule NAME                     code: proofs, and what the call becomes in the value tree
//     native                        holds bytes for a parser in native code, which nothing here proves: a note
//     unsupported                   known, but this version does not read it
//   reserve GROUP: NAME …           a named list, used as `reserved @GROUP`
//   schema NAME: SCHEMA             a named schema, used as `@NAME` in what follows
//   # comment
//
// A line that starts in column 0 begins a new entry; one that ends with a backslash goes on in the next. Schemas:
//
//   none true false bool int int>=N int(A..B) float number str bytes bytes(N) bytearray 'text'
//   plain                           data without globals, calls and persistent references, however deep
//   data                            plain data, and what entries call `data`: arrays, tensors, numbers and dates of
//                                   libraries, types; no functions and no other objects, however deep
//   node                            anything: it was judged when it was made
//   inert                           what nobody vouches for, which has been told; an object of a user's class
//   list(S) tuple(S, S) (S, S) tuple(S...) dict(S: S) set(S)
//                                   (a frozenset fits a set)
//   mapping(S: S)                   a dict, or an object of a kind of dict of collections
//   {name: S, name?: S, *: S}       a dict with text keys: each name stated must be there unless marked `?`; `*` is for
//                                   all others, which without it are refused, and which a note tells; with `**` the
//                                   class has many, and no note does
//   global(MODULE:NAME …)           one of these names, as a value
//   type function caller            a listed name of that sort;  class  a listed class
//   object(MODULE:NAME …)           the result of calling or instantiating one of these names
//   made(RULE …)                    the result of a call whose entry names this rule
//   storage reference               a persistent reference that the layout took for a storage, or for a tensor
//   raw                             a raw array of the stream
//   empty(S)                        S, and without items, state or arguments; it must stay so
//   S | S                           alternatives
//
// `str` also takes a Python 2 str of ASCII letters, `bytes` any Python 2 str; `int` takes no bool.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <safemodel/result.h>

#include "pickle/rule.h"

namespace safemodel::pickle {

struct Schema;  // schema.h

// EntryKind: see the comment above.
enum class EntryKind : std::uint8_t { kValue, kType, kFunction, kCaller, kNamed, kReducer, kClass };

// AllowEntry is what a table says about one name. `module` and `name` are the canonical spelling. Pointers live as long
// as the list.
struct AllowEntry {
  std::string_view module;
  std::string_view name;
  EntryKind kind = EntryKind::kValue;
  std::vector<const Schema*> call;  // each a tuple schema
  std::vector<const Schema*> make;  // `new`: each a tuple schema
  std::string_view base;            // "builtins.dict", or empty
  const Schema* base_state = nullptr;
  std::vector<const Schema*> state;
  enum class Need : std::uint8_t { kOptional, kRequired };
  Need state_need = Need::kOptional;
  const Schema* appends = nullptr;
  const Schema* item_key = nullptr;
  const Schema* item_value = nullptr;
  const std::unordered_set<std::string_view>* reserved = nullptr;
  const std::vector<std::string_view>* inner = nullptr;
  enum class Stands : std::uint8_t { kBySort, kAnywhere };
  Stands stands = Stands::kBySort;
  enum class Hash : std::uint8_t { kPlain, kOfAttributes };
  Hash hash = Hash::kPlain;
  enum class Result : std::uint8_t { kObject, kData };
  Result result = Result::kObject;
  const Rule* rule = nullptr;
  enum class Parser : std::uint8_t { kNone, kNative };
  Parser parser = Parser::kNone;
  enum class Support : std::uint8_t { kYes, kNo };
  Support support = Support::kYes;
  // kUser: a class of a file of the user's. It is made without arguments by the object protocol and nothing else, and
  // it is no value that is called later.
  enum class Origin : std::uint8_t { kBuiltIn, kUser };
  Origin origin = Origin::kBuiltIn;
};

// AllowList is the set of all entries.
class AllowList {
 public:
  // BuiltIn is the list that this library ships, with all libraries; made once, immutable, safe to share.
  static const AllowList& BuiltIn();
  // BuiltInTables are the texts that BuiltIn was made of.
  static std::vector<std::string_view> BuiltInTables();
  // Parse reads tables; kMalformed "allow_list" with the offset in the table, and the line as subject.
  static Result<std::unique_ptr<const AllowList>> Parse(const std::vector<std::string_view>& tables);
  // ParseUser reads a table whose entries are a user's.
  static Result<std::unique_ptr<const AllowList>> ParseUser(std::string_view table);
  ~AllowList();

  // Find returns the entry of a name in any of its spellings, or nothing.
  [[nodiscard]] const AllowEntry* Find(std::string_view module, std::string_view name) const;
  // entries returns all of them, in the order of the tables.
  [[nodiscard]] std::vector<const AllowEntry*> entries() const;

 private:
  AllowList();
  friend class TableReader;
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

// IsStandardLibrary says whether a module belongs to the standard library of any Python from 2.7 to 3.14.
bool IsStandardLibrary(std::string_view module);
// MakesCode says whether a function turns data into code, as dill, cloudpickle and marshal do.
bool MakesCode(std::string_view module, std::string_view name);
// IsDangerous says whether a name is known to lead to the execution of anything at all.
bool IsDangerous(std::string_view module, std::string_view name);

}  // namespace safemodel::pickle
