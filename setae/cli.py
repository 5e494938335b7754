"""The command line: each command is a thin call of a stage function.

Exit codes: 0 done; 1 a fault of ours; 2 wrong usage; 65 the data or a gate; 69 a source is out of
reach; 74 disk; 75 somebody else writes, try later; 78 a setting. Errors are one line on stderr.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn as Elapsed,
)
from rich.table import Table

from setae.errors import ConfigError, SetaeError

if TYPE_CHECKING:
    from quality.gate import GateReport
    from serving.comparison import TableComparison
    from serving.publish import PublishResult
    from setae.settings import Settings

app = typer.Typer(
    name="setae",
    help="Stickiness, trust and conversion of nano-influencers: from landing to a warehouse "
    "that people and BI tools read.",
    epilog="A first run: `setae init`, put files into <home>/drops/<entity>/, `setae run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
quarantine_app = typer.Typer(
    help="What failed the contract: list it, look at it, let it back in.", no_args_is_help=True
)
app.add_typer(quarantine_app, name="quarantine")
simulate_app = typer.Typer(
    help="A simulated platform with known truth: generate it, check it, serve its shop.",
    no_args_is_help=True,
)
app.add_typer(simulate_app, name="simulate")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="SETAE_HOME", help="The data home.", show_default="var/setae"),
]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Only this source of setae.toml.")
]
StartOption = Annotated[
    str | None, typer.Option(help="Begin of the window, inclusive: 2026-11-01 or with time.")
]
EndOption = Annotated[str | None, typer.Option(help="End of the window, exclusive.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="The only 'now', such as 2026-11-22T00:00:00Z."),
]


class Display:
    """Progress on a terminal: one line a step, with a bar where the length is known."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, text: str) -> None:
        """Begin a new line and finish the one before."""
        self._progress.update(self._task, total=1, completed=1, detail="")
        self._task = self._progress.add_task(escape(text), total=None, detail="")

    def advance(self, done: int, total: int, text: str = "") -> None:
        """Move the bar."""
        self._progress.update(
            self._task, completed=done, total=total or None, detail=escape(text[:60])
        )


@contextmanager
def _display() -> Iterator[Display]:
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Elapsed(),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        progress.add_task("", total=1, completed=1, visible=False, detail="")
        yield Display(progress)


def _settings(home: Path | None) -> Settings:
    from setae.settings import load_settings

    return load_settings(home)


def _instant(text: str | None, settings: Settings) -> datetime | None:
    """A date is its first moment in the business time zone; a time needs an offset."""
    return None if text is None else _aware(text, settings.business_timezone)


def _aware(text: str, timezone: str = "UTC") -> datetime:
    from zoneinfo import ZoneInfo

    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text}: not a date or time; write 2026-11-22 or 2026-11-22T00:00:00Z"
        ) from None
    if value.tzinfo is None:
        if "T" in text or " " in text:
            raise ConfigError(f"{text}: a time needs an offset; write {text}Z for UTC")
        value = value.replace(tzinfo=ZoneInfo(timezone))
    return value.astimezone(UTC)


def _warn(report: GateReport) -> None:
    for warning in report.warnings:
        err.print(f"warn: {escape(warning.line)}")


def _say_published(settings: Settings, result: PublishResult) -> None:
    from setae.warehouse import Home

    what = "published" if result.changed else "unchanged, still"
    path = Home(settings.home).serving / "current.duckdb"
    out.print(f"{what} {result.run_id}: {escape(result.reason)}")
    out.print(f"{path}  content {result.content_hash[:16]}")


