"""gymnax's toys, N environments by vmap, T steps by scan, all compiled into one function by jit.

Counted: N T true transitions; an episode that ends begins anew within the same step. What leaves the compiled function
is the reward and whether the episode ended, (T, N) each. The observations are left out, which lets the compiler leave
out their work.

Actions: "step" draws them inside, at every step, as gymnax's own examples do. "block" draws them inside, for all steps
at once before the scan, which only a policy that does not look at the state can do. "given" reads them from an array.
"""

from importlib.metadata import version
from typing import Any

import gymnax
import jax

from benchmarks.workload import Workload


def make(toy: str, num_envs: int, steps: int, actions: str) -> Workload:
    """One toy, such as "DiscountingChain-bsuite"; `actions` is "step", "block" or "given"."""
    env, parameters = gymnax.make(toy)

    def draw(key: jax.Array, *shape: int) -> jax.Array:
        return jax.random.randint(key, shape, 0, env.num_actions)

    def step(carry: Any, given: Any) -> tuple[Any, Any]:
        key, state = carry
        key, action_key, step_key = jax.random.split(key, 3)
        action = draw(action_key, num_envs) if given is None else given
        keys = jax.random.split(step_key, num_envs)
        _, state, reward, terminated, truncated, _ = jax.vmap(env.step, (0, 0, 0, None))(
            keys, state, action, parameters
        )
        return (key, state), (reward, terminated | truncated)

    @jax.jit
    def rollout(carry: Any, given: Any) -> tuple[Any, Any]:
        if actions == "block":
            key, state = carry
            key, action_key = jax.random.split(key)
            carry, given = (key, state), draw(action_key, steps, num_envs)
        return jax.lax.scan(step, carry, given, length=steps)

    reset_key, action_key, key = jax.random.split(jax.random.key(0), 3)
    _, state = jax.vmap(env.reset, (0, None))(jax.random.split(reset_key, num_envs), parameters)
    carry = (key, state)
    given = draw(action_key, steps, num_envs) if actions == "given" else None

    def chunk() -> int:
        nonlocal carry
        carry, results = rollout(carry, given)
        jax.block_until_ready(results)
        return steps * num_envs

    return Workload(chunk, {"version": f"gymnax {version('gymnax')}, jax {version('jax')}"})
