"""The runbooks: every block of them, in the order of a service's life, on one small desk.

Git, pip, the services, `qpk` and the brokers' SDKs are real; Google Cloud, its Secret Manager and
the brokers are the stand-ins that the kit ships, each reached as the real one is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quant_platform_kit.market import SLOTS, window, xnys
from quant_platform_kit.release import environment, pin, verify_pins
from quant_platform_kit.simulators import SimulatorProcess, service_variables
from quant_platform_kit.simulators.longbridge import access_token
from quant_platform_kit.testing.gcloud import Cloud
from tests.desk import PROFILE, RANKED, Desk, config_of
from tests.pages import Reader
from tests.secret_manager import secret_server
from tests.wires import CASH_USD, FIRST

pytest.importorskip("google.cloud.secretmanager_v1")

MACD, MEGA_CAP = "configs/macd.json", "configs/mega_cap.json"
UNIVERSE = (
    "symbol,sector,start,end\nAAPL,Technology,2000-03-01,\nFB,Media,2012-05-18,\n"
    "GOOG,Media,2004-08-19,\n"
)
GROUP = "[desk]\nhost = '127.0.0.1'\nport = {port}\n[desk.client_ids]\n{account} = 12\n"


class Vault(dict[str, list[str | None]]):
    """The secrets of a project, as a server of Secret Manager asks for them."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def get(self, name: str, _: object = None) -> list[str] | None:  # type: ignore[override]
        return self._cloud.versions(name.rpartition("/")[2])


@dataclass
class Life:
    """A desk on which one page after the other is read."""

    desk: Desk
    cloud: Cloud
    reader: Reader
    stack: ExitStack

    @property
    def root(self) -> Path:
        return self.desk.root

    def run(self, commands: str) -> None:
        code, output = self.reader.run(commands)
        assert code == 0, output

    def lend(self, platform: str) -> None:
        """Give an image of what is pinned here the environment of its pins."""
        place = self.desk.layout.platform(platform)
        built = environment(self.desk.layout, place, self.desk.head(platform))
        self.cloud.lend(built.bundle.id, built.python)

    def simulator(self, broker: str, account: str) -> SimulatorProcess:
        """Start a broker with an account, in the window of its first session."""
        simulator = SimulatorProcess.start(
            broker,
            account_id=account,
            market="sample",
            start=window(xnys(), SLOTS["close"], FIRST).opens_at + timedelta(minutes=2),
            cash_usd=CASH_USD,
        )
        return self.stack.enter_context(simulator)


