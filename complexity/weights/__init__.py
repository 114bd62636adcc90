"""The weights: what the integers themselves cost, counted value by value; the index page.

digits: canonical signed digits, popcount and bit span of one integer.
histogram: how often each value occurs in arrays of weights, and the figures that follow from it.
trees: the balanced adder tree of every output of a constant matrix, of products or of signed digits.
sharing: what is left to add when terms that several outputs need are computed once.

Behind trees, in the order of the work: inputs (the intervals they start from), packing (rows cut and rounded), alphabet
and pages (weights spelled as terms of few kinds), levels (one level of many trees added), forest (all of it, block
after block), unbounded (the same in Python integers where 64 bits do not suffice).

A room of pure counting: arrays in, Python integers out; it knows neither files nor layers.
"""
