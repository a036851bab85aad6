"""The log of a process: JSON, one object a line, for machines; aligned and coloured on a terminal."""

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.typing import Processor

# Libraries that tell at level info what we tell better ourselves, or count as metrics.
QUIET = ("aiokafka", "faststream", "httpx", "kafka", "motor", "pymongo", "uvicorn.access")


def configure(service: str, form: Literal["auto", "json", "console"] = "auto", level: str = "info") -> None:
    """Send every log record of this process, also those of libraries, to standard output in one form.

    Local variables are never printed with an exception: they could hold a customer's data.
    """
    console = form == "console" or (form == "auto" and sys.stdout.isatty())
    numeric = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        lambda _, __, event: {"service": service, **event},
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if console:
        last = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]

    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=numeric, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, numeric))


def get(name: str) -> Any:
    """A logger whose every record says which part of the process speaks."""
    return structlog.get_logger(part=name)
