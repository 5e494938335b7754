"""A Shopify shop on loopback that serves a simulated world as the Admin GraphQL API 2026-10.

`shop.Shop` answers requests, `server` puts it behind a port of 127.0.0.1, `faults` lists what can
go wrong on demand. `schema.graphql` is the part of the Admin schema that is answered. What real
Shopify does that this does not: docs/simulation/shopify.md.
"""
