"""The condensed tree of HDBSCAN (Campello, Moulavi and Sander, 2013; McInnes and Healy, 2017), and cuts of it that are
nested: a finer one divides the clusters of a coarser one. scikit-learn gives one cut alone, so the tree is made here
from its single linkage tree. No database.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class CondensedTree:
    """Nodes 0 (all points), 1, … in which a child comes after its parent: `parent` (nodes,), -1 of the first;
    `stability` (nodes,), how long and with how many points each lives; `node_of` (m,), the last node that each point
    belongs to."""

    parent: np.ndarray
    stability: np.ndarray
    node_of: np.ndarray

    @cached_property
    def children(self) -> list[list[int]]:
        """Of each node the two that it falls into, or none."""
        found: list[list[int]] = [[] for _ in self.parent]
        for node, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                found[parent].append(node)
        return found

    @cached_property
    def leaves(self) -> list[int]:
        """The nodes that fall into no others, of a tree that has a split."""
        return [node for node, below in enumerate(self.children) if node and not below]

    def stable(self) -> list[int]:
        """The nodes with the largest excess of mass, none in another: what scikit-learn finds."""
        best, chosen = self.stability.copy(), np.ones(len(self.parent), bool)
        for node in range(len(self.parent) - 1, 0, -1):
            below = sum(best[child] for child in self.children[node])
            if self.children[node] and below > best[node]:
                chosen[node], best[node] = False, below
        found, waiting = [], list(self.children[0])
        while waiting:
            node = waiting.pop()
            if chosen[node]:
                found.append(node)
            else:
                waiting += self.children[node]
        return sorted(found)

    def cut(self, nodes: list[int]) -> np.ndarray:
        """The cluster (m,) of each point, 1, 2, … for the nodes in their order, 0 for what is in none of them."""
        number = np.zeros(len(self.parent), dtype=np.int32)
        number[nodes] = np.arange(1, len(nodes) + 1)
        for node, parent in enumerate(self.parent.tolist()):
            if parent >= 0 and not number[node]:
                number[node] = number[parent]
        return number[self.node_of]


def condensed_tree(linkage: np.ndarray, least: int) -> CondensedTree:
    """The tree of a single linkage tree with m - 1 rows (left_node, right_node, value, cluster_size), as scikit-learn's
    HDBSCAN has it, in which a cluster has at least that many points."""
    m = len(linkage) + 1
    left, right, value = (linkage[name].tolist() for name in ("left_node", "right_node", "value"))
    size = [1] * m + linkage["cluster_size"].tolist()
    parent, birth, stability = [-1], [0.0], [0.0]
    node_of = np.zeros(m, dtype=np.int32)
    waiting = [(2 * m - 2, 0)]
    while waiting:
        at, node = waiting.pop()
        if at < m:  # a point whose cluster ends with it
            node_of[at] = node
            continue
        row = at - m
        density = 1 / value[row] if value[row] > 0 else np.inf
        both = left[row], right[row]
        large = [size[each] >= least for each in both]
        if all(large):
            stability[node] += (density - birth[node]) * size[at]
            for each in both:
                waiting.append((each, len(parent)))
                parent.append(node)
                birth.append(density)
                stability.append(0.0)
            continue
        for each, stays in zip(both, large, strict=True):
            if stays:
                waiting.append((each, node))
            else:
                stability[node] += (density - birth[node]) * size[each]
                node_of[_points_below(each, m, left, right)] = node
    return CondensedTree(np.array(parent), np.array(stability), node_of)


def nested_cuts(tree: CondensedTree, xy: np.ndarray, weight: np.ndarray, most: float) -> tuple[list[np.ndarray], int]:
    """Clusters (m,) of points (m, 2), 0 for none, several times: the coarsest first, each with one cluster more than
    the one before; and which of them is the default: the most stable clusters, of which any with more than `most` of
    all pictures is divided as long as it can be.

    `weight` (m,) are the pictures at each point. From the default on the largest cluster is divided into its two; what
    lies between these goes with the nearest, so that nothing is lost by looking closer. To the coarser side the
    smallest two of one parent become that."""
    if len(tree.parent) == 1:
        return [np.zeros(len(xy), dtype=np.int32)], 0
    stable = tree.stable()
    cuts = [*reversed(_coarser(tree, stable, weight)), {node: each for each, node in enumerate(stable, 1)}]
    found = [tree.cut(list(nodes)) for nodes in cuts]
    default, nodes, of = len(found) - 1, dict(cuts[-1]), found[-1]
    while True:
        pictures = np.bincount(of, weights=weight, minlength=len(nodes) + 1)
        able = [node for node in nodes if tree.children[node]]
        if not able:
            return found, default
        largest = max(able, key=lambda node: (pictures[nodes[node]], -node))
        too_large = pictures[nodes[largest]] > most * weight.sum() and default == len(found) - 1
        of, nodes = _divided(tree, xy, of, nodes, largest)
        found.append(of)
        default += too_large


def _coarser(tree: CondensedTree, nodes: list[int], weight: np.ndarray) -> list[dict[int, int]]:
    """Coarser and coarser cuts {node: number}."""
    pictures = np.bincount(tree.node_of, weights=weight, minlength=len(tree.parent))
    for node in range(len(tree.parent) - 1, 0, -1):
        pictures[tree.parent[node]] += pictures[node]
    found, chosen = [], {*nodes}
    while len(chosen) > 2:
        parents = {int(tree.parent[node]) for node in chosen} - {0}
        able = [node for node in parents if {*tree.children[node]} <= chosen]
        if not able:
            break
        parent = min(able, key=lambda node: (pictures[node], node))
        chosen = (chosen - {*tree.children[parent]}) | {parent}
        found.append({node: each for each, node in enumerate(sorted(chosen), 1)})
    return found


def _divided(
    tree: CondensedTree, xy: np.ndarray, of: np.ndarray, nodes: dict[int, int], node: int
) -> tuple[np.ndarray, dict[int, int]]:
    """The clusters with one of them divided into its two, and the numbers of the nodes."""
    from scipy.spatial import KDTree

    first, second = tree.children[node]
    members = np.flatnonzero(of == nodes[node])
    core = tree.cut([first, second])[members]
    known = core > 0
    near = KDTree(xy[members[known]]).query(xy[members[~known]])[1]
    core[~known] = core[known][near]
    divided, number = of.copy(), len(nodes) + 1
    divided[members[core == 2]] = number
    rest = {each: place for each, place in nodes.items() if each != node}
    return divided, rest | {first: nodes[node], second: number}


def _points_below(at: int, m: int, left: list[int], right: list[int]) -> list[int]:
    found, waiting = [], [at]
    while waiting:
        each = waiting.pop()
        if each < m:
            found.append(each)
        else:
            waiting += [left[each - m], right[each - m]]
    return found
