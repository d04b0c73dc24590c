"""Settings of the login at the hospital's own provider (OpenID Connect)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from core.section import Section

Claim = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Role = Literal["admin", "physicist", "physician", "viewer"]
# Without TLS only a provider on this very machine.
_ISSUER = re.compile(r"https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s?#]*)?")


class OidcSettings(Section):
    """A provider that proves who somebody is; without an issuer there is none."""

    issuer: str = ""
    client_id: Annotated[str, StringConstraints(max_length=255)] = ""
    client_secret_file: str = ""
    authorities: str = ""
    scopes: Annotated[str, StringConstraints(pattern=r"^openid( \S+)*$")] = "openid profile"
    name_claim: Claim = "preferred_username"
    make_accounts: bool = False
    roles_claim: Claim = "groups"
    roles: dict[str, Annotated[tuple[Role, ...], Field(min_length=1)]] = Field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer and not _ISSUER.fullmatch(self.issuer):
            raise ValueError("issuer must be an address with https://, as the provider names it")
        if self.issuer and not self.client_id:
            raise ValueError(
                "client_id is missing: the provider gave one when this page was listed"
            )
        if self.make_accounts and not self.roles:
            raise ValueError("make_accounts needs roles: which value of roles_claim gives which")
        return self

    def roles_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The roles that these claims give an account that is made."""
        return self._given(claims, self.roles)

    def groups_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The groups likewise."""
        return self._given(claims, self.groups)

    def _given(
        self, claims: Mapping[str, Any], table: Mapping[str, tuple[str, ...]]
    ) -> frozenset[str]:
        told = claims.get(self.roles_claim, ())
        values = [told] if isinstance(told, str) else told if isinstance(told, list) else []
        known = (table.get(value, ()) for value in values if isinstance(value, str))
        return frozenset().union(*known)

    def in_folder(self, folder: Path) -> OidcSettings:
        """The same with every path from this folder."""
        files = {
            name: str(folder / found)
            for name in ("client_secret_file", "authorities")
            if (found := getattr(self, name))
        }
        return self.model_copy(update=files)