def _shown(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


@app.command()
def init(
    home: HomeOption = None,
    source: Annotated[
        str, typer.Option(help="Which kind of source to configure: a page of docs/sources.")
    ] = "drops",
    business_timezone: Annotated[
        str | None, typer.Option(help="IANA zone whose days count; asked for if not given.")
    ] = None,
    tier_scheme: Annotated[
        str | None, typer.Option(help="Which tier scheme leads; asked for if not given.")
    ] = None,
    as_of: AsOfOption = None,
) -> None:
    """Make a data home: settings, a drop folder and a pseudonym key only you can read.

    Example: `setae init --home var/shop --business-timezone Europe/Berlin --tier-scheme setae`
    """
    from setae.initialise import TIER_SCHEMES, initialise
    from setae.settings import find_home
    from setae.warehouse import Home

    if not Home(find_home(home)).config.exists() and sys.stdin.isatty():
        if tier_scheme is None:
            for name, bounds in TIER_SCHEMES.items():
                out.print(f"  [bold]{name}[/]: {escape(bounds)}")
            tier_scheme = typer.prompt("Which tier scheme leads", default="setae")
        if business_timezone is None:
            business_timezone = typer.prompt("Business time zone", default="UTC")
    made = initialise(
        home,
        source=source,
        business_timezone=business_timezone or "UTC",
        tier_scheme=tier_scheme or "setae",
        as_of=as_of,
    )
    place = made.settings.home
    out.print(f"{'made' if made.made_config else 'kept'} {place / 'setae.toml'}")
    out.print(
        f"{'made' if made.made_key else 'kept'} {place / 'pii.key'} (mode 0600; back it up: "
        "without it new pseudonyms do not match old ones)"
    )
    out.print("next: setae run")


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="A source of setae.toml.")],
    home: HomeOption = None,
    start: StartOption = None,
    end: EndOption = None,
) -> None:
    """Read a source, check it against the contract, pseudonymise it, land it.

    Example: `setae fetch complete_journey --start 2017-03-01 --end 2017-04-01`
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        result = stages.fetch(
            settings,
            source=source,
            start=_instant(start, settings),
            end=_instant(end, settings),
            progress=progress,
        )
    out.print(
        f"{source}: {len(result.manifests)} new files landed, {result.received:,} records, "
        f"{result.rejected:,} of them rejected"
    )


@app.command()
def load(home: HomeOption = None) -> None:
    """Load every landed file the ledger lacks, exactly once.

    Example: `setae load`
    """
    from setae import stages

    with _display() as progress:
        result = stages.load(_settings(home), progress=progress)
    out.print(
        f"{len(result.files)} files: {result.received:,} received = {result.loaded:,} loaded + "
        f"{result.duplicate:,} duplicate + {result.quarantined:,} quarantined + 0 erased"
        + (f"; {result.unparked:,} parked records found their parent" if result.unparked else "")
    )


@app.command()
def check(
    stage: Annotated[Literal["raw", "marts"], typer.Argument(help="Which gate.")] = "raw",
    home: HomeOption = None,
    as_of: AsOfOption = None,
    accept: Annotated[
        str | None, typer.Option(help="Let a file through that failed; needs --reason.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, kept with the file.")] = None,
) -> None:
    """Judge loaded files or built marts; severity `error` stops, `warn` reports.

    Example: `setae check raw`; `setae check raw --accept drops/orders/x --reason 'known spike'`
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        report = stages.check(
            settings,
            stage=stage,
            as_of=_instant(as_of, settings),
            accept=accept,
            reason=reason,
            progress=progress,
        )
    _warn(report)
    out.print(f"{escape(report.message)}; {report.report}")


@app.command()
def transform(
    home: HomeOption = None,
    as_of: AsOfOption = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build everything from nothing.")
    ] = False,
) -> None:
    """Build and test the marts from the files not modelled yet.

    Example: `setae transform --as-of 2018-01-01T05:00:00Z`
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        result = stages.transform(
            settings,
            as_of=_instant(as_of, settings),
            full_refresh=full_refresh,
            progress=progress,
        )
    if not result.models:
        out.print("nothing new since the last build; the marts are as they were")
        return
    how = "from nothing" if result.plan.is_full_refresh else f"{len(result.plan.pending)} new files"
    out.print(
        f"{len(result.models)} marts built ({how}), data through {result.plan.data_through_date}"
    )


@app.command()
def publish(
    home: HomeOption = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Point readers at the publication before.")
    ] = False,
    to: Annotated[str | None, typer.Option(help="With --rollback: the run id to go to.")] = None,
) -> None:
    """Publish the checked marts, or go back.

    Example: `setae publish`; `setae publish --rollback`
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        result = stages.publish(settings, rollback=rollback, to=to, progress=progress)
    _say_published(settings, result)


