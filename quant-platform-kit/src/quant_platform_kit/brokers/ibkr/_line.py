"""The line to TWS: connects when needed, and gives up a connection that cannot be trusted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import sleep
from typing import Any, Final, TypeVar

from quant_platform_kit.brokers.ibkr._login import IbkrLogin
from quant_platform_kit.brokers.ibkr._rows import reading
from quant_platform_kit.brokers.ibkr._sdk import LoopThread, load_library
from quant_platform_kit.brokers.ibkr._session import ClientIdTakenError, Session
from quant_platform_kit.contracts import Submission
from quant_platform_kit.errors import BrokerAnswerError, PlatformError, TransientError

T = TypeVar("T")

_CLOSE_SECS: Final = 2.0
_CONNECT_STEPS: Final = 4  # socket, greeting, what the library reads first, executions
_REJOIN_SECS: Final = (0.1, 0.4, 1.0)
_PASSING: Final = frozenset({100, 162, 165, 320, 366, 420, 504, 10197})
_UNSENT: Final = "Not connected"  # what both libraries say before they write anything
_LOST: Final = (
    "TWS has lost its line to Interactive Brokers; nothing more was sent. It reconnects by itself: "
    "run the slot again, and look at TWS if this repeats."
)


class Line:
    """Asks TWS one thing at a time, from any thread.

    A connection that broke, did not answer in time or sent something unreadable is given up, and
    the next question makes another one: a late answer to an old question is then never taken for
    the answer to a new one.

    Attributes
    ----------
    lock : threading.RLock
        Held while several questions belong together.
    """

    def __init__(self, login: IbkrLogin) -> None:
        self._login = login
        self._library = load_library()
        self._loop = LoopThread.shared()
        self._session: Session | None = None
        self.lock = threading.RLock()

    def connected(self) -> Session:
        """Return a sound connection, a new one where needed.

        Raises
        ------
        SettingsError
            When the configured account is not one of the login's.
        TransientError
            When TWS cannot be reached or does not let us in.
        """
        if self._session is not None and self._session.is_alive:
            return self._session
        self.close()
        for pause in _REJOIN_SECS:
            try:
                return self._opened()
            except ClientIdTakenError:
                sleep(pause)  # TWS may not have noticed yet that our last connection ended
        return self._opened()

    def ask(
        self, work: Callable[[Session], Coroutine[Any, Any, T]], secs: float | None = None
    ) -> T:
        """Do `work` on a sound connection and return its complete answer.

        Raises
        ------
        TransientError
            When there is no complete answer within `secs`, or TWS has lost its own line.
        BrokerAnswerError
            When TWS refuses the request for good.
        """
        limit = self._login.query_secs if secs is None else secs
        with self.lock:
            try:
                return self._ask(work, limit)
            except OSError as error:
                if str(error) != _UNSENT:
                    raise _broken(error) from error
            # TWS had hung up, and the library noticed it only when it was to send: nothing was.
            try:
                return self._ask(work, limit)
            except OSError as error:
                raise _broken(error) from error

    def _ask(self, work: Callable[[Session], Coroutine[Any, Any, T]], limit: float) -> T:
        """Do `work` once; a connection that breaks is given up, its error left to the caller."""
        session = self.connected()
        if session.inbox.line_lost:
            raise TransientError(_LOST)
        try:
            with reading("what it was asked"):
                answer = self._loop.run(work(session), limit)
        except TimeoutError as error:
            self.close()
            raise _unreachable(f"did not answer within {limit:g} s") from error
        except OSError:
            self.close()
            raise
        except self._library.RequestError as error:
            words = session.inbox.blotted(error.message)
            raise _refused(error.code, words) from error
        return self._checked(session, answer)

    def health(self) -> tuple[str, ...]:
        """Return what an operator should look at; empty when all is well."""
        session = self._session
        if session is None:  # as between runs
            return ()
        if not session.is_alive:
            return ("There is no connection to TWS; the next call makes one.",)
        return (_LOST,) if session.inbox.line_lost else ()

    def close(self) -> None:
        """Give up the connection."""
        with self.lock:
            session, self._session = self._session, None
            if session is not None:
                with suppress(TimeoutError):  # it is given up all the same
                    self._loop.run(session.close(), _CLOSE_SECS)

    def _checked(self, session: Session, answer: T) -> T:
        damaged, lost = session.inbox.damaged, session.inbox.line_lost
        if damaged:
            self.close()
        if isinstance(answer, Submission):
            return answer  # which says by itself what is known
        if damaged:
            raise _unreachable("sent something that cannot be read")
        if lost:
            raise TransientError(_LOST)
        return answer

    def _opened(self) -> Session:
        limit = _CONNECT_STEPS * self._login.connect_secs
        try:
            self._session = self._loop.run(_open(self._library, self._login), limit)
        except TimeoutError as error:
            raise _unreachable(f"let nobody in within {limit:g} s") from error
        except self._library.RequestError as error:
            raise _refused(error.code, error.message) from error
        return self._session


async def _open(library: Any, login: IbkrLogin) -> Session:  # noqa: ANN401 (an untyped module)
    session = Session(library, login)  # on the loop, where its events belong
    try:
        await session.open()
    except BaseException:
        await session.close()
        raise
    return session


def _broken(error: OSError) -> TransientError:
    return _unreachable(f"broke the connection ({error})")


def _unreachable(what: str) -> TransientError:
    return TransientError(
        f"TWS {what}; nothing is assumed about what was asked for. The next call connects again: "
        "run the slot again, and look at TWS if this repeats."
    )


def _refused(code: int, text: str) -> PlatformError:
    words = f"Interactive Brokers refused a request: {text} (code {code}); nothing more was sent."
    if code in _PASSING:
        return TransientError(f"{words} Run the slot again.")
    return BrokerAnswerError(f"{words} Look the code up in the broker's list and put it right.")
