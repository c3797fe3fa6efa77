// SPDX-License-Identifier: Apache-2.0
// STRUCT-SPLINE: knots, coefficients and bin edges.
#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "pickle/struct_proof.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr const char* kCode = "STRUCT-SPLINE";
constexpr std::uint64_t kMostDegree = 1024;  // scipy keeps a few numbers for each on the way

// CheckSpline proves knots and coefficients, and returns what a transformer needs to know.
Result<StructNote> CheckSpline(Proof& proof, const char* knots_name, const char* coefficients_name) {
  const auto degree = proof.Count(proof.Find("k"));
  if (!degree || *degree > kMostDegree)
    return proof.Refuse("k", "scipy would reserve memory for a degree that is none");
  const auto knots = proof.Array(proof.Find(knots_name));
  if (!knots || !knots->IsVector() || knots->dtype() != Dtype::kF64 || knots->elements < 2 * *degree + 2) {
    return proof.Refuse(knots_name, "scipy would look for knots of a spline that are not there");
  }
  SAFEMODEL_ASSIGN(const FloatFacts facts, proof.Floats(*knots));
  if (!facts.finite || !facts.ascending) {
    return proof.Refuse(knots_name, "scipy would search for an interval among knots that do not ascend");
  }
  const auto coefficients = proof.Array(proof.Find(coefficients_name));
  const bool numbers =
      coefficients && (coefficients->dtype() == Dtype::kF64 || coefficients->dtype() == Dtype::kComplex128);
  if (!numbers || coefficients->rank() == 0 || coefficients->shape()[0] < knots->elements - *degree - 1) {
    return proof.Refuse(coefficients_name, "scipy would read coefficients of a spline that are not there");
  }
  StructNote note;
  note.features = coefficients->rank() > 1 ? coefficients->shape()[1] : 1;
  note.rows = *degree;
  return note;
}

// CheckEdges proves that numbers ascend.
Status CheckEdges(Proof& proof, NodeIndex node, std::uint64_t wanted) {
  const auto edges = proof.Array(node);
  if (!edges || !edges->IsVector() || !IsReals(edges->dtype()) || edges->elements != wanted) {
    return proof.Refuse("bin_edges_", "numpy would look for bins between edges of another number than there are bins");
  }
  SAFEMODEL_ASSIGN(const FloatFacts facts, proof.Floats(*edges));
  if (facts.ascending) return {};
  return proof.Refuse("bin_edges_", "numpy would search for a bin among edges that do not ascend");
}

}  // namespace

Status OnBSpline(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  // Releases before 1.15 call them t and c. Each release uses one spelling, so both must hold.
  const bool now = proof.Find("_t") != kNoNode || proof.Find("_c") != kNoNode;
  const bool before = !now || proof.Find("t") != kNoNode || proof.Find("c") != kNoNode;
  StructNote note;
  if (before) {
    SAFEMODEL_ASSIGN(note, CheckSpline(proof, "t", "c"));
  }
  if (now) {
    SAFEMODEL_ASSIGN(note, CheckSpline(proof, "_t", "_c"));
  }
  context.tables.proven[call] = note;
  return {};
}

Status OnSplineTransformer(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  if (!proof.Has("bsplines_")) return {};  // not fitted
  const auto splines = proof.Items(proof.Find("bsplines_"));
  const auto features = proof.Count(proof.Find("n_features_in_"));
  const auto degree = proof.Count(proof.Find("degree"));
  if (!splines || !features || splines->size() != *features) {
    return proof.Refuse("bsplines_", "scikit-learn would write the values of more splines than it has room for");
  }
  std::optional<std::uint64_t> columns;
  for (const NodeIndex spline : *splines) {
    SAFEMODEL_TRY(proof.Work(1));
    const StructNote* note = proof.IsObject(spline, "bspline") ? proof.NoteOf(spline) : nullptr;
    if (note == nullptr || note->rows != degree || (columns && *columns != note->features)) {
      return proof.Refuse("bsplines_", "scikit-learn would write the values of a spline that has another size");
    }
    columns = note->features;
  }
  const auto wanted = proof.Count(proof.Find("n_features_out_"));
  const NodeIndex bias = proof.Find("include_bias");
  const std::uint64_t dropped = bias != kNoNode && proof.graph().kind(bias) == Kind::kFalse ? 1 : 0;
  if (!columns || !wanted || *columns < dropped) return {};
  const auto out = CheckedMul(*features, *columns - dropped);
  if (out && *out == *wanted) return {};
  return proof.Refuse("n_features_out_", "scikit-learn would reserve another size than the splines fill");
}

Status OnBins(RuleContext& context, NodeIndex call) {
  Proof proof(context, call, kCode);
  if (!proof.Has("bin_edges_")) return {};  // not fitted
  const auto features = proof.Count(proof.Find("n_features_in_"));
  const auto edges = proof.Objects(proof.Find("bin_edges_"));
  const auto bins = proof.Array(proof.Find("n_bins_"));
  if (!bins || !bins->IsVector() || !IsIntegers(bins->dtype()) || (features && *features != bins->elements)) {
    return proof.Refuse("n_bins_", "scikit-learn would look for bins of more features than there are");
  }
  const auto items = edges && edges->shape.size() == 1 ? proof.Items(edges->items) : std::nullopt;
  if (!items || items->size() != bins->elements) {
    return proof.Refuse("bin_edges_", "scikit-learn would look for bins of more features than there are");
  }
  std::size_t feature = 0;
  const auto visit = [&](ByteView item) -> Status {
    const std::int64_t count = IntegerAt(bins->dtype(), item);
    if (count < 1) return proof.Refuse("n_bins_", "scikit-learn would make a matrix of fewer columns than none");
    return CheckEdges(proof, (*items)[feature++], static_cast<std::uint64_t>(count) + 1);
  };
  return ForEachItem(proof, *bins, BitsPerElement(bins->dtype()) / 8, visit);
}

}  // namespace safemodel::pickle
