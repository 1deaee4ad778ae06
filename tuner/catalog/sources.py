"""Where data comes from."""

from __future__ import annotations

from tuner.catalog.kinds import Option, Source, Task

_BOTH: tuple[Task, ...] = ("classification", "regression")

_TARGET = Option("text", "the column to predict", required=True)
_CHOSEN = {
    "features": Option("names", "the columns to learn from; all others where none is named"),
    "drop": Option("names", "columns to leave out"),
    "group": Option(
        "text", "a column; rows of one value are never on both sides of a split, nor learnt from"
    ),
    "time": Option("text", "a column of times or numbers that says what comes later"),
}
_CELLS = {
    "missing": Option(
        "choice",
        "what to do with missing cells: fill them (see Missing cells) or refuse the file",
        default="impute",
        values=("impute", "refuse"),
    ),
    "categories": Option(
        "whole",
        "most values that a column of text may have; each becomes a column of its own",
        default="50",
        low=2,
        high=1000,
    ),
}
_TABLE = {
    "target": _TARGET,
    **_CHOSEN,
    "part": Option("text", "a column that says `train` or `test`: the data's own test"),
    **_CELLS,
}

ALL = (
    Source(
        "digits",
        "none",
        "1,797 handwritten digits of 8 by 8 pixels (scikit-learn's)",
        inputs="images",
    ),
    Source(
        "breast_cancer",
        "none",
        "569 tumours, 30 measures, 2 classes (scikit-learn's)",
        inputs="tables",
    ),
    Source("wine", "none", "178 wines, 13 measures, 3 classes (scikit-learn's)", inputs="tables"),
    Source("iris", "none", "150 irises, 4 measures, 3 classes (scikit-learn's)", inputs="tables"),
    Source(
        "xor",
        "none",
        "four clouds at the corners of a square, opposite ones of one class: no line parts them",
        options={
            "n": Option("whole", "examples", default="1000", low=40, high=1_000_000),
            "noise": Option(
                "number",
                "standard deviation of a cloud; the corners are 2 apart",
                default="0.2",
                low=0,
                high=10,
            ),
        },
        inputs="tables",
    ),
    Source(
        "npz",
        "file",
        "a NumPy archive with x, y and, if it has them, x_test, y_test, groups, times",
        tasks=_BOTH,
    ),
    Source(
        "idx",
        "folder",
        "a folder in MNIST's IDX format, gzipped or not",
        files=(
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ),
        inputs="images",
    ),
    Source(
        "csv", "file", "a table of text with a header, gzipped or not", (), _TABLE, _BOTH, "tables"
    ),
    Source("parquet", "file", "a table in Parquet's format", (), _TABLE, _BOTH, "tables"),
    Source(
        "images",
        "folder",
        "PNG and JPEG files, a folder a class; or such folders in `train` and `test`",
        options={
            "size": Option(
                "whole",
                "side in pixels of the square that images are fitted to; needed if sizes differ",
                low=4,
                high=1024,
            ),
            "color": Option(
                "choice",
                "channels: 1, 3, or as many as the files have (grey only if all are)",
                default="auto",
                values=("auto", "grey", "rgb"),
            ),
        },
        inputs="images",
    ),
    Source(
        "openml",
        "name",
        "a data set of openml.org by its number, such as openml:61",
        options={
            "target": Option("text", "the column to predict; the data set's own where not named"),
            **_CHOSEN,
            **_CELLS,
        },
        tasks=_BOTH,
        inputs="tables",
    ),
    Source(
        "torchvision",
        "name",
        "a data set by torchvision's name: MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100",
        inputs="images",
    ),
)
