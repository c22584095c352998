"""Every mistake has its file, its line, its field and what was expected; all of them are told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkstate.config import from_document, load, to_document
from bulkstate.config.settings import CONFIGURATION
from bulkstate.errors import InputError
from bulkstate.forms.sections import Section
from tests.config.writing import ENVIRON, GOOD, loaded, mistakes, spoilt

AUTH = '{app_key: "${ENOS_APP_KEY}", app_secret: "${ENOS_APP_SECRET}"}'
RATE = "  rate: [20/s, 1000/min]\n"
BLOCK = '{assets: ["WTG{0001..2000}", A1], points: points.txt}'
SHARES = "a share from 1% to 100%, in whole percent"
LEAST_RATES = "a rate of at least one call in a window longer than nothing"
RATES = "a rate such as 20/s, 1000/min or 600/30s, with the units s, min, h or d"
DURATIONS = "a duration such as 30s or 500ms, with the units ms, s, m, h or d"
ADDRESS = "config.yaml:3: gateway.url: expected an address such as https://apim.example.com, or embedded"
CONCURRENCY = "config.yaml:13: limits.concurrency: expected a whole number from 1 to 1,000, found"
QUOTES = "put it in quotes"

WRONG = [
    # ── keys ──
    ("limits:\n", "limit:\nlimits:\n", "config.yaml:12: limit: unknown key (did you mean limits?)"),
    (
        "  rate:",
        "  concurency: 3\n  rate:",
        "config.yaml:13: limits.concurency: unknown key (did you mean concurrency?)",
    ),
    ("  rate:", "  shares: 3\n  rate:", "config.yaml:13: limits.shares: unknown key (did you mean share?)"),
    (
        "  rate:",
        "  q: 3\n  rate:",
        "config.yaml:13: limits.q: unknown key (known: rate, pairs_per_request, bytes_per_request, concurrency, share)",
    ),
    (
        "  rate:",
        "  7: 3\n  rate:",
        "config.yaml:13: limits.7: unknown key (known: rate, pairs_per_request, bytes_per_request, concurrency, share)",
    ),
    ("  rate:", "  rate: 1/s\n  rate:", "config.yaml:14: limits.rate: is there twice, first on line 13"),
    (
        "version: 1",
        "version: 2",
        "config.yaml:1: version: expected 1, the only version that this program reads, found '2'",
    ),
    (
        "    stages: [LastRecordAppender_01, LatestRecordMerger_02]\n",
        "",
        "config.yaml:7: delete[0].stages: is missing (The stages whose state goes, by instance name)",
    ),
    # ── keys that need each other ──
    (
        "limits:\n",
        'safety: {deadline: "05:00"}\nlimits:\n',
        "config.yaml:12: safety.deadline: expected a time to spend such as 45m, or a time of day with its zone such as"
        " 05:00 Europe/Berlin, found '05:00'",
    ),
    (
        "limits:\n",
        "safety: {deadline: 0s}\nlimits:\n",
        "config.yaml:12: safety.deadline: expected a time to spend, which can't be none at all, found '0s'",
    ),
    (
        "limits:\n",
        "safety: {deadline: -5m}\nlimits:\n",
        "config.yaml:12: safety.deadline: expected a time to spend such as 45m, or a time of day with its zone such as"
        " 05:00 Europe/Berlin, found '-5m'",
    ),
    (
        "limits:\n",
        'safety: {deadline: "05:00 Europe/Bonn"}\nlimits:\n',
        "config.yaml:12: safety.deadline: expected a time of day in a zone that is known, such as 05:00 Europe/Berlin,"
        " found '05:00 Europe/Bonn'",
    ),
    (
        "limits:\n",
        "safety: {restart: {execution_mode: 0, kafka_rate: 1000}}\nlimits:\n",
        "config.yaml:12: safety.restart: is for pipelines that the run paused (add pause: true)",
    ),
    (
        "limits:\n",
        "verify: {sample: none}\nsafety: {pause: true, restart: {execution_mode: 0, kafka_rate: 1}}\nlimits:\n",
        "config.yaml:12: verify: nothing is read back before the pipeline starts again, which is the last time that it "
        "can be (leave verify.sample out, or safety.restart)",
    ),
    (
        "limits:\n",
        'safety: {pause: true, restart: {execution_mode: 0, kafka_rate: 1, resource_config: {a: "${X}"}}}\nlimits:\n',
        "config.yaml:12: safety.restart.resource_config.a: is kept as it stands, and holds no reference"
        " (write the value, which can't be a secret)",
    ),
    # ── wrong types ──
    (
        RATE,
        "  - rate\n",
        "config.yaml:12: limits: expected a mapping with "
        "rate, pairs_per_request, bytes_per_request, concurrency, share",
    ),
    (
        "[LastRecordAppender_01, LatestRecordMerger_02]",
        "LastRecordAppender_01",
        "config.yaml:8: delete[0].stages: expected a list of stages, with at least one, found 'LastRecordAppender_01'",
    ),
    (
        "[LastRecordAppender_01, LatestRecordMerger_02]",
        "[]",
        "config.yaml:8: delete[0].stages: expected a list of stages, with at least one, found an empty list",
    ),
    (
        "[LastRecordAppender_01, LatestRecordMerger_02]",
        "[a, {b: c}]",
        "config.yaml:8: delete[0].stages[1]: expected a name, found a mapping",
    ),
    (
        "8a81b5f0-2c5e",
        "12",
        f"config.yaml:7: delete[0].pipeline: expected a name, found '12' (YAML takes it for a number: {QUOTES})",
    ),
    ("8a81b5f0-2c5e", "", "config.yaml:7: delete[0].pipeline: expected a name, found nothing"),
    (
        "8a81b5f0-2c5e",
        "' p'",
        "config.yaml:7: delete[0].pipeline: expected a name: it holds a control character or a space at an end",
    ),
    (
        "8a81b5f0-2c5e",
        "'a${b-c}'",
        "config.yaml:7: delete[0].pipeline: `${` needs a variable's name and `}` (write `$${` for a plain `${`)",
    ),
    ("8a81b5f0-2c5e", "'${NOBODY}'", "config.yaml:7: delete[0].pipeline: the environment variable NOBODY isn't set"),
    # ── limits ──
    ("[20/s, 1000/min]", "[auto, 5/s, auto]", "config.yaml:13: limits.rate: says auto twice"),
    (RATE, "  share: 0%\n", f"config.yaml:13: limits.share: expected {SHARES}, found '0%'"),
    (RATE, "  share: 101%\n", f"config.yaml:13: limits.share: expected {SHARES}, found '101%'"),
    *(
        (RATE, f"  share: {share}\n", f"config.yaml:13: limits.share: expected {SHARES}, found '{share}'")
        for share in ("0.5", "80", "80.5%", "-5%", "auto", "1000000000%")
    ),
    ("[20/s, 1000/min]", "[auto, 0/s]", f"config.yaml:13: limits.rate[1]: expected {LEAST_RATES}, found '0/s'"),
    (
        RATE,
        f"{RATE}  share: 50%\n",
        "config.yaml:14: limits.share: is a share of what auto finds, and there is no auto in limits.rate",
    ),
    (
        "[20/s, 1000/min]",
        "{concurrency: auto}",
        "config.yaml:13: limits.rate: expected a rate such as 20/s, found a mapping",
    ),
    ("[20/s, 1000/min]", "20/fortnight", f"config.yaml:13: limits.rate: expected {RATES}, found '20/fortnight'"),
    ("[20/s, 1000/min]", "20", f"config.yaml:13: limits.rate: expected {RATES}, found '20'"),
    ("[20/s, 1000/min]", "-5/s", f"config.yaml:13: limits.rate: expected {RATES}, found '-5/s'"),
    (
        "[20/s, 1000/min]",
        "0/s",
        "config.yaml:13: limits.rate: expected a rate of at least one call in a window "
        "longer than nothing, found '0/s'",
    ),
    (
        "[20/s, 1000/min]",
        "5/0s",
        "config.yaml:13: limits.rate: "
        "expected a rate of at least one call in a window "
        "longer than nothing, found '5/0s'",
    ),
    ("[20/s, 1000/min]", "[20/s, 3/week]", f"config.yaml:13: limits.rate[1]: expected {RATES}, found '3/week'"),
    (
        "[20/s, 1000/min]",
        "[]",
        "config.yaml:13: limits.rate: expected a list of rates, with at least one, found an empty list",
    ),
    ("[20/s, 1000/min]", "{a: b}", "config.yaml:13: limits.rate: expected a rate such as 20/s, found a mapping"),
    ("  rate:", "  concurrency: 0\n  rate:", f"{CONCURRENCY} '0'"),
    ("  rate:", "  concurrency: '4'\n  rate:", f"{CONCURRENCY} '4'"),
    ("  rate:", "  concurrency: 010\n  rate:", f"{CONCURRENCY} '010'"),
    ("  rate:", "  concurrency: 1:30\n  rate:", f"{CONCURRENCY} '1:30'"),
    (
        "  rate:",
        "  pairs_per_request: 100_001\n  rate:",
        "config.yaml:13: limits.pairs_per_request: expected a whole number from 1 to 100,000, found '100_001'",
    ),
    (
        "  rate:",
        "  bytes_per_request: 1 MiBi\n  rate:",
        "config.yaml:13: limits.bytes_per_request: "
        "expected a size such as 512KiB or 1MiB, or a number of bytes, found '1 MiBi'",
    ),
    (
        "  rate:",
        "  bytes_per_request: 1023\n  rate:",
        "config.yaml:13: limits.bytes_per_request: expected a size from 1,024 to 67,108,864 bytes, found '1023'",
    ),
    # ── the rest of the tree ──
    (
        "limits:",
        "retry: {first_delay: 30}\nlimits:",
        f"config.yaml:12: retry.first_delay: expected {DURATIONS}, found '30'",
    ),
    (
        "limits:",
        "retry: {max_delay: 0s}\nlimits:",
        "config.yaml:12: retry.max_delay: expected a time from 0.001s to 86400s, found '0s'",
    ),
    (
        "limits:",
        "retry: {first_delay: 2s, max_delay: 1s}\nlimits:",
        "config.yaml:12: retry.max_delay: is shorter than first_delay",
    ),
    (
        "limits:",
        "safety: {require_paused: maybe}\nlimits:",
        "config.yaml:12: safety.require_paused: expected true or false, found 'maybe'",
    ),
    (
        "limits:",
        "safety: {require_paused: 'true'}\nlimits:",
        "config.yaml:12: safety.require_paused: expected true or false, found 'true'",
    ),
    (
        "limits:",
        "verify: {sample: most}\nlimits:",
        "config.yaml:12: verify.sample: expected auto, a number, a share such as 5%, all or none, found 'most'",
    ),
    (
        "limits:",
        "verify: {sample: -1}\nlimits:",
        "config.yaml:12: verify.sample: expected auto, a number, a share such as 5%, all or none, found '-1'",
    ),
    (
        "limits:",
        "verify: {witness: 7}\nlimits:",
        f"config.yaml:12: verify.witness: expected a path, found '7' (YAML takes it for a number: {QUOTES})",
    ),
    ("limits:", 'report: {json: "a\\0b"}\nlimits:', "config.yaml:12: report.json: isn't a path: it holds a zero byte"),
    # ── the gateway ──
    ("https://apim", "apim", f"{ADDRESS}: it has to start with https:// or http://"),
    ("https://apim", "ftp://apim", f"{ADDRESS}: it has to start with https:// or http://"),
    ("https://apim", "https://me:pw@apim", f"{ADDRESS}: it may hold no user or password"),
    ("apim.example.com", "apim.example.com?x=1", f"{ADDRESS}: it may hold no `?` and no `#`"),
    ("apim.example.com", "apim.example.com/#", f"{ADDRESS}: it may hold no `?` and no `#`"),
    ("apim.example.com", "", f"{ADDRESS}: its host or port can't be read"),
    ("apim.example.com", "apim:99999", f"{ADDRESS}: its host or port can't be read"),
    ("apim.example.com", "[::1", f"{ADDRESS}: its host or port can't be read"),
    ("apim.example.com", "a/b c", f"{ADDRESS}: its path may hold plain ASCII only, without spaces"),
    ("https://apim.example.com", "12", f"{ADDRESS}, found '12' (YAML takes it for a number: {QUOTES})"),
    (
        "https://apim",
        "http://apim",
        "config.yaml:3: gateway.url: plain http would show secrets to the network (use https, or set allow_http: true)",
    ),
    ("  org_id: o15504722874071\n", "", "config.yaml:2: gateway.org_id: is missing (a real gateway needs it)"),
    (f"  auth: {AUTH}\n", "", "config.yaml:2: gateway.auth: is missing (a real gateway needs it)"),
    (AUTH, "{}", "config.yaml:5: gateway.auth: holds none: expected app_key and app_secret, or bearer"),
    (
        AUTH,
        '{app_key: "${ENOS_APP_KEY}"}',
        "config.yaml:5: gateway.auth.app_secret: is missing (a key and its secret belong together)",
    ),
    (
        AUTH,
        AUTH.replace('}"}', '}", bearer: "${ENOS_TOKEN}"}'),
        "config.yaml:5: gateway.auth: holds two: expected app_key and app_secret, or bearer alone",
    ),
    (
        AUTH,
        '{bearer: "${ENOS_TOKEN}", style: signed}',
        "config.yaml:5: gateway.auth.style: a token alone can't sign (use app_key and app_secret)",
    ),
    (
        AUTH,
        AUTH.replace('}"}', '}", style: singed}'),
        "config.yaml:5: gateway.auth.style: expected signed or bearer (did you mean signed?)",
    ),
    (
        AUTH,
        AUTH.replace('}"}', '}", prefix: Token}'),
        "config.yaml:5: gateway.auth.prefix: means nothing to signed calls (add style: bearer)",
    ),
    (
        AUTH,
        '{bearer: "${ENOS_TOKEN}", prefix: "two words"}',
        "config.yaml:5: gateway.auth.prefix: expected one word such as Bearer, or an empty one",
    ),
    # ── what is selected ──
    (BLOCK, "{}", "config.yaml:10: delete[0].where[0]: selects nothing: expected assets and points, or pairs"),
    (
        BLOCK,
        "{assets: [a]}",
        "config.yaml:10: delete[0].where[0].points: is missing (a block is every asset with every point)",
    ),
    (
        BLOCK,
        "{assets: [a], pairs: p.csv}",
        "config.yaml:10: delete[0].where[0]: holds two: expected assets and points, or pairs alone",
    ),
    (
        BLOCK,
        "{assets: [a], points: [p], empty: allow}",
        "config.yaml:10: delete[0].where[0].empty: is for pairs: a block without an asset or a point is a mistake",
    ),
    ("version: 1\n", "", "config.yaml:1: version: is missing (write `version: 1`)"),
    (
        "limits:\n",
        "limits:\n  <<: {rate: 1/s}\n",
        "config.yaml:13: limits.<<: merging mappings isn't possible (repeat (`*name`) each value that is the same)",
    ),
    (
        "    stages",
        "    keep_unmatched: allow\n    stages",
        "config.yaml:8: delete[0].keep_unmatched: is about keep, and nothing is kept here",
    ),
    (
        BLOCK,
        "{assets: [a], points: [p], ids: literally}",
        "config.yaml:10: delete[0].where[0].ids: expected checked or literal (did you mean literal?)",
    ),
    (
        "points.txt",
        "points.xlsx",
        "config.yaml:10: delete[0].where[0].points: "
        "expected a list, a file (.txt, .csv, .ndjson, .parquet), "
        "a folder/, or a pattern such as WTG{0001..2000}, found 'points.xlsx' "
        "(for a single ID, write a list: [ID])",
    ),
    ("A1]", "'']", "config.yaml:10: delete[0].where[0].assets[1]: expected an ID, found an empty one"),
    ("A1]", "~]", "config.yaml:10: delete[0].where[0].assets[1]: expected an ID, found nothing"),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_one_mistake(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert mistakes(tmp_path, spoilt(old, new)) == [said]


@pytest.mark.parametrize("id_", ["001", "1e3", "0o17", "0x1F", "3.5", ".5", "1_000", "1:30", "+7", ".inf"])
def test_an_id_that_yaml_takes_for_a_number(tmp_path: Path, id_: str) -> None:
    said = f"expected an ID, found '{id_}' (YAML takes it for a number: {QUOTES})"
    assert mistakes(tmp_path, spoilt("A1]", f"{id_}]")) == [f"config.yaml:10: delete[0].where[0].assets[1]: {said}"]


@pytest.mark.parametrize(
    ("id_", "kind"), [("on", "true or false"), ("False", "true or false"), ("2026-11-22", "a date")]
)
def test_an_id_that_yaml_takes_for_something_else(tmp_path: Path, id_: str, kind: str) -> None:
    said = f"expected an ID, found '{id_}' (YAML takes it for {kind}: {QUOTES})"
    assert mistakes(tmp_path, spoilt("A1]", f"{id_}]")) == [f"config.yaml:10: delete[0].where[0].assets[1]: {said}"]


@pytest.mark.parametrize("name", ["org_id: x", "auth: {bearer: '${ENOS_TOKEN}'}", "ca_file: ca.pem"])
def test_the_embedded_gateway_makes_up_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    text = GOOD.replace("https://apim.example.com", "embedded").replace(f"  auth: {AUTH}\n", "")
    text = text.replace("  org_id: o15504722874071\n", f"  {name}\n")
    said = "isn't for the embedded gateway, which makes up its own (remove it)"
    assert f"config.yaml:4: gateway.{name.partition(':')[0]}: {said}" in mistakes(tmp_path, text)


UNBUILT = [
    f"{key.name}.{name}" for key in CONFIGURATION.keys if isinstance(key.form, Section) for name in key.form.unbuilt
]


@pytest.mark.parametrize("path", UNBUILT)
def test_what_is_not_built_yet(tmp_path: Path, path: str) -> None:
    section, _, name = path.partition(".")
    text = GOOD + f"{section}: {{{name}: true}}\n"
    assert mistakes(tmp_path, text) == [f"config.yaml:14: {path}: not built yet"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
version: one
gateway: {timeout: soon, allow_http: 1, url: apim}
retry: {attempts: 0}
delete: [{pipeline: 1, where: [{assets: b}]}]
"""
    assert [line.split(": ")[1] for line in mistakes(tmp_path, text)] == [
        "version",
        *("gateway.url", "gateway.timeout", "gateway.allow_http", "gateway.auth", "gateway.org_id"),
        "retry.attempts",
        *("delete[0].pipeline", "delete[0].stages", "delete[0].where[0].assets", "delete[0].where[0].points"),
    ]


