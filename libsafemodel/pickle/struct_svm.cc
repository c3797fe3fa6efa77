// SPDX-License-Identifier: Apache-2.0
// STRUCT-SVM: models of libsvm. Its code takes pointers to all arrays and derives their lengths from `_n_support`.
#include <algorithm>
#include <array>
#include <optional>

#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

enum class Sort : std::uint8_t { kClassifier, kOther };

// Model is what the other arrays are compared with.
struct Model {
  std::uint64_t classes = 0;  // 2 for what is no classifier
  std::uint64_t vectors = 0;
  std::uint64_t pairs = 0;
  std::uint64_t rows = 0;  // of the coefficients
  bool by_index = false;   // the kernel is precomputed, or a function
};

// IsKnownKernel: a function computes the kernel in Python and counts as precomputed.
bool IsKnownKernel(const Graph& graph, NodeIndex kernel) {
  if (kernel == kNoNode) return false;
  if (graph.kind(kernel) == Kind::kGlobal || graph.kind(kernel) == Kind::kCall) return true;
  constexpr std::array<std::string_view, 5> kKernels = {"linear", "poly", "rbf", "sigmoid", "precomputed"};
  return std::ranges::find(kKernels, graph.TextOf(kernel)) != kKernels.end();
}

Result<Model> TakeModel(Proof& proof, Sort sort) {
  Model model;
  const NodeIndex kernel = proof.Find("kernel");
  if (!IsKnownKernel(proof.graph(), kernel)) return proof.Refuse("kernel", "libsvm has no kernel of this name");
  model.by_index = !proof.graph().IsText(kernel) || proof.graph().TextOf(kernel) == "precomputed";
  const NodeIndex counts = proof.Find("_n_support") != kNoNode ? proof.Find("_n_support") : proof.Find("n_support_");
  const auto array = proof.Array(counts);
  if (!array || !array->IsVector() || array->dtype() != Dtype::kI32 || array->elements < 1) {
    return proof.Refuse("_n_support", "libsvm would read numbers of support vectors of another type");
  }
  std::uint64_t sum = 0;
  SAFEMODEL_TRY(ForEachItem(proof, *array, 4, [&](ByteView item) -> Status {
    const std::int64_t count = IntegerAt(Dtype::kI32, item);
    if (count < 0) return proof.Refuse("_n_support", "libsvm would start before the first support vector of a class");
    sum += static_cast<std::uint64_t>(count);
    return {};
  }));
  SAFEMODEL_ASSIGN(const IntegerFacts counts_facts, proof.Integers(*array));
  // Those that are no classifiers have two entries, each of which is the number of vectors.
  constexpr std::uint64_t kMostClasses = std::uint64_t{1} << 31;
  if (sort == Sort::kOther) sum = static_cast<std::uint64_t>(counts_facts.first);
  if (array->elements > kMostClasses || (sort == Sort::kOther && array->elements != 2) ||
      (sort == Sort::kClassifier && array->elements < 2)) {
    return proof.Refuse("_n_support", "libsvm would look for support vectors of classes that are not there");
  }
  model.classes = array->elements;
  model.vectors = sum;
  model.pairs = model.classes * (model.classes - 1) / 2;
  model.rows = model.classes - 1;
  return model;
}

Status CheckSupport(Proof& proof, const Model& model) {
  const auto support = proof.Array(proof.Find("support_"));
  if (!support || !support->IsVector() || support->dtype() != Dtype::kI32 || support->elements != model.vectors) {
    return proof.Refuse("support_", "libsvm would read indices of support vectors that are not there");
  }
  const auto fitted = proof.Sizes(proof.Find("shape_fit_"));
  if (!fitted || fitted->empty()) return proof.Refuse("shape_fit_", "the number of samples of the fit is not known");
  SAFEMODEL_ASSIGN(const IntegerFacts facts, proof.Integers(*support));
  if (facts.Within(0, (*fitted)[0])) return {};
  return proof.Refuse("support_", "libsvm would read columns of the kernel matrix that are not there");
}

// CheckDense proves arrays of a model that was fitted on dense input.
Status CheckDense(Proof& proof, const Model& model) {
  const auto vectors = proof.Array(proof.Find("support_vectors_"));
  const auto features = proof.Count(proof.Find("n_features_in_"));
  const bool matrix = vectors && vectors->dtype() == Dtype::kF64 && vectors->rank() == 2;
  // Where indices stand for vectors, there are none.
  const bool fits = matrix && (model.by_index ? vectors->elements == 0 : vectors->shape()[0] == model.vectors);
  const auto fitted = proof.Sizes(proof.Find("shape_fit_"));
  const bool same =
      matrix && (model.by_index || (fitted && fitted->size() == 2 && vectors->shape()[1] == (*fitted)[1] &&
                                    (!features || vectors->shape()[1] == *features)));
  if (!fits || !same) {
    return proof.Refuse("support_vectors_", "libsvm would read support vectors past their end");
  }
  for (const char* const name : {"dual_coef_", "_dual_coef_"}) {
    const auto dual = proof.Array(proof.Find(name));
    const std::vector<std::uint64_t> wanted = {model.rows, model.vectors};
    if (!dual || dual->dtype() != Dtype::kF64 || dual->shape() != wanted) {
      return proof.Refuse(name, "libsvm would read coefficients of support vectors that are not there");
    }
  }
  return {};
}

