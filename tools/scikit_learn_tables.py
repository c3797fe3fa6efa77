#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes libsafemodel/pickle/allow_list/scikit_learn_classes.inc from the installed scikit-learn.

The output is frozen data that is committed and reviewed; nothing is computed from an installed library when a file is
judged. Run it again when a new release adds classes:

    python tools/scikit_learn_tables.py > libsafemodel/pickle/allow_list/scikit_learn_classes.inc
"""

import collections
import contextlib
import importlib
import inspect
import io
import pkgutil
import textwrap
import warnings

import sklearn
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401: they add estimators
from sklearn.utils import all_estimators

# Modules whose names changed; both spellings mean the same classes.
OLD_MODULES = {
    "sklearn.calibration": [],
    "sklearn.cluster._affinity_propagation": ["sklearn.cluster.affinity_propagation_"],
    "sklearn.cluster._agglomerative": ["sklearn.cluster.hierarchical", "sklearn.cluster._hierarchical"],
    "sklearn.cluster._birch": ["sklearn.cluster.birch"],
    "sklearn.cluster._dbscan": ["sklearn.cluster.dbscan_"],
    "sklearn.cluster._kmeans": ["sklearn.cluster.k_means_"],
    "sklearn.cluster._mean_shift": ["sklearn.cluster.mean_shift_"],
    "sklearn.cluster._optics": ["sklearn.cluster.optics_"],
    "sklearn.cluster._spectral": ["sklearn.cluster.spectral"],
    "sklearn.compose._target": [],
    "sklearn.covariance._empirical_covariance": ["sklearn.covariance.empirical_covariance_"],
    "sklearn.decomposition._factor_analysis": ["sklearn.decomposition.factor_analysis"],
    "sklearn.decomposition._fastica": ["sklearn.decomposition.fastica_"],
    "sklearn.decomposition._incremental_pca": ["sklearn.decomposition.incremental_pca"],
    "sklearn.decomposition._kernel_pca": ["sklearn.decomposition.kernel_pca"],
    "sklearn.decomposition._nmf": ["sklearn.decomposition.nmf"],
    "sklearn.decomposition._pca": ["sklearn.decomposition.pca"],
    "sklearn.decomposition._truncated_svd": ["sklearn.decomposition.truncated_svd"],
    "sklearn.ensemble._bagging": ["sklearn.ensemble.bagging"],
    "sklearn.ensemble._forest": ["sklearn.ensemble.forest"],
    "sklearn.ensemble._gb": ["sklearn.ensemble.gradient_boosting"],
    "sklearn.ensemble._iforest": ["sklearn.ensemble.iforest"],
    "sklearn.ensemble._voting": ["sklearn.ensemble.voting_classifier", "sklearn.ensemble.voting"],
    "sklearn.ensemble._weight_boosting": ["sklearn.ensemble.weight_boosting"],
    "sklearn.feature_extraction._dict_vectorizer": ["sklearn.feature_extraction.dict_vectorizer"],
    "sklearn.feature_extraction._hash": ["sklearn.feature_extraction.hashing"],
    "sklearn.feature_selection._univariate_selection": ["sklearn.feature_selection.univariate_selection"],
    "sklearn.gaussian_process._gpc": ["sklearn.gaussian_process.gpc"],
    "sklearn.gaussian_process._gpr": ["sklearn.gaussian_process.gpr"],
    "sklearn.impute._base": ["sklearn.impute"],
    "sklearn.linear_model._base": ["sklearn.linear_model.base"],
    "sklearn.linear_model._bayes": ["sklearn.linear_model.bayes"],
    "sklearn.linear_model._coordinate_descent": ["sklearn.linear_model.coordinate_descent"],
    "sklearn.linear_model._huber": ["sklearn.linear_model.huber"],
    "sklearn.linear_model._least_angle": ["sklearn.linear_model.least_angle"],
    "sklearn.linear_model._logistic": ["sklearn.linear_model.logistic"],
    "sklearn.linear_model._passive_aggressive": ["sklearn.linear_model.passive_aggressive"],
    "sklearn.linear_model._perceptron": ["sklearn.linear_model.perceptron"],
    "sklearn.linear_model._ransac": ["sklearn.linear_model.ransac"],
    "sklearn.linear_model._ridge": ["sklearn.linear_model.ridge"],
    "sklearn.linear_model._stochastic_gradient": ["sklearn.linear_model.stochastic_gradient"],
    "sklearn.linear_model._theil_sen": ["sklearn.linear_model.theil_sen"],
    "sklearn.mixture._bayesian_mixture": ["sklearn.mixture.bayesian_mixture"],
    "sklearn.mixture._gaussian_mixture": ["sklearn.mixture.gaussian_mixture"],
    "sklearn.neighbors._classification": ["sklearn.neighbors.classification"],
    "sklearn.neighbors._kde": ["sklearn.neighbors.kde"],
    "sklearn.neighbors._lof": ["sklearn.neighbors.lof"],
    "sklearn.neighbors._nearest_centroid": ["sklearn.neighbors.nearest_centroid"],
    "sklearn.neighbors._regression": ["sklearn.neighbors.regression"],
    "sklearn.neighbors._unsupervised": ["sklearn.neighbors.unsupervised"],
    "sklearn.neural_network._multilayer_perceptron": ["sklearn.neural_network.multilayer_perceptron"],
    "sklearn.neural_network._rbm": ["sklearn.neural_network.rbm"],
    "sklearn.preprocessing._data": ["sklearn.preprocessing.data"],
    "sklearn.preprocessing._discretization": ["sklearn.preprocessing._discretization"],
    "sklearn.preprocessing._encoders": ["sklearn.preprocessing._encoders"],
    "sklearn.preprocessing._label": ["sklearn.preprocessing.label"],
    "sklearn.semi_supervised._label_propagation": ["sklearn.semi_supervised.label_propagation"],
    "sklearn.svm._classes": ["sklearn.svm.classes"],
    "sklearn.tree._classes": ["sklearn.tree.tree"],
    "sklearn.neural_network._stochastic_optimizers": [],
}

# Classes that estimators keep in their state and that are no estimators themselves.
INTERNAL = """
sklearn.calibration _CalibratedClassifier _SigmoidCalibration _TemperatureScaling
sklearn.cluster._birch _CFNode _CFSubcluster
sklearn.cluster._bisect_k_means _BisectingTree
sklearn.ensemble._gb VerboseReporter
sklearn.ensemble._hist_gradient_boosting.binning _BinMapper
sklearn.ensemble._hist_gradient_boosting.predictor TreePredictor
sklearn.gaussian_process._gpc _BinaryGaussianProcessClassifierLaplace
sklearn.metrics._scorer _PassthroughScorer _Scorer _CurveScorer _MultimetricScorer
sklearn.neural_network._stochastic_optimizers AdamOptimizer SGDOptimizer
sklearn.utils._metadata_requests MetadataRequest MethodMetadataRequest MetadataRouter MethodMapping
sklearn._loss.link Interval
"""

# Proofs about what native code will trust (libsafemodel/pickle/scikit_learn_rules.cc), and the classes that need them.
RULES = """
sklearn.cluster._bisect_k_means k_means BisectingKMeans
sklearn.cluster._hdbscan.hdbscan linkage HDBSCAN
sklearn.cluster._kmeans k_means KMeans MiniBatchKMeans
sklearn.ensemble._bagging bagging BaggingClassifier BaggingRegressor
sklearn.ensemble._forest forest ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor \
RandomTreesEmbedding
sklearn.ensemble._gb gradient_boosting GradientBoostingClassifier GradientBoostingRegressor
sklearn.ensemble._hist_gradient_boosting.gradient_boosting hist_gradient_boosting HistGradientBoostingClassifier \
HistGradientBoostingRegressor
sklearn.ensemble._hist_gradient_boosting.predictor tree_predictor TreePredictor
sklearn.ensemble._iforest bagging IsolationForest
sklearn.ensemble._weight_boosting ada_boost AdaBoostClassifier AdaBoostRegressor
sklearn.feature_extraction._dict_vectorizer vectorizer DictVectorizer
sklearn.feature_extraction._hash hasher FeatureHasher
sklearn.feature_extraction.text vectorizer CountVectorizer TfidfVectorizer
sklearn.feature_extraction.text idf TfidfTransformer
sklearn.feature_extraction.text hasher HashingVectorizer
sklearn.linear_model._coordinate_descent coefficients ElasticNet ElasticNetCV Lasso LassoCV MultiTaskElasticNet \
MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV
sklearn.neighbors._classification neighbours KNeighborsClassifier RadiusNeighborsClassifier
sklearn.neighbors._graph neighbours KNeighborsTransformer RadiusNeighborsTransformer
sklearn.neighbors._kde neighbours KernelDensity
sklearn.neighbors._lof neighbours LocalOutlierFactor
sklearn.neighbors._regression neighbours KNeighborsRegressor RadiusNeighborsRegressor
sklearn.neighbors._unsupervised neighbours NearestNeighbors
sklearn.preprocessing._discretization bins KBinsDiscretizer
sklearn.preprocessing._encoders encoder OneHotEncoder OrdinalEncoder
sklearn.preprocessing._polynomial spline_transformer SplineTransformer
sklearn.preprocessing._target_encoder encoder TargetEncoder
sklearn.svm._classes svm_classifier NuSVC SVC
sklearn.svm._classes svm_other NuSVR OneClassSVM SVR
sklearn.tree._classes decision_tree DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
"""


# What __setstate__ of a class works with, and has to be data for that.
STATES = {
    ("sklearn.isotonic", "IsotonicRegression"): "{_sklearn_version?: str, X_?: data, y_?: data, "
    "_necessary_X_?: data, _necessary_y_?: data, X_thresholds_?: data, y_thresholds_?: data, out_of_bounds?: str, **: node}",
    ("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"): "{nodes?: data, **: node}",
}

# Functions that call what they are given, or ask it for attributes.
CALLERS = set(
    """
