// SPDX-License-Identifier: Apache-2.0
// STRUCT-VOCAB and STRUCT-ENCODER: numbers of columns. The sparse matrices that are made with them are not checked
// again.
#include <algorithm>
#include <optional>
#include <unordered_set>

#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kVocabulary = "STRUCT-VOCAB";
constexpr const char* kEncoder = "STRUCT-ENCODER";

// CheckVocabulary proves that a dict maps different words to the columns 0 … n − 1, and returns n.
Result<std::uint64_t> CheckVocabulary(Proof& proof, NodeIndex dict) {
  const char* const name = "vocabulary_";
  const Graph& graph = proof.graph();
  if (graph.kind(dict) != Kind::kDict)
    return proof.Refuse(name, "words would be looked up in something that is no dict");
  proof.context().graph.Seal(dict);
  const std::span<const NodeIndex> items = graph.ItemsOf(dict);
  SAFEMODEL_TRY(proof.Work(items.size()));
  const std::uint64_t count = items.size() / 2;
  std::unordered_set<std::string_view> words;
  std::vector<bool> seen(count);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const Kind kind = graph.kind(items[i]);
    // A word that is there twice would leave fewer columns than the greatest number says.
    if ((kind != Kind::kStr && kind != Kind::kPy2Str) || !words.insert(graph.TextOf(items[i])).second) {
      return proof.Refuse(name, "the vocabulary has fewer words than columns");
    }
    const auto column = proof.Count(items[i + 1]);
    if (!column || *column >= count || seen[*column]) {
      return proof.Refuse(name, "counting words would write to a column outside the matrix");
    }
    seen[*column] = true;
  }
  return count;
}

// CheckIdf compares the weights of a TfidfTransformer with a number of columns, if that is known.
Status CheckIdf(Proof& proof, NodeIndex transformer, std::optional<std::uint64_t> columns) {
  const auto weights = proof.Array(proof.FindOf(transformer, "idf_"));
  const NodeIndex diagonal = proof.FindOf(transformer, "_idf_diag");
  if (proof.IsUnbuilt(transformer)) {
    return proof.Refuse("_tfidf", "the weights of words would come after they were compared with the vocabulary");
  }
  if (!columns) columns = proof.Count(proof.FindOf(transformer, "n_features_in_"));
  if (proof.IsThere(proof.FindOf(transformer, "idf_"))) {
    const bool fits = weights && weights->IsVector() && IsReals(weights->dtype());
    if (!fits || (columns && weights->elements != *columns)) {
      return proof.Refuse("idf_", "weighing words would read weights of columns that are not there");
    }
  }
  if (!proof.IsThere(diagonal)) return {};
  const StructNote* note = SparseNote(proof, diagonal);
  if (note != nullptr && note->rows == note->columns && (!columns || note->columns == *columns)) return {};
  return proof.Refuse("_idf_diag", "weighing words would multiply with a matrix of another size");
}

// Group is what an encoder knows about one feature.
struct Group {
  std::uint64_t categories = 0;
  std::uint64_t codes = 0;    // after infrequent categories became one
  std::uint64_t missing = 0;  // 1 when one of the categories stands for a missing value, which has no code
};

std::optional<std::uint64_t> LengthOf(Proof& proof, NodeIndex node) {
  if (const auto array = proof.Array(node); array && array->IsVector()) return array->elements;
  if (const auto objects = proof.Objects(node); objects && objects->shape.size() == 1) return objects->shape[0];
  return std::nullopt;
}

// TakeMissing reads the dict of features that have a category for missing values.
Status TakeMissing(Proof& proof, std::vector<Group>& groups) {
  const NodeIndex dict = proof.Find("_missing_indices");
  if (!proof.IsThere(dict)) return {};
  const Error outside = proof.Refuse("_missing_indices", "encoding would look for missing values of other features");
  if (proof.graph().kind(dict) != Kind::kDict) return outside;
  proof.context().graph.Seal(dict);
  const std::span<const NodeIndex> items = proof.graph().ItemsOf(dict);
  SAFEMODEL_TRY(proof.Work(items.size()));
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const auto feature = proof.Count(items[i]), place = proof.Count(items[i + 1]);
    if (!feature || *feature >= groups.size() || !place || *place >= groups[*feature].categories) return outside;
    groups[*feature].missing = 1;
  }
  return {};
}

// IndexIn says that a node is None, or an index below `end`.
bool IndexIn(const Proof& proof, NodeIndex node, std::uint64_t end) {
  if (proof.graph().kind(node) == Kind::kNone) return true;
  const auto index = proof.Count(node);
  return index && *index < end;
}

// CheckIndices proves that a list has an item for each feature: None, or an array of numbers below `end` of the
// feature. `lengths` says whether the arrays are as long as there are categories.
enum class Length : std::uint8_t { kAny, kCategories };
Status CheckIndices(Proof& proof, const char* name, std::vector<Group>& groups, Length length) {
  const NodeIndex node = proof.Find(name);
  if (!proof.IsThere(node)) return {};
  const auto lists = proof.Items(node);
  if (!lists || lists->size() != groups.size()) {
    return proof.Refuse(name, "encoding would look for codes of features that are not there");
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!proof.IsThere((*lists)[i])) continue;
    const auto array = proof.Array((*lists)[i]);
    const bool vector = array && array->IsVector() && IsIntegers(array->dtype());
    if (!vector || (length == Length::kCategories && array->elements != groups[i].categories - groups[i].missing)) {
      return proof.Refuse(name, "encoding would look up codes of categories that are not there");
    }
    SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*array));
    if (!facts.Within(0, groups[i].categories)) {
      return proof.Refuse(name, "encoding would write to a column outside the matrix");
    }
    if (length == Length::kCategories) groups[i].codes = static_cast<std::uint64_t>(facts.greatest + 1);
  }
  return {};
}

