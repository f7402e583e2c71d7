import json

from charlm.cells import CELLS


def test_cells_are_listed_with_their_equations(charlm) -> None:
    shown = " ".join(charlm("cells").stdout.split())  # where equations stand below each other, without semicolons
    entries = {entry["name"]: entry for entry in json.loads(charlm("cells", "--json").stdout)}
    assert list(entries) == list(CELLS)
    for name, entry in entries.items():
        assert entry["equations"] == CELLS[name].equations
        assert entry["parameters"] == CELLS[name].num_parameters(32, 256)
        for part in (name, entry["equations"].replace(";", ""), f"{entry['parameters']:,}", entry["reference"]):
            assert part in shown
    assert entries["lstm"]["parameters"] == 4 * 256 * (32 + 256 + 1)
    assert "c = f * c' + i * g" in entries["lstm"]["equations"] and "1997" in entries["lstm"]["reference"]
