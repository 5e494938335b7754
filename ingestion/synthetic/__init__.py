"""A simulated platform with known truth: seeded, vectorised, the same to the byte each time.

No public data joins real creators, their audiences and purchases, so Setae ships a world in which
the answers are known. It feeds the demo and the tests, and estimators can be scored against it.

    setae simulate world --scenario demo --out var/world     # generate
    setae simulate check var/world                           # planted against recovered

`scenario` says what can be chosen, `world` runs a generation, `truth` lists what is written beside
the data, `oracle` recovers what was planted, `shopify` serves the shop. docs/simulation/world.md
tells what the world assumes and what it cannot stand for.
"""
