# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of SpectraLift and SpectraMorph, several of them side by side as one batched network.

Both map the few bands of one multispectral pixel to a spectrum. They are so small that the cost of a training step is
mostly that of calling operators, so networks that differ in their first weights only share every call:

    a_m = W_m x + b_m    for all members m at once, with pixels in columns: [members, features, pixels]

All weights lie in one vector and all gradients in another, so that the optimiser takes one step whatever the layers.
Weights begin Glorot uniform and biases at zero, as Keras has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import leaky_relu

SLOPE = 0.3
"""Keras' negative slope of LeakyReLU (that of PyTorch is 0.01)."""


class BatchedNetwork:
    """Fully connected layers of several members, with their weights and gradients in one vector each.

    Args:
        layers: (inputs, outputs) of each layer.
        members: networks side by side.
        generator: draws the first weights (on the CPU, so that devices draw alike); None leaves all at zero.
        device: where the weights lie.

    Attributes:
        values, gradients: float32 [all parameters].
    """

    def __init__(
        self,
        layers: Sequence[tuple[int, int]],
        members: int,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.layers, self.members = tuple(layers), members
        self.parameters_per_member = sum((inputs + 1) * outputs for inputs, outputs in self.layers)
        self.values = torch.zeros(members * self.parameters_per_member)
        if generator is not None:
            for (inputs, outputs), (weight, _) in zip(self.layers, self._split(self.values)):
                limit = math.sqrt(6.0 / (inputs + outputs))
                weight.uniform_(-limit, limit, generator=generator)
        self._place(self.values if device is None else self.values.to(device))

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Predict.

        Args:
            pixels: float32 [inputs, pixels], or [members, inputs, pixels] where each member sees its own.

        Returns:
            [members, outputs, pixels].
        """
        raise NotImplementedError

    def restore(self, values: torch.Tensor) -> BatchedNetwork:
        """Take over saved ``values``; returns itself."""
        if values.shape != self.values.shape:
            raise ValueError(f"The network has {self.values.numel()} weights, not {values.numel()}.")
        self._place(values.to(torch.float32).clone())
        return self

    def to(self, device: torch.device) -> BatchedNetwork:
        """Move the weights; returns itself."""
        self._place(self.values.to(device))
        return self

    def views(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Weights [members, outputs, inputs] and biases [members, outputs, 1] of each layer; they may be changed."""
        return self._split(self.values)

    def _place(self, values: torch.Tensor) -> None:
        self.values, self.gradients = values, torch.zeros_like(values)
        self._leaves = []
        for weights, gradients in zip(self._split(values), self._split(self.gradients)):
            for weight, gradient in zip(weights, gradients):
                leaf = weight.detach().requires_grad_()  # a view: it changes with ``values``
                leaf.grad = gradient  # backward adds into it, and so into ``gradients``
                self._leaves.append(leaf)

    def _split(self, vector: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Views on the weights [members, outputs, inputs] and biases [members, outputs, 1] of each layer."""
        views, start = [], 0
        for inputs, outputs in self.layers:
            middle = start + self.members * outputs * inputs
            end = middle + self.members * outputs
            weight = vector[start:middle].view(self.members, outputs, inputs)
            views.append((weight, vector[middle:end].view(self.members, outputs, 1)))
            start = end
        return views

    def _dense(self, layer: int, pixels: torch.Tensor) -> torch.Tensor:
        weight, bias = self._leaves[2 * layer], self._leaves[2 * layer + 1]
        return torch.baddbmm(bias, weight, pixels.expand(self.members, -1, -1))


class BatchedSin(BatchedNetwork):
    """SpectraLift's "spectral inversion network".

        u = a(L1 x);  u += a(L2 u);  u += a(L4 a(L3 u));  u += a(L6 a(L5 u));  y = L7 u

    with a = LeakyReLU inside each layer and the skips added after it.

    Args:
        inputs, outputs: bands of a pixel, values to predict.
        members, generator, device: see :class:`BatchedNetwork`.
        width: hidden features.
        blocks: pairs of hidden layers with a common skip; the published network has two.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        members: int,
        generator: torch.Generator | None = None,
        width: int = 64,
        blocks: int = 2,
        device: torch.device | None = None,
    ) -> None:
        self.blocks = blocks
        hidden = [(width, width)] * (1 + 2 * blocks)
        super().__init__([(inputs, width), *hidden, (width, outputs)], members, generator, device)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Predict; see the base class."""
        first = self._active(0, pixels)
        features = first + self._active(1, first)
        for layer in range(2, 2 + 2 * self.blocks, 2):
            features = features + self._active(layer + 1, self._active(layer, features))
        return self._dense(len(self.layers) - 1, features)

    def _active(self, layer: int, pixels: torch.Tensor) -> torch.Tensor:
        return leaky_relu(self._dense(layer, pixels), SLOPE)


class BatchedLen(BatchedNetwork):
    """SpectraMorph's "latent estimation network": a(L1 x) with a = ReLU, then linear to the latent vector.

    Args:
        inputs, outputs: bands of a pixel (with those of a coarse prior), length of the latent vector.
        members, generator, device: see :class:`BatchedNetwork`.
        width: hidden features.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        members: int,
        generator: torch.Generator | None = None,
        width: int = 1024,
        device: torch.device | None = None,
    ) -> None:
        super().__init__([(inputs, width), (width, outputs)], members, generator, device)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Predict; see the base class."""
        return self._dense(1, torch.relu(self._dense(0, pixels)))
