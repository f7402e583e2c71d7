from charlm.config import DocumentKind
from charlm.data.documents import Part
from charlm.data.inputs.overview import Overview


def overview_of(kind: DocumentKind, *parts: Part) -> Overview:
    overview = Overview(kind)
    for part in parts:
        overview.add(part)
    return overview


def test_a_document_in_several_parts_counts_once() -> None:
    found = overview_of("file", Part(["one"], False), Part([" two", "three"], False), Part(["!"], True))
    assert (found.characters, found.documents) == (13, 2)
    assert overview_of("file", Part(["one"], False), Part([" two"], True), Part(["three"], True)).file_lengths == (7, 5)
    assert overview_of("line", Part(["one", "two"], True)).file_lengths == ()


def test_a_blank_line_that_spans_two_parts_makes_it_no_list() -> None:
    lines = "a short line\n" * 150
    assert overview_of("file", Part([lines], False), Part([lines], True)).looks_like_list
    assert not overview_of("file", Part([lines], False), Part(["\n" + lines], True)).looks_like_list
    assert not overview_of("paragraph", Part([lines], False), Part([lines], True)).looks_like_list


def test_documents_are_sorted_if_they_ascend_from_part_to_part() -> None:
    names = [f"{number:04}" for number in range(300)]
    assert overview_of("line", Part(names[:100], True), Part(names[100:], True)).looks_sorted
    assert not overview_of("line", Part(names[::-1], True)).looks_sorted
    continued = Part(["0 is only the rest of the last document", *names[150:]], True)
    assert overview_of("line", Part(names[:150], False), continued).looks_sorted
    assert not overview_of("line", Part(names[:199], True)).looks_sorted, "too few to tell"
