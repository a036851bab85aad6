"""`perkstream rebuild`: have a service fold what it stores anew from its log, or only compare."""

from rich.table import Table
from rich.text import Text

from deploy.cli.asking import ask, summed
from deploy.cli.trouble import results


async def rebuild(url: str, token: str, compare: bool) -> bool:
    """Rebuild or compare, and print what came of it; false when the comparison found drift."""
    answer = await ask(url, token, "/rebuild", {"compare": compare})
    drift = [one for part in answer for one in part.pop("drift", [])]
    if drift:
        table = Table(title="drift: what is stored differs from what the log says")
        columns = list(dict.fromkeys(name for one in drift for name in one))
        for column in columns:
            table.add_column(column, overflow="fold")
        for one in drift:
            table.add_row(*(Text(str(one.get(column, ""))) for column in columns))
        results.print(table)
    said = ["compared" if compare else "rebuilt", summed(answer)]
    if compare:
        said.append(f"{len(drift):,} differ" if drift else "no drift")
    results.print(", ".join(filter(None, said)), highlight=False)
    return not (compare and drift)
