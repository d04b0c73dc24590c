from __future__ import annotations

import re

from dicom_node.objects.uids import derived_uid


def test_the_same_parts_give_the_same_uid_and_others_another() -> None:
    assert derived_uid("correction", "7") == derived_uid("correction", "7")
    assert derived_uid("correction", "7") != derived_uid("correction", "8")


def test_parts_do_not_run_into_each_other() -> None:
    assert derived_uid("ab", "c") != derived_uid("a", "bc")


def test_derived_uids_obey_the_standard() -> None:
    uids = [derived_uid("x", str(n)) for n in range(500)]
    assert all(re.fullmatch(r"2\.25\.[1-9][0-9]{0,58}", uid) for uid in uids)
    assert len(set(uids)) == 500
