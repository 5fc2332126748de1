"""Starts MiniStack with what it lacks of global tables: it replicates what UpdateItem changes, but not what PartiQL does.

A stand-in for a part of DynamoDB, where all writes are replicated alike.
"""

import copy

from ministack.app import main
from ministack.services import dynamodb

update_here = dynamodb._partiql_update


def update_everywhere(table, parsed, data=None):
    partition, sort, _, error = dynamodb._partiql_key_target(table, parsed)
    if error:
        return update_here(table, parsed, data)
    before = copy.deepcopy(table["items"].get(partition, {}).get(sort))
    answer = update_here(table, parsed, data)
    after = table["items"].get(partition, {}).get(sort)
    if after is not None and after != before:
        dynamodb._emit_stream_event(parsed["table"], "MODIFY", before, after)
    return answer


dynamodb._partiql_update = update_everywhere

main()