@pytest.fixture
def life(house: Desk, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    """Return a desk before its first release, with a project at Google."""
    monkeypatch.setenv("HOME", str(house.root.parent))
    monkeypatch.setenv("COLUMNS", "240")
    with ExitStack() as stack:
        server = stack.enter_context(secret_server())
        server.secrets = Vault(cloud)
        furnish(house, server.url)
        # What an operator's own shell says must not reach a service's account.
        misleading = {"EXECUTION_MODE": "live", "QPK_STATE_DIR": "/nowhere", "K_SERVICE": "mine"}
        yield Life(house, cloud, Reader(house.root, os.environ | misleading), stack)


def furnish(desk: Desk, secrets: str) -> None:
    """Put configurations into the images, say where snapshots and secrets are, and publish some."""
    path = desk.root / "release.toml"
    snapshots, record = (desk.root.with_name(name) for name in ("snapshots", "reconciled.json"))
    text = path.read_text().replace(
        'region = "us-east4"\n', f'region = "us-east4"\nreconciliation_output = "{record}"\n'
    )
    path.write_text(f'{text}\n[snapshots]\n{RANKED} = "{snapshots}"\n')
    for platform in ("ibkr", "longbridge"):
        shutil.copy(config_of(desk.root, PROFILE), desk.folder(platform) / MACD)
        shutil.copy(config_of(desk.root, RANKED), desk.folder(platform) / MEGA_CAP)
        for definition in desk.folder(platform).glob("service*.yaml"):
            plain = definition.read_text().replace(str(config_of(desk.root, PROFILE)), MACD)
            definition.write_text(plain + variables({"QPK_SECRET_MANAGER_URL": secrets}))
    desk.commit_platforms()
    universe = desk.root.with_name("universe.csv")
    universe.write_text(UNIVERSE)
    qpk = str(Path(sys.executable).with_name("qpk"))
    words = f"snapshot build {RANKED} --prices sample --as-of 2013-02-28 --to {snapshots}".split()
    words += ["--config", str(config_of(desk.root, RANKED)), "--universe", str(universe)]
    subprocess.run((qpk, *words), check=True, capture_output=True)


def variables(values: Mapping[str, str]) -> str:
    """Return variables as lines of a definition."""
    lines = "            - name: {}\n              value: {}\n"
    return "".join(lines.format(name, json.dumps(value)) for name, value in values.items())


# ── The pages, in the order in which they are read ─────────────────────────────────────


def release(life: Life) -> None:
    tags = {"KIT_TAG": "mini-kit-v0.1.0", "STRATEGIES_TAG": "mini-strategies-v0.1.0"}
    slot = "gcloud scheduler jobs run $SERVICE-close --location=us-east4"

    def run_the_slot() -> None:
        life.lend("ibkr")
        life.run(slot)

    told = {"KIT": "0.1.0", "STRATEGIES": "0.1.0", **tags}
    life.reader.read("release.md", told, {"the slot": run_the_slot})
    life.run("./release.sh deploy longbridge --apply --why first")
    life.lend("longbridge")


def switch(life: Life) -> None:
    life.reader.read("switch.md")


def incident(life: Life) -> None:
    life.reader.read("incident.md")


def new_account(life: Life) -> None:
    account = "DU1234567"
    simulator = life.simulator("ibkr", account)
    kept = life.root.with_name("new-account")
    kept.mkdir()
    (kept / "account").write_text(account)
    (kept / "groups.toml").write_text(GROUP.format(port=simulator.port, account=account))

    def tell_where_the_simulator_is() -> None:
        """Let the new service have a clock that fits its broker, and a folder of its own."""
        definition = life.desk.folder("ibkr") / "service-two.yaml"
        own = definition.read_text().replace("ibkr-service\n", "ibkr-service-two\n")
        told = {"QPK_SIMULATOR_CONTROL": str(simulator.control.port), "IBKR_MESSAGES_PER_SEC": "0"}
        definition.write_text(own + variables(told))
        life.desk.commit_platforms()

    told = {"RUNNER": "runner@desk.invalid", "CALLER": "caller@desk.invalid"}
    life.reader.read("new-account.md", told, {"the simulator": tell_where_the_simulator_is})


def new_broker_token(life: Life) -> None:
    account = "20000001"
    simulator = life.simulator("longbridge", account)
    folder = life.root.with_name("new-token")
    folder.mkdir()
    login = service_variables(
        *("longbridge", account),
        port=simulator.port,
        control_port=simulator.control.port,
        folder=folder,
    )
    (folder / "token").write_text(login.pop("LONGPORT_ACCESS_TOKEN"))
    ended = access_token(account, expires_at=datetime(2012, 1, 1, tzinfo=UTC))
    life.cloud.keep_secret("longport-hk", "1", ended)
    login |= {"EXECUTION_MODE": "paper"}
    told = ",".join(f"{name}={value}" for name, value in login.items())
    life.run(
        "gcloud run services update rebalancer-longbridge-hk --region=asia-east1 "
        f"--update-env-vars={told}"
    )
    life.reader.read("new-broker-token.md")


def roll_back(life: Life) -> None:
    """Release a kit and switch a profile first, so that there is something to take back."""
    life.run("git pull --quiet")
    life.desk.announce("kit", "0.1.1")
    life.desk.release("kit", "0.1.1")
    pin(life.desk.layout, {})
    life.desk.commit_platforms()
    verify_pins(life.desk.layout, life.desk.layout.platform("ibkr"))
    life.lend("ibkr")
    life.run(
        "./release.sh deploy ibkr --apply --why 'kit 0.1.1'\n"
        f"./release.sh switch ibkr --service rebalancer-ibkr --profile {PROFILE} "
        "--set IBKR_STRATEGY_CONFIG_PATH=configs/macd.json "
        "--without-shadow 'in a hurry' --apply --why 'month end'\n"
        "git add records\ngit commit --quiet --message Records\ngit push --quiet"
    )

    def run_the_next_slot() -> None:
        life.cloud.ask("rebalancer-ibkr", {"slot": "next"})

    life.reader.read("roll-back.md", meanwhile={"the next slot": run_the_next_slot})


def test_the_runbooks_do_what_they_say(life: Life) -> None:
    for read in (release, switch, incident, new_account, new_broker_token, roll_back):
        read(life)