@app.command()
def run(
    home: HomeOption = None,
    source: SourceOption = None,
    start: StartOption = None,
    end: EndOption = None,
    as_of: AsOfOption = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Build everything from nothing.")
    ] = False,
) -> None:
    """All stages in order: fetch, load, check, transform, check, publish.

    Example: `setae run`; a second time it changes nothing and says so
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        result = stages.run(
            settings,
            source=source,
            start=_instant(start, settings),
            end=_instant(end, settings),
            as_of=_instant(as_of, settings),
            full_refresh=full_refresh,
            progress=progress,
        )
    _warn(result.raw_gate)
    _warn(result.marts_gate)
    out.print(
        f"{result.loaded.received:,} records received, {result.loaded.loaded:,} loaded, "
        f"{result.loaded.quarantined:,} quarantined; "
        f"{len(result.transformed.models)} marts built"
    )
    _say_published(settings, result.published)


@app.command()
def rebuild(home: HomeOption = None, as_of: AsOfOption = None) -> None:
    """Build warehouse and marts again from landing alone; what is published stays.

    Example: `setae rebuild && setae publish` (an unchanged content hash proves the ledger)
    """
    from setae import stages

    settings = _settings(home)
    with _display() as progress:
        result = stages.rebuild(settings, as_of=_instant(as_of, settings), progress=progress)
    out.print(f"rebuilt {len(result.plan.files)} files into {len(result.models)} marts")
    out.print("next: setae publish")


@app.command()
def status(home: HomeOption = None) -> None:
    """Where things stand; answers during a run.

    Example: `setae status`
    """
    from setae import stages

    now = stages.status(_settings(home))
    out.print(f"home     {now.home}")
    out.print(f"writer   {escape(now.holder or 'nobody')}")
    out.print(f"landed   {now.landed_file_count:,} files")
    table = Table("stage", "state", "started", "seconds", "what", box=None, pad_edge=False)
    for name, entry in now.stages.items():
        known = {"state", "started_at", "seconds", "message"}
        what = entry.get("message") or ", ".join(
            f"{key} {value}" for key, value in entry.items() if key not in known
        )
        table.add_row(
            name, entry["state"], entry["started_at"], entry.get("seconds", ""), escape(what)
        )
    out.print(table)
    if now.publication is None:
        out.print("published  nothing yet; run `setae run`")
    else:
        for key, value in now.publication.items():
            out.print(f"{key:<18} {escape(str(value))}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A published file.", exists=True)],
    second: Annotated[Path, typer.Argument(help="Another.", exists=True)],
    keys: Annotated[
        Path | None,
        typer.Option(help="CSV file `first,second`: names that mean the same in the two files."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to leave out, table.column or column, or a file with one a line."
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Up to three differing rows of each mart.")
    ] = False,
) -> None:
    """Compare two published files mart by mart; exit code 1 if they differ.

    Example: `setae compare serving/current.duckdb other/serving/current.duckdb --show`
    """
    from setae import stages

    result = stages.compare(
        first,
        second,
        ignore=tuple(column for one in ignore or () for column in _columns(one)),
        keys=keys,
        examples=3 if show else 0,
    )
    if keys is not None:
        out.print(f"{result.mapped:,} texts of the first file read in the second's names")
    table = Table("mart", "rows", "rows", "only first", "only second", box=None, pad_edge=False)
    for difference in result.tables:
        table.add_row(
            difference.name,
            _shown(difference.rows_a),
            _shown(difference.rows_b),
            _shown(difference.only_a),
            _shown(difference.only_b),
        )
    out.print(table)
    for difference in result.tables:
        _say_differences(difference)
    out.print("equal" if result.equal else "different")
    if not result.equal:
        raise typer.Exit(1)


def _columns(name: str) -> list[str]:
    """A column to leave out, or those a file lists; `#` begins a comment."""
    path = Path(name)
    if not path.is_file():
        return [name]
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def _say_differences(difference: TableComparison) -> None:
    """Which columns differ, in how many rows, and the examples asked for."""
    parts = [
        f"only the {which} has {', '.join(columns)}"
        for which, columns in (
            ("first", difference.columns_only_a),
            ("second", difference.columns_only_b),
        )
        if columns
    ]
    details = difference.details
    if details is not None:
        parts += [f"{column} differs in {count:,} rows" for column, count in details.columns]
        parts += [
            f"{count:,} rows only in the {which}"
            for which, count in (("first", details.unpaired_a), ("second", details.unpaired_b))
            if count
        ]
    if parts:
        out.print(f"{difference.name}: {escape('; '.join(parts))}")
    for example in details.examples if details else ():
        row = ", ".join(f"{name} {value}" for name, value in example.key.items())
        if example.only_in is not None:
            out.print(f"  only {example.only_in}: {escape(row)}")
            continue
        out.print(f"  {escape(row)}")
        for name, (one, other) in example.values.items():
            out.print(f"    {name}: {escape(str(one))} → {escape(str(other))}")


@app.command()
def evaluate(
    check: Annotated[
        bool, typer.Option("--check", help="Fail if a figure is worse than the accepted one.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Accept the figures and write docs/evaluation.md.")
    ] = False,
    small: Annotated[
        bool, typer.Option("--small", help="A few simulations and one small world.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="one a core")
    ] = None,
) -> None:
    """Put simulated creators and whole simulated worlds through the build: how true is it?

    Example: `setae evaluate --check`
    """
    from evaluation import command

    with _display() as progress:
        progress.step("evaluate")
        command.evaluate(
            console=out,
            small=small,
            check=check,
            write=write,
            workers=workers,
            progress=progress.advance,
        )


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Is this machine and this home fit for a run?

    Example: `setae doctor`
    """
    from setae.doctor import examine

    findings = examine(_settings(home))
    for finding in findings:
        mark = "[green]ok [/]" if finding.is_good else "[red]bad[/]"
        advice = f"  → {escape(finding.advice)}" if finding.advice else ""
        out.print(f"{mark} {finding.subject:<20} {escape(finding.observed)}{advice}")
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(78)


