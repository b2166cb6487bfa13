"""Rows of the table of events as calls of Batch's API: the JSON that Longshore sends for them."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpx

# What one call of /profiles/update takes at most.
OPERATIONS_PER_CALL = 200

PATH = "/2.11/profiles/update"


def instant(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def operation(row: dict[str, Any]) -> dict[str, Any]:
    """One event of one profile. NULL is left out, JSON text becomes an object."""
    attributes = {}
    for column in ("id", "item", "quantity", "price", "is_gift"):
        if row[column] is not None:
            attributes[column] = row[column]
    if row["url__item_url"] is not None:
        attributes["url(item_url)"] = row["url__item_url"]
    if row["product_details"] is not None:
        attributes["product_details"] = json.loads(row["product_details"])
    event = {"name": row["event_name"], "time": instant(row["event_time"]), "attributes": attributes}
    return {"identifiers": {"custom_id": row["custom_id"]}, "events": [event]}


def client(endpoint: str) -> httpx.Client:
    headers = {"Authorization": "Bearer rest_bench", "X-Batch-Project": "project_bench", "Content-Type": "application/json"}
    return httpx.Client(base_url=endpoint, headers=headers, trust_env=False)


def send(client: httpx.Client, rows: Iterable[dict[str, Any]]) -> int:
    """One call for at most OPERATIONS_PER_CALL rows. Gives their number."""
    operations = [operation(row) for row in rows]
    response = client.post(PATH, content=json.dumps(operations, separators=(",", ":")))
    if response.status_code != 202 or response.json()["code"] != "SUCCESS":
        raise RuntimeError(f"the endpoint answers {response.status_code}: {response.text}")
    return len(operations)
