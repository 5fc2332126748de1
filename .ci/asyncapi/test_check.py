"""Each kind of mistake is found."""

import copy
import json
import os
import unittest
from pathlib import Path

import yaml
from check import findings

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(Path(os.environ["ASYNCAPI_SCHEMA"]).read_text(encoding="utf-8"))
DOCUMENT = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
MARKDOWN = (ROOT / "docs/events.md").read_text(encoding="utf-8")


class Check(unittest.TestCase):
    def found(self, what, change=None, markdown=MARKDOWN):
        document = copy.deepcopy(DOCUMENT)
        if change:
            change(document)
        found = findings(SCHEMA, document, markdown)
        self.assertTrue(any(what in finding for finding in found), found)

    def test_a_document_that_is_none_of_asyncapi(self):
        self.found("'action' is a required property", lambda it: it["operations"]["announce"].pop("action"))
        self.found("'sent' is not one of", lambda it: it["operations"]["announce"].update(action="sent"))
        self.found("'title' is a required property", lambda it: it["info"].pop("title"))

    def test_an_example_that_is_not_of_its_message(self):
        def batch(document):
            return document["components"]["messages"]["batch"]["examples"][0]

        self.found("'x' does not match", lambda it: batch(it)["payload"][0]["data"].update(id="x"))
        self.found("'time' is a required property", lambda it: batch(it)["payload"][0].pop("time"))
        self.found("is not a 'date-time'", lambda it: batch(it)["payload"][1].update(time="today"))
        self.found("'content-type' is a required property", lambda it: batch(it)["headers"].clear())
        self.found("payload: missing", lambda it: batch(it).pop("payload"))
        self.found("message batch has no example", lambda it: it["components"]["messages"]["batch"].pop("examples"))

    def test_an_example_in_the_text_that_is_no_message(self):
        for sent, instead, what in [
            ('"amount":14.5', '"amount":"14.5"', "'14.5' is not of type 'number'"),
            ('"amount":14.5', '"amount":0', "0 is less than the minimum"),
            ("ce-type: sale.registered", "ce-type: sale.refunded", "'sale.registered' was expected"),
            ("ce-source: sa-east-1\n", "", "'ce-source' is a required property"),
            ("\n\n{", "\n{", "not attributes, an empty line, and a body"),
            ('"amount":14.5', '"amount":', "Expecting value"),
        ]:
            with self.subTest(instead):
                self.assertIn(sent, MARKDOWN)
                self.found(what, markdown=MARKDOWN.replace(sent, instead))
        self.found("message saleCancelled has no example in the text", markdown="")

    def test_an_example_that_fits_several_messages(self):
        def twice(document):
            document["components"]["messages"]["again"] = document["components"]["messages"]["batch"]

        self.found("fits several messages: batch, again", twice)


if __name__ == "__main__":
    unittest.main()
