"""The ledger service: turnover and profile become points and benefits, and tills redeem them. Wiring only."""

from functools import partial

from pydantic import Field, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ledger import rules
from services.ledger.api import routes
from services.ledger.benefits.use import UseBenefit
from services.ledger.coupons import Coupons
from services.ledger.points.commands import AdjustPoints, CapturePoints, HoldPoints, ReleaseHold
from services.ledger.totals import totals
from shared.contracts.profile import PROFILE
from shared.contracts.turnover import TURNOVER
from shared.runtime.rules import Service
from shared.runtime.service import run
from shared.settings import PREFIX, load

SERVICE = Service(
    name="ledger",
    rules=rules,
    inputs={},
    sisters={"profile": PROFILE, "turnover": TURNOVER},
    commands={
        "HoldPoints.v1": TypeAdapter(HoldPoints),
        "CapturePoints.v1": TypeAdapter(CapturePoints),
        "ReleaseHold.v1": TypeAdapter(ReleaseHold),
        "AdjustPoints.v1": TypeAdapter(AdjustPoints),
        "UseBenefit.v1": TypeAdapter(UseBenefit),
    },
    answer=rules.answer,
    lines=rules.lines,
    totals=totals,
)


class CouponSettings(BaseSettings):
    """`coupon_secret`: what the codes of coupons are made of. Another one voids the codes that customers hold."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True, extra="ignore", frozen=True)

    coupon_secret: SecretStr = Field(min_length=32)


if __name__ == "__main__":
    coupons = Coupons(load(CouponSettings).coupon_secret.get_secret_value())
    run(SERVICE, partial(routes, coupons=coupons))
