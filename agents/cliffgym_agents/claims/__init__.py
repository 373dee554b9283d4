"""The claims ledger: what the paper says about learning, tried on agents that are really trained."""

from collections.abc import Mapping

from cliffgym_agents.claims.behaviour import DECEPTION, OBEDIENCE, REPAIR, SLACKER, SOPHISTRY
from cliffgym_agents.claims.claim import Claim, Judgement
from cliffgym_agents.claims.tie_breaker import SMOOTH, STANDARDISATION, TIES

CLAIMS: Mapping[str, Claim] = {
    claim.id: claim for claim in (TIES, SMOOTH, STANDARDISATION, REPAIR, SLACKER, SOPHISTRY, DECEPTION, OBEDIENCE)
}
"""Every claim, by id."""

__all__ = ["CLAIMS", "Claim", "Judgement"]
