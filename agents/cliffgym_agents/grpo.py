"""Group-relative policy optimisation: several traces for each question, each judged against the others.

What divides the advantages, and whether anything does, is the research question: with the standard deviation of the
group (GRPO) the smallest difference of rewards acts like the largest; without (Dr.GRPO) it does not. Whole batches are
sampled by the native vector environment from a policy table, and the losses look up one network pass over all states.

Shapes: P groups, G traces in each, N = P · G, T tokens of the longest trace, S states, A actions.

Source: Shao et al. (2024), DeepSeekMath, arXiv:2402.03300 (GRPO); Liu et al. (2025), Understanding R1-Zero-like
training, arXiv:2503.20783 (Dr.GRPO).
"""

from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback

from cliffgym import CliffVectorEnv, Scenario
from cliffgym.checks import array, choice, flag, integer, number
from cliffgym_agents.references import check_reference, divergences, log_reference
from cliffgym_agents.schedules import Schedule, parse_schedule
from cliffgym_agents.tabular_policy import TabularPolicy
from cliffgym_agents.vec_env import CliffVecEnv

BASELINES = ("group", "batch", "none")
SCALES = ("group", "batch", "none")
_TINY = 1e-8  # added to standard deviations


class _Tokens(NamedTuple):
    """The tokens of a batch of traces, M in all.

    Attributes:
        states: (M,) where they were emitted.
        actions: (M,) which they were.
        advantages: (M,) those of their traces.
        weights: (M,) what each counts in the loss; they sum to 1 if traces count alike, else to their mean length.
    """

    states: torch.Tensor
    actions: torch.Tensor
    advantages: torch.Tensor
    weights: torch.Tensor


