# SPDX-License-Identifier: Apache-2.0
"""Changes of trees, of neighbours, and of sparse matrices.

Each function yields (rule, what is saved, the object in it that changes, what the change is called, the change)."""

import numpy as np
import scipy.sparse
from sklearn import cluster, ensemble, neighbors, preprocessing, tree

from struct_changes import argument, at, attribute, cast, cut, field, flat, longer, narrow, part, plus, to, without

rng = np.random.RandomState(3)
X = np.abs(rng.rand(60, 4))
Y = np.arange(60) % 3
SPARSE = scipy.sparse.csr_matrix(np.where(X > 0.5, X, 0))


def trees():
    made = {
        "depth first": tree.DecisionTreeClassifier(random_state=0).fit(X, Y),
        "best first": tree.DecisionTreeRegressor(max_leaf_nodes=6, random_state=0).fit(X, X),
        "pruned": tree.ExtraTreeClassifier(ccp_alpha=0.002, random_state=0).fit(X, Y),
    }
    changes = {
        "left is itself": attribute("nodes", field(0, "left_child", 0)),
        "left outside": attribute("nodes", field(0, "left_child", 10**6)),
        "left negative": attribute("nodes", field(0, "left_child", -5)),
        "left is no leaf's": attribute("nodes", field(0, "left_child", -1)),
        "right outside": attribute("nodes", field(0, "right_child", 2**40)),
        "shared child": attribute("nodes", lambda old: field(0, "right_child", old["left_child"][0])(old)),
        "feature outside": attribute("nodes", field(0, "feature", 4)),
        "feature negative": attribute("nodes", field(0, "feature", -3)),
        "leaf with a feature": attribute("nodes", field(-1, "feature", 1)),
        "leaf with a child": attribute("nodes", field(-1, "left_child", 1)),
        "missing is 2": attribute("nodes", field(0, "missing_go_to_left", 2)),
        "shallower": attribute("max_depth", plus(-1)),
        "deeper": attribute("max_depth", plus(1)),
        "more nodes": attribute("node_count", plus(1)),
        "fewer nodes": attribute("node_count", plus(-1)),
        "nodes cut": attribute("nodes", cut),
        "values cut": attribute("values", cut),
        "values narrow": attribute("values", narrow),
        "values flat": attribute("values", flat),
        "values f4": attribute("values", cast("f4")),
        "nodes are bytes": attribute("nodes", lambda old: old.view("u1")),
        "fewer features": argument(0, to(1)),
        "more outputs": argument(2, plus(1)),
        "no classes": argument(1, lambda old: old * 0),
        "more classes": argument(1, plus(1)),
    }
    for name, model in made.items():
        for label, change in changes.items():
            yield "STRUCT-TREE", model, model.tree_, f"{name}, {label}", change
    one = tree.DecisionTreeClassifier().fit(X, np.zeros(60))  # a single leaf
    yield "STRUCT-TREE", one, one.tree_, "one leaf, child", attribute("nodes", field(0, "left_child", 0))
    scan = cluster.HDBSCAN().fit(X)
    link = "_single_linkage_tree_"
    yield "STRUCT-TREE", scan, scan, "linkage outside", attribute(link, field(0, "left_node", 10**6))
    yield "STRUCT-TREE", scan, scan, "linkage of what comes later", attribute(link, field(0, "right_node", 61))
    yield "STRUCT-TREE", scan, scan, "linkage negative", attribute(link, field(3, "left_node", -1))


