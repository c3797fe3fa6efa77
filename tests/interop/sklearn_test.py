#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits estimators of scikit-learn, saves them with pickle and joblib, converts the files, and compares every value and
every array with the fitted estimator. Usage: SAFEMODEL_CLI=… python sklearn_test.py"""

import collections
import os
import pickle
import sys
import tempfile
import warnings

try:
    import joblib
    import numpy as np
    import scipy.sparse
    from sklearn import (
        cluster, compose, decomposition, ensemble, feature_extraction, gaussian_process, impute, isotonic, linear_model, metrics,
        model_selection, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree,
    )  # fmt: skip

    from compare import Mismatch, check
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
rng = np.random.RandomState(7)
X = np.abs(rng.rand(90, 5))
Y = np.arange(90) % 3
TEXTS = ["a model is data", "a pickle is a program", "data is read and programs run"] * 30
MIXED = np.array([[f"k{i % 4}", float(i), f"t{i % 2}"] for i in range(90)], dtype=object)


def estimators():
    yield "forest", ensemble.RandomForestClassifier(7, random_state=1).fit(X, Y)
    yield "forest with its generator", ensemble.RandomForestRegressor(3, random_state=np.random.RandomState(3)).fit(X, Y)
    yield "gradient boosting", ensemble.GradientBoostingClassifier(n_estimators=4).fit(X, Y)
    yield "hist gradient boosting", ensemble.HistGradientBoostingClassifier(max_iter=4).fit(X, Y)
    yield "hist gradient boosting, regression", ensemble.HistGradientBoostingRegressor(max_iter=4).fit(X, Y)
    yield "isolation forest", ensemble.IsolationForest(n_estimators=3).fit(X)
    yield "ada boost", ensemble.AdaBoostClassifier(n_estimators=3).fit(X, Y)
    yield "stacking", ensemble.StackingClassifier([("a", svm.LinearSVC()), ("b", tree.DecisionTreeClassifier())]).fit(X, Y)
    yield "tree", tree.DecisionTreeClassifier().fit(X, Y)
    yield "logistic regression", linear_model.LogisticRegression().fit(X, Y)
    yield "linear regression", linear_model.LinearRegression().fit(X, Y)
    yield "lasso", linear_model.LassoCV(cv=3).fit(X, Y)
    yield "sgd", linear_model.SGDClassifier().fit(X, Y)
    yield "gamma regression", linear_model.GammaRegressor().fit(X, Y + 1)
    yield "svc", svm.SVC(probability=True).fit(X, Y)
    holes = np.where(X > 0.9, np.nan, np.round(X * 5))
    yield "ordinals, missing and infrequent", preprocessing.OrdinalEncoder(min_frequency=20).fit(holes)
    yield "one hot, dropped and infrequent", preprocessing.OneHotEncoder(drop="first", min_frequency=20).fit(holes)
    yield "targets", preprocessing.TargetEncoder().fit(np.round(X * 5), Y)
    yield "bins", preprocessing.KBinsDiscretizer(4).fit(X)
    yield "periodic splines", preprocessing.SplineTransformer(extrapolation="periodic", sparse_output=True).fit(X)
    yield "boosting from another model", ensemble.GradientBoostingClassifier(
        n_estimators=2, init=linear_model.LogisticRegression()
    ).fit(X, Y)
    yield "bag of pipelines", ensemble.BaggingClassifier(
        pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC()), n_estimators=2, max_features=0.5
    ).fit(X, Y)
    yield "forest of one class", ensemble.RandomForestClassifier(2).fit(X, np.zeros(90))
    yield "pruned tree", tree.DecisionTreeClassifier(ccp_alpha=0.01, max_leaf_nodes=9).fit(X, Y)
    yield "linkage with holes", cluster.HDBSCAN().fit(np.where(X > 0.99, np.nan, X))
    for name in ("SVR", "NuSVR", "OneClassSVM"):
        for kernel, inputs in (("linear", X), ("precomputed", X @ X.T), ("rbf", scipy.sparse.csr_matrix(X))):
            yield f"{name}, {kernel}", getattr(svm, name)(kernel=kernel).fit(inputs, Y)
    yield "nu svc, sparse", svm.NuSVC(nu=0.3, probability=True).fit(scipy.sparse.csr_matrix(X), Y)
    yield "svc, a function for a kernel", svm.SVC(kernel=metrics.pairwise.linear_kernel).fit(X, Y)
    yield "neighbours, several outputs", neighbors.KNeighborsClassifier().fit(X, np.c_[Y, Y % 2].astype(str))
    yield "neighbours, radius", neighbors.RadiusNeighborsClassifier(1.0, algorithm="brute").fit(X, Y)
    yield "density on a globe", neighbors.KernelDensity(metric="haversine").fit(X[:, :2])
    yield "svc, sparse", svm.SVC().fit(scipy.sparse.csr_matrix(X), Y)
    yield "linear svc", svm.LinearSVC().fit(X, Y)
    yield "neighbours, kd tree", neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)
    yield "neighbours, ball tree", neighbors.KNeighborsRegressor(algorithm="ball_tree", metric="manhattan").fit(X, Y)
    yield "neighbours, float32", neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(X.astype("f4"), Y)
    yield "k means", cluster.KMeans(3, n_init=2).fit(X)
    yield "birch, a graph with cycles", cluster.Birch(n_clusters=3, threshold=0.1).fit(X)
    yield "dbscan", cluster.DBSCAN().fit(X)
    yield "pca", decomposition.PCA(2).fit(X)
    yield "naive bayes", naive_bayes.GaussianNB().fit(X, Y)
    yield "isotonic", isotonic.IsotonicRegression().fit(X[:, 0], Y)
    yield "gaussian process", gaussian_process.GaussianProcessRegressor().fit(X, Y)
    yield "perceptrons", neural_network.MLPClassifier((4,), max_iter=5).fit(X, Y)
    yield "splines", preprocessing.SplineTransformer().fit(X)
    yield "quantiles", preprocessing.QuantileTransformer(n_quantiles=10).fit(X)
    yield "one hot, objects", preprocessing.OneHotEncoder().fit(MIXED[:, [0, 2]])
    yield "label encoder, texts", preprocessing.LabelEncoder().fit(["b", "a", "c"])
    yield "imputer", impute.SimpleImputer().fit(X)
    yield "functions as values", preprocessing.FunctionTransformer(np.log1p, np.expm1).fit(X)
    yield "words", feature_extraction.text.TfidfVectorizer(stop_words="english").fit(TEXTS)
    counts = feature_extraction.text.CountVectorizer
    for name, analyzer in (
        ("words", counts(ngram_range=(1, 2)).build_analyzer()),
        ("letters", counts(analyzer="char_wb", strip_accents="unicode").build_analyzer()),
        ("a tokenizer", counts(token_pattern="[a-z]+").build_tokenizer()),
    ):
        yield f"words by methods of {name}", feature_extraction.text.TfidfVectorizer(analyzer=analyzer).fit(TEXTS)
    yield "words by methods of str", feature_extraction.text.TfidfVectorizer(
        tokenizer=str.split, preprocessor=str.lower, token_pattern=None
    ).fit(TEXTS)
    columns = compose.ColumnTransformer(
        [("scale", preprocessing.StandardScaler(), [1]), ("one hot", preprocessing.OneHotEncoder(), [0, 2])]
    )
    yield "pipeline", pipeline.Pipeline([("columns", columns), ("model", linear_model.LogisticRegression())]).fit(MIXED, Y)
    yield "grid search", model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2).fit(X, Y)


def data():
    yield "dtypes", {
        name: np.arange(6).astype(name) for name in "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16 >i4 >f8 >c16".split()
    }
    yield "texts and times", [
        np.array(["ab", "c", "äöü"]), np.array(["ab"], dtype=">U4"), np.array([b"ab", b"c"]), np.array([b"xyz"], dtype="V3"),
        np.array(["2026-01-02"], dtype="M8[D]"), np.array([5], dtype="m8[25us]"), np.array(["2026-01-02"], dtype=">M8[ns]"),
    ]  # fmt: skip
    yield "shapes and orders", [
        np.zeros(()), np.zeros((0, 3)), np.zeros((2, 0)), np.asfortranarray(rng.rand(3, 4)), rng.rand(2, 3, 4).transpose(1, 2, 0),
        rng.rand(2, 3, 4).transpose(1, 0, 2), rng.rand(6)[::2], np.broadcast_to(np.arange(3), (2, 3)),
    ]  # fmt: skip
    record = np.array([(1, 2.5, b"x"), (3, 4.5, b"yz")], dtype=[("a", "<i4"), ("b", ">f8"), ("c", "S3")])
    aligned = np.zeros(3, dtype=np.dtype([("a", "i1"), ("b", "f8", (2,))], align=True))
    yield "records", [record, aligned, record.dtype, aligned.dtype]
    yield "objects", [np.array([None, 1, "a", [2]], dtype=object), np.array([[1, None]] * 3, dtype=object)]
    yield "scalars", [np.float64(0.1), np.float32(-0.0), np.int8(-3), np.bool_(True), np.str_("ab"), np.datetime64("2026-01-01"), np.complex64(1j)]
    yield "dtypes as values", [np.dtype("<f4"), np.dtype("O"), np.dtype("M8[ns]"), np.float32, np.ndarray]
    yield "masked arrays", [np.ma.array([1, 2, 3], mask=[0, 1, 0]), np.ma.array([["a", None]], mask=[[1, 0]], dtype=object)]
    yield "random generators", [np.random.RandomState(1), np.random.default_rng(2), np.random.Generator(np.random.Philox(3)), np.random.Generator(np.random.SFC64(4))]  # fmt: skip
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, dtype="f4", shape=(3, 5))
        mapped[:] = rng.rand(3, 5)
        yield "memory maps", [mapped, mapped[1:, ::2]]
    shared = np.arange(10.0)
    yield "references", {"a": shared, "b": shared, "c": [shared, shared]}
    yield "python", collections.OrderedDict(
        [("int", 2**70), ("neg", -(2**63)), ("text", "a\ud800b"), ("bytes", b"\x00\xff"), ("nested", ((), [], {}, {"k": (1, 2.5)})), ("set", {"a", "b"})]
    )  # fmt: skip
    for kind in ("csr", "csc", "coo", "bsr", "dia", "lil"):
        yield f"sparse {kind}", getattr(scipy.sparse, f"{kind}_matrix")(np.eye(4))
        yield f"sparse {kind} array", getattr(scipy.sparse, f"{kind}_array")(np.eye(4))


def main():
    failures, files, values, tensors = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.bin")
        for name, live in [*data(), *estimators()]:
            for saver in (2, 3, 4, 5, "joblib"):
                files += 1
                if saver == "joblib":
                    joblib.dump(live, path)
                else:
                    with open(path, "wb") as file:
                        pickle.dump(live, file, protocol=saver)
                try:
                    # joblib writes an array once for each reference to it.
                    compared = check(path, live, saver if saver != "joblib" else 4, identity=saver != "joblib")
                    values, tensors = values + compared[0], tensors + compared[1]
                except Mismatch as mismatch:
                    failures.append(f"{name}, {saver}: {mismatch}")
                    print("FAIL", failures[-1], flush=True)
    print(f"{files} files, {values} values and {tensors} arrays compared, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