// CheckSparse proves those of a model that was fitted on sparse input: libsvm takes the stored elements of the
// coefficients for all of them.
Status CheckSparse(Proof& proof, const Model& model) {
  const NodeIndex vectors = proof.Find("support_vectors_");
  const StructNote* note = proof.IsObject(vectors, "csr") ? proof.NoteOf(vectors) : nullptr;
  const auto features = proof.Count(proof.Find("n_features_in_"));
  const bool fits = note != nullptr && note->dtype == Dtype::kF64 && note->rows == model.vectors &&
                    (model.by_index || !features || note->columns == *features);
  if (!fits) return proof.Refuse("support_vectors_", "libsvm would read support vectors past their end");
  for (const char* const name : {"dual_coef_", "_dual_coef_"}) {
    const NodeIndex node = proof.Find(name);
    const StructNote* dual = proof.IsObject(node, "csr") ? proof.NoteOf(node) : nullptr;
    const bool complete = dual != nullptr && dual->dtype == Dtype::kF64 && dual->rows == model.rows &&
                          dual->columns == model.vectors && dual->stored == model.rows * model.vectors;
    if (!complete) return proof.Refuse(name, "libsvm would read coefficients of support vectors that are not there");
  }
  return {};
}

// CheckLengths proves what libsvm reads for each pair of classes.
Status CheckLengths(Proof& proof, const Model& model) {
  for (const char* const name : {"intercept_", "_intercept_"}) {
    const auto array = proof.Array(proof.Find(name));
    if (array && array->IsVector() && array->dtype() == Dtype::kF64 && array->elements == model.pairs) continue;
    return proof.Refuse(name, "libsvm would read intercepts of pairs of classes that are not there");
  }
  for (const auto& [now, before] : {std::pair{"_probA", "probA_"}, std::pair{"_probB", "probB_"}}) {
    const NodeIndex node = proof.Find(now) != kNoNode ? proof.Find(now) : proof.Find(before);
    const auto array = proof.Array(node);
    const bool fits = array && array->IsVector() && array->dtype() == Dtype::kF64;
    if (fits && (array->elements == model.pairs || array->elements == 0)) continue;
    return proof.Refuse(now, "libsvm would read probabilities of pairs of classes that are not there");
  }
  return {};
}

Status CheckClasses(Proof& proof, const Model& model, Sort sort) {
  if (sort == Sort::kOther) return {};
  const auto classes = proof.Array(proof.Find("classes_"));
  const auto objects = classes ? std::nullopt : proof.Objects(proof.Find("classes_"));
  const std::vector<std::uint64_t> wanted = {model.classes};
  if ((classes && classes->shape() == wanted) || (objects && objects->shape == wanted)) return {};
  return proof.Refuse("classes_", "the estimator would look for classes that are not there");
}

Status Check(RuleContext& context, NodeIndex call, Sort sort) {
  Proof proof(context, call, "STRUCT-SVM");
  // An estimator that was never fitted has none of these.
  if (!proof.Has("support_") && !proof.Has("support_vectors_") && !proof.Has("_n_support")) return {};
  SAFEMODEL_ASSIGN(const Model model, TakeModel(proof, sort));
  SAFEMODEL_TRY(CheckSupport(proof, model));
  const NodeIndex sparse = proof.Find("_sparse");
  const bool dense = sparse != kNoNode && proof.graph().kind(sparse) == Kind::kFalse;
  if (!dense && (sparse == kNoNode || proof.graph().kind(sparse) != Kind::kTrue)) {
    return proof.Refuse("_sparse", "whether the vectors are sparse decides which code reads them");
  }
  SAFEMODEL_TRY(dense ? CheckDense(proof, model) : CheckSparse(proof, model));
  SAFEMODEL_TRY(CheckLengths(proof, model));
  return CheckClasses(proof, model, sort);
}

}  // namespace

Status OnSvmClassifier(RuleContext& context, NodeIndex call) { return Check(context, call, Sort::kClassifier); }
Status OnSvmOther(RuleContext& context, NodeIndex call) { return Check(context, call, Sort::kOther); }

}  // namespace safemodel::pickle
