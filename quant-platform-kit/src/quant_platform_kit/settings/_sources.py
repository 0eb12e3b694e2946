"""Where the text of a variable comes from: the environment, a file, or Google Secret Manager."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import InvalidOperation
from pathlib import Path
from typing import Any, Final

from quant_platform_kit.errors import SettingsError
from quant_platform_kit.secret_manager import SecretManager, SecretName
from quant_platform_kit.settings._schema import SECRET_MANAGER
from quant_platform_kit.settings._variable import WANTED, Platform, Source, Variable

PROJECT: Final = "GOOGLE_CLOUD_PROJECT"

_NAME_WANTED: Final = (
    "the name of a secret such as projects/P/secrets/S/versions/latest, or only S with "
    f"{PROJECT} set"
)


class Sources:
    """The variables of one platform's service, and the places that some of them name.

    Parameters
    ----------
    platform : Platform
    environ : mapping of str to str
    """

    def __init__(self, platform: Platform, environ: Mapping[str, str]) -> None:
        self.platform = platform
        self._environ = environ
        self._secrets: SecretManager | None = None

    @property
    def secret_manager_url(self) -> str:
        """Where secrets are asked for."""
        url: str = self.value(SECRET_MANAGER)
        return url

    def spelling(self, variable: Variable) -> str | None:
        """Return the name under which a variable is set; None when it is not.

        Raises
        ------
        SettingsError
            When it is set under two names.
        """
        names = variable.spellings(self.platform)
        given = [name for name in names if self._environ.get(name, "").strip()]
        if len(given) > 1:
            raise SettingsError(
                f"{given[0]} and {given[1]} are both set; keep one and remove the other."
            )
        return given[0] if given else None

    def value(self, variable: Variable) -> Any:  # noqa: ANN401 (one reader for every type)
        """Return the value of a variable, or of its default.

        Raises
        ------
        SettingsError
            When it is missing or cannot be read; the message names it, and shows no secret.
        TransientError
            When Secret Manager does not answer.
        """
        name = self.spelling(variable)
        text = variable.default if name is None else self._text(name, variable)
        if text is None:
            raise SettingsError(f"{variable.name} is not set: {variable.meaning}")
        try:
            return variable.read(text)
        except (ValueError, InvalidOperation):
            shown = "***" if variable.is_secret else repr(text)
            wanted = WANTED.get(variable.read, "a readable value")
            raise SettingsError(f"{name or variable.name} = {shown}: expected {wanted}.") from None

    def secret_name(self, name: str) -> SecretName:
        """Return the secret that a variable names.

        Raises
        ------
        SettingsError
            When its value is no name of a secret.
        """
        text = self._environ[name].strip()
        try:
            return SecretName.parse(text, self._environ.get(PROJECT, "").strip())
        except ValueError:
            # Somebody may have written the secret itself where its name belongs.
            raise SettingsError(f"{name} = ***: expected {_NAME_WANTED}.") from None

    def _text(self, name: str, variable: Variable) -> str:
        given = self._environ[name].strip()
        match variable.spellings(self.platform)[name]:
            case Source.VALUE:
                return given
            case Source.FILE:
                return _content(name, given)
            case Source.SECRET:
                return self._secret(name)

    def _secret(self, name: str) -> str:
        kept = self.secret_name(name)
        if self._secrets is None:
            self._secrets = SecretManager(self.secret_manager_url)
        secret = self._secrets.read(kept).strip()
        if not secret:
            raise SettingsError(f"{name} names a secret that is blank: {kept}.")
        return secret


def _content(name: str, path: str) -> str:
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(f"{name} = {_shown(path)}: the file cannot be read ({why}).") from None
    except UnicodeDecodeError:  # whose text quotes what it could not read
        raise SettingsError(f"{name} = {path!r}: the file is not text in UTF-8.") from None
    if not content:
        raise SettingsError(f"{name} = {path!r}: the file is blank.")
    return content


def _shown(path: str) -> str:
    """Show only what leads somewhere: it may be the secret itself, where its path belongs."""
    folder = Path(path).parent
    try:
        leads_somewhere = len(folder.parts) > 1 and folder.is_dir()
    except OSError:
        leads_somewhere = False
    return repr(path) if leads_somewhere else "***"
