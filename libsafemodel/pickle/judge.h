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
#include <utility>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/result.h>

#include "pickle/allow_list.h"
#include "pickle/node.h"
#include "pickle/rule.h"
#include "pickle/schema.h"

namespace safemodel::pickle {

// Judge allows, refuses or remembers each import, call, state and item. An Error is final: what loading would do is
// dangerous (kUnsafe), or it cannot be read (kMalformed, kUnsupported, kLimit). What is merely unknown is remembered
// until Finish, because a stream that turns out to be dangerous or broken later must be reported as that.
class Judge {
 public:
  Judge(RuleContext& context, const AllowList& allow_list, ConvertOptions::Unknown unknown);

  // Import returns the number of a GlobalName. `protocol` is what PROTO declared last: it decides whether names of
  // Python 2 are mapped.
  Result<std::uint32_t> Import(std::uint64_t offset, std::string_view module, std::string_view name, unsigned protocol);
  // Reduce is callee(*args), New is cls.__new__(cls, *args, **kwargs), Instance is INST and OBJ.
  Result<NodeIndex> Reduce(std::uint64_t offset, NodeIndex callee, NodeIndex args);
  Result<NodeIndex> New(std::uint64_t offset, NodeIndex cls, NodeIndex args, NodeIndex kwargs);
  Result<NodeIndex> Instance(std::uint64_t offset, NodeIndex cls, NodeIndex args);
  Status Build(std::uint64_t offset, NodeIndex target, NodeIndex state);
  // Append and SetItems take what the opcode adds to `target`, in order; SetItems keys and values by turns.
  Status Append(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  Status SetItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  Status AddItems(std::uint64_t offset, NodeIndex target, std::span<const NodeIndex> items);
  // Finish checks what can only be known at the end, and answers for what is unknown.
  Status Finish();

 private:
  struct ImportKey {
    std::string_view module;
    std::string_view name;
    bool python2;
    auto operator<=>(const ImportKey&) const = default;
  };

  [[nodiscard]] Error Refused(const char* code, const char* text, std::uint64_t offset, NodeIndex callee) const;
  void RememberUnknown(const char* code, const char* text, std::uint64_t offset, const GlobalName& global);
  Status CheckName(std::uint64_t offset, const GlobalName& global) const;
  // CheckCallable refuses a callee that is no plain global, and arguments that are no tuple.
  Status CheckCallable(std::uint64_t offset, NodeIndex callee, NodeIndex args) const;
  // ClassOf returns the entry of a class that may be made by the object protocol, nothing when it is unlisted and may
  // stay inert.
  Result<const AllowEntry*> ClassOf(std::uint64_t offset, NodeIndex cls) const;
  Result<NodeIndex> Reconstruct(std::uint64_t offset, NodeIndex args);
  Result<NodeIndex> RebuildTyped(std::uint64_t offset, NodeIndex callee, NodeIndex args);
  Result<NodeIndex> MakeInert(std::uint64_t offset, Call call);
  Result<NodeIndex> Make(std::uint64_t offset, Call call, const std::vector<const Schema*>& alternatives,
                         NodeIndex args);
  // MatchesOne compares a node with alternatives. An error when code stands where data belongs.
  Result<bool> MatchesOne(const std::vector<const Schema*>& alternatives, NodeIndex node, const Error& refusal);
  Status CheckState(std::uint64_t offset, const Call& call, NodeIndex state);
  Status CheckAttributes(std::uint64_t offset, const Call& call, NodeIndex dict);
  Status CheckChangeable(std::uint64_t offset, NodeIndex target) const;
  Status CheckItem(std::uint64_t offset, const Call& call, const Schema* schema, NodeIndex item);
  Status Fill(std::uint64_t offset, NodeIndex container, std::span<const NodeIndex> items);

  RuleContext& context_;
  Graph& graph_;
  const AllowList& allow_list_;
  ConvertOptions::Unknown unknown_;
  Matcher matcher_;
  std::map<ImportKey, std::uint32_t> imported_;
  // Dicts whose names were compared with a set of reserved names: one dict may be the state of many objects.
  std::set<std::pair<NodeIndex, const void*>> checked_;
  std::optional<Error> first_unknown_;
};

// FullName returns "module.name" as the pickle states it.
std::string FullName(const GlobalName& global);

}  // namespace safemodel::pickle
