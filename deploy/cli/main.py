"""The `perkstream` command: what it can be asked for. Each command's work is in a module of its own."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import clock, deadletters, place, programme, rebuilding, replaying, simulate, tokens
from deploy.cli.traffic import Shares, traffic
from deploy.cli.trouble import Trouble, close_output, results, run, stop

app = typer.Typer(
    help="Operate a Perkstream system: the one that the environment names, else the one that runs in this folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
programmes = typer.Typer(help="Check and publish versions of the programme.", no_args_is_help=True)
app.add_typer(programmes, name="programme")
master_keys = typer.Typer(help="Change the key under which customers' keys are wrapped.", no_args_is_help=True)
app.add_typer(master_keys, name="keys")

LIVE_RATE = 10.0  # purchases a second of traffic without end, unless another rate is asked for
APART_S = 600.0  # simulated seconds between two purchases of traffic that is not live

Service = Annotated[str, typer.Argument(help="turnover, ...")]


@app.command()
def replay(
    file: Annotated[
        str, typer.Argument(help="JSON lines (- for standard input) or the Online Retail CSV; also .gz, .xz")
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Send every line as it is, also what is no record.")] = False,
) -> None:
    """Publish purchases, returns and customer data from a file. Harmless to repeat."""
    if not run(replaying.replay(place.find().kafka(), file, raw)):
        raise typer.Exit(1)


@app.command("simulate")
def simulate_(
    count: Annotated[int | None, typer.Option(min=1, help="How many purchases; without it, until Ctrl-C.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Records a second [10, with --count: all at once]")
    ] = None,
    customers: Annotated[int, typer.Option(min=1)] = 1000,
    late: Annotated[float, typer.Option(min=0, max=1, help="Share that is reported days later.")] = 0.02,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent twice.")] = 0.02,
    out_of_order: Annotated[float, typer.Option(min=0, max=1, help="Share that others overtake.")] = 0.05,
    returns: Annotated[float, typer.Option(min=0, max=1, help="Share that is brought back, wholly or in part.")] = 0.08,
    garbage: Annotated[
        float, typer.Option(min=0, max=1, help="Share that a broken record follows; share of bad customer data.")
    ] = 0.0,
    known: Annotated[float, typer.Option(min=0, max=1, help="Share of the customers whom the CRM names.")] = 0.9,
    start: Annotated[
        str | None, typer.Option(help="Time of the first purchase [live, with --count: so that it ends now]")
    ] = None,
    every: Annotated[
        float | None, typer.Option(min=0.0, help="Simulated seconds between two purchases [live, or 600]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and start give the same records.")] = 1,
    out: Annotated[
        str | None, typer.Option(help="Write JSON lines to this file (- for standard output) instead.")
    ] = None,
) -> None:
    """Publish traffic like a shop's: purchases and returns, some late, twice or out of order, and customer data."""
    if count is None:
        if out not in {None, "-"}:
            raise Trouble("--out needs --count: a file has to end")
        rate = rate or LIVE_RATE
    apart = timedelta(seconds=every if every is not None else APART_S if rate is None else 1 / rate)
    now = datetime.now(UTC)
    first = clock.moment(start) if start else now if count is None or rate is not None else now - count * apart
    shares = Shares(late, duplicates, out_of_order, returns, garbage, known)
    records = traffic(seed, start=first, every=apart, customers=customers, shares=shares, count=count)
    if out is not None:
        simulate.write(out, records)
    else:
        run(simulate.publish(place.find().kafka(), records, rate))


@app.command()
def tick(at: Annotated[str | None, typer.Option(help="RFC 3339, as 2011-01-01T00:00:00Z [now]")] = None) -> None:
    """Move the clock: one tick to every partition."""
    when = clock.moment(at) if at else datetime.now(UTC).replace(microsecond=0)
    partitions = run(clock.tick(place.find().kafka(), when))
    results.print(f"ticked {partitions} partitions to {clock.written(when)}", highlight=False)


