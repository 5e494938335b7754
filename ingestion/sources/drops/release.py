"""The quarantine's way back: mended rows, landed like any delivery.

A stored payload holds pseudonyms, not people. It is run through today's rules with the fields the
operator sets; what passes lands as a file of kind `release`, revision 1, so that a rebuild replays
it, and a later correction by the source still wins by its `updated_at`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion import contract, intake, landing, validate
from ingestion.contract import EntityContract
from ingestion.intake import Intake
from ingestion.landing import Delivery, Manifest, Origin
from ingestion.pseudonyms import Pseudonyms, file_digest
from ingestion.sources import drops
from ingestion.validate import Checked
from setae.settings import Settings
from setae.warehouse import Home

REVISION = 1


@dataclass(frozen=True)
class ReleaseRow:
    """A quarantined record and what to set in it."""

    quarantine_id: str
    payload: Mapping[str, Any]
    set_fields: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """The landed file, if any row passed, and what still fails: quarantine id → why."""

    manifest: Manifest | None
    refused: dict[str, str]


def release(
    settings: Settings,
    *,
    source: str,
    source_account: str,
    entity: str,
    rows: Sequence[ReleaseRow],
) -> Outcome:
    """Validate quarantined rows again and land those that pass.

    Args:
        settings: Of the home.
        source: Configured source the rows came from.
        source_account: Account they belong to.
        entity: Their entity.
        rows: Payloads as stored, and fields to set by name as delivered or by column.

    Returns:
        The manifest of the landed file, and the rows that still break a rule.

    Raises:
        ConfigError: No such source or entity, or no pseudonym key.
    """
    config = settings.source(source)
    one = contract.load(config.kind, entity)
    pseudonyms = Pseudonyms(settings.pii_master(), settings.pii_key_id)
    terms = drops.terms(
        config, received_at=None, revision=REVISION, account=source_account, kind=config.kind
    )
    passed: list[Checked] = []
    refused: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row.quarantine_id):
        checked = validate.revalidate(
            one, row.payload, row.set_fields, terms=terms, pseudonyms=pseudonyms
        )
        if checked.violations:
            refused[row.quarantine_id] = "; ".join(
                dict.fromkeys(f"{broken.rule} {broken.message}" for broken in checked.violations)
            )
        else:
            passed.append(checked)
    if not passed:
        return Outcome(None, refused)
    with (
        landing.fetching(Home(settings.home).landing, source),
        intake.connect(settings, pseudonyms) as connection,
    ):
        manifest = intake.land(
            landing_directory=Home(settings.home).landing,
            delivery=_delivery(
                source,
                source_account,
                one,
                pseudonyms,
                passed,
                releases=tuple(sorted({row.quarantine_id for row in rows} - set(refused))),
            ),
            contract=one,
            terms=terms,
            pseudonyms=pseudonyms,
            connection=connection,
            fill=lambda into: _fill(into, passed),
        )
    return Outcome(manifest, refused)


def _fill(into: Intake, passed: Sequence[Checked]) -> None:
    into.accept(list(enumerate(passed, start=1)))


def _delivery(
    source: str,
    account: str,
    entity: EntityContract,
    pseudonyms: Pseudonyms,
    passed: Sequence[Checked],
    *,
    releases: tuple[str, ...],
) -> Delivery:
    """The same rows set to the same values are one delivery, however often they are released."""
    content = json.dumps(
        [[one.record, one.overlay] for one in passed], sort_keys=True, ensure_ascii=False
    ).encode()
    # A keyed digest first: fields set by hand may be plain addresses.
    digest = file_digest(pseudonyms.digest(content).encode())
    return Delivery(
        source=source,
        source_account=account,
        entity=entity.entity,
        contract_version=entity.version,
        key_id=pseudonyms.key_id,
        origin=Origin("quarantine release", digest, len(content), "release"),
        kind="release",
        revision=REVISION,
        releases=releases,
    )
