"""What a world is made of: every assumption is a field with a sentence, presets are its values.

Amounts are in cents, rates are per day, shares are fractions. Where a field has four values they
are those of nano, micro, mid and macro creators.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import date
from typing import Any

from setae.errors import ConfigError

Tiers = tuple[float, float, float, float]

TIERS = ("nano", "micro", "mid", "macro")
TIER_BOUNDS = (1_000, 10_000, 100_001)
"""Follower counts at which micro, mid and macro begin."""


@dataclass(frozen=True)
class Scenario:
    """Every parameter of a world; `says` of each field is what the docs print."""

    name: str = field(default="demo", metadata={"says": "Name of the preset it began as."})
    seed: int = field(default=1, metadata={"says": "Decides every draw."})
    people_seed: int = field(
        default=-1,
        metadata={
            "says": "Decides what people do and buy, apart from who the creators are; -1: `seed`."
        },
    )
    people: int = field(default=5_000, metadata={"says": "Shoppers who may visit."})
    creators: int = field(default=300, metadata={"says": "Creators the team knows."})
    days: int = field(default=120, metadata={"says": "Business days observed; `as_of` ends them."})
    start_date: date = field(
        default=date(2026, 5, 1), metadata={"says": "First business day observed."}
    )
    business_timezone: str = field(
        default="Europe/Berlin", metadata={"says": "Zone whose days and hours people live by."}
    )
    reporting_currency: str = field(
        default="USD", metadata={"says": "What `fx_rates_daily` converts to."}
    )
    file_days: int = field(
        default=14, metadata={"says": "Days of deliveries in a file of events, clicks or orders."}
    )
    slow_file_days: int = field(
        default=30, metadata={"says": "Days of deliveries in a file of the other dated feeds."}
    )

    # Creators
    tier_shares: Tiers = field(
        default=(0.62, 0.25, 0.09, 0.04),
        metadata={"says": "Weights of the four log-normal bumps audience sizes come from."},
    )
    second_platform_share: float = field(
        default=0.15, metadata={"says": "Creators with an account on a second platform."}
    )
    no_snapshot_share: float = field(
        default=0.03, metadata={"says": "Creators nobody ever counted: tier unknown."}
    )
    fraud_share: float = field(
        default=0.05,
        metadata={"says": "Creators who buy followers once: a jump that sees nothing."},
    )
    token_share: float = field(
        default=0.3, metadata={"says": "Creators who granted a token: reach and saves are told."}
    )
    posts_per_day: float = field(default=0.15, metadata={"says": "Mean posts of a creator a day."})
    sponsored_share: float = field(
        default=0.4, metadata={"says": "Posts about the brand, while a creator is active."}
    )
    engagement_elasticity: float = field(
        default=-0.15,
        metadata={
            "says": "Exponent of engagement per view in the follower count; 0 is no decline."
        },
    )
    engagement_rate: float = field(
        default=0.06, metadata={"says": "Likes per view of an account of 1,000 followers."}
    )
    comments_per_post: float = field(
        default=1.6, metadata={"says": "Mean comments of a post, before a creator's own factor."}
    )
    ambassador_share: float = field(
        default=0.08, metadata={"says": "Creators who are customers of the shop too."}
    )
    leave_share: float = field(default=0.08, metadata={"says": "Creators who leave the programme."})
    pause_share: float = field(
        default=0.08, metadata={"says": "Creators who pause; half of them come back."}
    )
    experiment_share: float = field(
        default=0.6,
        metadata={"says": "Creators whose activation is randomised over the waves."},
    )
    listed_share: float = field(
        default=0.8,
        metadata={"says": "Old customers among followers whom creators list before wave 1."},
    )
    wave_starts: tuple[float, ...] = field(
        default=(0.1, 0.3, 0.5, 0.7),
        metadata={"says": "When the waves of the experiment start, as shares of the days."},
    )

    # Codes
    code_share: float = field(default=0.85, metadata={"says": "Active creators with a promo code."})
    moved_codes: int = field(default=3, metadata={"says": "Codes that change hands half-way."})
    late_codes: int = field(
        default=4, metadata={"says": "Codes whose owner is delivered only weeks after first use."}
    )
    ambiguous_codes: int = field(
        default=3, metadata={"says": "Codes two creators own at the same time."}
    )
    leaked_codes: int = field(
        default=6, metadata={"says": "Codes that a coupon site lists from some day on."}
    )
    leak_use: float = field(
        default=0.06,
        metadata={"says": "Baseline orders that use a leaked code, once one is out (mean)."},
    )

    # People
    visits_per_day: float = field(
        default=0.03, metadata={"says": "Mean baseline visits of a person a day."}
    )
    visit_shape: float = field(
        default=0.8,
        metadata={"says": "Gamma shape of visit hazards over people; small is unequal."},
    )
    purchase_probability: float = field(
        default=0.07, metadata={"says": "Mean chance that a baseline visit buys."}
    )
    purchase_shape: float = field(
        default=1.5, metadata={"says": "Gamma shape of purchase chances over people."}
    )
    old_customer_share: float = field(
        default=0.25, metadata={"says": "People who bought in the 180 days before the start."}
    )
    shared_device_share: float = field(
        default=0.12, metadata={"says": "Pairs of people who share a device at home."}
    )
    consent_share: float = field(
        default=0.92, metadata={"says": "People whose visits the shop's site may record."}
    )
    sign_in_share: float = field(
        default=0.35, metadata={"says": "Mean share of an account holder's visits signed in."}
    )
    reset_share: float = field(
        default=0.3, metadata={"says": "Browsers that lose their cookie from time to time."}
    )
    in_app_share: float = field(
        default=0.35,
        metadata={"says": "Creator clicks that open in the platform's own browser and cookie jar."},
    )
    app_share: float = field(default=0.12, metadata={"says": "People who use the shop's app."})

    # Exposure and what it does
    follows_per_person: float = field(
        default=5.0, metadata={"says": "Mean number of the creators a person follows."}
    )
    niche_match: float = field(
        default=0.7, metadata={"says": "Follows inside a person's own niche."}
    )
    audience_exponent: float = field(
        default=0.35, metadata={"says": "A creator is followed in proportion to followers^this."}
    )
    see_probability: float = field(
        default=0.45, metadata={"says": "Chance that a follower sees a sponsored post."}
    )
    click_probability: float = field(
        default=0.06,
        metadata={"says": "Mean chance that seeing a post brings a visit by its link."},
    )
    path_share: float = field(
        default=0.15,
        metadata={
            "says": "Baseline visits within 7 days of an exposure that come by the creator's link: "
            "they would have come anyway."
        },
    )
    return_effect: Tiers = field(
        default=(1.0, 0.7, 0.45, 0.3),
        metadata={
            "says": "Extra visit hazard per hazard, 28 days after a clicked exposure; means."
        },
    )
    unclicked_effect: float = field(
        default=0.2,
        metadata={"says": "Share of that effect that seeing the post has; a click adds the rest."},
    )
    order_effect: Tiers = field(
        default=(0.05, 0.04, 0.025, 0.015),
        metadata={"says": "Chance of an order caused by the first exposure to a creator, mean."},
    )
    effect_shape: float = field(
        default=3.0, metadata={"says": "Gamma shape of effects over the creators of a tier."}
    )
    are_tiers_identical: bool = field(
        default=False, metadata={"says": "Gives every tier the mean of all tiers' effects."}
    )
    effect_days: int = field(default=28, metadata={"says": "Days after an exposure it works."})
    declared_shares: tuple[float, float, float, float, float] = field(
        default=(0.30, 0.28, 0.20, 0.14, 0.08),
        metadata={
            "says": "Caused orders that show by code and click, code, click, nothing, survey only."
        },
    )

    # Money
    refund_probability: float = field(
        default=0.1, metadata={"says": "Chance that a baseline order is refunded."}
    )
    refund_distrust: float = field(
        default=0.3,
        metadata={"says": "Added chance for a caused order of a creator nobody trusts."},
    )
    refund_lag_shape: float = field(default=1.6, metadata={"says": "Gamma shape of refund lags."})
    refund_lag_days: float = field(default=15.0, metadata={"says": "Mean refund lag in days."})
    survey_share: float = field(default=0.45, metadata={"says": "Orders with a survey answer."})
    survey_error: float = field(
        default=0.15, metadata={"says": "Answers that name a wrong source."}
    )
    referral_share: float = field(
        default=0.04, metadata={"says": "New customers whom an earlier one brought."}
    )
    affiliate_share: float = field(
        default=0.3, metadata={"says": "Creators whose orders an affiliate network reports too."}
    )
    view_share: float = field(
        default=0.12, metadata={"says": "Orders with an advertisement's view in the day before."}
    )

    # Machines and feeds
    bot_event_share: float = field(
        default=0.05, metadata={"says": "Events made by machines, as a share of people's."}
    )
    hidden_bot_share: float = field(
        default=0.2, metadata={"says": "Machines whose user agent looks like a browser's."}
    )
    late_share: float = field(
        default=0.01, metadata={"says": "Records delivered one to ten days late."}
    )
    repeat_share: float = field(
        default=0.002, metadata={"says": "Events delivered again in the next file."}
    )
    has_faults: bool = field(default=True, metadata={"says": "Whether feeds hold dirty rows."})

    def __post_init__(self) -> None:
        for name in ("people", "creators", "days", "file_days", "slow_file_days"):
            if getattr(self, name) < 1:
                raise ConfigError(f"scenario {self.name}: {name} must be at least 1")
        for one in fields(self):
            values = getattr(self, one.name)
            for value in values if isinstance(values, tuple) else (values,):
                if isinstance(value, float) and not math.isfinite(value):
                    raise ConfigError(f"scenario {self.name}: {one.name} is not a number")

    @property
    def is_null(self) -> bool:
        """Whether no creator has any effect."""
        return not any(self.return_effect) and not any(self.order_effect)

    @property
    def mean_effects(self) -> tuple[Tiers, Tiers]:
        """Effects on return visits and on orders by tier, after `are_tiers_identical`."""
        return self._levelled(self.return_effect), self._levelled(self.order_effect)

    def _levelled(self, effects: Tiers) -> Tiers:
        if not self.are_tiers_identical:
            return effects
        mean = math.fsum(effects) / len(effects)
        return (mean, mean, mean, mean)

    def as_json(self) -> dict[str, Any]:
        """All parameters, dates as text."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asdict(self).items()
        }


