"""Published curves, by the name of their table and of its columns."""

import csv
from pathlib import Path

import pytest

CURVES = Path(__file__).parents[2].parent / "shared" / "data" / "curves"

EFFICIENTNET = ("efficientnet_imagenet_flops", "gflops", "top1_accuracy_percent", "maximize")
RESNET_CIFAR = ("resnet_cifar10_depth", "depth", "test_error_percent", "minimize")
RESNET_IMAGENET = (
    "resnet_imagenet_depth_torchvision_v1",
    "depth",
    "top1_accuracy_percent",
    "maximize",
)
VGG = ("vgg_imagenet_depth", "depth", "top1_error_percent", "minimize")
WRN_CIFAR10 = ("wrn40_cifar_width", "width_multiplier", "cifar10_error_percent", "minimize")
WRN_CIFAR100 = ("wrn40_cifar_width", "width_multiplier", "cifar100_error_percent", "minimize")


def columns(table: str, *names: str) -> list[list[float]]:
    """Returns columns of a published table, of the rows where none is empty."""
    path = CURVES / f"{table}.csv"
    if not path.exists():
        pytest.skip("the published curves are not beside this checkout")
    with path.open() as lines:
        rows = [row for row in csv.DictReader(lines) if all(row[name] for name in names)]
    return [[float(row[name]) for row in rows] for name in names]
