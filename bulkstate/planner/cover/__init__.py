"""Few rectangles that cover a relation, and a proof of how few could do (minimum biclique cover).

Two ways: `small`, exact where it can be, on bit sets; `large`, cluster by cluster, for millions of classes.
"""
