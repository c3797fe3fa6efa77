# SPDX-License-Identifier: Apache-2.0
"""Changes of models, encoders, generators, ensembles and tables.

Each function yields (rule, what is saved, the object in it that changes, what the change is called, the change)."""

import numpy as np
import pandas as pd
import scipy.interpolate
import scipy.sparse
from sklearn import cluster, ensemble, feature_extraction, linear_model, preprocessing, svm, tree
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer

from struct_changes import argument, at, attribute, cast, cut, flat, longer, narrow, part, plus, to, without

rng = np.random.RandomState(3)
X = np.abs(rng.rand(60, 4))
Y = np.arange(60) % 3
COUNTS = np.round(X * 5)
SPARSE = scipy.sparse.csr_matrix(np.where(X > 0.5, X, 0))
TEXTS = ["a model is data", "a pickle is a program", "data is read and programs run"] * 10


def machines():
    made = {
        "svc": svm.SVC(probability=True, random_state=0).fit(X, Y),
        "nu": svm.NuSVC(nu=0.3).fit(X, Y),
        "svr": svm.SVR().fit(X, X[:, 0]),
        "one class": svm.OneClassSVM().fit(X),
        "precomputed": svm.SVC(kernel="precomputed").fit(X @ X.T, Y),
    }
    for name, model in made.items():
        by_index = name == "precomputed"
        changes = {
            "support outside": attribute("support_", at(0, 10**6)),
            "support negative": attribute("support_", at(0, -1)),
            "support cut": attribute("support_", cut),
            "support i8": attribute("support_", cast("i8")),
            "counts higher": attribute("_n_support", at(0, plus(1))),
            "counts negative": attribute("_n_support", at(0, -1)),
            "counts longer": attribute("_n_support", longer),
            "vectors cut": attribute("support_vectors_", to(X[:3]) if by_index else cut),
            "vectors narrow": attribute("support_vectors_", to(X) if by_index else narrow),
            "vectors f4": attribute("support_vectors_", cast("f4")),
            "dual cut": attribute("dual_coef_", narrow),
            "private dual cut": attribute("_dual_coef_", narrow),
            "private dual longer": attribute("_dual_coef_", longer),
            "intercept cut": attribute("_intercept_", cut),
            "intercept longer": attribute("intercept_", longer),
            "probabilities": attribute("_probA", to(np.ones(7))),
            "probabilities f4": attribute("_probB", cast("f4")),
            "other kernel": attribute("kernel", to("cosine")),
            "fit of fewer": attribute("shape_fit_", to((1, 4))),
            "sparse": attribute("_sparse", to(True)),
            "sparse is None": attribute("_sparse", to(None)),
            "no support": without("support_"),
        }
        for label, change in changes.items():
            yield "STRUCT-SVM", model, model, f"{name}, {label}", change
    yield "STRUCT-SVM", made["svc"], made["svc"], "classes cut", attribute("classes_", cut)
    yield "STRUCT-SVM", made["svc"], made["svc"], "features", attribute("n_features_in_", plus(1))
    model = svm.SVC().fit(SPARSE, Y)
    for label, change in {
        "vectors cut": attribute("support_vectors_", lambda old: old[:-1]),
        "vectors narrow": attribute("support_vectors_", lambda old: old[:, :3]),
        "vectors csc": attribute("support_vectors_", lambda old: old.tocsc()),
        "vectors f4": attribute("support_vectors_", cast("f4")),
        "dual holes": attribute("_dual_coef_", lambda old: scipy.sparse.csr_matrix(np.eye(*old.shape))),
        "dual cut": attribute("dual_coef_", lambda old: old[:, :-1]),
        "dense": attribute("_sparse", to(False)),
        "counts": attribute("_n_support", at(1, plus(1))),
    }.items():
        yield "STRUCT-SVM", model, model, f"sparse, {label}", change


