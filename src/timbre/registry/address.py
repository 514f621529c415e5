"""Addresses of models in the registry, as MLflow writes them."""

import re
from dataclasses import dataclass

from timbre.errors import TimbreError

SCHEME = "models:/"
_FORM = re.compile(r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))")


class AddressError(TimbreError):
    """Text that is no address of a model."""


@dataclass(frozen=True)
class Address:
    """`models:/NAME@ALIAS`, `models:/NAME/NUMBER` or `models:/NAME/STAGE`."""

    name: str
    which: str

    @classmethod
    def parse(cls, text: str, *, name: str) -> "Address":
        """Read an address, or a bare version, alias or stage of the model `name`.

        Raises:
            AddressError: if it is neither.
        """
        if not text.startswith("models:"):
            if not re.fullmatch(r"[\w.-]+", text):
                raise AddressError(
                    f"{text!r} is no version: give a number, an alias, or an address such as models:/{name}/3"
                )
            return cls(name, text)
        match = _FORM.fullmatch(text)
        if match is None:
            raise AddressError(f"{text!r} is no model address: use models:/{name}@production or models:/{name}/3")
        return cls(match["name"], match["alias"] or match["version"])
