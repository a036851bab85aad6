"""`perkstream rebuild`: have a service fold what it stores anew from its log, or only compare."""

from rich.table import Table
from rich.text import Text

from deploy.cli.asking import ask, summed
from deploy.cli.trouble import results


async def rebuild(url: str, token: str, compare: bool) -> bool:
    """Rebuild or compare, and print what came of it; false when the comparison found drift."""
    answer = await ask(url, token, "/rebuild", {"compare": compare})
    examples = [one for part in answer for one in part.get("examples", [])]
    if examples:
        table = Table("customer", "differs in", title="Stored otherwise than the log says")
        for one in examples:
            table.add_row(Text(one["customer_id"]), Text(", ".join(one["differs"])))
        results.print(table)
    results.print(f"{'compared' if compare else 'rebuilt'}: {summed(answer)}", highlight=False)
    return not (compare and any(part.get("drifted") for part in answer))
