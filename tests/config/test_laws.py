"""What holds of every configuration: values mean what they say, a run goes on as it began, nothing leaks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from hypothesis import given
from hypothesis import strategies as st

from bulkstate import config
from bulkstate.config import Embedded, Gateway, Rate, SecretReference, Settings, Share
from bulkstate.config.settings import CONFIGURATION
from bulkstate.errors import InputError
from bulkstate.forms.nodes import Scalar, ScalarKind, from_yaml
from bulkstate.forms.place import Document, Place
from bulkstate.forms.single import Duration, Form, RateOf, Size
from bulkstate.forms.values import format_duration, parse_duration, parse_size
from bulkstate.gateway.credentials import AppKey, Bearer, Style
from bulkstate.model import Start
from bulkstate.policy.deadline import TimeOfDay, TimeToSpend
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import parse_rate
from bulkstate.selection import PairSource
from tests.config.writing import ENVIRON, GOOD

PEM: Final = (Path(__file__).parent / "authority.pem").read_text()

# ── values ──


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.sampled_from(["s", "min", "h", "d"]))
def test_a_rate_means_what_it_says(calls: int, many: int, unit: str) -> None:
    rate = parse_rate(f"{calls}/{many}{unit}")
    assert rate == Rate(calls, float(many * {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]))
    assert parse_rate(str(rate)) == rate


@given(st.integers(1, 86_400_000))
def test_a_duration_means_what_it_says(milliseconds: int) -> None:
    seconds = parse_duration(f"{milliseconds}ms")
    assert seconds == milliseconds / 1000 == parse_duration(format_duration(seconds))
    assert parse_duration(f"{milliseconds}s") == milliseconds


@given(st.integers(0, 10**9), st.sampled_from([("KiB", 1024), ("MiB", 1024**2), ("kB", 1000), ("B", 1), ("", 1)]))
def test_a_size_means_what_it_says(number: int, unit: tuple[str, int]) -> None:
    assert parse_size(f"{number:_}{unit[0]}") == number * unit[1]


near_values = st.from_regex(r"[0-9_.]{0,4}[ /]?[0-9]{0,2}[a-zA-Z]{0,3}", fullmatch=True)


@given(near_values, st.sampled_from([RateOf(), Duration(0, 1e18), Size(0, 10**30)]))
def test_the_schema_knows_what_can_be_read(text: str, form: Form[Any]) -> None:
    """Where the pattern says no, reading does; where it says yes, reading minds nothing but zeros."""
    schema = form.schema()
    pattern = schema.get("pattern") or schema["anyOf"][1]["pattern"]
    try:
        form.read(Place(Document("c", Path(), {}), "x", 1, Scalar(1, text, ScalarKind.TEXT)))
    except InputError as mistake:
        assert not re.search(pattern, text) or "at least one call" in str(mistake)
    else:
        assert re.search(pattern, text)


# ── a run goes on with what it began with ──

lines = st.text(min_size=1).filter(lambda text: text.isprintable() and text == text.strip())
times = st.integers(50, 3_600_000).map(lambda milliseconds: milliseconds / 1000)
paths = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40)
secrets = st.sampled_from(sorted(ENVIRON)).map(SecretReference)
prefixes = st.from_regex(r"[A-Za-z0-9._-]{0,32}", fullmatch=True)
auths = (
    st.builds(Bearer, secrets, prefixes)
    | st.builds(AppKey, secrets, secrets, st.just(Style.SIGNED))
    | st.builds(AppKey, secrets, secrets, st.just(Style.BEARER), prefixes)
)
urls = st.builds(
    "{}{}".format, st.sampled_from(["https://a.b", "http://[::1]:80"]), st.sampled_from(["", "/x", "/$%7B"])
)
gateways = st.builds(Embedded, times) | st.builds(
    Gateway, urls, lines, auths, times, st.none() | st.just(PEM), st.booleans()
)
rates = st.lists(st.builds(Rate, st.integers(1, 10**9), st.integers(1, 10**8).map(float)), min_size=1, max_size=4)
rates_or_auto = rates | rates.map(lambda some: ["auto", *some]) | st.just(["auto"])
limits = st.builds(
    config.Limits,
    rates_or_auto.map(tuple),
    st.integers(1, 100_000),
    st.integers(1 << 10, 64 << 20),
    st.integers(1, 1000) | st.just("auto"),
) | st.builds(config.Limits, st.just(("auto",)), share=st.integers(1, 100).map(Share))
retries = st.tuples(times, times).map(lambda two: RetryPolicy(5, min(two), max(two)))
guards = st.none() | st.integers(1, 10**12)
written = st.none() | paths.map(lambda name: Path("/out") / name)
tables = paths.map(lambda name: PairSource(Path("/data") / f"{name}.csv", "the run's settings:1", "verify.witness"))
in_place = st.lists(st.tuples(lines, lines), min_size=1, max_size=3).map(tuple)
witnesses = (
    tables
    | st.builds(replace, tables, file=st.none(), values=in_place)
    | st.builds(
        lambda table, column, may_be_empty: replace(
            table, field=f"{table.field}.pairs", point_column=column, literal=True, may_be_empty=may_be_empty
        ),
        tables,
        lines,
        st.booleans(),
    )
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin"])
resources = st.just("") | st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,9}", fullmatch=True),
    st.none() | st.booleans() | st.integers() | lines.filter(lambda text: "${" not in text) | st.lists(st.integers()),
).map(json.dumps)
settings = st.builds(
    Settings,
    version=st.just(1),
    gateway=gateways,
    delete=st.just(()),
    limits=limits,
    retry=retries,
    safety=st.builds(
        config.Safety,
        guards,
        guards,
        st.booleans(),
        times | st.just("auto"),
        st.sampled_from(["any", "none"]) | st.integers(1, 100).map(Share),
        st.sampled_from(config.UnknownStage),
        deadline=st.none()
        | times.map(TimeToSpend)
        | st.builds(TimeOfDay, st.integers(0, 23), st.integers(0, 59), ZONES),
        canary=st.sampled_from(["auto", True, False]),
        on_unpause=st.sampled_from(config.OnUnpause),
        pause=st.just(True),
        restart=st.none() | st.builds(Start, st.integers(0, 1), st.integers(1, 10**9), resources),
    ),
    verify=st.builds(
        config.Verify,
        st.integers(0, 100_000),
        st.sampled_from(["auto", "all"]) | st.integers(0, 10**9) | st.integers(1, 100).map(Share),
        st.integers(0, 3_600_000).map(lambda milliseconds: milliseconds / 1_000),
        st.none() | witnesses,
    ),
    report=st.builds(config.ReportFiles, written, written),
    allow=st.builds(
        config.Allow,
        *[st.none() | st.lists(st.sampled_from(["o1", "007", "${X", "a b"]), min_size=1, max_size=2).map(tuple)] * 4,
    ),
)


@given(settings)
def test_what_a_run_keeps_is_what_it_began_with(began: Settings) -> None:
    text = config.to_document(began)
    assert config.from_document(text, ENVIRON) == began
    assert not any(secret in text + repr(began) for secret in ENVIRON.values())


@given(settings, st.sampled_from(["gateway", "limits", "version"]))
def test_a_run_that_lost_part_of_it_does_not_go_on(began: Settings, lost: str) -> None:
    document = json.loads(config.to_document(began))
    del document[lost]
    try:
        config.from_document(json.dumps(document), ENVIRON)
    except InputError as mistake:
        assert f"the run's settings:1: {lost}" in str(mistake)
    else:
        raise AssertionError(lost)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(json.dumps))
def test_whatever_else_a_run_kept_is_refused(text: str) -> None:
    _refused(lambda: config.from_document(text, ENVIRON))


# ── hostile input ──

words = st.sampled_from(re.findall(r"[\w${}/.]+", GOOD)) | st.text(max_size=8)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def _refused(read: Any) -> str:
    try:
        read()
    except InputError as mistake:
        return str(mistake)
    return ""


def _read(text: str) -> Settings:
    node = from_yaml(text, "config.yaml")
    return CONFIGURATION.read(Place(Document("config.yaml", Path(), ENVIRON), "", 1, node))


@given(trees)
def test_no_tree_brings_down_more_than_itself(tree: object) -> None:
    assert _refused(lambda: _read(yaml.safe_dump(tree)))


@given(st.text(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 60))
def test_no_text_brings_down_more_than_itself(text: str, start: int, length: int) -> None:
    _refused(lambda: _read(GOOD[:start] + text + GOOD[start + length :]))


@given(st.sampled_from(re.findall(r"[\w${}/.\"]+", GOOD)), trees)
def test_nothing_that_is_said_holds_a_secret(word: str, tree: object) -> None:
    told = _refused(lambda: _read(GOOD.replace(word, json.dumps(tree, default=str), 1)))
    assert not any(secret in told for secret in ENVIRON.values())


literals = st.sampled_from(
    ["{}", "[{}]", "'{}'", "'${{X}}{}'", "*{}", "!{} x", "&{}", "|\n    {}", "{{a: {}}}", "${{{}", "@{}"]
)


@given(literals, st.sampled_from(["app_key", "app_secret", "bearer", "style", "prefix", "auth", "url", "secret"]))
def test_a_literal_secret_is_refused_and_never_told(literal: str, key: str) -> None:
    value = literal.format("canary-5150")
    auth = value if key == "auth" else f"\n    {key}: {value}"
    text = re.sub(r"  auth: .*", lambda _: f"  auth: {auth}", GOOD)
    told = _refused(lambda: _read(text if key != "url" else GOOD.replace("https://apim.example.com", value)))
    assert told
    assert "canary" not in told


def test_settings_are_values(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(GOOD)
    first = config.load(tmp_path / "config.yaml", ENVIRON)
    assert hash(first) == hash(replace(first))