check_scoring config_context consensus_score delayed get_namespace get_namespace_and_device get_scorer make_scorer
metric_at_thresholds paired_distances pairwise_distances pairwise_distances_argmin pairwise_distances_argmin_min
pairwise_distances_chunked pairwise_kernels silhouette_samples silhouette_score validate_params
""".split()
)


def rules():
    """The name of the rule of each class that has one."""
    found = {}
    for line in RULES.strip().replace("\\\n", "").splitlines():
        module, rule, *names = line.split()
        for name in names:
            if not hasattr(importlib.import_module(module), name):
                raise SystemExit(f"{module} has no class {name}")
            found[module, name] = rule
    return found


def by_rule(module, names, rule_of):
    """Classes of a module in groups that share a rule, those without one first."""
    groups = collections.defaultdict(set)
    for name in names:
        groups[rule_of.get((module, name), "")].add(name)
    return sorted(groups.items())


def modules():
    for found in pkgutil.walk_packages(sklearn.__path__, "sklearn."):
        if ".tests" in found.name or "_mocking" in found.name:
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # some print when they are imported
                module = importlib.import_module(found.name)
        except Exception:  # optional dependencies
            continue
        yield module


def subclasses(module_name, base_name):
    module = importlib.import_module(module_name)
    base = getattr(module, base_name)
    return [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module_name
    ]


def instantiable():
    """Classes of estimators, and those of other objects, by module."""
    found = collections.defaultdict(set)
    estimators = collections.defaultdict(set)
    for _, cls in all_estimators():
        estimators[cls.__module__].add(cls.__name__)
    for module in modules():  # estimators that only other estimators make
        for name, cls in inspect.getmembers(module, inspect.isclass):
            private = name.startswith("_") and not name.startswith("_Base") and cls.__module__ == module.__name__
            if private and issubclass(cls, BaseEstimator) and not inspect.isabstract(cls):
                estimators[cls.__module__].add(name)
    classes = subclasses("sklearn.gaussian_process.kernels", "Kernel")
    classes += subclasses("sklearn.model_selection._split", "_MetadataRequester")
    classes += subclasses("sklearn._loss.loss", "BaseLoss")
    classes += subclasses("sklearn._loss.link", "BaseLink")
    for cls in classes:
        found[cls.__module__].add(cls.__name__)
    for line in INTERNAL.strip().splitlines():
        module_name, *names = line.split()
        module = importlib.import_module(module_name)
        for name in names:
            if hasattr(module, name):
                found[module_name].add(name)
    for module, names in estimators.items():
        found[module] -= names
    return estimators, {module: names for module, names in found.items() if names}


def reserved():
    """Methods of estimators that are no constructor parameter of any."""
    methods, parameters = set(), set()
    for _, cls in all_estimators():
        parameters |= set(cls._get_param_names())
        methods |= {
            name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_") and not name.endswith("_")
        }
    return methods - parameters


def functions():
    """Public functions that are passed to estimators: metrics, scores, kernels."""
    found = collections.defaultdict(set)
    for module_name in ("sklearn.metrics", "sklearn.metrics.pairwise", "sklearn.feature_selection"):
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", dir(module)):
            member = getattr(module, name, None)
            if inspect.isfunction(member) and not name.startswith("_") and member.__module__.startswith("sklearn."):
                found[member.__module__].add(member.__name__)
    found["sklearn.cluster._kmeans"] |= {"_kmeans_single_lloyd", "_kmeans_single_elkan"}
    return found


def print_wrapped(first, names):
    lines = textwrap.wrap(f"{first} {' '.join(sorted(names))}", 116, subsequent_indent="    ", break_long_words=False)
    print(" \\\n".join(lines))


def main():
    warnings.simplefilter("ignore")
    print('R"table(')
    print(f"# Generated from scikit-learn {sklearn.__version__} by tools/scikit_learn_tables.py.\n")
    print_wrapped("reserve estimator:", reserved())
    estimators, others = instantiable()
    rule_of, listed = rules(), set()
    print("# Estimators compare the version that wrote them with their own, and print it.")
    print("schema estimator: {_sklearn_version?: str, **: node}")
    for classes, reserve in ((estimators, "\n  reserved @estimator"), (others, "")):
        for module, names in sorted(classes.items()):
            for rule, members in by_rule(module, names, rule_of):
                listed.update((module, member) for member in members)
                print()
                print_wrapped(f"class {module}:", members)
                for alias in OLD_MODULES.get(module, []):
                    if alias != module:
                        print(f"  alias {alias}")
                state = STATES.get((module, min(members)), "@estimator" if reserve else "{*: node}")
                print(f"  new ()\n  state {state}" + reserve + (f"\n  rule {rule}" if rule else ""))
    if missing := rule_of.keys() - listed:
        raise SystemExit(f"classes with a rule that are not listed: {missing}")
    print("\n# Functions as values, and those that call what they are given.")
    for module, names in sorted(functions().items()):
        for word, sort in (("function", names - CALLERS), ("caller", names & CALLERS)):
            if sort:
                print_wrapped(f"{word} {module}:", sort)

    losses = importlib.import_module("sklearn._loss._loss")
    names = [n for n, c in inspect.getmembers(losses, inspect.isclass) if n.startswith("Cy")]
    print("\n# Losses in native code: quantiles, deltas and powers are numbers.")
    print_wrapped("class sklearn._loss._loss:", names)
    print("  call ()\n  call (float)\n  call (float, float)")
    for name in sorted(names):
        if hasattr(losses, f"__pyx_unpickle_{name}"):
            print(f"reducer sklearn._loss._loss: __pyx_unpickle_{name}")
            print(f"  call (global(sklearn._loss._loss:{name}), int, none | tuple(plain...))")
            print("  state tuple(plain...)\n  rule of_class")

    metrics = importlib.import_module("sklearn.metrics._dist_metrics")
    new = [
        n
        for n, c in inspect.getmembers(metrics, inspect.isclass)
        if n[-2:] in ("64", "32") and n[:-2].endswith("Distance") and "PyFunc" not in n
    ]
    names = sorted(set(new) | {n[:-2] for n in new})
    print("\n# Distances; the one that calls a function of Python is not among them.")
    print_wrapped("type sklearn.metrics._dist_metrics:", names)
    print("  alias sklearn.neighbors._dist_metrics\n  alias sklearn.neighbors.dist_metrics")
    print("reducer sklearn.metrics._dist_metrics: newObj\n  data")
    print("  alias sklearn.neighbors._dist_metrics\n  alias sklearn.neighbors.dist_metrics")
    choices = [f"sklearn.metrics._dist_metrics:{n}" for n in names]
    print("  call (global(" + " \\\n      ".join(choices) + "))")
    print("  state (float, data, data)\n  state required\n  rule distance")
    print(')table"')


if __name__ == "__main__":
    main()