def test_more_mistakes_than_anybody_reads(tmp_path: Path) -> None:
    told = mistakes(tmp_path, spoilt("A1]", ", ".join(map(str, range(1000))) + "]"))
    assert len(told) == 51
    assert told[-1] == "config.yaml: holds more mistakes than these"


# ── files ──

BROKEN = [
    (b"", "config.yaml: is empty"),
    (b"# nothing but this\n", "config.yaml: is empty"),
    (b"---\n", "config.yaml:2: version: is missing (write `version: 1`)"),
    (b"a: 1\n---\nb: 2\n", "config.yaml:2: holds a second document"),
    (b"version: 1\n\0", "config.yaml: is binary, not YAML"),
    (b"version: 1\nb: \xff\n", "config.yaml:2: isn't UTF-8 text"),
    (b"version: 1\nb: \x01\n", "config.yaml:2: isn't YAML: holds a control character"),
    (b"version: 1\n\tb: 2\n", "config.yaml:2: isn't YAML: found a tab character that violates indentation "
     "(indent by spaces, not tabs)"),
    (b"version: 1\na: {bearer: ${X}}\n", "config.yaml:2: isn't YAML: did not find expected ',' or '}' "
     '(inside { } and [ ], write "${NAME}" in quotes)'),
    (b"a: [1, 2\nb: 3\n", "config.yaml:2: isn't YAML: did not find expected ',' or ']'"),
    (b"a: !!python/object:os.system x\n", "config.yaml:1: holds a tag (`!\u2026`), which means nothing here"),
    (b"a: !x [1]\n", "config.yaml:1: holds a tag (`!\u2026`), which means nothing here"),
    (b"a: *b\n", "config.yaml:1: repeats (`*\u2026`) what nothing before it defines"),
    (b"a: &a [*a]\n", "config.yaml:1: repeats (`*\u2026`) what nothing before it defines"),
    (b"[" * 1000, "config.yaml:1: is nested more than 32 deep"),
    (b"just words", "config.yaml:1: expected a mapping with "
     "version, gateway, delete, limits, plan, retry, safety, verify, report, allow"),
    (b"? [a]\n: b\n", "config.yaml:1: ?: unknown key (known: "
     "version, gateway, delete, limits, plan, retry, safety, verify, report, allow)"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), BROKEN)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in mistakes(tmp_path, content)


