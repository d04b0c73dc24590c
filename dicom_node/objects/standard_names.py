"""Structure names that can say nothing about a patient: organs and targets, as in AAPM TG-263."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PAIRED = """
    Lung Breast Kidney Eye Lens OpticNrv Cochlea Parotid Glnd_Submand Glnd_Lacrimal Femur_Head
    Femur Humerus_Head Humerus Hippocampus Clavicle Scapula Ovary BrachialPlex LobeTemporal
    Glnd_Adrenal Ureter Chestwall
"""
_SINGLE = """
    Heart A_LAD A_LCX A_Coronary A_Aorta A_Pulmonary V_Venacava_S V_Venacava_I Atrium_L Atrium_R
    Ventricle_L Ventricle_R GreatVes Pericardium Lungs Breasts Kidneys Eyes Parotids Femurs
    Esophagus Trachea Bronchus Carina Liver Spleen Stomach Duodenum Pancreas Gallbladder Bowel
    Bowel_Bag
    Bowel_Small Bowel_Large Bladder Rectum Sigmoid Colon AnalCanal Anus Prostate SeminalVes
    PenileBulb Urethra Uterus Cervix Vagina Ovaries Testis Brain Brainstem Cerebellum OpticChiasm
    Pituitary SpinalCord SpinalCanal CaudaEquina SacralPlex Sacrum Sternum Ribs Mandible Larynx
    Pharynx Thyroid Tongue Cavity_Oral Lips Glottis Skin Body External Couch CouchSurface
    CouchInterior Bolus Artifact Nodes Scar Areola Seroma Tumor TumorBed Carotid_L Carotid_R Bones
    BoneMarrow Pelvis Skull Thecal_Sac Vertebra Isocenter Marker
"""
_NAMES = [
    *_SINGLE.split(),
    *_PAIRED.split(),
    *(f"{name}_{side}" for name in _PAIRED.split() for side in ("L", "R")),
]
_SIDES = {"left": "l", "lt": "l", "right": "r", "rt": "r"}
# A target with its number and its dose level: PTV, CTVn2, PTV_5000.
_TARGET = re.compile(r"(?:[ip]?gtv|[ip]?ctv|itv|ptv)[pn]?\d{0,2}(?:[_ ]\d{4})?", re.IGNORECASE)


class StandardNames:
    """Names that may stay, in their standard spelling; `configured` are those of config.yaml."""

    def __init__(self, configured: Iterable[str] = ()) -> None:
        self._spelling = {_bare(name): name for name in (*_NAMES, *configured)}

    def spelled(self, roi_name: str) -> str | None:
        """The standard spelling of a name, None where the name is not one of these."""
        if _TARGET.fullmatch(roi_name.strip()):
            return roi_name.strip()
        return self._spelling.get(_bare(roi_name))


def _bare(name: str) -> str:
    """One form for "Lt Lung", "Left Lung", "lung_l" and "Lung_L"."""
    words = re.split(r"[\s_\-]+", name.strip().casefold())
    sides = [_SIDES[word] for word in words if word in _SIDES]
    return "".join([word for word in words if word not in _SIDES] + sides)
