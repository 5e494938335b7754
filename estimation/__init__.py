"""Rates of small creators with honest uncertainty: pure functions on NumPy arrays.

Nothing here opens a warehouse. The dbt models `int_…__estimated` hand in counts in a fixed
order and store what comes back; `setae evaluate` calls the same functions on simulated counts.

    hierarchy   what is the prior of each tier and platform, and how sure is that
    mixture     exact quantiles of the posterior of one rate
    estimates   counts in, shrunken rates, intervals, labels and ranks out
    jackknife   ratios of sums over creators, and their slope in audience size
    tiers       creators' counts by tier in, ratios with intervals out
    prediction  does a proxy tell the next month's conversion
    lift        what an experiment added, by permutation of its own lot
    designs     outcomes of assigned units in, one answer an experiment out
    table       the same for a table of many populations, as the build hands it in
    simulation  creators whose true rates are known, through these very functions
    evaluation  how good the estimates are, and whether a change made them worse

The same counts give the same bits on any number of threads: sums run over arrays in a stated order
without BLAS, random draws are seeded by the population's name, and what is stored is rounded.
"""