def generators():
    state = np.random.RandomState(1)
    old = np.random.RandomState(1)
    philox, twister = np.random.Philox(1), np.random.MT19937(1)

    def inner(name, change):
        return attribute("state", attribute_of(name, change))

    def attribute_of(name, change):
        return lambda value: {**value, name: change(value[name])}

    def first(change):
        """MT19937 and its relatives have a tuple: the dict, and the seed."""
        return lambda reduced: [*reduced[:2], (change([None, None, reduced[2][0]])[2], *reduced[2][1:]), *reduced[3:]]

    for position in (625, 10**6, -1, 2**31, None, 1.5, "1", [1]):
        yield "STRUCT-RNG", state, state, f"position {position}", inner("pos", to(position))
        yield "STRUCT-RNG", twister, twister, f"twister at {position}", first(inner("pos", to(position)))
        yield "STRUCT-RNG", philox, philox, f"philox at {position}", first(attribute("buffer_pos", to(position)))
    for label, change in {
        "key cut": cut, "key longer": longer, "key u8": cast("u8"), "key f4": cast("f4"), "key flat": lambda k: k[:1],
        "key matrix": lambda k: k.reshape(2, 312), "no key": to(None),
    }.items():  # fmt: skip
        yield "STRUCT-RNG", old, old, label, inner("key", change)
        yield "STRUCT-RNG", twister, twister, f"twister, {label}", first(inner("key", change))
    for value in (2, -1, None, "x"):
        yield "STRUCT-RNG", philox, philox, f"has {value}", first(attribute("has_uint32", to(value)))
    for label, change in {"cut": cut, "longer": longer, "u4": cast("u4"), "gone": to(None)}.items():
        yield "STRUCT-RNG", philox, philox, f"buffer {label}", first(attribute("buffer", change))


def words():
    count, tfidf = CountVectorizer().fit(TEXTS), TfidfVectorizer().fit(TEXTS)
    named = feature_extraction.DictVectorizer().fit([{"a": 1, "b": 2.0}])
    hashed, fast = HashingVectorizer(), feature_extraction.FeatureHasher()
    for name, model, word in (("count", count, "data"), ("tfidf", tfidf, "data"), ("dict", named, "a")):
        for label, value in {
            "outside": 1000, "just outside": len(model.vocabulary_), "negative": -1, "float": 0.0, "text": "0", "none": None,
            "twice": next(v for k, v in model.vocabulary_.items() if k != word), "huge": 2**70,
        }.items():  # fmt: skip
            change = attribute("vocabulary_", lambda old, value=value, word=word: {**old, word: value})
            yield "STRUCT-VOCAB", model, model, f"{name}, {label}", change
        fewer = attribute("vocabulary_", lambda old: {k: v for k, v in old.items() if v != 0})
        yield "STRUCT-VOCAB", model, model, f"{name}, a hole", fewer
        yield "STRUCT-VOCAB", model, model, f"{name}, list", attribute("vocabulary_", list)
    weights = TfidfTransformer().fit(count.transform(TEXTS))
    for name, root, target in (("tfidf", tfidf, tfidf._tfidf), ("transformer", weights, weights)):
        for label, change in {"cut": cut, "longer": longer, "matrix": lambda v: v.reshape(1, -1), "i8": cast("i8")}.items():
            yield "STRUCT-VOCAB", root, target, f"{name}, weights {label}", attribute("idf_", change)
    yield "STRUCT-VOCAB", named, named, "names cut", attribute("feature_names_", cut)
    for name, model in (("hashing", hashed), ("hasher", fast)):
        for value in (0, -1, 2**31, None, 1.5):
            yield "STRUCT-VOCAB", model, model, f"{name} {value}", attribute("n_features", to(value))


