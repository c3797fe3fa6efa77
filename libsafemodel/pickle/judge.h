// SPDX-License-Identifier: Apache-2.0
// The judge compares what a pickle does with the allow-list, at the moment it is done.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/result.h>

#include "pickle/allow_list.h"
#include "pickle/dict_keys.h"
#include "pickle/node.h"
#include "pickle/rule.h"
#include "pickle/schema.h"

namespace safemodel::pickle {

// Judge allows or refuses each import, call, state and item. What it refuses becomes a finding and an inert, tainted
// node, and the stream is read on: what stands behind it is judged too. An Error is final: the system or a limit of
// this reader gave up.
class Judge {
 public:
  Judge(RuleContext& context, const AllowList& allow_list, ConvertOptions::Unknown unknown);

  // Import makes the node of an imported name. `protocol` is what PROTO declared last: it decides whether names of
  // Python 2 are mapped.
  NodeIndex Import(std::uint64_t offset, std::string_view module, std::string_view name, unsigned protocol);
  // Reduce is callee(*args), New is cls.__new__(cls, *args, **kwargs), Instance is INST and OBJ.
  Result<NodeIndex> Reduce(std::uint64_t offset, NodeIndex callee, NodeIndex args);
  Result<NodeIndex> New(std::uint64_t offset, NodeIndex cls, NodeIndex args, NodeIndex kwargs);
  Result<NodeIndex> Instance(std::uint64_t offset, NodeIndex cls, NodeIndex args);
  Status Build(std::uint64_t offset, NodeIndex target, NodeIndex state);
  // Append and SetItems take what the opcode adds to `target`, in order; SetItems keys and values by turns.
  Status Append(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  Status SetItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  Status AddItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  // TookDict is told of the items of a dict that DICT made, TookSet of those of a frozenset.
  void TookDict(NodeIndex dict, std::span<const NodeIndex> items);
  void TookSet(NodeIndex set, std::span<const NodeIndex> items);
  // Finish checks what can only be known at the end of a whole stream.
  void Finish();
  // CheckValues looks for functions that are listed to be called by pickles, and stand where somebody else calls them.
  // `root` is what the stream returns; nothing when it broke off.
  void CheckValues(NodeIndex root);

 private:
  struct ImportKey {
    std::string_view module;
    std::string_view name;
    bool python2;
    auto operator<=>(const ImportKey&) const = default;
  };

  [[nodiscard]] Error ErrorAbout(Stage stage, const char* code, const char* text, std::uint64_t offset,
                                 NodeIndex callee) const;
  // Refuse records something dangerous about `node`, which stands at `offset` and is about `callee`.
  void Refuse(const char* code, const char* text, std::uint64_t offset, NodeIndex callee, NodeIndex node);
  void RememberUnknown(const char* code, const char* text, std::uint64_t offset, NodeIndex callee, NodeIndex node);
  // RefuseUnlisted records a call of a name that is on no list.
  NodeIndex RefuseUnlisted(std::uint64_t offset, const Call& call);
  // RefuseCall records the call and makes it inert.
  NodeIndex RefuseCall(const char* code, const char* text, std::uint64_t offset, const Call& call);
  NodeIndex RefuseCall(Error error, std::uint64_t offset, const Call& call);
  // Took records the error of a rule about a call, which becomes inert; only what the system refused stays an error.
  Status Took(const Status& status, NodeIndex call);
  void CheckName(const GlobalName& global, NodeIndex node);
  // CheckCallable returns what is wrong with a callee that is no plain global, or with arguments that are no tuple.
  [[nodiscard]] std::optional<Error> CheckCallable(std::uint64_t offset, NodeIndex callee, NodeIndex args) const;
  // Find looks in the built-in list first: nobody else decides what it knows.
  [[nodiscard]] const AllowEntry* Find(std::string_view module, std::string_view name) const;
  // EntryOfClass returns the entry of a class that may be made by the object protocol: nothing when it is unlisted and
  // may stay inert, an error when it is dangerous.
  [[nodiscard]] Result<const AllowEntry*> EntryOfClass(std::uint64_t offset, NodeIndex cls) const;
  Result<NodeIndex> Reconstruct(std::uint64_t offset, NodeIndex callee, NodeIndex args);
  Result<NodeIndex> RebuildTyped(std::uint64_t offset, NodeIndex callee, NodeIndex args);
  Result<NodeIndex> Wrap(std::uint64_t offset, const Call& call);
  NodeIndex MakeInert(std::uint64_t offset, Call call);
  Result<NodeIndex> Make(std::uint64_t offset, const Call& call, const std::vector<const Schema*>& alternatives);
  Result<NodeIndex> Apply(std::uint64_t offset, const Call& call);
  // Match compares a node with alternatives.
  enum class Fit : std::uint8_t { kFits, kUnknown, kCode };  // kCode: a function or object stands where data belongs
  Result<Fit> Match(const std::vector<const Schema*>& alternatives, NodeIndex node, std::uint64_t offset);
  void CheckState(std::uint64_t offset, NodeIndex target, NodeIndex state);
  void NoteExtra(std::uint64_t offset, NodeIndex target);
  void NoteRepeatedKeys();
  void CheckAttributes(std::uint64_t offset, NodeIndex target, NodeIndex dict);
  // CheckInner looks at the names in a dict of attributes, such as the submodules of a module.
  void CheckInner(std::uint64_t offset, NodeIndex target, NodeIndex dict);
  void CheckInnerNames(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  // CheckHashed looks at what becomes a key of a dict, or an item of a set: its class hashes it.
  void CheckHashed(std::uint64_t offset, NodeIndex container, NodeIndex key);
  void CheckHashedArguments(std::uint64_t offset, NodeIndex call);
  [[nodiscard]] bool HashIsPlain(NodeIndex key);
  // StandsByName says that a value is a function that may stand only where a schema states its name.
  [[nodiscard]] bool StandsByName(NodeIndex value) const;
  [[nodiscard]] std::map<NodeIndex, std::vector<std::size_t>> HoldersOfValues();
  [[nodiscard]] bool StatesAll(const std::vector<const Schema*>& alternatives, NodeIndex tuple,
                               const std::vector<std::size_t>& places) const;
  void CheckShared(NodeIndex root);
  void RefuseValue(NodeIndex value, NodeIndex place);
  // Changeable says whether data may still be added to; if not, that is a finding.
  bool Changeable(std::uint64_t offset, NodeIndex target);
  Status CheckItem(std::uint64_t offset, NodeIndex target, const Schema* schema, NodeIndex item);
  Status Fill(std::uint64_t offset, NodeIndex container, std::span<const NodeIndex> items);

  RuleContext& context_;
  Graph& graph_;
  const AllowList& allow_list_;
  ConvertOptions::Unknown unknown_;
  Matcher matcher_;
  std::size_t first_call_;  // of the stream; those before were made by streams around it or before it
  std::map<ImportKey, std::uint32_t> imported_;
  DictKeys dict_keys_;
  // Dicts whose names were compared with a set of reserved names: one dict may be the state of many objects.
  std::set<std::pair<NodeIndex, const void*>> checked_;
  std::size_t first_node_;                 // of the stream
  std::unordered_set<NodeIndex> by_name_;  // tuples with functions where a schema states their names
  std::unordered_set<NodeIndex> hashed_;   // tuples and frozensets with a plain hash
};

}  // namespace safemodel::pickle