@quarantine_app.command("list")
def quarantine_list(
    home: HomeOption = None,
    source: SourceOption = None,
    entity: Annotated[str | None, typer.Option(help="Only this entity.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule, such as Q05.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Not only open ones.")] = False,
) -> None:
    """One line a record: id, rule, file and line, what is wrong; then how many by rule.

    Example: `setae quarantine list --rule Q05`
    """
    from ingestion import quarantine
    from setae import ledger
    from setae.warehouse import connect

    with connect(_settings(home)) as connection:
        ledger.create(connection)
        status = None if every else "open"
        records = quarantine.find(
            connection, source=source, entity=entity, rule=rule, status=status
        )
        counts = quarantine.counts(
            connection, source=source, entity=entity, rule=rule, status=status
        )
    table = Table("id", "rule", "status", "where", "field", "what", box=None, pad_edge=False)
    for record in records:
        table.add_row(
            record.quarantine_id[:12],
            record.rule,
            record.status if record.severity == "reject" else record.severity,
            escape(record.place),
            escape(record.field or ""),
            escape(record.message),
        )
    if not records:
        out.print("the quarantine is empty")
        return
    out.print(table)
    total = sum(counts.values())
    first = f"the first {len(records)} of " if len(records) < total else ""
    by_rule = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    out.print(f"{first}{total:,} records: {by_rule}")


