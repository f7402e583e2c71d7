import numpy as np

from charlm.sampling.constraints.automata.texts import acrostic, containing, lines, without
from charlm.sampling.constraints.automaton import NEVER, explore, intersect
from charlm.sampling.constraints.distance_search import DistanceSearch


def test_distances_are_those_of_the_product() -> None:
    letters = np.frombuffer(b"abx \n", dtype=np.uint8)
    tables = [containing("ab xb"), acrostic("bab"), without("ba")]
    product = explore(0, lambda state, byte: 0 if byte in letters else None, lambda state: True)
    for table in tables:
        product = intersect(product, table, most=10_000)
    search = DistanceSearch(tables, letters)
    states, single = tuple(table.start for table in tables), product.start
    for byte in b"bx ab x":
        assert search.distance(states) == product.distances[single]
        data = np.array([byte], dtype=np.uint8)
        states = tuple(int(own.step(np.array([one]), data)[0]) for own, one in zip(tables, states, strict=True))
        single = int(product.step(np.array([single]), data)[0])


def test_what_can_t_be_reached_is_never() -> None:
    tables = [containing("ab"), without("b"), lines(1)]
    search = DistanceSearch(tables, np.frombuffer(b"abx", dtype=np.uint8))
    assert search.distance(tuple(table.start for table in tables)) == NEVER
