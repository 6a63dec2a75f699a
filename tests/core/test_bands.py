"""Which bands a run uses, and what it says about the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperres.core.bands import BandTable, choose_bands, spans, written_bands
from hyperres.core.errors import BandsError


def table(nm=None, good=None, count=6):
    count = len(nm) if nm else count
    return BandTable(tuple(f"b{i}" for i in range(count)), tuple(good or [True] * count), tuple(nm) if nm else None)


def test_bad_empty_and_water_vapour_bands_are_left_out_each_with_its_reason():
    bands = table([500, 600, 1400, 1600, 1900, 2200], [True, False, True, True, True, True])
    choice = choose_bands(bands, all_nodata=[5])
    assert choice.used == (0, 3)
    assert len(choice.reasons) == 3
    assert "1 band is left out, marked as bad in the file: 2." in choice.reasons
    assert any("water-vapour" in reason and reason.endswith(": 3, 5.") for reason in choice.reasons)
    assert any("without a single valid value: 6." in reason for reason in choice.reasons)


def test_bands_picked_by_hand_are_used_even_where_marked_bad_or_in_water_vapour():
    bands = table([500, 600, 1400], [True, False, True])
    assert choose_bands(bands, wanted=[2, 1, 2]).used == (1, 2)


def test_bands_without_values_are_never_used():
    choice = choose_bands(table(), wanted=[1, 2], all_nodata=[2, 4])
    assert choice.used == (1,)
    assert choice.reasons == ("1 band is left out, without a single valid value: 3.",)


def test_no_band_is_guessed_to_be_water_vapour_without_wavelengths():
    assert choose_bands(table()).used == tuple(range(6))


@pytest.mark.parametrize("wanted", [[6], [-1], [0, 99]])
def test_a_band_that_does_not_exist_is_refused(wanted):
    with pytest.raises(BandsError, match="does not exist"):
        choose_bands(table(), wanted)


def test_nothing_left_is_refused():
    with pytest.raises(BandsError, match="No usable band"):
        choose_bands(table([1360, 1400, 1850]))


def test_subset_keeps_the_given_order_and_columns_belong_together():
    bands = BandTable(("a", "b", "c"), (True, False, True), (400.0, 500.0, 600.0), (5.0, 6.0, 7.0))
    assert bands.subset([2, 1]) == BandTable(("c", "b"), (True, False), (600.0, 500.0), (7.0, 6.0))
    with pytest.raises(BandsError):
        BandTable(("a", "b"), (True,))


def test_monotonic_means_strictly_increasing_and_known():
    assert table([400, 500]).is_monotonic()
    assert not table([400, 400]).is_monotonic()
    assert not table([500, 400]).is_monotonic()
    assert not table().is_monotonic()


@given(st.sets(st.integers(0, 60)))
def test_spans_name_every_band_once_counted_from_one(bands):
    named = []
    for part in filter(None, spans(sorted(bands)).split(", ")):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert [number - 1 for number in named] == sorted(bands)


def test_bands_to_write_are_counted_in_the_file():
    assert written_bands((7, 3), (2, 3, 5, 7)) == (1, 3)
    assert written_bands(None, (2, 5, 7)) == (0, 1, 2)
    with pytest.raises(BandsError, match="Band 4 cannot be written"):
        written_bands((7, 3), (2, 5, 7))
    with pytest.raises(BandsError, match="at least one"):
        written_bands((), (2, 5, 7))