def boosted_histograms():
    mixed = np.c_[X[:, :3], Y]
    model = ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=[3], min_samples_leaf=2)
    model.fit(np.where(mixed > 0.98, np.nan, mixed), Y)
    other = ensemble.HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=2).fit(X, Y)
    predictor, plain = model._predictors[0][0], other._predictors[0][0]
    split = int(np.flatnonzero(predictor.nodes["is_categorical"])[0])
    changes = {
        "left is itself": attribute("nodes", field(0, "left", 0)),
        "left outside": attribute("nodes", field(0, "left", 2**31)),
        "right outside": attribute("nodes", lambda old: field(0, "right", len(old))(old)),
        "right backwards": attribute("nodes", lambda old: field(np.flatnonzero(old["is_leaf"] == 0)[-1], "right", 0)(old)),
        "leaf is 2": attribute("nodes", field(0, "is_leaf", 2)),
        "last is no leaf": attribute("nodes", field(-1, "is_leaf", 0)),
        "feature negative": attribute("nodes", field(0, "feature_idx", -1)),
        "feature huge": attribute("nodes", field(0, "feature_idx", 2**40)),
        "missing is 9": attribute("nodes", field(0, "missing_go_to_left", 9)),
        "bitset outside": attribute(
            "nodes", lambda old: field(0, "bitset_idx", 99)(field(0, "is_categorical", 1)(old))
        ),
        "nodes f8": attribute("nodes", lambda old: np.zeros(len(old))),
        "nodes empty": attribute("nodes", lambda old: old[:0].copy()),
        "nodes flat bytes": attribute("nodes", lambda old: old.view("u1")),
        "binned narrow": attribute("binned_left_cat_bitsets", lambda old: np.zeros((len(old), 7), "u4")),
        "raw u8": attribute("raw_left_cat_bitsets", cast("u8")),
        "raw longer": attribute("raw_left_cat_bitsets", lambda old: np.zeros((len(old) + 1, 8), "u4")),
        "no raw": without("raw_left_cat_bitsets"),
    }  # fmt: skip
    for root, target, name in ((model, predictor, "categories"), (other, plain, "plain")):
        for label, change in changes.items():
            yield "STRUCT-HGB", root, target, f"{name}, {label}", change
    yield "STRUCT-HGB", model, predictor, "bitsets cut", attribute(
        "nodes", field(split, "bitset_idx", len(predictor.raw_left_cat_bitsets))
    )
    yield "STRUCT-HGB", model, predictor, "feature outside", attribute("nodes", field(0, "feature_idx", 4))
    yield "STRUCT-HGB", other, plain, "categories without any", attribute(
        "raw_left_cat_bitsets", to(np.zeros((1, 8), "u4"))
    )
    yield "STRUCT-HGB", model, model, "fewer trees", attribute("n_trees_per_iteration_", to(2))
    yield "STRUCT-HGB", model, model, "fewer features", attribute("n_features_in_", to(3))
    yield "STRUCT-HGB", model, model, "more features", attribute("n_features_in_", to(5))
    yield "STRUCT-HGB", model, model, "an iteration cut", attribute("_predictors", at(0, cut))
    yield "STRUCT-HGB", model, model, "an iteration longer", attribute("_predictors", at(1, longer))
    yield "STRUCT-HGB", model, model, "a forged predictor", attribute("_predictors", at(0, [model._bin_mapper] * 3))
    yield "STRUCT-HGB", model, model, "baseline cut", attribute("_baseline_prediction", narrow)
    mapper = model._bin_mapper
    yield "STRUCT-HGB", model, mapper, "no categories", attribute("is_categorical_", lambda old: old * 0)
    yield "STRUCT-HGB", model, mapper, "categories cut", attribute("is_categorical_", cut)
    yield "STRUCT-HGB", model, mapper, "category is 2", attribute("is_categorical_", at(0, 2))
    yield "STRUCT-HGB", model, mapper, "thresholds cut", attribute("bin_thresholds_", cut)


