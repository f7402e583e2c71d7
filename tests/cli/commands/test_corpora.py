import json

from charlm.data.registry import registry


def test_corpora_are_listed(charlm) -> None:
    shown = charlm("corpora").stdout
    entries = {entry["name"]: entry for entry in json.loads(charlm("corpora", "--json").stdout)}
    assert list(entries) == list(registry())
    for name, entry in entries.items():
        assert name in shown and entry["description"] == registry()[name].description
        assert entry["here"] == (entry["kind"] != "download")
    assert entries["hello"]["here"] is True and entries["tinyshakespeare"]["here"] is False
