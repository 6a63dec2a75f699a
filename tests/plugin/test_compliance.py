# SPDX-License-Identifier: GPL-3.0-or-later
"""The conventions of QGIS for names, help texts and metadata."""

from __future__ import annotations

import configparser
import re
from urllib.parse import urlparse

import pytest
from helpers import ALGORITHMS, ROOT
from qgis.core import QgsProcessingParameterDefinition

METHOD_NAMES = {"SpectraLift", "SpectraMorph"}
ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced


@pytest.fixture(params=ALGORITHMS)
def algorithm(request, provider):
    return provider.algorithm(request.param)


def test_the_provider_lists_exactly_these_algorithms(provider):
    assert sorted(a.name() for a in provider.algorithms()) == sorted(ALGORITHMS)
    assert provider.id() == "hyperres"
    assert provider.name() == "HyperRes"
    assert not provider.icon().isNull()


def test_rasters_are_offered_in_formats_that_we_write(provider):
    assert provider.supportedOutputRasterLayerExtensions() == ["tif", "tiff", "bsq", "dat", "img"]
    assert provider.defaultRasterFileExtension() == "tif"


def test_names_are_lower_case_letters_and_digits(algorithm):
    assert re.fullmatch("[a-z0-9]+", algorithm.name())
    assert re.fullmatch("[a-z0-9]+", algorithm.groupId())


def test_display_names_are_in_sentence_case(algorithm):
    words = algorithm.displayName().split()
    assert words[0][0].isupper()
    assert all(word.islower() or word in METHOD_NAMES for word in words[1:])
    assert "algorithm" not in algorithm.displayName().lower()


def test_short_description_is_one_sentence_that_starts_with_a_verb(algorithm):
    text = algorithm.shortDescription()
    assert text[0].isupper()
    assert text.split()[0].endswith("s")
    assert text.endswith(".")
    assert "<" not in text
    assert not text.startswith("This algorithm")


def test_tags_icon_and_help_url(algorithm):
    assert len(algorithm.tags()) >= 3
    assert not algorithm.icon().isNull()
    assert isinstance(algorithm.helpUrl(), str)


def test_help_uses_headings_and_paragraphs_only_and_names_every_parameter(algorithm):
    text = algorithm.shortHelpString()
    assert set(re.findall(r"</?(\w+)", text)) <= {"h3", "p"}
    for parameter in algorithm.parameterDefinitions():
        assert parameter.help(), parameter.name()
        assert f"{parameter.description()}: {parameter.help()}" in text


def test_enums_keep_words_and_explain_them(algorithm):
    for parameter in algorithm.parameterDefinitions():
        if parameter.type() == "enum":
            assert parameter.usesStaticStrings(), parameter.name()
            for option in parameter.options():
                assert option.split(":")[0] in parameter.help(), f"{parameter.name()}={option}"


def test_parameter_names_and_labels(algorithm):
    for parameter in algorithm.parameterDefinitions():
        assert re.fullmatch("[A-Z][A-Z_]*", parameter.name())
        assert parameter.description()[0].isupper()
        assert not re.search("[<>*]", parameter.description())


def test_at_most_seven_inputs_are_in_sight(algorithm):
    visible = [p for p in algorithm.parameterDefinitions() if not p.isDestination() and not p.flags() & ADVANCED]
    assert len(visible) <= 7, [p.name() for p in visible]


def test_a_new_instance_is_made_each_time(algorithm):
    assert algorithm.create() is not algorithm


def test_secondary_outputs_are_not_made_unasked(provider):
    algorithm = provider.algorithm("unmix")
    made = [d.name() for d in algorithm.destinationParameterDefinitions() if d.createByDefault()]
    assert made == ["OUTPUT"]


def test_metadata_are_complete():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    metadata = parser["general"]
    for key in ("name", "description", "version", "author", "email", "about", "tracker", "repository", "homepage"):
        assert metadata[key].strip(), key
    assert metadata["name"] == "HyperRes"
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"])
    assert (metadata["qgisMinimumVersion"], metadata["qgisMaximumVersion"]) == ("3.22", "4.99")
    assert metadata["hasProcessingProvider"] == "yes"
    assert metadata["category"] == "Raster"
    assert "supportsQt6" not in metadata
    assert "/" not in metadata["author"]
    assert (ROOT / metadata["icon"]).is_file()
    for key in ("tracker", "repository", "homepage"):
        assert urlparse(metadata[key]).scheme == "https"
    for package in ("torch", "numpy", "scipy", "rasterio", "safetensors"):
        assert package in metadata["about"]