class GRPO(OnPolicyAlgorithm):
    """Group-relative policy optimisation on traces.

    The traces of a group answer one question. Where prompts have hidden classes, its class (how hard it is, say) is
    drawn with the prompt and is that of the whole group, though the policy cannot see it.

    Args:
        policy: As for PPO, or `TabularPolicy`. Values are not used.
        env: A `CliffVecEnv`, whose `n_envs` is a multiple of `group_size`: that many traces are sampled at a time.
        group_size: G, traces for each question, >= 2.
        baseline: What is subtracted from a trace's return: the mean of its "group", of the "batch", or "none".
        scale: What that is divided by: the standard deviation of the "group" (GRPO), of the "batch", or "none"
            (Dr.GRPO). Without a baseline, groups that are all alike get huge advantages from the first two.
        per_trace: Whether each trace counts alike however long it is, as GRPO has it; or each token, as Dr.GRPO.
        clip_range: Of the surrogate's probability ratio, > 0; also `"lin_0.2"`, or a function of the share of training
            that remains.
        n_epochs: Gradient steps on each batch.
        kl_coef: Coefficient of the exact KL divergence to `reference` in the states met, reward per nat.
        reference: (S, A) the reference policy; default the scenario's.
        ent_coef: Coefficient of the exact entropy in the states met, reward per nat.
        max_length: T, tokens after which a trace is cut off; needed where traces may go on for ever.
        learning_rate, gamma, max_grad_norm, arguments: Those of SB3's on-policy algorithms.

    Raises:
        ValueError: A value is out of range or unknown, `n_envs` is no multiple of `group_size`, the reference is not
            probabilities (S, A), or traces may go on for ever and there is no `max_length`.
        TypeError: The environment is no `CliffVecEnv`.

    >>> from cliffgym_agents import train
    >>> dr_grpo = {"policy": "TabularPolicy", "learning_rate": 0.05, "n_envs": 32, "scale": "none", "per_trace": False}
    >>> result = train("Cliff-Slacker-v0", "grpo", reward="true", total_timesteps=256, hyperparameters=dr_grpo)
    >>> result.model.max_length  # no trace of Slacker is longer
    3

    Where all traces of a group earn the same they teach nothing, and the table stays as uniform as it was:

    >>> result = train("Cliff-Slacker-v0", "grpo", reward={"correct": 0}, total_timesteps=256, hyperparameters=dr_grpo)
    >>> result.policy_table[0].round(3).tolist()
    [0.2, 0.2, 0.2, 0.2, 0.2]
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": ActorCriticPolicy,
        "TabularPolicy": TabularPolicy,
    }

    def __init__(
        self,
        policy: Any,
        env: Any,
        learning_rate: Any = 3e-3,
        *,
        group_size: int = 8,
        baseline: str = "group",
        scale: str = "group",
        per_trace: bool = True,
        clip_range: float | str | Schedule = 0.2,
        n_epochs: int = 4,
        kl_coef: float = 0.0,
        reference: ArrayLike | None = None,
        ent_coef: float = 0.0,
        gamma: float = 1.0,
        max_grad_norm: float = 0.5,
        max_length: int | None = None,
        _init_setup_model: bool = True,
        **arguments: Any,
    ) -> None:
        self.group_size = integer("group_size", group_size, 2)
        self.baseline, self.scale = choice("baseline", baseline, BASELINES), choice("scale", scale, SCALES)
        self.per_trace = flag("per_trace", per_trace)
        self.clip_range = parse_schedule("clip_range", clip_range)
        if not callable(self.clip_range) and not self.clip_range > 0:
            raise ValueError(f"clip_range must be > 0, got {clip_range!r}")
        self.n_epochs = integer("n_epochs", n_epochs, 1)
        self.kl_coef = number("kl_coef", kl_coef, 0)
        self.reference = None if reference is None else array("reference", reference)
        self.max_length = None if max_length is None else integer("max_length", max_length, 1)
        super().__init__(
            policy,
            env,
            learning_rate,
            n_steps=1,  # of a buffer that is not used
            gamma=gamma,
            gae_lambda=1.0,
            ent_coef=number("ent_coef", ent_coef, 0),
            vf_coef=0.0,
            max_grad_norm=max_grad_norm,
            use_sde=False,
            sde_sample_freq=-1,
            _init_setup_model=_init_setup_model,
            **arguments,
        )
        if self.env is not None and _init_setup_model:  # a model that is loaded does not know its own arguments yet
            self._check_env()

    def _check_env(self) -> None:
        """Checks the environment and completes what depends on it."""
        if not isinstance(self.env, CliffVecEnv):
            raise TypeError(f"env must be a CliffVecEnv, got {type(self.env).__name__}")
        envs = self.env.envs
        if envs.num_envs % self.group_size:
            raise ValueError(f"n_envs must be a multiple of group_size = {self.group_size}, got {envs.num_envs}")
        if self.max_length is None:
            if not envs.mdp.is_acyclic:
                raise ValueError("max_length must be given where traces may go on for ever, got None")
            self.max_length = int(envs.mdp.heights.max())
        shape = envs.mdp.num_states, envs.mdp.num_actions
        if self.reference is None:
            self.reference = envs.scenario.reference.copy()
        check_reference(self.reference, shape)

    @property
    def _envs(self) -> CliffVectorEnv:
        """The native environment."""
        return self.env.envs  # type: ignore[union-attr]  # checked before learning

    def _log_policy(self, envs: CliffVectorEnv) -> torch.Tensor:
        """(S, A) logarithms of the policy's probabilities in all states."""
        if isinstance(self.policy, TabularPolicy):
            return self.policy.tables()[0]
        observations, _ = self.policy.obs_to_tensor(envs.observations())
        return self.policy.get_distribution(observations).distribution.logits  # type: ignore[arg-type,union-attr]

    def collect_rollouts(self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Samples a batch of traces, each group of one question."""
        envs = self._envs
        callback.on_rollout_start()
        self.policy.set_training_mode(False)
        with torch.no_grad():
            table = self._log_policy(envs).exp().double().cpu().numpy()
        questions = _drawn_questions(envs.scenario, envs.num_envs // self.group_size)
        envs.reset(options={name: np.repeat(numbers, self.group_size) for name, numbers in questions.items()})
        traces = envs.rollout(table / table.sum(axis=1, keepdims=True), self.max_length or 1)
        ended = traces.terminations.cumsum(axis=0) - traces.terminations > 0  # by the trace that was asked for
        alive = ~ended
        discounts = self.gamma ** np.arange(len(alive))
        returns = (discounts[:, None] * traces.rewards * alive).sum(axis=0)
        self._tokens = self._counted(traces.states, traces.actions, alive, self._advantages(returns))
        lengths = alive.sum(axis=0)
        self.num_timesteps += int(lengths.sum())
        self._note(returns, lengths)
        dones = np.ones(envs.num_envs, dtype=bool)  # SB3's callbacks look for it
        callback.update_locals(locals())
        if not callback.on_step():
            return False
        callback.on_rollout_end()
        return True

    def _advantages(self, returns: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) what is better or worse than expected in each trace's return."""
        groups = returns.reshape(-1, self.group_size)
        means = {"group": groups.mean(axis=1, keepdims=True), "batch": groups.mean(), "none": 0.0}
        spreads = {"group": groups.std(axis=1, keepdims=True) + _TINY, "batch": groups.std() + _TINY, "none": 1.0}
        return ((groups - means[self.baseline]) / spreads[self.scale]).ravel()

    def _counted(
        self, states: NDArray[np.int64], actions: NDArray[np.int64], alive: NDArray[np.bool_], advantages: NDArray[Any]
    ) -> _Tokens:
        """The tokens (T, N) of traces that went on, with what each counts."""
        lengths = alive.sum(axis=0)
        weights = 1 / (lengths * lengths.size) if self.per_trace else np.full(lengths.size, 1 / lengths.size)
        rows, columns = np.nonzero(alive)
        numbers = [advantages[columns], weights[columns]]
        whole = [torch.as_tensor(values[rows, columns], device=self.device) for values in (states, actions)]
        return _Tokens(*whole, *(torch.as_tensor(v, dtype=torch.float32, device=self.device) for v in numbers))

    def _note(self, returns: NDArray[np.float64], lengths: NDArray[np.int64]) -> None:
        """Tells SB3's logger what traces earned and how long they were."""
        if self.ep_info_buffer is not None:
            mean = {"r": float(returns.mean()), "l": float(lengths.mean()), "t": 0.0}
            self.ep_info_buffer.extend([mean])

    def train(self) -> None:
        """Takes gradient steps on the clipped surrogate of the last batch."""
        envs, tokens = self._envs, self._tokens
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        reference = log_reference(self.reference, _TINY, self.device)[tokens.states]  # type: ignore[arg-type]
        schedule = self.clip_range
        clip_range = schedule(self._current_progress_remaining) if callable(schedule) else schedule
        before, record = None, {}
        for _ in range(self.n_epochs):
            table = self._log_policy(envs)
            rows = table[tokens.states]
            taken = rows.gather(1, tokens.actions[:, None]).flatten()
            before = taken.detach() if before is None else before
            ratios = (taken - before).exp()
            clipped = ratios.clamp(1 - clip_range, 1 + clip_range)
            surrogate = torch.minimum(ratios * tokens.advantages, clipped * tokens.advantages)
            finite = rows.clamp(min=torch.finfo(rows.dtype).min)
            entropies = -(rows.exp() * finite).sum(dim=1)
            apart = divergences(rows, reference)
            bonus = self.ent_coef * entropies - self.kl_coef * apart
            loss = -((surrogate + bonus) * tokens.weights).sum()
            self.policy.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            record = {
                "loss": loss.item(),
                "entropy": entropies.mean().item(),
                "reference_kl": apart.mean().item(),
                "clip_fraction": ((ratios - 1).abs() > clip_range).float().mean().item(),
            }
        self._n_updates += self.n_epochs
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, value in record.items():
            self.logger.record(f"train/{name}", value)

    def learn(  # type: ignore[override]
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 10,
        tb_log_name: str = "GRPO",
        **arguments: Any,
    ) -> "GRPO":
        """As SB3's, a time step being a token; tokens that a batch samples beyond its traces do not count."""
        self._check_env()
        return super().learn(total_timesteps, callback, log_interval, tb_log_name, **arguments)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_tokens"]


def _drawn_questions(scenario: Scenario, number: int) -> dict[str, NDArray[np.intp]]:
    """Questions as options of a reset: (P,) prompts, and where they have hidden classes, (P,) the class of each."""
    initial, hidden = scenario.world.initial, scenario.hidden
    starts = scenario.prompt_states if hidden is None else np.flatnonzero(initial)
    chances = initial[starts]
    # NumPy's global generator is the one that SB3 seeds.
    places = np.random.choice(starts.size, size=number, p=chances / chances.sum())  # noqa: NPY002
    if hidden is None:
        return {"prompt": places}
    drawn = starts[places]
    prompts = scenario.state_prompts[hidden.seen.observations[drawn]]
    return {"prompt": prompts, "class": hidden.state_classes[drawn]}
