// SPDX-License-Identifier: Apache-2.0
// The proofs about structures that native code of scipy, scikit-learn and pandas will trust; each runs when the object
// has got its state. Only struct_*.cc include this header.
#pragma once

#include "pickle/rule.h"

namespace safemodel::pickle {

class Proof;

// STRUCT-SPARSE and STRUCT-SPLINE: scipy. SparseNote returns what is proven about a sparse matrix; nothing for others.
const StructNote* SparseNote(const Proof& proof, NodeIndex node);
Status OnBSpline(RuleContext& context, NodeIndex call);

// STRUCT-SPLINE: spline transformers and bins.
Status OnSplineTransformer(RuleContext& context, NodeIndex call);
Status OnBins(RuleContext& context, NodeIndex call);

// STRUCT-TREE, STRUCT-HGB.
Status OnTreeCall(RuleContext& context, NodeIndex call);
Status OnTree(RuleContext& context, NodeIndex call);
Status OnLinkage(RuleContext& context, NodeIndex call);
Status OnPredictor(RuleContext& context, NodeIndex call);
Status OnHistGradientBoosting(RuleContext& context, NodeIndex call);

// STRUCT-FOREST, STRUCT-SHAPE.
Status OnDecisionTree(RuleContext& context, NodeIndex call);
Status OnForest(RuleContext& context, NodeIndex call);
Status OnBagging(RuleContext& context, NodeIndex call);
Status OnAdaBoost(RuleContext& context, NodeIndex call);
Status OnGradientBoosting(RuleContext& context, NodeIndex call);
Status OnKMeans(RuleContext& context, NodeIndex call);
Status OnCoefficients(RuleContext& context, NodeIndex call);

// STRUCT-NEIGHBOURS.
Status OnKdTree(RuleContext& context, NodeIndex call);
Status OnBallTree(RuleContext& context, NodeIndex call);
Status OnDistance(RuleContext& context, NodeIndex call);
Status OnNeighbours(RuleContext& context, NodeIndex call);

// STRUCT-SVM.
Status OnSvmClassifier(RuleContext& context, NodeIndex call);
Status OnSvmOther(RuleContext& context, NodeIndex call);

// STRUCT-VOCAB, STRUCT-ENCODER.
Status OnVectorizer(RuleContext& context, NodeIndex call);
Status OnIdf(RuleContext& context, NodeIndex call);
Status OnHasher(RuleContext& context, NodeIndex call);
Status OnEncoder(RuleContext& context, NodeIndex call);

}  // namespace safemodel::pickle
