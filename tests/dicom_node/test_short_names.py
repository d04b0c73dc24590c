from __future__ import annotations

import pytest

from dicom_node.objects.short_names import plain, short_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Heart", "Lung_L"], ["Heart", "Lung_L"]),
        (["Bowel_Bag_Superior"], ["Bowel_Bag_Superi"]),
        (["Glnd_Submand_Left", "Glnd_Submand_Lefts"], ["Glnd_Submand_Lef", "Glnd_Submand_L~2"]),
        # a name that fits is kept, also where it comes later
        (["Exactly_sixteen__", "EXACTLY_SIXTEEN_"], ["Exactly_sixtee~2", "EXACTLY_SIXTEEN_"]),
        (["Heart", "HEART", "heart"], ["Heart", "HEART~2", "heart~3"]),
        (["Heart", "Heart", "Heart~2"], ["Heart", "Heart~3", "Heart~2"]),
        (["A name of fifteen and more"], ["A name of fiftee"]),
        (["A name at blank  and more"], ["A name at blank"]),
        (["a\\b\n"], ["a/b"]),
        ([f"The same long name {n}" for n in range(12)][10:11], ["The same long na"]),
    ],
)
def test_names_fit_and_no_two_are_alike(names: list[str], expected: list[str]) -> None:
    assert short_names(names) == expected


def test_many_names_that_cut_to_one_stay_apart_and_always_in_the_same_way() -> None:
    names = [f"The same long name {n}" for n in range(120)]
    short = short_names(names)
    assert short == short_names(names)
    assert len({name.casefold() for name in short}) == 120
    assert max(map(len, short)) == 16
    assert short[-1] == "The same lon~120"


def test_control_characters_cannot_enter_a_value() -> None:
    assert plain("He\x1bart\0 \\ x", 64) == "Heart / x"
