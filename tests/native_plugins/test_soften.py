"""native_plugins/soften: an image filter on arrays of NumPy, against a plain reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tree import ROOT

import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("placement")

np = pytest.importorskip("numpy")
HERE = ROOT / "native_plugins" / "soften"


@pytest.fixture(scope="module")
def box(build: Callable[..., Path], placement: str) -> loader.Plugin:  # noqa: ARG001 - anew for each
    """The plugin."""
    contract = loader.Contract.from_header(HERE / "soften.h")
    return loader.load(build(HERE / "soften.c"), contract=contract)


def reference(image: Any, radius: int) -> Any:
    """The mean over a square, edges repeated; one sum for each element."""
    edges = ((radius, radius), (radius, radius), *(((0, 0),) * (image.ndim - 2)))
    wide = np.pad(image.astype(np.float64), edges, mode="edge")
    rows, columns = image.shape[:2]
    side = range(2 * radius + 1)
    total = sum(wide[row : row + rows, column : column + columns] for row in side for column in side)
    mean = total / (2 * radius + 1) ** 2
    return np.floor(mean + 0.5).astype(np.uint8) if image.dtype == np.uint8 else mean.astype(np.float32)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    ("shape", "radius"), [((1, 1), 3), ((7, 9), 0), ((7, 9), 2), ((6, 5, 3), 1), ((40, 3, 4), 9)]
)
def test_it_is_the_mean(box: loader.Plugin, dtype: str, shape: tuple[int, ...], radius: int) -> None:
    """Of every element, in images with and without channels, larger and smaller than the square."""
    random = np.random.default_rng(1)
    image = (random.random(shape) * 255).astype(dtype)
    result = np.empty_like(image)
    box.soften(image, radius, result)
    np.testing.assert_allclose(result, reference(image, radius), rtol=1e-5, atol=1e-4)


def test_strides_are_read_as_they_are(box: loader.Plugin) -> None:
    """Turned, reversed and thinned views are read and written in place, without a copy."""
    image = (np.random.default_rng(2).random((12, 10, 3)) * 255).astype(np.float32)
    for view in (image.transpose(1, 0, 2), image[::-1, ::2], image[:, :, 1], image[::3, ::-1, ::-2]):
        whole = np.zeros((view.shape[0] * 2, view.shape[1], *view.shape[2:]), np.float32)
        box.soften(view, 1, whole[::2])
        np.testing.assert_allclose(whole[::2], reference(view, 1), rtol=1e-5, atol=1e-4)
        assert not whole[1::2].any()


def test_what_does_not_fit(box: loader.Plugin) -> None:
    """Other shapes and types are refused by the plugin, a result that cannot be written by the host."""
    image = np.zeros((4, 4), np.float32)
    for wrong in (np.zeros((4, 5), np.float32), np.zeros((4, 4, 1), np.float32)):
        with pytest.raises(loader.PluginError, match="not of one shape"):
            box.soften(image, 1, wrong)
    for wrong in (np.zeros((4, 4), np.float64), np.zeros((4, 4), np.uint8), np.zeros(4, np.float32)):
        with pytest.raises(loader.PluginError, match="float32 or of uint8"):
            box.soften(image, 1, wrong)
    image.flags.writeable = False
    with pytest.raises((TypeError, ValueError, BufferError), match="result"):
        box.soften(np.zeros((4, 4), np.float32), 1, image)
    empty = np.zeros((0, 4), np.float32)
    box.soften(empty, 1, empty.copy())