@app.command()
def token(
    scope: Annotated[str, typer.Option(help="customer, pos, staff, programme or ops; several separated by spaces")],
    customer: Annotated[str | None, typer.Option(help="Whose data it opens; for scope customer.")] = None,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds for which it is good.")] = 7 * 24 * 3600,
) -> None:
    """Print a token for the local system."""
    typer.echo(tokens.token(place.find(), scope, customer, ttl))


@programmes.command("check")
def check(file: Annotated[Path, typer.Argument(help="A version of the programme, in YAML.")]) -> None:
    """Say everything that is wrong with a version, without publishing it."""
    version = programme.load(file)
    results.print(f"version {version.version} holds together, in force from {version.effective_from}", highlight=False)


@programmes.command("publish")
def publish(file: Annotated[Path, typer.Argument(help="A version of the programme, in YAML.")]) -> None:
    """Publish a version, if it holds together and fits those before it."""
    results.print(run(programme.publish(place.find().kafka(), file)), highlight=False)


@master_keys.command("list")
def list_keys() -> None:
    """Show the versions of the master key, and how many customers' keys each wraps."""
    from deploy.cli import keys  # noqa: PLC0415 - MongoDB's client takes half a second

    run(keys.listing(*place.find().keys()))


@master_keys.command("rotate")
def rotate() -> None:
    """Wrap every customer's key under a new version. One that was cut off is finished by the next."""
    from deploy.cli import keys  # noqa: PLC0415 - MongoDB's client takes half a second

    run(keys.rotate(*place.find().keys()))


@master_keys.command("destroy")
def destroy(
    version: Annotated[int, typer.Argument(min=1, help="A closed version; `list` shows them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy a version for good: backups from before the rotation no longer show personal data."""
    from deploy.cli import keys  # noqa: PLC0415 - MongoDB's client takes half a second

    here = place.find().keys()
    if not yes:
        typer.confirm(f"No backup of personal data wrapped under version {version} will open again. Go on?", abort=True)
    run(keys.destroy(*here, version))


@app.command()
def rebuild(
    service: Service,
    compare: Annotated[
        bool, typer.Option("--compare", help="Change nothing, print the drift; exit 1 if there is any.")
    ] = False,
) -> None:
    """Fold what a service stores anew from its log."""
    if not run(rebuilding.rebuild(*place.find().service(service), compare)):
        raise typer.Exit(1)


@app.command("sign-in")
def sign_in(customer: Annotated[str, typer.Option(help="Who signs in.")]) -> None:
    """Print a link that opens a customer's page of the local system, once."""
    typer.echo(tokens.sign_in(place.find(), customer))


@app.command()
def preview(
    template: Annotated[str, typer.Argument(help="tier_changed, ...")],
    locale: Annotated[str, typer.Option(help="en, de or ru.")] = "en",
    file: Annotated[Path, typer.Option("--programme", help="Whose words to use.")] = Path("deploy/programme.yaml"),
    out: Annotated[Path, typer.Option(help="Where to write it.")] = Path(".run/preview"),
) -> None:
    """Write what a message of the notifier looks like, as HTML and as text, and print where."""
    from deploy.cli import preview as previews  # noqa: PLC0415 - MJML and Babel take a second

    for path in previews.preview(template, locale, file, out):
        results.print(str(path), highlight=False, soft_wrap=True)


@app.command("dead-letters", no_args_is_help=True)
def dead_letters(
    service: Service,
    action: Annotated[deadletters.Action, typer.Argument(help="list what was refused and why, or retry it")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The records that a service could not take."""
    here = place.find()
    if action is deadletters.Action.LIST:
        run(deadletters.listing(here.kafka(), service, as_json))
    else:
        run(deadletters.retry(*here.service(service)))


def main() -> None:
    """What the installed command runs: one line for what goes wrong, never a traceback."""
    logging.disable()  # libraries tell what they retry; what stays wrong is raised
    try:
        app()
    except Trouble as trouble:
        stop(trouble)
    except BrokenPipeError:
        close_output()


if __name__ == "__main__":
    main()