def neighbour_trees():
    made = {
        "kd": neighbors.KDTree(X, leaf_size=7),
        "ball": neighbors.BallTree(X, leaf_size=7, metric="manhattan"),
        "weights": neighbors.KernelDensity(leaf_size=9).fit(X, sample_weight=np.ones(60)).tree_,
        "kd 32": neighbors.KNeighborsRegressor(algorithm="kd_tree").fit(X.astype("f4"), Y)._tree,
    }
    changes = {
        "data cut": part(0, cut),
        "data narrow": part(0, narrow),
        "data flat": part(0, flat),
        "index outside": part(1, at(0, 60)),
        "index negative": part(1, at(5, -1)),
        "index twice": part(1, lambda old: at(0, old[1])(old)),
        "indices i4": part(1, cast("i4")),
        "indices cut": part(1, cut),
        "start negative": part(2, field(0, "idx_start", -1)),
        "end outside": part(2, field(0, "idx_end", 61)),
        "end before start": part(2, field(-1, "idx_end", 0)),
        "root leaf": part(2, lambda old: field(0, "is_leaf", 1 - old["is_leaf"][0])(old)),
        "nodes cut": part(2, cut),
        "bounds cut": part(3, cut),
        "bounds narrow": part(3, narrow),
        "leaf size 0": part(4, to(0)),
        "more levels": part(5, plus(1)),
        "levels huge": part(5, to(63)),
        "more nodes": part(6, plus(1)),
        "no metric": part(11, to(None)),
        "weights short": part(12, to(np.ones(59))),
        "state short": lambda reduced: [*reduced[:2], reduced[2][:9], *reduced[3:]],
    }
    for name, value in made.items():
        for label, change in changes.items():
            yield "STRUCT-NEIGHBOURS", value, value, f"{name}, {label}", change
    last = made["kd"].__getstate__()[2].shape[0] - 1
    yield "STRUCT-NEIGHBOURS", made["kd"], made["kd"], "last no leaf", part(2, field(last, "is_leaf", 0))
    for metric, options, index in (
        ("seuclidean", {"V": np.ones(4)}, 1),
        ("mahalanobis", {"VI": np.eye(4)}, 2),
        ("minkowski", {"p": 3, "w": np.ones(4)}, 1),
    ):
        balls = neighbors.BallTree(X, metric=metric, **options)
        distance = balls.__getstate__()[11]
        for label, value in (("short", np.ones(3)), ("no array", None), ("of integers", np.ones(4, int))):
            value = np.diag(value) if index == 2 and value is not None else value
            yield "STRUCT-NEIGHBOURS", [distance, balls], distance, f"{metric} {label}", part(index, to(value))
    flat_earth = neighbors.BallTree(X[:, :2], metric="haversine")
    yield "STRUCT-NEIGHBOURS", flat_earth, flat_earth, "haversine of one", part(0, lambda old: old[:, :1].copy())
    for algorithm in ("brute", "kd_tree"):
        model = neighbors.KNeighborsClassifier(algorithm=algorithm).fit(X, Y)
        for label, change in {
            "label outside": attribute("_y", at(0, 3)),
            "label negative": attribute("_y", at(0, -1)),
            "labels cut": attribute("_y", cut),
            "labels float": attribute("_y", cast("f8")),
            "classes cut": attribute("classes_", cut),
            "points cut": attribute("_fit_X", cut),
            "points narrow": attribute("_fit_X", narrow),
            "samples": attribute("n_samples_fit_", plus(1)),
        }.items():
            yield "STRUCT-NEIGHBOURS", model, model, f"{algorithm}, {label}", change
    yield "STRUCT-NEIGHBOURS", model, model, "forged tree", attribute("_tree", to(preprocessing.LabelEncoder()))


