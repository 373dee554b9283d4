"""`cliffgym train ID`: trains an SB3 agent and says exactly what it learned."""

import argparse
import json

from cliffgym.cli.arguments import add_scenario_arguments, assignment, reward_argument
from cliffgym.tables import text_table


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("train", help="train a Stable-Baselines3 agent and evaluate it exactly")
    add_scenario_arguments(parser)
    parser.add_argument(
        "--algorithm", default="ppo", help="ppo (default), a2c, dqn, maskable_ppo, soft_dqn, kl_ppo or grpo"
    )
    parser.add_argument(
        "--reward", type=reward_argument, default="incomplete", help="a reward's name or JSON weights of components"
    )
    parser.add_argument("--ent-coef", help="entropy bonus: a number, or lin_0.1 for a line from 0.1 to 0")
    parser.add_argument("--steps", type=int, metavar="N", help="tokens to train on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--hyper",
        metavar="NAME=VALUE",
        type=assignment,
        action="append",
        default=[],
        help="an argument of SB3's class, such as learning_rate=0.001; may be repeated",
    )
    parser.add_argument("--evaluate-every", type=int, metavar="N", help="evaluate exactly every N tokens")
    parser.add_argument("--log", metavar="FOLDER", help="write TensorBoard logs and history.csv there")
    parser.add_argument("--save", metavar="FOLDER", help="write the model, its policy table and its measures there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Trains, prints the exact measures, and saves if asked to."""
    from cliffgym_agents import train

    entropy = options.ent_coef
    if entropy is not None and not entropy.startswith("lin_"):
        try:
            entropy = float(entropy)
        except ValueError:
            raise ValueError(f"--ent-coef must be a number or a text like lin_0.1, got {entropy!r}") from None
    result = train(
        options.id,
        options.algorithm,
        reward=options.reward,
        ent_coef=entropy,
        total_timesteps=options.steps,
        seed=options.seed,
        env_kwargs=dict(options.set),
        hyperparameters=dict(options.hyper),
        evaluate_every=options.evaluate_every,
        log_folder=options.log,
        progress=not options.json,
    )
    if options.save:
        result.save(options.save)
    if options.json:
        print(json.dumps({"settings": result.settings, "measures": result.measures, "wall_time": result.wall_time}))
        return
    steps = result.model.num_timesteps  # whole rollouts
    print(f"{options.algorithm} on {options.id}: {steps:,} tokens in {result.wall_time:.1f} s. Exactly evaluated:\n")
    print(text_table(["measure", "value"], list(result.measures.items())))
    if options.save:
        print(f"\nSaved to {options.save}. model.zip runs code when loaded: load only models you trust.")
