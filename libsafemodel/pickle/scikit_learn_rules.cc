// SPDX-License-Identifier: Apache-2.0
// Which proof belongs to which classes of scikit-learn; the tables name these rules.
#include <array>

#include "pickle/numpy_rules.h"
#include "pickle/struct_rules.h"

namespace safemodel::pickle {
namespace {

constexpr std::array<Rule, 23> kRules = {{
    {.name = "tree", .on_call = OnTreeCall, .on_build = OnTree},
    {.name = "linkage", .on_build = OnLinkage},
    {.name = "tree_predictor", .on_build = OnPredictor},
    {.name = "hist_gradient_boosting", .on_build = OnHistGradientBoosting},
    {.name = "decision_tree", .on_build = OnDecisionTree},
    {.name = "forest", .on_build = OnForest},
    {.name = "bagging", .on_build = OnBagging},
    {.name = "ada_boost", .on_build = OnAdaBoost},
    {.name = "gradient_boosting", .on_build = OnGradientBoosting},
    {.name = "k_means", .on_build = OnKMeans},
    {.name = "coefficients", .on_build = OnCoefficients},
    {.name = "kd_tree", .on_build = OnKdTree, .to_tree = PyxToTree},
    {.name = "ball_tree", .on_build = OnBallTree, .to_tree = PyxToTree},
    {.name = "distance", .on_build = OnDistance, .to_tree = PyxToTree},
    {.name = "neighbours", .on_build = OnNeighbours},
    {.name = "svm_classifier", .on_build = OnSvmClassifier},
    {.name = "svm_other", .on_build = OnSvmOther},
    {.name = "vectorizer", .on_build = OnVectorizer},
    {.name = "idf", .on_build = OnIdf},
    {.name = "hasher", .on_build = OnHasher},
    {.name = "encoder", .on_build = OnEncoder},
    {.name = "spline_transformer", .on_build = OnSplineTransformer},
    {.name = "bins", .on_build = OnBins},
}};

}  // namespace

std::span<const Rule> ScikitLearnRules() { return kRules; }

}  // namespace safemodel::pickle