// Dropped returns the items of an array of one object for each feature: None, or the code that has no column.
Result<std::optional<std::vector<NodeIndex>>> Dropped(Proof& proof, const char* name,
                                                      const std::vector<Group>& groups) {
  const NodeIndex node = proof.Find(name);
  if (!proof.IsThere(node)) return std::optional<std::vector<NodeIndex>>();
  const auto objects = proof.Objects(node);
  auto items = objects ? proof.Items(objects->items) : std::nullopt;
  bool fits = items && items->size() == groups.size();
  for (std::size_t i = 0; fits && i < groups.size(); ++i) fits = IndexIn(proof, (*items)[i], groups[i].categories);
  if (fits) return items;
  return proof.Refuse(name, "encoding would drop a category that is not there");
}

// CheckOutputs proves that the number of columns of each feature follows from its categories.
Status CheckOutputs(Proof& proof, const std::vector<Group>& groups,
                    const std::optional<std::vector<NodeIndex>>& dropped) {
  const NodeIndex node = proof.Find("_n_features_outs");
  if (!proof.IsThere(node)) return {};
  const auto outputs = proof.Items(node);
  bool fits = outputs && outputs->size() == groups.size();
  for (std::size_t i = 0; fits && i < groups.size(); ++i) {
    const bool drops = dropped && proof.graph().kind((*dropped)[i]) != Kind::kNone;
    const auto columns = proof.Count((*outputs)[i]);
    fits = columns && *columns + (drops ? 1 : 0) == groups[i].codes;
  }
  if (fits) return {};
  return proof.Refuse("_n_features_outs", "encoding would write to a column outside the matrix");
}

// CheckEncodings proves that a target encoder has a number for each category, of each class.
Status CheckEncodings(Proof& proof, const std::vector<Group>& groups) {
  const NodeIndex node = proof.Find("encodings_");
  if (!proof.IsThere(node)) return {};
  const auto encodings = proof.Items(node);
  bool fits = encodings && !groups.empty() && !encodings->empty() && encodings->size() % groups.size() == 0;
  const std::size_t classes = fits ? encodings->size() / groups.size() : 1;
  for (std::size_t i = 0; fits && i < encodings->size(); ++i) {
    fits = LengthOf(proof, (*encodings)[i]) == groups[i / classes].categories;
  }
  if (fits) return {};
  return proof.Refuse("encodings_", "encoding would look up numbers of categories that are not there");
}

}  // namespace

Status OnVectorizer(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kVocabulary);
  const NodeIndex vocabulary = proof.Find("vocabulary_");
  if (!proof.IsThere(vocabulary)) return {};  // not fitted
  SAFEMODEL_ASSIGN(const std::uint64_t columns, CheckVocabulary(proof, vocabulary));
  if (proof.Has("feature_names_")) {
    const auto names = proof.Items(proof.Find("feature_names_"));
    if (!names || names->size() != columns) {
      return proof.Refuse("feature_names_", "columns would be named by names that are not there");
    }
  }
  const NodeIndex weights = proof.Find("_tfidf");
  return proof.IsThere(weights) ? CheckIdf(proof, weights, columns) : Status();
}

Status OnIdf(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kVocabulary);
  return CheckIdf(proof, call, std::nullopt);
}

// OnHasher: native code divides by the number of columns.
Status OnHasher(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kVocabulary);
  const auto columns = proof.Integer(proof.Find("n_features"));
  if (columns && *columns >= 1 && *columns <= std::numeric_limits<std::int32_t>::max()) return {};
  return proof.Refuse("n_features", "hashing words would divide by zero, or write to a column outside the matrix");
}

Status OnEncoder(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kEncoder);
  if (!proof.Has("categories_")) return {};  // not fitted
  const auto categories = proof.Items(proof.Find("categories_"));
  const auto features = proof.Count(proof.Find("n_features_in_"));
  if (!categories || (features && categories->size() != *features)) {
    return proof.Refuse("categories_", "encoding would look for categories of features that are not there");
  }
  std::vector<Group> groups;
  for (const NodeIndex node : *categories) {
    SAFEMODEL_TRY(proof.Work(1));
    const auto count = LengthOf(proof, node);
    if (!count) return proof.Refuse("categories_", "encoding would look for categories in something that is no vector");
    groups.push_back({*count, *count, 0});
  }
  SAFEMODEL_TRY(TakeMissing(proof, groups));
  SAFEMODEL_TRY(CheckIndices(proof, "_infrequent_indices", groups, Length::kAny));
  SAFEMODEL_TRY(CheckIndices(proof, "_default_to_infrequent_mappings", groups, Length::kCategories));
  SAFEMODEL_ASSIGN(auto dropped, Dropped(proof, "drop_idx_", groups));
  if (proof.Find("_drop_idx_after_grouping") != kNoNode) {
    SAFEMODEL_ASSIGN(dropped, Dropped(proof, "_drop_idx_after_grouping", groups));
  }
  SAFEMODEL_TRY(CheckOutputs(proof, groups, dropped));
  return CheckEncodings(proof, groups);
}

}  // namespace safemodel::pickle