def splines():
    spline = scipy.interpolate.BSpline(np.arange(9.0), rng.rand(5, 2), 3)
    transformer = preprocessing.SplineTransformer().fit(X)
    for name, root, target in (("alone", spline, spline), ("held", transformer, transformer.bsplines_[1])):
        for label, change in {
            "falling": attribute("_t", at(3, -9.0)),
            "infinite": attribute("_t", at(-1, np.inf)),
            "no number": attribute("_t", at(0, np.nan)),
            "knots cut": attribute("_t", lambda old: old[:5].copy()),
            "knots longer": attribute("_t", longer),
            "knots f4": attribute("_t", cast("f4")),
            "knots matrix": attribute("_t", lambda old: old.reshape(1, -1)),
            "coefficients cut": attribute("_c", cut),
            "coefficients none": attribute("_c", to(None)),
            "coefficients i8": attribute("_c", cast("i8")),
            "degree": attribute("k", to(9)),
            "degree negative": attribute("k", to(-1)),
            "degree huge": attribute("k", to(2**40)),
        }.items():
            yield "STRUCT-SPLINE", root, target, f"{name}, {label}", change
    for label, change in {
        "splines cut": attribute("bsplines_", cut),
        "splines longer": attribute("bsplines_", longer),
        "forged spline": attribute("bsplines_", at(0, preprocessing.LabelEncoder())),
        "other spline": attribute("bsplines_", at(0, spline)),
        "columns": attribute("n_features_out_", plus(1)),
        "degree": attribute("degree", to(2)),
        "bias": attribute("include_bias", to(False)),
    }.items():
        yield "STRUCT-SPLINE", transformer, transformer, label, change
    bins = preprocessing.KBinsDiscretizer(3, encode="ordinal").fit(X)
    for label, change in {
        "falling": attribute("bin_edges_", at(0, np.array([0.0, 2, 1, 3]))),
        "no number": attribute("bin_edges_", at(1, np.array([0, np.nan, 1, 3]))),
        "edges cut": attribute("bin_edges_", at(2, cut)),
        "no edges": attribute("bin_edges_", at(3, None)),
        "features cut": attribute("bin_edges_", cut),
        "bins cut": attribute("n_bins_", cut),
        "more bins": attribute("n_bins_", at(0, 4)),
        "no bins": attribute("n_bins_", at(0, 0)),
    }.items():
        yield "STRUCT-SPLINE", bins, bins, f"bins, {label}", change


def encoders():
    made = {
        "one hot": preprocessing.OneHotEncoder(drop="first").fit(COUNTS),
        "infrequent": preprocessing.OneHotEncoder(max_categories=3).fit(COUNTS),
        "ordinal": preprocessing.OrdinalEncoder(max_categories=3).fit(COUNTS),
        "target": preprocessing.TargetEncoder().fit(COUNTS, Y),
    }
    for name, model in made.items():
        for label, change in {
            "features cut": attribute("categories_", cut),
            "features longer": attribute("categories_", longer),
            "matrix": attribute("categories_", at(0, lambda old: old.reshape(1, -1))),
            "none": attribute("categories_", at(0, None)),
            "features": attribute("n_features_in_", plus(1)),
        }.items():
            yield "STRUCT-ENCODER", model, model, f"{name}, {label}", change
    one, rare, ordinal, target = made.values()
    for model, label, change in (
        (one, "category longer", attribute("categories_", at(0, longer))),
        (one, "dropped outside", attribute("drop_idx_", at(0, 6))),
        (one, "dropped negative", attribute("drop_idx_", at(0, -1))),
        (one, "dropped cut", attribute("drop_idx_", cut)),
        (one, "dropped after grouping", attribute("_drop_idx_after_grouping", at(1, 99))),
        (one, "not dropped", attribute("_drop_idx_after_grouping", at(1, None))),
        (one, "columns", attribute("_n_features_outs", at(0, 9))),
        (one, "columns negative", attribute("_n_features_outs", at(0, -1))),
        (one, "columns cut", attribute("_n_features_outs", cut)),
        (rare, "code outside", attribute("_default_to_infrequent_mappings", at(0, lambda m: at(0, 99)(m)))),
        (rare, "code negative", attribute("_default_to_infrequent_mappings", at(0, lambda m: at(0, -1)(m)))),
        (rare, "codes cut", attribute("_default_to_infrequent_mappings", at(0, cut))),
        (rare, "codes float", attribute("_default_to_infrequent_mappings", at(0, cast("f8")))),
        (rare, "rare outside", attribute("_infrequent_indices", at(0, np.array([99])))),
        (rare, "rare cut", attribute("_infrequent_indices", cut)),
        (ordinal, "code outside", attribute("_default_to_infrequent_mappings", at(1, lambda m: at(0, 99)(m)))),
        (ordinal, "missing elsewhere", attribute("_missing_indices", to({9: 0}))),
        (ordinal, "missing outside", attribute("_missing_indices", to({0: 99}))),
        (target, "encoding cut", attribute("encodings_", at(0, cut))),
        (target, "encodings cut", attribute("encodings_", cut)),
    ):
        yield "STRUCT-ENCODER", model, model, f"{type(model).__name__}, {label}", change


