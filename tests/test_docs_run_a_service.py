"""The first service of docs/run-a-service.md trades, as the page says."""

from __future__ import annotations

import re
from pathlib import Path

from quant_platform_kit.service import create_app
from tests.pages import DOCS


def test_the_first_service_of_the_page_trades(tmp_path: Path) -> None:
    page = (DOCS / "run-a-service.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(cat > macd\.toml.*?)```", page, flags=re.DOTALL)
    assert block is not None
    config = re.search(r"<<END\n(.*?)END\n", block[1], flags=re.DOTALL)
    assert config is not None
    (tmp_path / "macd.toml").write_text(config[1], encoding="utf-8")
    exported = re.findall(r"(\w+)=(\S+)", "\n".join(re.findall(r"export (.*)", block[1])))
    told = {name: value.replace("$PWD", str(tmp_path)) for name, value in exported}

    client = create_app("ibkr", told).test_client()
    body = re.search(r"curl -X POST localhost:8000/run -d '(.*?)'", page)
    assert body is not None
    first, second = (client.post("/run", data=body[1]).get_json() for _ in range(2))

    assert first["report"]["outcome"] == "TRADED"
    assert (second["repeated"], second["report"]) == (True, first["report"])
