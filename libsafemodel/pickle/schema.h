// SPDX-License-Identifier: Apache-2.0
// Schemas: what an argument, a state or an item may be. The language is described in allow_list.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pickle/node.h"
#include "pickle/rule.h"

namespace safemodel::pickle {

// Schema is one term; terms live as long as the AllowList that holds them. They form a tree of bounded depth, so that
// matching may recurse over the schema: its depth is ours, not the file's.
struct Schema {
  enum class Form : std::uint8_t {
    kNone,
    kTrue,
    kFalse,
    kBool,
    kInt,
    kFloat,
    kNumber,
    kStr,
    kLiteral,
    kBytes,
    kByteArray,
    kPlain,
    kData,
    kNode,
    kInert,
    kList,
    kTuple,
    kTupleOf,
    kDict,
    kMapping,
    kSet,
    kAttributes,
    kGlobals,
    kType,
    kFunction,
    kCaller,
    kClass,
    kObject,
    kMade,
    kStorage,
    kReference,
    kRaw,
    kEmpty,
    kOneOf,
  };
  enum class Presence : std::uint8_t { kRequired, kOptional };
  struct Attribute {
    const Schema* schema = nullptr;
    Presence presence = Presence::kRequired;
  };

  Form form = Form::kNode;
  std::int64_t low = 0;  // kInt
  std::int64_t high = 0;
  std::uint64_t size = 0;  // kBytes: 0 is any size
  std::string_view text;   // kLiteral
  std::vector<const Schema*> parts;
  std::unordered_map<std::string_view, Attribute> attributes;
  std::size_t required = 0;        // attributes that must be there
  const Schema* others = nullptr;  // attributes that are not named, or nothing
  enum class Takes : std::uint8_t { kListed, kMany };
  Takes takes =
      Takes::kListed;  // kMany: the attributes that are named are those that need a type, not all that are known
  std::vector<std::pair<std::string_view, std::string_view>> names;  // kGlobals, kObject
  std::vector<const Rule*> rules;                                    // kMade
};

// Matcher compares nodes with schemas. Containers that a schema looked into are sealed: they were checked and must stay
// as they are. A budget keeps the work linear in the size of the stream, whatever is shared.
class Matcher {
 public:
  explicit Matcher(RuleContext& context) : context_(context), graph_(context.graph) {}

  // Matches says whether a node fits.
  [[nodiscard]] bool Matches(const Schema& schema, NodeIndex node);
  // IsPlain says whether everything below a node is data: no globals, calls or persistent references. Answers are
  // remembered, so each node is visited once.
  [[nodiscard]] bool IsPlain(NodeIndex node);
  // IsData says whether everything below a node fits the schema `data`.
  [[nodiscard]] bool IsData(NodeIndex node);
  // found_code says, after Matches has failed, whether a global, call or reference stood where data belongs.
  [[nodiscard]] bool found_code() const { return found_code_; }
  void Reset() { found_code_ = false; }
  // exhausted says that the budget is used up.
  [[nodiscard]] bool exhausted() const { return work_ > (std::uint64_t{1} << 20) + 64 * graph_.size(); }

 private:
  bool Mismatch(NodeIndex node);
  bool MatchesConstant(const Schema& schema, NodeIndex node);
  bool MatchesItems(const Schema& schema, NodeIndex node, Kind kind);
  bool MatchesTuple(const Schema& schema, NodeIndex node);
  bool MatchesDict(const Schema& schema, NodeIndex node);
  bool MatchesMapping(const Schema& schema, NodeIndex node);
  bool MatchesAttributes(const Schema& schema, NodeIndex node);
  [[nodiscard]] bool IsInert(NodeIndex node) const;
  [[nodiscard]] bool IsReference(NodeIndex node) const;
  [[nodiscard]] bool AddPartsOfData(NodeIndex node);
  bool MatchesGlobal(const Schema& schema, NodeIndex node);
  bool MatchesCall(const Schema& schema, NodeIndex node);
  bool IsEmpty(NodeIndex node);
  bool InRange(const Schema& schema, NodeIndex node) const;

  RuleContext& context_;
  Graph& graph_;
  std::uint64_t work_ = 0;
  bool found_code_ = false;
  std::vector<NodeIndex> pending_;
  std::vector<NodeIndex> visited_;
  std::vector<std::uint8_t> data_;  // by node: 1 when IsData holds
};

}  // namespace safemodel::pickle