_NONE: Tiers = (0.0, 0.0, 0.0, 0.0)

PRESETS: dict[str, tuple[str, Scenario]] = {
    "tiny": (
        "a hundred and fifty people, for tests",
        Scenario(
            name="tiny",
            people=150,
            creators=12,
            days=45,
            slow_file_days=45,
            visits_per_day=0.1,
            moved_codes=1,
            late_codes=1,
            ambiguous_codes=1,
            leaked_codes=1,
            leak_use=0.15,
            affiliate_share=0.6,
            referral_share=0.2,
        ),
    ),
    "demo": ("what `make demo` runs on", Scenario()),
    "null": (
        "the demo in which creators change nothing: they only share in the way people come",
        Scenario(
            name="null",
            return_effect=_NONE,
            order_effect=_NONE,
            click_probability=0.0,
            path_share=0.4,
        ),
    ),
    "leaky": (
        "the demo with many codes on coupon sites",
        Scenario(name="leaky", leaked_codes=30, leak_use=0.25),
    ),
    "large": (
        "a million people and tens of millions of events",
        Scenario(
            name="large",
            people=1_000_000,
            creators=20_000,
            file_days=7,
            moved_codes=200,
            late_codes=250,
            ambiguous_codes=50,
            leaked_codes=400,
        ),
    ),
}


def preset(name: str, /, **changes: Any) -> Scenario:
    """A preset with some parameters changed; changes that are None are left out.

    Raises:
        ConfigError: There is no preset of that name, or a value is out of range.
    """
    if name not in PRESETS:
        raise ConfigError(f"--scenario {name}: choose one of {', '.join(PRESETS)}")
    wanted = {key: value for key, value in changes.items() if value is not None}
    return replace(PRESETS[name][1], **wanted)


def parameters() -> list[tuple[str, Any, str]]:
    """Name, default and sentence of every parameter, in order."""
    return [
        (one.name, one.default, str(one.metadata["says"]))
        for one in fields(Scenario)
        if one.default is not MISSING
    ]
