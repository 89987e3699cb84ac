"""What goes wrong with the Hugging Face hub: whether trying again may help, and what to tell people."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["AGAIN", "LOG_IN", "WAITS_S", "explained", "is_passing", "reason_of"]

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""How long to wait before each new attempt, in seconds."""

AGAIN = "type the same command again: what was transferred is not transferred twice"
LOG_IN = "log in with: hf auth login, or set HF_TOKEN; the token needs the right to write"
_MOST_CHARACTERS = 300  # of what the hub says


def explained(
    error: Exception, *, url: str, revision: str, writing: bool, kind: str = "dataset"
) -> tuple[str, str | None]:
    """Say what an error of the hub's client means, and what to do about it.

    Parameters
    ----------
    error : Exception
    url : str
        Where people see the repository.
    revision : str
    writing : bool
        What was tried needs the right to write.
    kind : str
        What the repository is of.

    Returns
    -------
    (str, str or None)
        What is wrong, and what the user can do.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RevisionNotFoundError,
    )

    status = _status(error)
    if isinstance(error, LocalEntryNotFoundError):
        switched_off = any(isinstance(one, OfflineModeIsEnabled) for one in _chain(error))
        why = "was switched off by HF_HUB_OFFLINE" if switched_off else "cannot be reached"
        return f"it is not on this machine yet, and the hub {why}", "fetch it once while the hub can be reached"
    if isinstance(error, RemoteEntryNotFoundError):
        return "there is no such file in the repository", None
    if isinstance(error, OfflineModeIsEnabled):
        return "the hub was switched off by HF_HUB_OFFLINE", "unset it"
    if isinstance(error, GatedRepoError):
        return "its owner wants you to agree to terms first", f"agree to them at {url}, and log in"
    if isinstance(error, RevisionNotFoundError):
        return f"there is no revision {revision}", "correct --revision"
    if status == 401 and writing:
        return "the hub does not know this token", LOG_IN
    if status == 404 and writing:
        return "the hub knows no such user or repository", "correct the name: yours, or an organisation's of yours"
    if status in (401, 404):
        return f"there is no such {kind}, or it is private", "correct the name, or log in: hf auth login"
    if status == 403:
        return "your token may not do this", "choose a name of your own, or take a token that may write there"
    if status == 412:
        return "the repository was changed while this ran; nothing of yours was committed", AGAIN
    if status is None and _is_of_network(error):
        return f"the hub cannot be reached ({reason_of(error)})", f"look at your network; then {AGAIN}"
    return reason_of(error), AGAIN if is_passing(error) else None


def is_passing(error: BaseException) -> bool:
    """Tell whether trying again at once may help: the hub is busy, or a connection broke that had been made."""
    import httpx2

    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    return _is_of_network(error) and not any(isinstance(one, httpx2.ConnectError) for one in _chain(error))


def reason_of(error: BaseException) -> str:
    """Say in one line what the client said, without the token, which a broken header could name."""
    from huggingface_hub import get_token

    if (status := _status(error)) is not None and (status == 429 or status >= 500):
        return f"the hub answers with status {status}"
    # The client's threads wrap what went wrong in a RuntimeError that tells of no reason.
    telling = next(one for one in _chain(error) if type(one) is not RuntimeError or one.__cause__ is None)
    said = getattr(telling, "server_message", None) or str(telling)
    text = "; ".join(line.strip() for line in said.splitlines() if line.strip()) or type(telling).__name__
    token = get_token()
    text = text if not token else text.replace(token, "(token)")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status behind an error; None where none came."""
    from huggingface_hub.errors import HfHubHTTPError

    return next((int(one.response.status_code) for one in _chain(error) if isinstance(one, HfHubHTTPError)), None)


def _is_of_network(error: BaseException) -> bool:
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    return any(isinstance(one, httpx2.TransportError | TimeoutError) for one in _chain(error)) and not any(
        isinstance(one, OfflineModeIsEnabled) for one in _chain(error)
    )