@quarantine_app.command("show")
def quarantine_show(
    quarantine_id: Annotated[str, typer.Argument(help="The id or its beginning.")],
    home: HomeOption = None,
) -> None:
    """All that is kept of one record; pseudonymised, like everything.

    Example: `setae quarantine show 3f2a`
    """
    from dataclasses import asdict

    from ingestion import quarantine
    from setae import ledger
    from setae.warehouse import connect

    with connect(_settings(home)) as connection:
        ledger.create(connection)
        record = quarantine.get(connection, quarantine_id)
    for name, value in asdict(record).items():
        out.print(f"{name:<16} {escape(str(value)) if value is not None else '-'}")


@quarantine_app.command("release")
def quarantine_release(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids or their beginnings.")] = None,
    home: HomeOption = None,
    rule: Annotated[str | None, typer.Option(help="All open records of a rule.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, as the feed would write it.")
    ] = None,
) -> None:
    """Validate records again, with fields mended by hand, and land those that pass.

    Example: `setae quarantine release 3f2a --set currency=EUR`, then `setae run`
    """
    from setae import stages

    fields: dict[str, str] = {}
    for assignment in assignments or []:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise ConfigError(f"--set {assignment}: write FIELD=VALUE")
        fields[name] = value
    result = stages.release(_settings(home), ids=tuple(ids or ()), rule=rule, set_fields=fields)
    for quarantine_id, why in result.refused.items():
        err.print(f"still refused: {quarantine_id[:12]} {escape(why)}")
    out.print(f"{len(result.released)} records released into {len(result.manifests)} landed files")
    out.print("next: setae run")
    if result.refused:
        raise typer.Exit(65)


@simulate_app.command("world")
def simulate_world(
    out_folder: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    scenario: Annotated[
        str, typer.Option(help="tiny, demo, null, leaky or large; docs/simulation/world.md.")
    ] = "demo",
    shop: Annotated[
        Literal["drops", "shopify"],
        typer.Option(help="Orders as drops, or only in the shop's own database."),
    ] = "drops",
    seed: Annotated[int | None, typer.Option(help="Decides every draw.", min=0)] = None,
    people_seed: Annotated[
        int | None,
        typer.Option(help="Decides what people do, with the same creators.", min=0),
    ] = None,
    people: Annotated[int | None, typer.Option(help="Shoppers.", min=1)] = None,
    creators: Annotated[int | None, typer.Option(help="Creators.", min=1)] = None,
    days: Annotated[int | None, typer.Option(help="Days observed.", min=1)] = None,
) -> None:
    """Generate a world: drops, the shop's database, and the truth beside them.

    Example: `setae simulate world --scenario tiny --out var/world`, then put `drops/` into a home;
    `setae simulate world --people 64000 --out var/large` makes a million events
    """
    from time import perf_counter

    from ingestion.synthetic import scenario as scenarios
    from ingestion.synthetic.world import generate

    chosen = scenarios.preset(
        scenario,
        seed=seed,
        people_seed=people_seed,
        people=people,
        creators=creators,
        days=days,
    )
    begun = perf_counter()
    with _display() as progress:
        made = generate(chosen, out_folder, shop=shop, progress=progress)
    seconds = perf_counter() - begun
    out.print(
        f"{made.people:,} people, {made.creators:,} creators, {made.posts:,} posts: "
        f"{made.exposures:,} exposures, {made.visits:,} visits, {made.events:,} events, "
        f"{made.clicks:,} clicks, {made.orders:,} orders"
    )
    out.print(
        f"{made.files:,} files in {seconds:.1f} s, {made.events / seconds:,.0f} events a second; "
        f"as of {made.as_of}"
    )
    out.print(f"next: setae simulate check {escape(str(out_folder))}")