def sparse():
    for cls in ("csr_matrix", "csr_array", "csc_matrix", "csc_array"):
        value = getattr(scipy.sparse, cls)(SPARSE)
        for label, change in {
            "index outside": attribute("indices", at(0, 60)),
            "index negative": attribute("indices", at(-1, -1)),
            "indices cut": attribute("indices", cut),
            "indices i2": attribute("indices", cast("i2")),
            "indices f8": attribute("indices", cast("f8")),
            "first pointer": attribute("indptr", at(0, 1)),
            "last pointer": attribute("indptr", at(-1, 10**6)),
            "falling pointers": attribute("indptr", at(1, 10**5)),
            "negative pointer": attribute("indptr", at(1, -1)),
            "pointers cut": attribute("indptr", cut),
            "data cut": attribute("data", cut),
            "data of objects": attribute("data", cast(object)),
            "fewer rows": attribute("_shape", at(0, 3)),
            "fewer columns": attribute("_shape", at(1, 1)),
            "more dimensions": attribute("_shape", to((60, 4, 1))),
            "negative size": attribute("_shape", to((-60, 4))),
            "no indices": without("indices"),
        }.items():
            yield "STRUCT-SPARSE", value, value, f"{cls}, {label}", change
    for cls in ("coo_matrix", "coo_array"):
        value = getattr(scipy.sparse, cls)(SPARSE)
        row, column = value.coords
        for label, change in {
            "row outside": attribute("coords", to((at(0, 60)(row), column))),
            "column negative": attribute("coords", to((row, at(2, -1)(column)))),
            "rows cut": attribute("coords", to((cut(row), column))),
            "one dimension": attribute("coords", to((row,))),
            "data cut": attribute("data", cut),
            "smaller": attribute("_shape", to((60, 2))),
            "no coordinates": without("coords"),
            "old names outside": lambda reduced: [
                *reduced[:2], {**reduced[2], "row": at(0, 99)(row), "col": column}, *reduced[3:]
            ],
        }.items():  # fmt: skip
            yield "STRUCT-SPARSE", value, value, f"{cls}, {label}", change
    blocks = scipy.sparse.bsr_matrix(SPARSE, blocksize=(2, 2))
    diagonals = scipy.sparse.dia_matrix(SPARSE[:5])
    lists = scipy.sparse.lil_array(SPARSE)
    keys = scipy.sparse.dok_matrix(SPARSE[:6])
    first = next(i for i, row in enumerate(lists.rows) if len(row) > 1)
    for value, label, change in (
        (blocks, "block index outside", attribute("indices", at(0, 2))),
        (blocks, "blocks cut", attribute("data", cut)),
        (blocks, "blocks flat", attribute("data", flat)),
        (blocks, "blocks of 3", attribute("data", lambda old: np.zeros((len(old), 3, 2)))),
        (blocks, "blocks of nothing", attribute("data", lambda old: old[:, :0].copy())),
        (blocks, "pointer", attribute("indptr", at(-1, 10**6))),
        (diagonals, "diagonals cut", attribute("data", cut)),
        (diagonals, "offsets longer", attribute("offsets", longer)),
        (diagonals, "offset overflows", attribute("offsets", at(0, 2**31 - 1))),
        (diagonals, "offset cannot be negated", attribute("offsets", at(0, -(2**31)))),
        (diagonals, "offsets f8", attribute("offsets", cast("f8"))),
        (lists, "column outside", attribute("rows", at(first, [0, 4]))),
        (lists, "column negative", attribute("rows", at(first, [-1, 0]))),
        (lists, "columns not sorted", attribute("rows", at(first, lambda old: old[::-1]))),
        (lists, "columns longer", attribute("rows", at(first, [0, 1, 2, 3]))),
        (lists, "rows cut", attribute("rows", cut)),
        (lists, "data cut", attribute("data", cut)),
        (lists, "more rows", attribute("_shape", to((61, 4)))),
        (keys, "key outside", attribute("_dict", lambda old: {**old, (6, 0): 1.0})),
        (keys, "key negative", attribute("_dict", lambda old: {**old, (0, -1): 1.0})),
        (keys, "key of one", attribute("_dict", lambda old: {**old, (0,): 1.0})),
        (keys, "smaller", attribute("_shape", to((2, 4)))),
        (keys, "base outside", argument(2, lambda old: {**old, (9, 9): 1.0})),
    ):
        yield "STRUCT-SPARSE", value, value, f"{type(value).__name__}, {label}", change