def forests():
    other = tree.DecisionTreeClassifier().fit(X[:, :2], Y)
    two = ensemble.RandomForestClassifier(3, random_state=0).fit(X, np.c_[Y, Y % 2])
    numbers = ensemble.ExtraTreesRegressor(3, random_state=0).fit(X, X[:, 0])
    lonely = ensemble.IsolationForest(n_estimators=3, max_features=2, random_state=0).fit(X)
    bag = ensemble.BaggingClassifier(n_estimators=3, max_features=2, random_state=0).fit(X, Y)
    ada = ensemble.AdaBoostClassifier(n_estimators=3).fit(X, Y)
    boost = ensemble.GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    smooth = ensemble.GradientBoostingRegressor(n_estimators=2).fit(X, Y)
    everywhere = {
        "other tree": attribute("estimators_", at(0, other)),
        "forged": attribute("estimators_", at(0, preprocessing.LabelEncoder())),
        "none": attribute("estimators_", to(7)),
        "features": attribute("n_features_in_", to(3)),
    }
    for name, model in (("two outputs", two), ("numbers", numbers)):
        for label, change in {
            **everywhere,
            "outputs": attribute("n_outputs_", plus(1)),
            "empty": attribute("estimators_", to([])),
        }.items():
            yield "STRUCT-FOREST", model, model, f"{name}, {label}", change
    yield "STRUCT-FOREST", two, two, "classes", attribute("n_classes_", to([3, 3]))
    yield "STRUCT-FOREST", two, two, "fewer classes", attribute("n_classes_", to([3]))
    for name, model in (("isolation", lonely), ("bag", bag)):
        for label, change in {
            "feature outside": attribute("estimators_features_", at(0, np.array([0, 4]))),
            "feature negative": attribute("estimators_features_", at(0, np.array([-1, 0]))),
            "more features": attribute("estimators_features_", at(0, np.array([0, 1, 2]))),
            "fewer features": attribute("estimators_features_", at(0, np.array([0]))),
            "no features": attribute("estimators_features_", at(0, None)),
            "features cut": attribute("estimators_features_", cut),
            "members cut": attribute("estimators_", cut),
        }.items():
            yield "STRUCT-FOREST", model, model, f"{name}, {label}", change
    yield "STRUCT-FOREST", lonely, lonely, "lengths", attribute("_decision_path_lengths", at(0, cut))
    yield "STRUCT-FOREST", lonely, lonely, "paths", attribute("_average_path_length_per_tree", cut)
    yield "STRUCT-FOREST", ada, ada, "ada, other tree", attribute("estimators_", at(0, other))
    yield "STRUCT-FOREST", ada, ada, "ada, empty", attribute("estimators_", to([]))
    yield "STRUCT-FOREST", ada, ada, "ada, weights", attribute("estimator_weights_", cut)
    yield "STRUCT-FOREST", ada, ada, "ada, features", attribute("n_features_in_", to(3))
    for name, model in (("boosting", boost), ("smooth", smooth)):
        for label, change in {
            "other tree": attribute("estimators_", at((0, 0), other)),
            "forged": attribute("estimators_", at((0, 0), None)),
            "flat": attribute("estimators_", flat),
            "more columns": attribute("estimators_", lambda old: np.concatenate([old, old], 1)),
            "columns": attribute("n_trees_per_iteration_", plus(1)),
            "features": attribute("n_features_in_", to(3)),
        }.items():
            yield "STRUCT-FOREST", model, model, f"{name}, {label}", change
    yield "STRUCT-FOREST", boost, boost.init_, "initial classes", attribute("classes_", cut)
    yield "STRUCT-FOREST", boost, boost.init_, "initial shares", attribute("class_prior_", cut)


