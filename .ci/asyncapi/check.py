"""What is wrong with an AsyncAPI document, with the examples in it, and with those in Markdown."""

import json
import re

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import relevance
from referencing import Registry
from referencing.jsonschema import DRAFT7

DOCUMENT = "urn:asyncapi-document"
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def findings(schema, document, markdown):
    """The findings, one line each."""
    found = [f"document: {error}" for error in errors(Draft7Validator(schema), document)]
    # The messages of a document that is none have no meaning.
    return found or in_examples(document) + in_markdown(document, markdown)


def in_examples(document):
    found = []
    for name, message in messages(document).items():
        examples = message.get("examples", [])
        if not examples:
            found.append(f"message {name} has no example")
        for number, example in enumerate(examples, 1):
            found += [f"message {name}, example {number}: {error}" for error in misfits(document, name, example)]
    return found


def in_markdown(document, markdown):
    """Each block is an example of exactly one message, and each message has one."""
    found, missing = [], set(messages(document))
    for block in BLOCK.findall(markdown):
        line = f"line {markdown[: markdown.index(block)].count(chr(10)) + 1}"
        try:
            example = parsed(block)
        except ValueError as error:
            found.append(f"{line}: {error}")
            continue
        misfit = {name: misfits(document, name, example) for name in messages(document)}
        fitting = [name for name, why in misfit.items() if not why]
        missing -= set(fitting)
        if not fitting:
            found += [f"{line}: not {name}: {why[0]}" for name, why in misfit.items()]
        elif len(fitting) > 1:
            found.append(f"{line}: fits several messages: {', '.join(fitting)}")
    return found + [f"message {name} has no example in the text" for name in sorted(missing)]


def parsed(block):
    """Lines `NAME: VALUE`, an empty line, and a body of JSON."""
    head, separator, body = block.partition("\n\n")
    if not separator or not all(": " in line for line in head.splitlines()):
        raise ValueError("not attributes, an empty line, and a body")
    return {"headers": dict(line.split(": ", 1) for line in head.splitlines()), "payload": json.loads(body)}


def messages(document):
    return document["components"]["messages"]


def misfits(document, name, example):
    """Why an example is not one of the message with this name."""
    found = []
    for part in ("headers", "payload"):
        if part not in example:
            found.append(f"{part}: missing")
            continue
        registry = Registry().with_resource(DOCUMENT, DRAFT7.create_resource(document))
        # The document is the base of the references in it.
        at = {"$ref": f"{DOCUMENT}#/components/messages/{name}/{part}"}
        validator = Draft7Validator(at, registry=registry, format_checker=FormatChecker())
        found += [f"{part}: {error}" for error in errors(validator, example[part])]
    return found


def errors(validator, instance):
    return [described(error) for error in sorted(validator.iter_errors(instance), key=relevance)]


def described(error):
    """The cause; of alternatives, in the one with the fewest errors, which is no reference."""
    while error.context:
        alternatives = {}
        for cause in error.context:
            alternatives.setdefault(cause.relative_schema_path[0], []).append(cause)
        causes = min(alternatives.values(), key=lambda causes: (is_reference(causes), len(causes)))
        error = min(causes, key=relevance)
    text = error.message if len(error.message) < 300 else f"{error.message[:300]} …"
    return f"{error.json_path}: {text}"


def is_reference(causes):
    return any(cause.validator == "required" and cause.validator_value == ["$ref"] for cause in causes)
