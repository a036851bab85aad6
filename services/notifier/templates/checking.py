"""What can be wrong with templates and translations, seen before the first message is made."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from babel.messages.catalog import Catalog
from jinja2 import Environment, TemplateSyntaxError, meta, nodes
from jinja2.ext import extract_from_ast

Text = tuple[str, ...]  # a text of the source language; singular and plural, where it has both

_VARIABLE: Final = re.compile(r"%\((\w+)\)s")
_GETTEXT: Final = frozenset({"gettext", "ngettext"})


def faults(
    environment: Environment,
    sources: Mapping[str, str],
    known: Mapping[str, frozenset[str]],
    catalogues: Mapping[str, Catalog],
) -> Iterator[str]:
    """Every fault, in words. `known`: what each template may use; one that is not named may use nothing."""
    texts: set[Text] = set()
    for name, source in sources.items():
        try:
            tree = environment.parse(source)
        except TemplateSyntaxError as error:
            yield f"{name}: line {error.lineno}: {error.message}"
            continue
        unknown = meta.find_undeclared_variables(tree) - _set_inside(tree) - known.get(name, frozenset()) - _GETTEXT
        yield from (f"{name}: uses {variable}, which it is not given" for variable in sorted(unknown))
        missing = [other for other in meta.find_referenced_templates(tree) if other not in sources]
        yield from (f"{name}: needs {other}, which does not exist" for other in missing)
        texts.update(_texts(tree))
    for language, catalogue in catalogues.items():
        yield from (f"{language}: {fault}" for text in sorted(texts) for fault in _translated(catalogue, text))


def texts_of(environment: Environment, sources: Iterable[str]) -> set[Text]:
    """All texts that are to be translated."""
    return {text for source in sources for text in _texts(environment.parse(source))}


def _set_inside(tree: nodes.Template) -> set[str]:
    """What a template sets at its top and uses in its blocks, which Jinja does not see when it only reads."""
    targets = [node.target for node in tree.find_all((nodes.Assign, nodes.AssignBlock))]
    names = {target.name for target in targets if isinstance(target, nodes.Name)}
    imports = [name for node in tree.find_all(nodes.FromImport) for name in node.names or ()]
    return names | {name if isinstance(name, str) else name[1] for name in imports}


def _texts(tree: nodes.Template) -> Iterator[Text]:
    for _line, _function, message in extract_from_ast(tree):
        parts = (message,) if isinstance(message, str) else message or ()
        yield tuple(part for part in parts if part is not None)


def _translated(catalogue: Catalog, text: Text) -> Iterator[str]:
    """What is wrong with the translation of one text."""
    source = next(iter(text))
    message = catalogue.get(source)
    if message is None or message.fuzzy:
        yield f"{source!r} is not translated"
        return
    forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    if len(forms) != (catalogue.num_plurals if len(text) > 1 else 1) or not all(forms):
        yield f"{source!r} lacks a form of its plural" if len(text) > 1 else f"{source!r} is not translated"
        return
    # A singular may say "one" instead of a number.
    allowed = {frozenset(_VARIABLE.findall(part)) for part in text}
    if any(frozenset(_VARIABLE.findall(form)) not in allowed for form in forms):
        yield f"the translation of {source!r} has other variables"