def shapes():
    made = {
        "k means": cluster.KMeans(3, n_init=1).fit(X),
        "batches": cluster.MiniBatchKMeans(3, n_init=1).fit(X),
        "bisecting": cluster.BisectingKMeans(3).fit(X),
    }
    for name, model in made.items():
        for label, change in {
            "narrow": attribute("cluster_centers_", narrow),
            "flat": attribute("cluster_centers_", flat),
            "i8": attribute("cluster_centers_", cast("i8")),
            "empty": attribute("cluster_centers_", lambda old: old[:0].copy()),
            "objects": attribute("cluster_centers_", cast(object)),
            "features": attribute("n_features_in_", plus(1)),
            "no features": without("n_features_in_"),
        }.items():
            yield "STRUCT-SHAPE", model, model, f"{name}, {label}", change
    yield "STRUCT-SHAPE", made["batches"], made["batches"], "counts", attribute("_counts", cut)
    root = made["bisecting"]._bisecting_tree
    for node, label in ((root.left, "left"), (root.right, "right")):
        yield "STRUCT-SHAPE", made["bisecting"], node, f"centre cut, {label}", attribute("center", cut)
    holed = cluster.BisectingKMeans(4).fit(SPARSE)  # its root has a matrix for a centre
    yield "STRUCT-SHAPE", holed, holed._bisecting_tree.left, "sparse, centre cut", attribute("center", cut)
    for name, model in (
        ("classes", tree.DecisionTreeClassifier().fit(X, Y)), ("numbers", tree.ExtraTreeRegressor().fit(X, X))
    ):  # fmt: skip
        yield "STRUCT-SHAPE", model, model, f"{name}, features", attribute("n_features_in_", plus(1))
        yield "STRUCT-SHAPE", model, model, f"{name}, fewer features", attribute("n_features_in_", plus(-1))
        yield "STRUCT-SHAPE", model, model, f"{name}, outputs", attribute("n_outputs_", plus(1))
        yield "STRUCT-SHAPE", model, model, f"{name}, no tree", attribute("tree_", to(5))
    model = tree.DecisionTreeClassifier().fit(X, Y)
    yield "STRUCT-SHAPE", model, model, "classes", attribute("n_classes_", plus(1))
    for model in (linear_model.Lasso(0.01).fit(X, Y), linear_model.MultiTaskLasso(0.01).fit(X, X)):
        name = type(model).__name__
        yield "STRUCT-SHAPE", model, model, f"{name}, narrow", attribute("coef_", narrow)
        yield "STRUCT-SHAPE", model, model, f"{name}, features", attribute("n_features_in_", plus(1))


