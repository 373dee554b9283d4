"""The claims ledger: what the paper says about learning, tried on agents that are really trained."""

from collections.abc import Mapping

from cliffgym_agents.claims.claim import Claim, Judgement
from cliffgym_agents.claims.coefficient import COEFFICIENT
from cliffgym_agents.claims.deception import DECEPTION, DECEPTION_TRAINING, PRESSURE
from cliffgym_agents.claims.hidden_difficulty import HIDDEN_DIFFICULTY
from cliffgym_agents.claims.length import LENGTH_CLIFFS, LENGTH_CONTROL
from cliffgym_agents.claims.lipschitz import SMOOTH
from cliffgym_agents.claims.multi_reward import CURATION, MIXTURE, PERTURBATION
from cliffgym_agents.claims.obedience import OBEDIENCE, OBEDIENCE_PRICE
from cliffgym_agents.claims.reference import REFERENCE
from cliffgym_agents.claims.repair import REPAIR
from cliffgym_agents.claims.slacker import SLACKER
from cliffgym_agents.claims.sophistry import SOPHISTRY, SOPHISTRY_CLIFFS
from cliffgym_agents.claims.standardised import STANDARDISATION, TABLE
from cliffgym_agents.claims.ties import TIES

_CLAIMS = (
    TIES,
    SMOOTH,
    STANDARDISATION,
    TABLE,
    REPAIR,
    REFERENCE,
    SLACKER,
    LENGTH_CLIFFS,
    HIDDEN_DIFFICULTY,
    LENGTH_CONTROL,
    SOPHISTRY,
    SOPHISTRY_CLIFFS,
    DECEPTION,
    PRESSURE,
    DECEPTION_TRAINING,
    OBEDIENCE,
    OBEDIENCE_PRICE,
    PERTURBATION,
    MIXTURE,
    CURATION,
    COEFFICIENT,
)

CLAIMS: Mapping[str, Claim] = {claim.id: claim for claim in _CLAIMS}
"""Every claim, by id."""

__all__ = ["CLAIMS", "Claim", "Judgement"]
