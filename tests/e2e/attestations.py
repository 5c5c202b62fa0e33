"""Statements and provenance as others read them: in-toto's protocol buffers, which reject unknown keys."""

from __future__ import annotations

import json
from pathlib import Path

import rfc8785
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://pyzpack.dev/build/v1"
LOCAL = "https://pyzpack.dev/local/v1"


def read_provenance(predicate: dict) -> provenance_pb2.Provenance:
    provenance = json_format.Parse(json.dumps(predicate), provenance_pb2.Provenance())
    for descriptor in [*provenance.build_definition.resolved_dependencies, *provenance.run_details.byproducts]:
        ResourceDescriptor.copy_from_pb(descriptor).validate()
    return provenance


def read_statement(statement: Path | str) -> dict:
    """The predicate of a statement in its one spelling, which in-toto takes for a statement with SLSA provenance."""
    text = statement if isinstance(statement, str) else statement.read_text()
    document = json.loads(text)
    assert rfc8785.dumps(document) == text.encode()
    message = json_format.Parse(text, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    assert message.predicate_type == PROVENANCE
    predicate = document["predicate"]
    assert json_format.MessageToDict(message.predicate) == predicate
    assert read_provenance(predicate).build_definition.build_type == BUILD_TYPE
    return predicate


def dependencies(predicate: dict) -> dict[str, list[str]]:
    """What went in, by name, with what it was there for."""
    found = predicate["buildDefinition"]["resolvedDependencies"]
    keys = [(one["name"], one.get("uri", ""), json.dumps(one.get("digest"))) for one in found]
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys))
    return {one["name"]: one["annotations"]["roles"] for one in found}


def commits(predicate: dict) -> list[str]:
    """The commits that are claimed for checkouts."""
    found = predicate["buildDefinition"]["resolvedDependencies"]
    sources = [one for one in found if one["name"] == "source"]
    assert all(one.keys() == {"name", "digest", "annotations"} for one in sources)
    return [one["digest"]["gitCommit"] for one in sources]