def tables():
    frame = pd.DataFrame({
        "a": [1, 2, 3], "b": [4, 5, 6], "c": [0.5, 1, 2], "d": pd.Categorical(["u", "v", None]), "e": ["x", "y", "z"],
        "f": pd.array([1, None, 3], dtype="Int64"), "g": pd.arrays.SparseArray([0, 0, 1]), "h": pd.interval_range(0, 3),
    })  # fmt: skip
    blocks = {block.dtype.name: block for block in frame._mgr.blocks}
    whole, real = blocks["int64"], blocks["float64"]
    for label, change in {
        "outside": to(slice(8, 9, 1)), "taken": to(slice(0, 1, 1)), "two": to(slice(2, 4, 1)), "none": to(slice(2, 2, 1)),
        "negative": to(slice(-1, 0, 1)), "huge": to(slice(0, 2**62, 1)), "step 0": to(slice(2, 3, 0)), "text": to("2"),
        "array outside": to(np.array([99])), "array negative": to(np.array([-1])), "array of floats": to(np.array([2.0])),
        "array of two": to(np.array([2, 2])),
    }.items():  # fmt: skip
        yield "STRUCT-PANDAS", frame, real, f"place {label}", argument(1, change)
    yield "STRUCT-PANDAS", frame, whole, "overlap", argument(1, to(slice(1, 3, 1)))
    yield "STRUCT-PANDAS", frame, whole, "falling", argument(1, to(slice(1, -1, -1)))
    for label, change in {"cut": cut, "narrow": narrow, "flat": flat, "gone": to(None), "cube": lambda v: v[None]}.items():
        yield "STRUCT-PANDAS", frame, whole, f"values {label}", argument(0, change)
    manager = frame._mgr
    for label, change in {
        "blocks cut": argument(0, cut),
        "blocks twice": argument(0, longer),
        "forged block": argument(0, at(0, preprocessing.LabelEncoder())),
        "more rows": argument(1, at(1, pd.RangeIndex(4))),
        "fewer rows": argument(1, at(1, pd.RangeIndex(2))),
        "more columns": argument(1, at(0, pd.RangeIndex(9))),
        "columns of a range": argument(1, at(0, pd.RangeIndex(2**40))),
        "one axis": argument(1, cut),
        "no axes": argument(1, to([])),
        "forged axis": argument(1, at(0, preprocessing.LabelEncoder())),
    }.items():
        yield "STRUCT-PANDAS", frame, manager, label, change
    category, masked = blocks["category"].values, blocks["Int64"].values
    holes, interval = blocks["Sparse[int64, 0]"].values, blocks["interval"].values
    for target, label, change in (
        (category, "code outside", part(1, at(0, 2))),
        (category, "code negative", part(1, at(0, -2))),
        (category, "codes float", part(1, cast("f8"))),
        (category, "codes cut", part(1, cut)),
        (category.dtype, "categories cut", attribute("categories", lambda old: old[:1])),
        (masked, "mask cut", attribute("_mask", cut)),
        (masked, "mask of numbers", attribute("_mask", cast("u1"))),
        (masked, "data cut", attribute("_data", cut)),
        (holes, "values cut", attribute("_sparse_values", lambda old: old[:0])),
        (holes, "index of more", attribute("_sparse_index", to(pd.arrays.SparseArray([0, 0, 1, 1]).sp_index))),
        (holes.sp_index, "index outside", argument(1, at(0, 3))),
        (holes.sp_index, "index negative", argument(1, at(0, -1))),
        (holes.sp_index, "length", argument(0, to(1))),
        (interval, "ends cut", part(0, lambda old: {**old, "_right": old["_right"][:-1]})),
    ):
        yield "STRUCT-PANDAS", frame, target, label, change
    levels = frame.set_index(["a", "e"])
    index = levels.index
    for label, change in {
        "code outside": lambda old: {**old, "codes": [np.array([0, 1, 9]), old["codes"][1]]},
        "code negative": lambda old: {**old, "codes": [np.array([0, 1, -2]), old["codes"][1]]},
        "codes of another length": lambda old: {**old, "codes": [np.array([0, 1]), old["codes"][1]]},
        "levels cut": lambda old: {**old, "levels": list(old["levels"])[:1]},
    }.items():
        yield "STRUCT-PANDAS", levels, index, f"levels, {label}", argument(1, change)
    series = frame["a"]
    for label, change in {
        "longer": lambda block: {**block, "mgr_locs": slice(0, 9, 1)},
        "shifted": lambda block: {**block, "mgr_locs": slice(1, 4, 1)},
        "values cut": lambda block: {**block, "values": block["values"][:-1]},
    }.items():
        inner = part(3, lambda old, change=change: {"0.14.1": {**old["0.14.1"], "blocks": [change(old["0.14.1"]["blocks"][0])]}})
        yield "STRUCT-PANDAS", series, series._mgr, f"series, {label}", inner
