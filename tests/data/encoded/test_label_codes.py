from charlm.config import LabelColumn
from charlm.data.encoded.label_codes import LabelCodes


def test_every_value_has_a_code() -> None:
    stars = LabelColumn(name="stars", values=("1", "5"), documents=(1, 1))
    codes = LabelCodes((stars, LabelColumn(name="who", values=("ann", "5"), documents=(1, 1))))
    found = [codes(labels).tolist() for labels in ((("who", "5"), ("stars", "5")), (("who", "ann"),), ())]
    assert found == [[2, 4], [0, 3], [0, 0]] and not codes.unknown
    assert codes((("stars", "3"), ("mood", "x"))).tolist() == [0, 0] and codes.unknown == {("stars", "3")}