@simulate_app.command("check")
def simulate_check(
    folder: Annotated[Path, typer.Argument(help="A generated world, with its truth.")],
) -> None:
    """Recover what was planted from what was delivered; exit code 65 if one is too far off.

    Example: `setae simulate check var/world`
    """
    from ingestion.synthetic.oracle import check as consult
    from setae.errors import DataError

    findings = consult(folder)
    columns = ("what", "of", "planted", "recovered", "standard error", "apart", "within", "")
    table = Table(*columns, box=None, pad_edge=False)
    for one in findings:
        is_exact = one.error == 0
        table.add_row(
            one.name,
            one.group,
            f"{one.planted:,.4f}",
            f"{one.recovered:,.4f}",
            "exact" if is_exact else f"{one.error:.4f}",
            "" if is_exact else f"{one.distance:+.2f}",
            "" if is_exact else f"{one.tolerance:g}",
            "[green]ok[/]" if one.is_good else "[red]off[/]",
        )
    out.print(table)
    wrong = [f"{one.name} ({one.group})" for one in findings if not one.is_good]
    if wrong:
        raise DataError(
            f"{folder}: not what was planted: {', '.join(wrong)}; the generator and its truth "
            "disagree"
        )
    out.print(f"{len(findings)} numbers recovered")


@app.command()
def up(
    home: HomeOption = None,
    port: Annotated[
        int | None, typer.Option(help="Of the pages.", show_default="first free from 8080")
    ] = None,
) -> None:
    """Airflow's scheduler and pages on loopback, until Ctrl-C.

    Example: `setae up --home var/complete_journey`
    """
    from setae import demo as demonstration, scheduler

    scheduler.up(demonstration.ensure_home(home), port=port, console=out)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def airflow(context: typer.Context, home: HomeOption = None) -> None:
    """Airflow's own command line, for a home.

    Example: `setae airflow --home var/complete_journey dags list`
    """
    from setae import scheduler

    raise typer.Exit(scheduler.airflow_command(_settings(home), context.args))


@app.command()
def demo(
    data: Annotated[
        Literal["simulated", "complete_journey"], typer.Option(help="Which data to run on.")
    ] = "simulated",
    home: Annotated[
        Path | None, typer.Option("--home", help="The data home.", show_default="var/<data>")
    ] = None,
) -> None:
    """A simulated platform, or real purchases, through the real DAGs to a published file.

    Example: `setae demo`; `setae demo --data complete_journey`
    """
    from setae import demo as demonstration

    demonstration.demo(data=data, home=home, console=out)


@simulate_app.command("serve")
def simulate_serve(
    folder: Annotated[Path, typer.Argument(help="A world with a shop/ folder.")],
    port: Annotated[int, typer.Option(help="Of 127.0.0.1; 0 is any free one.")] = 8700,
    now: Annotated[
        str | None,
        typer.Option(
            help="The shop as of this instant, such as 2026-06-01T00:00:00Z.",
            show_default="the world's as_of",
        ),
    ] = None,
    plus: Annotated[
        bool, typer.Option("--plus", help="The bucket of Shopify Plus: 1,000 points a second.")
    ] = False,
) -> None:
    """Serve a world's shop as the Shopify Admin API on loopback, until Ctrl-C.

    The access token is in `shop_token` in the folder, or in SETAE_SHOP_TOKEN.

    Example: `setae simulate serve var/world --port 8700`
    """
    try:
        from ingestion.synthetic.shopify import server
        from ingestion.synthetic.shopify.shop import API_VERSION
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; `pip install 'setae[simulation]'`"
        ) from None
    shop, place = server.open_world(
        folder, now=None if now is None else _aware(now), plan="plus" if plus else "standard"
    )

    def started(address: str) -> None:
        out.print(f"{address}/admin/api/{API_VERSION}/graphql.json")
        out.print(f"as of {shop.now.isoformat()}; the access token is in {escape(place)}")

    server.serve(shop, port, started=started)


def main() -> None:
    """Entry point: one line for an error, and its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        app()
    except SetaeError as error:
        err.print(f"setae: {escape(str(error))}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("setae: stopped; run it again to go on where it was")
        sys.exit(130)