def test_an_alias_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    said = "holds more than 1,000,000 values (put long lists into files of their own)"
    assert mistakes(tmp_path, "\n".join(lines)) == [f"config.yaml:6: {said}"]


def test_ten_megabytes_in_one_line(tmp_path: Path) -> None:
    long = "x" * 10_000_000
    (told,) = mistakes(tmp_path, spoilt("20/s, 1000/min", long))
    assert told.startswith("config.yaml:13: limits.rate[0]: expected")
    assert len(told) < 200
    assert all(len(line) < 200 for line in mistakes(tmp_path, spoilt("limits:", f"{long}:")))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    said = "config.yaml: is larger than 16 MiB (put long lists into files of their own)"
    assert mistakes(tmp_path, b"#" * ((16 << 20) + 1)) == [said]


@pytest.mark.parametrize("name", ["missing.yaml", ".", "config.yaml/deeper", "n" * 300, "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    loaded(tmp_path, GOOD)
    with pytest.raises(InputError) as caught:
        load(tmp_path / name, ENVIRON)
    (problem,) = caught.value.problems
    assert "can't be read: " in str(problem) or "isn't the name of a file" in str(problem)


@pytest.mark.parametrize("variable", ["ENOS_APP_KEY", "ENOS_APP_SECRET"])
@pytest.mark.parametrize("value", [None, "", "a\nb", "a\x1bb", " a", "ü"])
def test_a_secret_that_cannot_be_one(tmp_path: Path, variable: str, value: str | None) -> None:
    environ = {name: held for name, held in {**ENVIRON, variable: value}.items() if held is not None}
    (told,) = mistakes(tmp_path, GOOD, environ)
    assert told.startswith(f"config.yaml:5: gateway.auth.{variable[5:].lower()}: the environment variable {variable} ")
    assert os.linesep not in told


def test_a_pipeline_has_one_name(tmp_path: Path) -> None:
    text = spoilt("pipeline: 8a81b5f0-2c5e", "pipeline: {id: 8a81b5f0-2c5e, name: Wind}")
    named = loaded(tmp_path, text)
    assert named.names == {"8a81b5f0-2c5e": "Wind"}
    assert from_document(to_document(named), ENVIRON).names == named.names
    assert loaded(tmp_path, GOOD).names == {}
    other = "  - {pipeline: {id: 8a81b5f0-2c5e, name: Sun}, stages: [s], where: [{pairs: a.csv}]}\nlimits:\n"
    assert mistakes(tmp_path, text.replace("limits:\n", other)) == [
        "config.yaml:12: delete[1].pipeline: 8a81b5f0-2c5e has another name in an entry before"
    ]


def test_entries_for_one_stage_that_disagree_on_unlisted_pairs(tmp_path: Path) -> None:
    more = """\
    unlisted: may_delete
  - {pipeline: 8a81b5f0-2c5e, stages: [Other_03], where: [{pairs: more.csv}]}
  - {pipeline: 8a81b5f0-2c5e, stages: [Other_03, LatestRecordMerger_02], where: [{pairs: more.csv}]}
  - {pipeline: another, stages: [LatestRecordMerger_02], where: [{pairs: more.csv}]}
limits:
"""
    said = (
        "config.yaml:14: delete[2].unlisted: keep for 8a81b5f0-2c5e/LatestRecordMerger_02, and may_delete in delete[0]"
        " (config.yaml:7) (entries for the same stage are merged: say the same)"
    )
    assert mistakes(tmp_path, spoilt("limits:\n", more)) == [said]


@pytest.mark.parametrize("value", ["keep.csv", "'-'", "null"])
def test_entries_for_one_stage_may_keep_different_pairs(tmp_path: Path, value: str) -> None:
    entry = (
        f"  - {{pipeline: 8a81b5f0-2c5e, stages: [LatestRecordMerger_02], where: [{{pairs: a.csv}}], keep: {value}}}"
    )
    assert len(loaded(tmp_path, spoilt("limits:\n", f"{entry}\nlimits:\n")).delete) == 2
